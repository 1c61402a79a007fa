"""`floorgate read`"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from agent.cli.options import config_option, json_option
from agent.config import Site, load
from agent.model.errors import ConfigError
from agent.model.frame import Frame
from agent.model.quality import quality_name
from agent.model.tag import Schema
from agent.normalise import compile_step
from agent.runtime.app import build_drivers
from drivers.api import Poller


@click.command("read")
@config_option
@click.argument("device")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@json_option
def command(config: Path, device: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Read a device of FILE once and print its values; nothing is stored or sent."""
    site = load(config)
    frames = asyncio.run(_read(site, device, set(tags)))
    rows = [row for frame in frames for row in _rows(frame, tags)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    else:
        _show(device, rows)


async def _read(site: Site, device: str, wanted: set[str]) -> list[Frame]:
    config = next((each for each in site.devices if each.name == device), None)
    if config is None:
        known = ", ".join(each.name for each in site.devices)
        raise ConfigError(f"no device {device!r}", hint=f"the file has: {known}")
    (driver,) = build_drivers(site, [config])
    assert isinstance(driver, Poller)
    schemas = [schema for schema in driver.schemas if not wanted or wanted & {tag.name for tag in schema.tags}]
    if unknown := wanted - {tag.name for schema in schemas for tag in schema.tags}:
        raise ConfigError(f"{device} has no tag {', '.join(sorted(unknown))}", hint="`floorgate check` lists them")
    try:
        await driver.open()
        return [await _scan(driver, schema) for schema in schemas]
    finally:
        await driver.close()


async def _scan(driver: Poller, schema: Schema) -> Frame:
    (frame,) = compile_step(schema)(await driver.scan(schema))
    return frame


def _rows(frame: Frame, wanted: Sequence[str]) -> list[dict[str, object]]:
    moment = datetime.fromtimestamp(frame.ts / 1e9, UTC).isoformat(timespec="milliseconds")
    return [
        {"tag": tag.name, "value": value, "unit": tag.unit, "quality": quality_name(quality), "time": moment}
        for tag, value, quality in frame.rows()
        if not wanted or tag.name in wanted
    ]


def _show(device: str, rows: Sequence[dict[str, object]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # loads only when a table is shown
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=device, title_justify="left")
    for column, justify in (
        ("tag", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("quality", "left"),
        ("time", "left"),
    ):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for row in rows:
        colour = "" if row["quality"] == "good" else "[red]"
        table.add_row(*(f"{colour}{'' if cell is None else cell}" for cell in row.values()))
    Console().print(table)
