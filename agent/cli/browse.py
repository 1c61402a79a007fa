"""`floorgate browse`"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from agent import registry
from agent.cli import outline, pick, resume, voice
from agent.cli.options import data_option, iso, json_option
from agent.cli.pin import pin
from agent.cli.progress import progress
from agent.cli.query import Query, Wishes
from agent.cli.spelt import Span
from agent.config import load
from agent.model.errors import AgentError, DeviceError
from agent.runtime.app import build_drivers
from drivers.api import Driver, LineConfig
from drivers.browsing import Browser, Place
from drivers.opcua.globs import DEEPEST
from drivers.opcua.naming import check, legal

PATIENCE = 5.0  # seconds for one answer of a server that is in no file
KEEP_EVERY = 5000  # nodes, and a quarter of what there is
PEEK = 200  # values that are asked for at once


@dataclass(slots=True)
class Walked:
    """What a walk has come to, also when it is broken off: then `cut` says why."""

    found: list[Place] = field(default_factory=list)
    expanded: int = 0
    cut: str = ""
    values: dict[int, str] = field(default_factory=dict)


@click.command("browse")
@click.option("-c", "--config", metavar="FILE", type=click.Path(path_type=Path), help="The site that has the device.")
@click.argument("device", metavar="DEVICE|opc.tcp://HOST:PORT")
@click.option("--security", metavar="HOW", default="auto", show_default=True, help="Of a server that is in no file.")
@click.option("--timeout", type=Span(), help="For one answer of a server that is in no file. [default: 5s]")
@click.option("--start", metavar="NODE", default="", help="Where to begin. [default: i=85, the folder Objects]")
@click.option("--match", "matches", metavar="GLOB", multiple=True, help="Names on the way, such as 'Press*/**/Temp'.")
@click.option("--type", "types", metavar="TYPE", multiple=True, help="Only of this type, such as float64 or Double.")
@click.option("--writable", is_flag=True, help="Only what the server lets be written.")
@click.option("--depth", type=click.IntRange(0), help="How many levels down.")
@click.option("--all", "everything", is_flag=True, help="The Server object and the properties of variables too.")
@click.option("--max-nodes", type=click.IntRange(1, 2_000_000), default=200_000, show_default=True)
@click.option("--time", "most_time", type=Span("24h"), default="10m", show_default=True, help="When to break off.")
@click.option("--values", is_flag=True, help="Read the values too.")
@click.option("--yaml", "as_map", is_flag=True, help="As a device map.")
@click.option(
    "--name", "naming", default="", help="Names of the map's tags: {1} is the first wildcard, {name} the node's."
)
@click.option("--pin", "pins", is_flag=True, help="Find and keep what the patterns of the device in FILE mean.")
@click.option("--resume", "again", is_flag=True, help="Go on with a walk that was broken off.")
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="Where a walk that is broken off is kept."
)
@data_option
@json_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Show what a device has: its nodes as a tree, or with --yaml as a device map that can be pasted into the file.

    Ctrl-C breaks off, shows what was found, and keeps it; --resume goes on. Nothing is written to the device.
    """
    asked = Asked(**given)
    if asked.pins:
        whole = pin(asked.pinned(), most=asked.max_nodes, seconds=asked.most_time, as_json=asked.as_json)
        ctx.exit(0 if whole else 1)
    walked, failure = Walked(), None
    try:
        query = Query(asked.wishes, walked.found)
        check(asked.naming)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if asked.state is not None:
        resume.free(asked.state)
    if asked.again:
        kept = resume.resumed(asked.kept, asked.key)
        walked.expanded = kept.expanded
        walked.found.extend(kept.found)
    try:
        with progress("nodes") as done:
            asyncio.run(_walk(asked, walked, query, done))
    except KeyboardInterrupt:
        walked.cut = "interrupted"
    except DeviceError as error:
        if not walked.found:
            raise
        walked.cut, failure = "the connection was lost", error
    _report(asked, walked, query)
    if query.cut:
        voice.echo(f"floorgate: what lies more than {DEEPEST} levels down was not looked into: see --start", err=True)
    _settle(asked, walked)
    if failure is not None:
        raise failure
    ctx.exit(1 if walked.cut or not walked.found else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    config: Path | None
    device: str
    security: str
    timeout: float | None
    start: str
    matches: tuple[str, ...]
    types: tuple[str, ...]
    writable: bool
    depth: int | None
    everything: bool
    max_nodes: int
    most_time: float
    values: bool
    as_map: bool
    naming: str
    pins: bool = False
    again: bool
    state: Path | None
    data: Path
    as_json: bool

    @property
    def wishes(self) -> Wishes:
        return Wishes(self.matches, self.types, self.writable, self.depth, self.everything)

    @property
    def key(self) -> list[str]:
        return [self.device, self.start, *self.matches, str(self.depth), str(self.everything)]

    @property
    def kept(self) -> Path:
        return self.state or self.data / "browse" / f"{legal(self.device.replace(':', '_').replace('/', '_'))}.json"

    def driver(self) -> Browser:
        """Raises AgentError and click.UsageError."""
        found = self._of_a_file() if self.config else self._of_no_file()
        if not isinstance(found, Browser):
            raise AgentError(f"{self.device}: its driver cannot tell what the device has")
        return found

    def pinned(self) -> Driver:
        """The device whose patterns are to be looked for: those of the file, and no others."""
        others = self.matches or self.types or self.start or self.writable or self.as_map or self.again or self.values
        if not self.config or others or self.depth is not None:
            raise click.UsageError("--pin takes -c FILE and DEVICE, and goes by the tags of the device with `match`")
        return self._of_a_file()

    def _of_a_file(self) -> Driver:
        assert self.config is not None
        site = load(self.config)
        (found,) = build_drivers(site, [pick.device(site.devices, self.device)], self.data)
        return found

    def _of_no_file(self) -> Driver:
        if "://" not in self.device:
            raise click.UsageError(
                "name the file of the device with -c, or an endpoint such as opc.tcp://192.168.1.31:4840"
            )
        return of_no_file(self.device, self.security, self.timeout or PATIENCE, self.data)


def of_no_file(endpoint: str, security: str, timeout: float, data: Path) -> Driver:
    """An OPC UA server that is in no file yet; `timeout` in seconds for one answer. Raises click.UsageError."""
    keys = {"name": "browse", "driver": "opcua", "endpoint": endpoint, "security": security}
    try:
        config = registry.driver_config("opcua").model_validate(keys)
    except ValidationError as error:
        said = "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
        raise click.UsageError(said) from error
    line = LineConfig.model_validate({"endpoint": endpoint, "timeout": f"{timeout:g}s"})
    (found,) = registry.driver_builder("opcua")(line, [config], data)
    return found


async def _walk(
    asked: Asked, walked: Walked, query: Query, done: Callable[[int], None], every: int = KEEP_EVERY
) -> None:
    """Keeps what it has from time to time, for a process that is killed cannot."""
    driver, ends = asked.driver(), time.monotonic() + asked.most_time
    found, kept = walked.found, len(walked.found)
    try:
        await driver.open()
        steps = driver.browse(found, walked.expanded, start=asked.start, wanted=query.wanted, most=asked.max_nodes)
        async for walked.expanded in steps:
            done(len(found))
            if len(found) > kept * 1.25 + every:
                kept = len(found)
                with suppress(AgentError):  # a full disk is told at the end
                    resume.keep(asked.kept, asked.key, walked.expanded, found)
            if time.monotonic() > ends:
                walked.cut = f"broken off after {asked.most_time:g} s"
                break
        if walked.expanded < len(found) and not walked.cut:
            walked.cut = f"{asked.max_nodes:,} nodes are the most (--max-nodes)"
        if asked.values:
            await _peek(driver, walked, query, done)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    finally:
        await driver.close()


async def _peek(driver: Browser, walked: Walked, query: Query, done: Callable[[int], None]) -> None:
    wanted = [at for at, place in enumerate(walked.found) if place.kind in ("variable", "property") and query.fits(at)]
    for first in range(0, len(wanted), PEEK):
        chunk = wanted[first : first + PEEK]
        texts = await driver.peek([walked.found[at].address for at in chunk])
        walked.values.update(zip(chunk, texts, strict=True))
        done(first + len(chunk))


def _report(asked: Asked, walked: Walked, query: Query) -> None:
    found = walked.found
    if asked.as_map:
        source = f"floorgate browse {asked.device}, {iso(time.time_ns())[:10]}" + (
            f", not all: {walked.cut}" * bool(walked.cut)
        )
        try:
            lines = list(outline.device_map(found, query, model=asked.device, source=source, naming=asked.naming))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        voice.echo("\n".join(lines))
        _say_what_is_no_tag(walked, query)
    elif asked.as_json:
        _write(outline.rows(found, query, walked.values))
    else:
        for line in outline.tree(found, query, walked.values):
            voice.echo(line)


def _write(rows: Iterable[dict[str, Any]]) -> None:
    """One after the other: the ways to a hundred thousand nodes are not held at once."""
    before = "["
    for row in rows:
        click.echo(before + json.dumps(row), nl=False)
        before = ", "
    click.echo("]" if before == ", " else "[]")


def _say_what_is_no_tag(walked: Walked, query: Query) -> None:
    values = [at for at, place in enumerate(walked.found) if place.kind == "variable" and query.fits(at)]
    left = sum(not query.is_tag(at) for at in values)
    if left:
        voice.echo(
            f"floorgate: {left:,} of {len(values):,} variables are arrays or structures, and not in the map", err=True
        )


def _settle(asked: Asked, walked: Walked) -> None:
    """Keep a walk that was broken off, and say so; forget one that is whole."""
    if not walked.cut:
        asked.kept.unlink(missing_ok=True)
        return
    left = len(walked.found) - walked.expanded
    if walked.found:
        resume.keep(asked.kept, asked.key, walked.expanded, walked.found)
    voice.echo(
        f"floorgate: {walked.cut}: {len(walked.found):,} nodes found, {left:,} not looked into; "
        f"go on with --resume ({asked.kept})",
        err=True,
    )
