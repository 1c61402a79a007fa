"""`floorgate call`"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from agent.cli import records, voice
from agent.cli.interrupt import interruptible
from agent.cli.options import config_option, data_option, iso, json_option
from agent.cli.pick import device as picked
from agent.config import load
from agent.config.words import did_you_mean
from agent.model.clock import SYSTEM
from agent.model.errors import ConfigError
from agent.model.frame import Value
from agent.model.text import plain
from agent.runtime.app import build_drivers
from agent.runtime.audit import somebody
from agent.runtime.book import Book
from agent.runtime.call import Called, call, given, spelt
from agent.runtime.guard import Forbidden
from drivers.api import Argument, Caller, DriverConfig, MethodConfig


@click.command("call", context_settings={"ignore_unknown_options": True})  # so that -5 is a value
@config_option
@click.argument("device")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@data_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    config: Path, device: str, method: str, arguments: tuple[str, ...], data: Path, yes: bool, as_json: bool
) -> None:
    """Call a METHOD that is listed in FILE, once, and keep in the audit who did it.

    Shows what will be called and asks first. What was called is listed by `floorgate audit`.
    """
    target = _Target(config, device, method, data)
    values = given(device, target.method, asyncio.run(target.signature()), arguments)
    said = spelt(target.method, values)
    voice.echo(f"{device}: {plain(said)}", err=True)
    if not yes:
        voice.confirm("Call?")
    with interruptible():
        called = asyncio.run(target.call(values))
    if as_json:
        row = {"device": device, "method": method, "arguments": values, "found": list(called.found)}
        records.show(row | {"audit": called.number, "time": iso(SYSTEM.wall())})
    else:
        back = plain(", ".join("?" if each is None else str(each) for each in called.found))
        voice.echo(f"{device}: {plain(said)}: done" + f", gave {back}" * bool(called.found))


@dataclass(frozen=True, slots=True)
class _Target:
    """A method of a device of a file. Every property raises ConfigError or Forbidden."""

    config: Path
    device: str
    name: str
    data: Path

    @property
    def method(self) -> MethodConfig:
        return _method(picked(load(self.config).devices, self.device), self.name)

    def driver(self) -> Caller:
        site = load(self.config)
        (found,) = build_drivers(site, [picked(site.devices, self.device)], self.data)
        if not isinstance(found, Caller):
            raise Forbidden(f"device {self.device!r}: its driver knows no methods")
        return found

    async def signature(self) -> Sequence[Argument]:
        driver = self.driver()
        try:
            await driver.open()
            return await driver.signature(self.method.name)
        finally:
            await driver.close()

    async def call(self, values: Sequence[Value]) -> Called:
        driver = self.driver()
        with closing(Book(self.data)) as book:
            try:
                await driver.open()
                return await call(driver, self.method, values, book=book, who=somebody())
            finally:
                await driver.close()


def _method(config: DriverConfig, name: str) -> MethodConfig:
    known: dict[str, MethodConfig] = {each.name: each for each in getattr(config, "methods", ())}
    if not known:
        hint = "only a method that is listed in `methods:` of the device may be called"
        raise Forbidden(f"{config.name}: the configuration does not let a method be called", hint=hint)
    if name not in known:
        raise ConfigError(f"device {config.name!r} lists no method {name!r}", hint=did_you_mean(name, known))
    return known[name]
