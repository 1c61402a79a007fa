"""Walks the way of a tag through the running agent: looks at what each part knows, and asks nobody for more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.config.words import did_you_mean
from agent.health import Health
from agent.model.clock import Clock
from agent.model.errors import StoreError
from agent.model.quality import quality_name
from agent.model.tag import Schema, Tag
from agent.model.text import duration_text
from agent.normalise import Rules, Steps
from agent.normalise.calculated import Source
from agent.normalise.origins import Origin, origin
from agent.runtime.catalogue import Catalogue
from agent.runtime.latest import Mark
from agent.runtime.storage import Storage
from agent.runtime.why import field, north, shaping
from agent.runtime.why.north import Debt, Now
from agent.runtime.why.shaping import Policy, Sample, Subject
from agent.runtime.why.stages import Explanation, Stage
from drivers.tracing import Trace, Traced

CONFIGURED, SOURCE = "configured", "source"
DEEPEST = 8  # of what is made of what is made
NO_SINK = "no sink is configured: nothing leaves the gateway"


class Explainer:
    """Of one running agent. See `agent.status.people.Explainer`."""

    def __init__(self, catalogue: Catalogue, steps: Steps, storage: Storage, health: Health, clock: Clock) -> None:
        self._catalogue, self._steps, self._storage = catalogue, steps, storage
        self._health, self._clock = health, clock

    async def explain(self, device: str, tag: str) -> dict[str, Any]:
        return (await self._explain((device, tag), DEEPEST)).as_row()

    async def _explain(self, source: Source, deepest: int) -> Explanation:
        found = Explanation(*source, "agent")
        place = self._find(source)
        if isinstance(place, Stage):
            found.stages = [place, *unreached()]
            return found
        schema, column = place
        output = self._steps.output(schema)
        trace = self._trace(*source)
        newest, told, waits = self._samples(output, column, trace)
        found.value = value_row(output.tags[column], newest)
        found.stages.append(configured(schema, output.tags[column]))
        if schema.made:
            await self._of_what_it_is_made(found, deepest)
        else:
            found.stages += self._from_the_field(schema, trace)
        found.stages += self._within(schema, output, column, trace, newest, told)
        found.stages += await self._north(source[0], self._storage.latest.mark(output, column), told, waits=waits)
        return found

    def _find(self, source: Source) -> tuple[Schema, int] | Stage:
        """The schema before the steps, or what to say where there is no such tag."""
        device, tag = source
        schemas = self._catalogue.before(device)
        if not schemas:
            wrong = f"the agent has no device {device!r}"
            return Stage(CONFIGURED, "failed", (), wrong, did_you_mean(device, self._catalogue.devices))
        for schema in schemas:
            for column, each in enumerate(schema.tags):
                if each.name == tag:
                    return schema, column
        names = {each.name for schema in schemas for each in schema.tags}
        wrong = f"the agent reads no tag {tag!r} of device {device!r}"
        return Stage(CONFIGURED, "failed", (), wrong, did_you_mean(tag, names))

    def _trace(self, device: str, tag: str) -> Trace | None:
        driver = self._catalogue.driver(device)
        return driver.trace(tag) if isinstance(driver, Traced) else None

    def _samples(self, output: Schema, column: int, trace: Trace | None) -> tuple[Sample | None, Sample | None, bool]:
        """The newest value, the one that was told last, and whether that is not on the disk yet."""
        waiting = shaping.newest_in(self._storage.waiting(), output, column)
        kept, told = self._storage.latest.get(output), waiting
        if told is None and kept is not None and kept.stamps and kept.stamps[column]:
            told = shaping.sample(kept, column)
        reporter = self._steps.reporter(output)
        seen = reporter.seen(column) if reporter is not None else None
        newest = shaping.sample(*seen) if seen is not None else told
        return newest, told, waiting is not None

    def _from_the_field(self, schema: Schema, trace: Trace | None) -> list[Stage]:
        wall, mono = self._clock.wall(), self._clock.mono()
        line = field.line(self._health, schema, mono / 1e9)
        reached = line.state == "ok"
        return [line, field.exchange(trace, schema, wall, mono, reached=reached), field.decode(trace)]

    def _within(
        self,
        schema: Schema,
        output: Schema,
        column: int,
        trace: Trace | None,
        newest: Sample | None,
        told: Sample | None,
    ) -> list[Stage]:
        tag, wall = output.tags[column], self._clock.wall()
        reporter = self._steps.reporter(output)
        policy = Policy(reporter.asked[column], reporter.reason(column)) if reporter is not None else Policy()
        subject = Subject(schema.interval, schema.tags[column], tag, self._steps.rules(schema)[column], trace)
        return [shaping.value(subject, newest, wall), shaping.report(tag, policy, newest, told, wall)]

    async def _north(self, device: str, mark: Mark | None, told: Sample | None, *, waits: bool) -> list[Stage]:
        health, now = self._health, Now(self._clock.mono() / 1e9, self._clock.wall())
        sinks = [name for kind, name in health.parts if kind == north.SINK]
        there, debts, failure = False, dict[str, Debt](), None
        if mark is not None:
            try:
                there, debts = await self._storage.call(north.look, self._storage.store, mark.seq, device, sinks)
            except StoreError as error:
                failure = error
        stage = north.row(health, mark, told, waits=waits, there=there, now=now.mono)
        if failure is not None and stage.state != "failed":
            stage = replace(stage, state="failed", wrong=failure.message, hint=failure.hint)
        if not sinks:
            return [stage, Stage(north.SINK, "doubt", (), NO_SINK, "add one under `sinks:`")]
        if mark is None or failure is not None:
            return [stage, *(Stage(f"{north.SINK} {name}", "unreached") for name in sinks)]
        return [stage, *(north.sink(health, name, debts.get(name), mark, now) for name in sinks)]

    async def _of_what_it_is_made(self, found: Explanation, deepest: int) -> None:
        """Explain the source that is not well, or else the first."""
        known = origin(self._steps.recipes, found.device, found.tag, self._found(found.device))
        if known is None:
            return
        found.origin = {"how": known.how, "of": [f"{device}/{tag}" for device, tag in known.sources]}
        told: Explanation | None = None
        for source in known.sources if deepest else ():
            each = await self._explain(source, deepest - 1)
            told = told or each
            if each.ill is not None:
                told = each
                break
        found.source = told
        found.stages.append(made_stage(found, known))

    def _found(self, device: str) -> Mapping[str, Rules]:
        """What is asked of tags that were found on the device."""
        pairs = [
            (tag.name, rules)
            for schema in self._catalogue.before(device)
            if not schema.made
            for tag, rules in zip(schema.tags, self._steps.rules(schema), strict=True)
        ]
        return dict(pairs)


def made_stage(found: Explanation, known: Origin) -> Stage:
    """How the tag is made, and whether what it is made of is well."""
    seen = [("made by", known.how), ("of", ", ".join(f"{device}/{tag}" for device, tag in known.sources))]
    source = found.source
    if source is None or source.ill is None:
        return Stage(SOURCE, "ok", seen)
    wrong = f"{source.device}/{source.tag} is not well: {source.ill.wrong}"
    return Stage(SOURCE, source.ill.state, seen, wrong, source.ill.hint)


def configured(schema: Schema, tag: Tag) -> Stage:
    every = f"every {duration_text(schema.interval)}" if schema.interval else "as it comes"
    said = [("group", f"{schema.group}, {every}"), ("type", f"{tag.dtype}, {tag.kind}"), ("unit", tag.unit or "none")]
    return Stage(CONFIGURED, "ok", said)


def unreached() -> list[Stage]:
    """All stages behind the first."""
    names = (field.LINE, field.EXCHANGE, field.DECODE, shaping.VALUE, shaping.REPORT, north.STORE, north.SINK)
    return [Stage(name, "unreached") for name in names]


def value_row(tag: Tag, found: Sample | None) -> dict[str, Any]:
    if found is None:
        return {"value": None, "unit": tag.unit, "dtype": tag.dtype, "quality": None, "ts": None}
    quality = quality_name(found.quality)
    return {"value": found.value, "unit": tag.unit, "dtype": tag.dtype, "quality": quality, "ts": found.ts // 10**6}
