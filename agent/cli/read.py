"""`floorgate read`"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from agent import registry
from agent.cli import pick, records, tables, voice
from agent.cli.options import config_option, data_option, json_option
from agent.config import Site, load, rules_of
from agent.model.errors import ConfigError, Refused
from agent.model.frame import Frame, Value, bad_frame
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema, Tag
from agent.model.text import plain
from agent.normalise import Steps
from agent.runtime.app import build_drivers
from drivers.api import DriverConfig, Poller, Raw, Revealer

DIGITS = {"float32": 7, "float64": 15}  # as many as the type can vouch for; --json has the exact number


@click.command("read")
@config_option
@click.argument("device")
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@data_option
@json_option
def command(config: Path, device: str, tags: tuple[str, ...], data: Path, as_json: bool) -> None:
    """Read a device of FILE once and print its values; nothing is stored or sent."""
    site = load(config)
    raws: dict[str, Raw] = {}
    frames = asyncio.run(_read(site, pick.device(site.devices, device), tags, raws, data))
    rows = [(frame, row) for frame in frames for row in frame.rows() if not tags or row[0].name in tags]
    if as_json:
        made = [_record(frame, *row) | _made_of(row[0], raws) for frame, row in rows]
        records.show(made)
    else:
        _show(device, [row for _, row in rows], raws)


async def _read(
    site: Site, config: DriverConfig, wanted: Sequence[str], raws: dict[str, Raw], data: Path
) -> list[Frame]:
    (driver,) = build_drivers(site, [config], data)
    assert isinstance(driver, Poller)
    known = {tag.name: schema for schema in driver.schemas for tag in schema.tags}
    waits = registry.kept(config, data).patterns
    if waits and not known:
        raise ConfigError(f"device {config.name!r} has no tag yet", hint=pick.not_yet(config.name))
    for name in wanted:
        if name not in known:
            raise pick.no_tag(config.name, name, known, patterns=waits)
    schemas = dict.fromkeys(known[name] for name in wanted or known)
    try:
        await driver.open()
        found = {tag.name: rules_of(tag, config) for tag in registry.kept(config, data).tags}
        return await read_groups(driver, tuple(schemas), raws, Steps((), site.recipes, lambda _: found))
    finally:
        await driver.close()


async def read_groups(
    driver: Poller, schemas: Sequence[Schema], raws: dict[str, Raw], steps: Steps | None = None
) -> list[Frame]:
    """A frame per group, shaped as when it leaves; one that the device refuses is bad, with the reason on stderr.
    Raises Refused when all are.

    `raws` gets what the values are made of, where the driver tells.
    """
    steps = Steps() if steps is None else steps
    frames: list[Frame] = []
    refusals: list[Refused] = []
    for schema in schemas:
        try:
            frame = steps.shaped(await _scanned(driver, schema, raws))
        except Refused as error:
            refusals.append(error)
            frame = bad_frame(steps.output(schema), Quality.BAD_DEVICE, time.time_ns(), time.monotonic_ns())
        frames.append(frame)
    if refusals and len(refusals) == len(schemas):
        raise refusals[0]
    for refusal in refusals:
        voice.echo(f"floorgate: {plain(str(refusal))}", err=True)
    return frames


async def _scanned(driver: Poller, schema: Schema, raws: dict[str, Raw]) -> Frame:
    if not isinstance(driver, Revealer):
        return await driver.scan(schema)
    frame, found = await driver.reveal(schema)
    raws.update(found)
    return frame


def _record(frame: Frame, tag: Tag, value: Value, quality: int) -> dict[str, object]:
    moment = datetime.fromtimestamp(frame.ts / 1e9, UTC).isoformat(timespec="milliseconds")
    return {"tag": tag.name, "value": value, "unit": tag.unit, "quality": quality_name(quality), "time": moment}


def _made_of(tag: Tag, raws: Mapping[str, Raw]) -> dict[str, object]:
    found = raws.get(tag.name)
    return {} if found is None else {"address": found.address, "raw": found.raw}


def _show(device: str, rows: Sequence[tuple[Tag, Value, int]], raws: Mapping[str, Raw]) -> None:
    extra = {"raw": "left", "address": "left"} if raws else {}
    table = tables.table(device, tag="left", value="right", unit="left", quality="left", **extra)
    for tag, value, quality in rows:
        found = raws.get(tag.name)
        cells = [tag.name, _text(tag, value), tag.unit, quality_name(quality)]
        cells += [found.raw, found.address] if found else [""] * len(extra)
        table.add_row(*(tables.cell(text, "red" if quality else "") for text in cells))
    tables.show(table)


def _text(tag: Tag, value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.{DIGITS.get(tag.dtype, 15)}g}"
    return "" if value is None else str(value)
