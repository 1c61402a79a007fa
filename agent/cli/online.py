"""`floorgate check --online`: connect to everything that a site names, and read each tag once."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent import lang, registry
from agent.cli import pages, pick, voice
from agent.cli.ask import Agent, find
from agent.cli.progress import progress
from agent.config import Site, rules_of
from agent.model.errors import AgentError, Refused
from agent.model.frame import bad_frame
from agent.model.quality import Quality, quality_name
from agent.model.text import plain, public
from agent.normalise import Steps
from agent.northbound.api import Gateway, SinkConfig, pulled_of
from agent.runtime.app import build_drivers
from drivers.api import Driver, DriverConfig, Poller

PATIENCE = 30.0  # seconds for a sink to be open
SHOWN = 8  # bad tags of a device that are named
_RUNNING = "the running agent has the wires and the sessions, and was asked instead"


@dataclass(slots=True)
class Seen:
    """How a device or a sink was found: `ok`, `bad` (some tags are), or `down` with the error."""

    kind: str
    name: str
    state: str = "ok"
    tags: int = 0
    good: int = 0
    seconds: float = 0.0
    error: str = ""
    bad: dict[str, str] = field(default_factory=dict)  # quality by tag

    def row(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def online(site: Site, data: Path) -> list[Seen]:
    """Devices in the order of the file, then sinks. Takes turns on a line as the agent does; lines side by side.

    Where an agent runs on `data`, it is asked how things are. Raises StoreError when it does not answer.
    """
    with find(data) as agent:
        if agent is not None:
            voice.echo(f"floorgate: {_RUNNING}", err=True)
            return _waiting(_asked(agent, site), site, data)
    total = len(site.devices) + len(site.sinks)
    with progress("connecting", total) as done:
        return _waiting(asyncio.run(_looked(site, data, done)), site, data)


def _waiting(rows: list[Seen], site: Site, data: Path) -> list[Seen]:
    """A device that answers is not well when nothing of it would be read."""
    for device, seen in zip(site.devices, rows, strict=False):
        if seen.state == "ok" and pick.waits(device, data):
            seen.state, seen.error = "bad", str(AgentError("it has no tag yet", hint=pick.not_yet(device.name)))
    return rows


def said(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each, and one for each tag that is not good."""
    width = max((len(row["name"]) for row in rows), default=0)
    return [line for row in rows for line in _said(row, width)]


def _said(row: dict[str, Any], width: int) -> Iterator[str]:
    what = f"{row['good']} of {row['tags']} tags good" if row["tags"] else ""
    took = f"{1000 * row['seconds']:.0f} ms" if row["seconds"] else ""
    parts = [each for each in (what, took, row["error"]) if each]
    kind, state = _cell(row["kind"], "device", "sink"), _cell(row["state"], "ok", "bad", "down")
    told = lang.between(", ").join(map(lang.said, parts))  # a line with its columns is no message
    yield plain(f"  {row['name']:{width}}  {kind}  {state}  {told}").rstrip()
    bad = list(row["bad"].items())
    for tag, quality in bad[:SHOWN]:
        yield plain(f"  {'':{width}}    {tag}: {quality}")
    if len(bad) > SHOWN:
        yield f"  {'':{width}}    and {len(bad) - SHOWN} more"


def _cell(word: str, *others: str) -> str:
    """As wide as each of the words that may stand there."""
    return pages.padded(lang.word(word), max(pages.width(lang.word(each)) for each in others))


async def _looked(site: Site, data: Path, done: Callable[[int], None]) -> list[Seen]:
    found = {device.name: Seen("device", device.name) for device in site.devices}
    sinks = [Seen("sink", sink.name) for sink in site.sinks if sink.enabled]
    count = 0

    def one_more() -> None:
        nonlocal count
        count += 1
        done(count)

    steps = Steps((), site.recipes, lambda device: _rules(site, device, data))
    configs = {sink.name: sink for sink in site.sinks}
    lines = (_line(line, found, steps, one_more) for line in _lines(site, data, found))
    await asyncio.gather(*lines, *(_sink(site, configs[seen.name], seen, one_more) for seen in sinks))
    return [*found.values(), *sinks]


def _rules(site: Site, name: str, data: Path) -> dict[str, Any]:
    device = next(device for device in site.devices if device.name == name)
    return {tag.name: rules_of(tag, device) for tag in registry.kept(device, data).tags}


def _lines(site: Site, data: Path, found: dict[str, Seen]) -> Iterator[list[Driver]]:
    """The drivers that share a wire; what cannot even be built is noted."""
    lines: dict[str, list[Driver]] = {}
    for driver in _built(site, data, found):
        lines.setdefault(driver.line if isinstance(driver, Poller) else driver.device, []).append(driver)
    yield from lines.values()


def _built(site: Site, data: Path, found: dict[str, Seen]) -> list[Driver]:
    try:
        return build_drivers(site, site.devices, data)
    except AgentError:  # of one of them: which is seen when each is built alone
        pass
    drivers: list[Driver] = []
    for device in site.devices:
        try:
            drivers += build_drivers(site, [device], data)
        except AgentError as error:
            _down(found[device.name], error)
    return drivers


async def _line(drivers: Sequence[Driver], found: dict[str, Seen], steps: Steps, done: Callable[[], None]) -> None:
    for driver in drivers:
        seen, began = found[driver.device], time.monotonic()
        try:
            await driver.open()
            await _read(driver, seen, steps)
        except AgentError as error:
            _down(seen, error)
        finally:
            await driver.close()
        seen.seconds = time.monotonic() - began
        done()


async def _read(driver: Driver, seen: Seen, steps: Steps) -> None:
    if not isinstance(driver, Poller):
        return
    refusals: list[Refused] = []
    for schema in driver.schemas:
        try:
            frame = await driver.scan(schema)
        except Refused as error:
            refusals.append(error)
            frame = bad_frame(schema, Quality.BAD_DEVICE, time.time_ns(), time.monotonic_ns())
        for tag, _, quality in steps.shaped(frame).rows():
            seen.tags += 1
            if quality:
                seen.bad[tag.name] = quality_name(quality)
            else:
                seen.good += 1
    if seen.bad:
        seen.state = "bad"
        seen.error = str(refusals[0]) if refusals else ""


async def _sink(site: Site, config: SinkConfig, seen: Seen, done: Callable[[], None]) -> None:
    """Connect, and say goodbye. A sink that is asked has nothing to connect to."""
    if pulled_of(config) is None:
        began = time.monotonic()
        try:
            sink = registry.sink_builder(config.type)(config, Gateway(site.gateway.id, tuple(site.gateway.site)))
            try:
                async with asyncio.timeout(PATIENCE):
                    await sink.open()
            finally:
                await sink.close()
        except AgentError as error:
            _down(seen, error)
        except TimeoutError:
            _down(seen, AgentError(f"not open after {PATIENCE:g} s", hint="does the other side answer at all?"))
        seen.seconds = time.monotonic() - began
    done()


def _down(seen: Seen, error: AgentError) -> None:
    seen.state, seen.error = "down", str(error)


def _asked(agent: Agent, site: Site) -> list[Seen]:
    """As the running agent has it; what it does not know is not in the file that it runs."""
    parts = {(part["kind"], part["name"]): part for part in agent.get("/api/v1/health")}
    values: dict[str, list[dict[str, Any]]] = {}
    for value in agent.get("/api/v1/tags")["tags"]:
        values.setdefault(value["device"], []).append(value)
    return [_known(device, parts, values.get(device.name, [])) for device in site.devices] + [
        _part("sink", sink.name, parts) for sink in site.sinks if sink.enabled
    ]


def _known(device: DriverConfig, parts: dict[tuple[str, str], Any], values: list[dict[str, Any]]) -> Seen:
    seen = _part("device", device.name, parts)
    seen.tags = len(values)
    seen.bad = {value["tag"]: value["quality"] for value in values if value["quality"] != "good"}
    seen.good = seen.tags - len(seen.bad)
    if seen.bad and seen.state == "ok":
        seen.state = "bad"
    return seen


def _part(kind: str, name: str, parts: dict[tuple[str, str], Any]) -> Seen:
    found = parts.get((kind, name))
    if found is None:
        error = AgentError(f"{kind} {public(name)} is not in the file that the agent runs", hint="apply the file first")
        return Seen(kind, name, "down", error=str(error))
    return Seen(kind, name, "ok" if found["state"] == "up" else "down", error=found["error"])
