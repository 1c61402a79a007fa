"""`floorgate write`"""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from agent.cli import pick, records, voice
from agent.cli.interrupt import interruptible
from agent.cli.options import config_option, data_option, iso, json_option
from agent.cli.port import port_in_use
from agent.config import Site, load
from agent.model.clock import SYSTEM
from agent.model.errors import AgentError, Refused
from agent.model.frame import Value
from agent.model.text import plain
from agent.runtime.app import build_drivers
from agent.runtime.audit import NEARLY, resting, somebody
from agent.runtime.book import Book
from agent.runtime.guard import Forbidden, parse
from agent.runtime.write import Written, limits, prepared, write
from drivers.api import DriverConfig, Encoded, TagConfig, Writer, enum_names


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be written where."""

    site: Site
    device: DriverConfig
    tag: TagConfig
    data: Path

    def driver(self) -> Writer:
        (found,) = build_drivers(self.site, [self.device], self.data)
        if not isinstance(found, Writer):
            raise Forbidden(f"device {self.device.name!r}: its driver {self.device.driver} cannot write")
        return found


@click.command("write", context_settings={"ignore_unknown_options": True})  # so that -5 is a value
@config_option
@click.argument("device")
@click.argument("tag")
@click.argument("value")
@data_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def command(config: Path, device: str, tag: str, value: str, data: Path, yes: bool, as_json: bool) -> None:
    """Write VALUE to a TAG that has a `write` section in FILE, read it back, and keep in the audit who did it.

    Shows old and new and asks first. What was written is listed by `floorgate audit`.
    """
    site = load(config)
    found = pick.device(site.devices, device)
    target = Target(site, found, pick.tag(found, tag, data), data)
    meant = _parsed(target, value)
    encoded = prepared(target.driver(), target.tag, meant)
    with port_in_use(data, found.endpoint):
        old = asyncio.run(_look(target.driver(), tag))
    voice.echo(
        f"{device}, {tag}: {_said(old)} -> {_said(encoded.value)} {target.tag.unit}  [{plain(encoded.raw)}]", err=True
    )
    if not yes:
        voice.confirm("Write?")
    with port_in_use(data, found.endpoint), interruptible():
        written = asyncio.run(_write(target, meant, old))
    _report(target, old, encoded, written, as_json)
    _warn(data)


def _warn(data: Path) -> None:
    """When there is not much room left in the audit."""
    with resting(data) as book:
        if book.fill() >= NEARLY:
            what = (
                f"floorgate: the audit is more than {NEARLY:.0%} full; when it is full nothing is written to a device"
            )
            voice.echo(f"{what} (`floorgate audit --archive FILE` makes room)", err=True)


def _parsed(target: Target, text: str) -> Value:
    names = enum_names(target.tag)
    try:
        if limits(target.tag) is None:
            return text  # the guard says what is missing
        return parse(text, getattr(target.tag, "dtype", "str"), tuple(names))
    except ValueError as error:
        raise Forbidden(f"{target.device.name}, {target.tag.name}: {error}") from error


async def _look(driver: Writer, tag: str) -> Value:
    """The value before; None when the device does not let it be read."""
    try:
        await driver.open()
        return await driver.look(tag)
    except Refused as error:
        voice.echo(f"floorgate: the value before cannot be read: {plain(str(error))}", err=True)
        return None
    finally:
        await driver.close()


async def _write(target: Target, value: Value, old: Value) -> Written:
    driver = target.driver()
    with closing(Book(target.data)) as book:
        try:
            await driver.open()
            return await write(driver, target.tag, value, old, book=book, who=somebody())
        finally:
            await driver.close()


def _report(target: Target, old: Value, encoded: Encoded, written: Written, as_json: bool) -> None:
    device, tag = target.device.name, target.tag
    if as_json:
        row: dict[str, Any] = {"device": device, "tag": tag.name, "unit": tag.unit, "old": old, "new": encoded.value}
        row |= {"found": written.found, "raw": encoded.raw, "outcome": written.outcome}
        row |= {"audit": written.number, "time": iso(SYSTEM.wall())}
        records.show(row)
    elif written.outcome == "done":
        voice.echo(f"{device}, {tag.name}: {_said(written.found)} {tag.unit}".rstrip() + ", read back")
    if written.outcome != "done":
        raise AgentError(
            f"{device}, {tag.name}: {_said(encoded.value)} was written, but {_said(written.found)} stands there now",
            hint="does the device limit it, need a release first, or set it itself?",
        )


def _said(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "?" if value is None else f"{value:.15g}" if isinstance(value, float) else plain(str(value))
