"""Explains a tag without an agent: connects, reads its group, and looks at what became of it as far as that goes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import registry
from agent.config import Site, rules_of
from agent.config.words import did_you_mean
from agent.model.errors import AgentError, DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.model.text import public
from agent.normalise import Rules, Steps
from agent.normalise.calculated import Source
from agent.normalise.origins import origin
from agent.runtime.app import build_drivers
from agent.runtime.why import field, north, shaping
from agent.runtime.why.explainer import CONFIGURED, DEEPEST, configured, made_stage, unreached, value_row
from agent.runtime.why.shaping import Policy, Subject
from agent.runtime.why.stages import Explanation, Stage
from drivers.api import DriverConfig, Learner, Poller
from drivers.tracing import Trace, Traced

MOST_SCANS = 60  # until it is clear which registers a device refuses
PAUSE = 0.05  # seconds between them
NOT_READ_ALONE = "nothing is stored or sent without an agent"


class Lone:
    """One look at the devices of a site."""

    def __init__(self, site: Site, data: Path) -> None:
        self._site, self._data = site, data
        self._devices = {device.name: device for device in site.devices}
        self._steps = Steps((), site.recipes, self._found)

    def explain(self, device: str, tag: str) -> dict[str, Any]:
        """As `agent.runtime.why.stages.Explanation.as_row`."""
        return asyncio.run(self._explain((device, tag), DEEPEST)).as_row()

    def _found(self, device: str) -> Mapping[str, Rules]:
        config = self._devices.get(device)
        tags = registry.kept(config, self._data).tags if config else ()
        return {tag.name: rules_of(tag, config) for tag in tags} if config else {}

    async def _explain(self, source: Source, deepest: int) -> Explanation:
        device, tag = source
        found = Explanation(device, tag, "read")
        config = self._devices.get(device)
        made = origin(self._site.recipes, device, tag, self._found(device))
        if made is not None and deepest and made.sources:
            found.origin = {"how": made.how, "of": [f"{owner}/{name}" for owner, name in made.sources]}
            found.source = await self._explain(made.sources[0], deepest - 1)
            found.stages = [Stage(CONFIGURED, "ok"), made_stage(found, made), *_behind()]
            return found
        if config is None:
            wrong, hint = f"no device {device!r} is enabled in the file", did_you_mean(device, self._devices)
            found.stages = [Stage(CONFIGURED, "failed", (), wrong, hint), *unreached()]
            return found
        await self._read(config, found)
        return found

    async def _read(self, config: DriverConfig, found: Explanation) -> None:
        try:
            (driver,) = build_drivers(self._site, [config], self._data)
        except AgentError as error:
            found.stages = [Stage(CONFIGURED, "failed", (), error.message, error.hint), *unreached()]
            return
        assert isinstance(driver, Poller)
        known = {tag.name: (schema, at) for schema in driver.schemas for at, tag in enumerate(schema.tags)}
        if found.tag not in known:
            wrong, hint = f"no tag {found.tag!r} of device {found.device!r} is read", did_you_mean(found.tag, known)
            found.stages = [Stage(CONFIGURED, "failed", (), wrong, hint), *unreached()]
            return
        schema, column = known[found.tag]
        found.stages.append(configured(schema, self._steps.output(schema).tags[column]))
        began = time.monotonic()
        try:
            await driver.open()
            connected = time.monotonic() - began
            frame, trouble = await _scanned(driver, schema)
            trace = driver.trace(found.tag) if isinstance(driver, Traced) else None
        except AgentError as failure:
            seen = [("endpoint", public(config.endpoint))]
            found.stages += [Stage(field.LINE, "failed", seen, failure.message, failure.hint), *unreached()[1:]]
            return
        finally:
            await driver.close()
        seen = [("endpoint", public(config.endpoint)), ("connected", f"in {max(1, round(connected * 1e3))} ms")]
        found.stages.append(Stage(field.LINE, "ok", seen))
        self._look(found, schema, column, frame, trace, trouble)

    def _look(
        self,
        found: Explanation,
        schema: Schema,
        column: int,
        frame: Frame | None,
        trace: Trace | None,
        error: DeviceError | None,
    ) -> None:
        wall, mono = time.time_ns(), time.monotonic_ns()
        exchange = field.exchange(trace, schema, wall, mono)
        if error is not None and exchange.state != "failed":
            exchange = replace(exchange, state="failed", wrong=error.message, hint=error.hint)
        output, sample = self._steps.output(schema), None
        if frame is not None:
            shaped = self._steps.shaped(frame)
            place = shaping.place_of(shaped, column)
            sample = shaping.sample(shaped, place) if place is not None else None
        tag, rules = output.tags[column], self._steps.rules(schema)[column]
        subject = Subject(schema.interval, schema.tags[column], tag, rules, trace)
        found.value = value_row(tag, sample)
        found.stages += [exchange, field.decode(trace), shaping.value(subject, sample, wall)]
        found.stages += _behind(shaping.report(tag, Policy(rules.report or Policy().asked), sample, sample, wall))


def _behind(report: Stage | None = None) -> list[Stage]:
    """What only an agent does; of the report it is known what is asked."""
    names = (shaping.REPORT, north.STORE, north.SINK)
    found = [Stage(name, "unreached", (), NOT_READ_ALONE) for name in names]
    if report is not None:
        found[0] = replace(found[0], seen=report.seen[:1], wrong="")
    return found


async def _scanned(driver: Poller, schema: Schema) -> tuple[Frame | None, DeviceError | None]:
    """Read a group, again and again while the driver is finding out what of it its device refuses. What could not be
    read at all comes as an error."""
    frame: Frame | None = None
    error: DeviceError | None = None
    for scan in range(MOST_SCANS):
        try:
            frame, error = await driver.scan(schema), None
        except Refused as refusal:
            frame, error = None, refusal
        except (Unreachable, Garbled) as silence:
            return None, silence
        searching = isinstance(driver, Learner) and driver.searching
        if scan and not searching:
            break
        if error is None and not any(frame.quality if frame else b"") and not searching:
            break
        await asyncio.sleep(PAUSE)
    return frame, error
