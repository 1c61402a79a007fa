"""`floorgate record`"""

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from agent import __version__
from agent.cli import ask, voice
from agent.cli.options import data_option, json_option
from agent.cli.progress import progress
from agent.cli.simulate import Seconds
from agent.model import host
from agent.model.errors import AgentError

if TYPE_CHECKING:
    from agent.config import Site
    from agent.record.recorder import Recorder

POLL = 0.2  # seconds between two looks at how far it is
ENDS = ("time", "full", "stopped")  # of a recording; any other is what was wrong
_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Size(click.ParamType[int]):
    """A size such as 64MB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]+) ?([KMG]?B?)", str(value).upper())
        if found is None or found[2] not in _UNITS:
            self.fail(f"{value!r} is no size such as 64MB", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.command("record")
@click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The recording.")
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The site's configuration file: read by this command itself where no agent runs.",
)
@data_option
@click.option("--for", "seconds", type=Seconds(), default="1m", show_default=True, metavar="DURATION", help="How long.")
@click.option("--size", type=Size(), default="64MB", show_default=True, help="It ends when it is so large.")
@click.option("--stop", is_flag=True, help="End the recording that the agent has under way, and take it.")
@json_option
def command(
    output: Path, config: Path | None, data: Path, seconds: float, size: int, stop: bool, as_json: bool
) -> None:
    """Record what goes over the wires, with times, into one bounded file for `floorgate replay`.

    Asks the agent that runs on the data directory, which owns the wires; without one it reads FILE itself and stores
    nothing. Passwords are never in it. Ctrl-C ends it, and keeps what there is.
    """
    from agent.record.recorder import LEAST, MOST, vacant  # noqa: PLC0415  # help is to come at once

    if not LEAST <= size <= MOST:
        raise click.BadParameter(f"from {LEAST >> 10}KB to {MOST >> 30}GB, such as 64MB", param_hint="--size")
    vacant(output)
    with ask.find(data) as agent:
        if agent is not None and stop:
            found = _fetched(agent, output, config, data)
        elif agent is not None:
            found = _asked(agent, output, config, data, seconds, size)
        elif config is None or stop:
            raise AgentError(
                f"no agent runs on {data}", hint="name its --data, or the site with -c to read it yourself"
            )
        else:
            found = asyncio.run(_alone(config, data, output, seconds, size))
    if found["why"] not in ENDS:
        raise AgentError(f"the recording was broken off: {found['why']}", hint=f"{output} holds what came before that")
    if as_json:
        click.echo(json.dumps(found))
        return
    voice.echo(f"{output}: {found['notes']:,} notes, {found['bytes']:,} bytes ({found['why']})")
    voice.echo(f"play it: floorgate replay {quote(str(output))} -c FILE")


def _asked(
    agent: ask.Agent, output: Path, config: Path | None, data: Path, seconds: float, size: int
) -> dict[str, Any]:
    """Have the running agent record; Ctrl-C ends that, too."""
    status = agent.post("/api/v1/recording/start", size=size, seconds=seconds)
    began = time.monotonic()
    with _signals() as told, progress("recording", round(seconds)) as done:
        while status["state"] == "recording" and not told:
            asyncio.run(asyncio.sleep(POLL))
            status = agent.get("/api/v1/recording")
            done(round(time.monotonic() - began))
        return _fetched(agent, output, config, data)


def _fetched(agent: ask.Agent, output: Path, config: Path | None, data: Path) -> dict[str, Any]:
    """End the recording of the agent, if it has not ended, and take it. Raises AgentError when there is none."""
    status = agent.post("/api/v1/recording/stop")
    if status["state"] == "none" or not Path(status["path"]).exists():
        raise AgentError("the agent has no recording", hint="begin one without --stop")
    _collect(Path(status["path"]), output, _files(config, data))
    return {"output": str(output), "notes": status["notes"], "bytes": output.stat().st_size, "why": status["why"]}


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that came while the block runs: they end the recording, and not this command."""
    told: list[int] = []
    before = {number: signal.signal(number, lambda got, _: told.append(got)) for number in host.STOPS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _files(config: Path | None, data: Path) -> tuple[str, dict[str, bytes]]:
    """The name of the site file, and the files of the configuration by their names."""
    from agent.config import Files, load  # noqa: PLC0415  # as above

    if config is None:
        return _kept_files(data)
    files = Files()
    load(config, files=files)
    return _named(config, dict(files.taken))


def _kept_files(data: Path) -> tuple[str, dict[str, bytes]]:
    """What the history of the data directory says that runs; nothing where it does not say."""
    from agent.runtime.history import History  # noqa: PLC0415  # as above

    history = History(data)
    state = history.state()
    if not state.running:
        return "", {}
    version = state[state.running]
    return _named(Path(version.file), history.content(version.n))


def _named(config: Path, taken: dict[Path, bytes]) -> tuple[str, dict[str, bytes]]:
    folder = config.absolute().parent
    found: dict[str, bytes] = {}
    for path, content in taken.items():
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else f"elsewhere/{path.name}"
        found[name] = content
    return config.name, found


def _collect(source: Path, output: Path, files: tuple[str, dict[str, bytes]]) -> None:
    """The agent's recording with the files of the configuration in its header, where the user wants it."""
    from agent.record.format import MAGIC, framed, read_header  # noqa: PLC0415  # as above

    try:
        with source.open("rb") as file:
            header = read_header(source, file)
            header.site, header.files = files
            output.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | host.RAW, 0o600), "wb") as target:
                target.write(MAGIC + framed(header))
                shutil.copyfileobj(file, target)
        source.unlink()
    except OSError as error:
        said = f"{error.filename or output}: {error.strerror}"
        raise AgentError(said, hint=f"the recording is still at {source}; name another file with -o") from error


async def _alone(config: Path, data: Path, output: Path, seconds: float, size: int) -> dict[str, Any]:
    """Read the devices of the file, and record that."""
    from agent.config import load  # noqa: PLC0415  # as above
    from agent.record.format import Header  # noqa: PLC0415  # as above
    from agent.record.recorder import Recorder  # noqa: PLC0415  # as above

    site = load(config)
    name, files = _files(config, data)
    header = Header(f"floorgate {__version__}", site.gateway.id, site=name, files=files)
    recorder = Recorder(output, header, size)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    recorder.ended = stop.set
    if recorder.progress.why:  # there was no room for its head
        stop.set()
    host.on_stop(loop, partial(recorder.stop, "stopped"))
    loop.call_later(seconds, recorder.stop, "time")
    await _read(site, data, recorder, stop, seconds)
    found = recorder.progress
    return {"output": str(output), "notes": found.notes, "bytes": found.bytes, "why": found.why}


async def _read(site: "Site", data: Path, recorder: "Recorder", stop: asyncio.Event, seconds: float) -> None:
    from agent.runtime.app import build_drivers  # noqa: PLC0415  # as above
    from agent.runtime.listening import listen  # noqa: PLC0415  # as above
    from drivers.tapping import Tapped  # noqa: PLC0415  # as above

    drivers = build_drivers(site, site.devices, data)
    for driver in drivers:
        if isinstance(driver, Tapped):
            driver.tap(recorder)
    with progress("recording", round(seconds)) as done:
        _tick(recorder, done, 0.0)
        await listen(site, drivers, stop)


def _tick(recorder: "Recorder", done: Callable[[int], None], passed: float) -> None:
    done(round(passed))
    if not recorder.progress.why:
        asyncio.get_running_loop().call_later(POLL, _tick, recorder, done, passed + POLL)
