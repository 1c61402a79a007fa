"""`floorgate init`"""

import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TypeVar

import click

from agent.cli import asking, finding, voice
from agent.cli.draft import draft
from agent.cli.first_site import SCHEMA, Device, Sink, Site, named, text
from agent.cli.options import data_option, default_data
from agent.cli.spelt import Numbers
from agent.config import Files, load, schema
from agent.config.schema import as_text
from agent.model.errors import AgentError

E = TypeVar("E", Device, Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The command line."""

    out: Path
    gateway: str | None
    site: str | None
    scan: tuple[str, ...]
    units: tuple[int, ...] | None
    kept: str | None
    opcua: tuple[str, ...]
    sink: tuple[str, ...]
    user: str
    password_file: Path | None
    yes: bool
    force: bool
    data: Path


@click.command("init")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", default="site.yaml", show_default=True)
@click.option("--gateway", metavar="NAME", help="Part of every message. [default: the name of this machine]")
@click.option("--site", metavar="A/B/C", help="Where it stands, from large to small, such as acme/hangzhou.")
@click.option("--scan", multiple=True, metavar="ENDPOINT", help="Look for Modbus devices there: rtu:///dev/ttyUSB0.")
@click.option("--units", type=Numbers(0, 255), metavar="1-32,40", help="Which units --scan asks.")
@click.option("--from", "kept", metavar="FILE|-", help="Take what `floorgate scan ENDPOINT --json` has printed.")
@click.option(
    "--opcua", multiple=True, metavar="[NAME=]URL", help="Meet an OPC UA server: opc.tcp://192.168.1.31:4840."
)
@click.option("--sink", multiple=True, metavar="URL", help="Where data goes: mqtt://HOST, https://HOST/PATH.")
@click.option("--user", default="", metavar="NAME", help="At the sink. Its password is asked for, or in a file:")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE", help="Readable by its owner alone.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.option("--force", is_flag=True, help="Write over FILE.")
@data_option
def command(**given: object) -> None:
    """Write a first site file, and the schema beside it by which editors complete it.

    At a terminal it asks for what the options do not say. Nothing is written to any device.
    """
    wishes = Wishes(**given)  # type: ignore[arg-type]  # as click has parsed it
    asks = not wishes.yes and sys.stdin.isatty()
    _free(wishes, asks=asks)
    name, place, sinks = _said(wishes)
    devices = _devices(wishes)
    if asks:
        name = wishes.gateway or asking.gateway(name)
        place = place if wishes.site is not None else asking.place()
        devices += asking.devices(wishes.data, {each.name for each in devices}, wishes.units) if not devices else []
        sinks = sinks or [each for each in [asking.sink()] if each]
    if not devices:
        hint = "--scan rtu:///dev/ttyUSB0, --from FILE or --opcua opc.tcp://HOST:4840"
        raise AgentError("there is no device to write about", hint=hint)
    written = _write(wishes, Site(name, place, devices, sinks), asks=asks)
    _tell(wishes, written, [device for device in devices if device.unit is None])


def _said(wishes: Wishes) -> tuple[str, list[str], list[Sink]]:
    """The gateway's name, its place and the sinks that the options say. Raises click.UsageError."""
    try:
        name = asking.name(wishes.gateway or named(platform.node(), set()))
        return name, asking.levels(wishes.site or ""), _sinks(wishes)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _free(wishes: Wishes, *, asks: bool) -> None:
    """Whether the file may be written. Raises AgentError and click.Abort."""
    if wishes.out.exists() and not wishes.force:
        if not asks:
            raise AgentError(f"{wishes.out} is there already", hint="another -o FILE, or --force to write over it")
        voice.confirm(f"{wishes.out} is there already. Write over it?")
    if not wishes.out.absolute().parent.is_dir():
        raise AgentError(f"{wishes.out}: there is no such folder", hint="make it first")


def _sinks(wishes: Wishes) -> list[Sink]:
    """Raises ValueError."""
    taken: set[str] = set()
    sinks = [Sink(named("platform", taken), asking.sink_url(url), wishes.user) for url in wishes.sink]
    if wishes.password_file is not None:
        folder, path = wishes.out.absolute().parent, wishes.password_file.absolute()
        secret = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
        sinks = [replace(sink, secret=secret) for sink in sinks]
    return sinks


def _devices(wishes: Wishes) -> list[Device]:
    """All devices that the options lead to."""
    taken: set[str] = set()
    found = finding.kept(wishes.kept, taken) if wishes.kept else []
    for endpoint in wishes.scan:
        found += finding.scanned(endpoint, wishes.units, wishes.data, taken)
    return found + [finding.server(given, wishes.data, taken) for given in wishes.opcua]


def _write(wishes: Wishes, site: Site, *, asks: bool) -> list[Path]:
    """All files, or none when what they say would be wrong. Raises AgentError."""
    folder, made = wishes.out.absolute().parent, list[Path]()
    try:
        devices = [_with_secret(each, folder, made, wishes, asks=asks) for each in site.devices]
        sinks = [_with_secret(each, folder, made, wishes, asks=asks) for each in site.sinks]
        said = text(replace(site, devices=devices, sinks=sinks)).encode()
        load(wishes.out, files=Files({wishes.out.absolute(): said}))
    except (AgentError, click.Abort):
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise
    with draft(wishes.out) as file:
        file.write(said)
    with draft(folder / SCHEMA) as file:
        file.write(as_text(schema()).encode())
    return [wishes.out, wishes.out.parent / SCHEMA, *(wishes.out.parent / path.name for path in made)]


def _with_secret(each: E, folder: Path, made: list[Path], wishes: Wishes, *, asks: bool) -> E:
    """With a password of its own in a file that nobody else can read, if there is a user and somebody to ask."""
    if not each.user or each.secret or not asks:
        return each
    path = folder / f"{each.name}.secret"
    if wishes.force:
        path.unlink(missing_ok=True)
    given = asking.password(each.user, each.name)
    try:
        path.touch(0o600, exist_ok=False)
        path.write_text(given + "\n", "utf-8")
    except FileExistsError as error:
        raise AgentError(f"{path} is there already", hint="move it away, or --force to write over it") from error
    made.append(path)
    return replace(each, secret=path.name)


def _tell(wishes: Wishes, written: Sequence[Path], servers: Sequence[Device]) -> None:
    data = "" if wishes.data == default_data() else f" --data {quote(str(wishes.data))}"
    voice.echo(f"written: {', '.join(map(str, written))}")
    voice.echo("what to do next:")
    for server in servers:
        if server.trust:
            voice.echo(f"  {server.trust}{data}     # when the server of {server.name} shows this fingerprint")
            own = wishes.data / "pki" / "own" / "cert.der"
            voice.echo(f"  # and have it trust ours, {own}: floorgate pki show own{data}")
        voice.echo(f"  floorgate browse -c {wishes.out} {server.name} --pin{data}     # finds its tags")
    voice.echo(f"  floorgate check {wishes.out} --online{data}")
    voice.echo(f"  floorgate run -c {wishes.out}{data}")
