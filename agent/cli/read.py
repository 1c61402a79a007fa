"""`floorgate read`"""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from agent.cli.options import config_option, json_option
from agent.config import Site, load
from agent.config.words import did_you_mean
from agent.model.errors import ConfigError, Refused
from agent.model.frame import Frame, Value, bad_frame
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema, Tag
from agent.normalise import compile_step
from agent.runtime.app import build_drivers
from drivers.api import DriverConfig, Poller

DIGITS = {"float32": 7, "float64": 15}  # as many as the type can vouch for; --json has the exact number


@click.command("read")
@config_option
@click.argument("device")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@json_option
def command(config: Path, device: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Read a device of FILE once and print its values; nothing is stored or sent."""
    site = load(config)
    frames = asyncio.run(_read(site, _named(site.devices, device), tags))
    rows = [(frame, row) for frame in frames for row in frame.rows() if not tags or row[0].name in tags]
    if as_json:
        click.echo(json.dumps([_record(frame, *row) for frame, row in rows], ensure_ascii=False))
    else:
        _show(device, [row for _, row in rows])


async def _read(site: Site, config: DriverConfig, wanted: Sequence[str]) -> list[Frame]:
    (driver,) = build_drivers(site, [config])
    assert isinstance(driver, Poller)
    known = {tag.name: schema for schema in driver.schemas for tag in schema.tags}
    for name in wanted:
        if name not in known:
            raise ConfigError(f"device {config.name!r} has no tag {name!r}", hint=did_you_mean(name, known))
    schemas = dict.fromkeys(known[name] for name in wanted or known)
    try:
        await driver.open()
        return await read_groups(driver, tuple(schemas))
    finally:
        await driver.close()


async def read_groups(driver: Poller, schemas: Sequence[Schema]) -> list[Frame]:
    """A frame per group; one that the device refuses is bad, with the reason on stderr. Raises Refused when all are."""
    frames: list[Frame] = []
    refusals: list[Refused] = []
    for schema in schemas:
        try:
            (frame,) = compile_step(schema)(await driver.scan(schema))
        except Refused as error:
            refusals.append(error)
            frame = bad_frame(schema, Quality.BAD_DEVICE, time.time_ns(), time.monotonic_ns())
        frames.append(frame)
    if refusals and len(refusals) == len(schemas):
        raise refusals[0]
    for refusal in refusals:
        click.echo(f"floorgate: {refusal}", err=True)
    return frames


def _named(devices: Iterable[DriverConfig], name: str) -> DriverConfig:
    known = {device.name: device for device in devices}
    if name not in known:
        raise ConfigError(f"no device {name!r} is enabled in the file", hint=did_you_mean(name, known))
    return known[name]


def _record(frame: Frame, tag: Tag, value: Value, quality: int) -> dict[str, object]:
    moment = datetime.fromtimestamp(frame.ts / 1e9, UTC).isoformat(timespec="milliseconds")
    return {"tag": tag.name, "value": value, "unit": tag.unit, "quality": quality_name(quality), "time": moment}


def _show(device: str, rows: Sequence[tuple[Tag, Value, int]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # loads only when a table is shown
    from rich.table import Table  # noqa: PLC0415  # as above
    from rich.text import Text  # noqa: PLC0415  # as above

    table = Table(title=device, title_justify="left")
    table.add_column("tag", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("unit")
    table.add_column("quality", no_wrap=True)
    for tag, value, quality in rows:
        cells = (tag.name, _text(tag, value), tag.unit, quality_name(quality))
        table.add_row(*map(Text, cells), style="red" if quality else "")
    Console().print(table)


def _text(tag: Tag, value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.{DIGITS.get(tag.dtype, 15)}g}"
    return "" if value is None else str(value)
