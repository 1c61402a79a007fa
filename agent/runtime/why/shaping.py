"""The stages within the steps: what becomes of a value that was read, and whether it is worth a message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.model.figures import figure, moment, span
from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality, quality_name
from agent.model.tag import Schema, Tag
from agent.model.text import duration_text
from agent.normalise import Rules, convert
from agent.normalise.convert import Conversion
from agent.normalise.limits.asked import Limits
from agent.normalise.report.asked import ALWAYS, Reporting
from agent.runtime.why.stages import Stage, facts
from drivers.tracing import Trace

VALUE, REPORT = "value", "report"
OLD = 3  # intervals after which a value is old
PATIENCE = 10.0  # seconds that a value may have in any case
S = 10**9
_LEFT_OUT = {
    "unchanged": "it is what was told last",
    "deadband": "it is within the deadband of what was told last",
    "period": "the first of its period was told already",
    "door": "it lies on the line between what was told last and what is told next",
}
_DOUBTS = {
    Quality.CLAMPED: (
        "it was beyond a limit, which is told instead",
        "are `limits` right? else look at the source",
    ),
    Quality.ESTIMATED: ("the source says that it is uncertain", "look at the source"),
    Quality.STALE: ("the source has nothing newer", "look at the source"),
    Quality.CLOCK_UNSYNCED: ("its time is not to be trusted: the clock was wrong", "is NTP set up on this gateway?"),
    Quality.SUBSTITUTED: ("the source says that it was put there instead of a measurement", "look at the source"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value as it leaves; `ts` is ns UTC."""

    value: Value
    quality: int
    ts: int


def sample(frame: Frame, place: int) -> Sample:
    stamp = frame.stamps[place] if frame.stamps else frame.ts
    return Sample(frame.values[place], frame.quality[place], stamp)


def place_of(frame: Frame, column: int) -> int | None:
    """Where in the frame a column of its schema stands."""
    if frame.columns is None:
        return column if column < len(frame.values) else None
    return frame.columns.index(column) if column in frame.columns else None


def newest_in(frames: Iterable[Frame], schema: Schema, column: int) -> Sample | None:
    """The last of these that has the column."""
    found = None
    for frame in frames:
        if frame.schema is schema and (place := place_of(frame, column)) is not None:
            found = sample(frame, place)
    return found


def told(tag: Tag, value: Value) -> str:
    """`229.7 V`"""
    return f"{figure(value, tag.dtype)} {tag.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: `before` is the tag as its driver has it, `tag` as it leaves; `interval` is seconds."""

    interval: float
    before: Tag
    tag: Tag
    rules: Rules
    trace: Trace | None


def value(of: Subject, found: Sample | None, wall: int) -> Stage:
    """Units, ratios and limits; `found` is the newest value, `wall` now (ns)."""
    tag, rules = of.tag, of.rules
    asked = [("conversion", _conversion(rules.conversion, of.before)), ("limits", _limits(rules.limits, tag.unit))]
    if found is None:
        return Stage(VALUE, "unreached", facts(asked), "no value has come since the start")
    age = (wall - found.ts) / S
    shown = told(tag, found.value) if found.value is not None else ""
    read = f"{moment(found.ts)}, {span(age)} ago"
    seen = facts([*asked, ("value", shown), ("quality", quality_name(found.quality)), ("read", read)])
    if found.quality >= FIRST_BAD:
        return _bad(seen, of, found)
    if found.quality in _DOUBTS:
        wrong, hint = _DOUBTS[Quality(found.quality)]
        return Stage(VALUE, "doubt", seen, wrong, hint)
    if of.interval and age > OLD * of.interval + PATIENCE:
        wrong = f"the newest value is {span(age)} old, and one is due every {span(of.interval)}"
        return Stage(VALUE, "doubt", seen, wrong, "look at the line")
    return Stage(VALUE, "ok", seen)


def _bad(seen: Sequence[tuple[str, str]], of: Subject, found: Sample) -> Stage:
    before, tag, rules, trace = of.before, of.tag, of.rules, of.trace
    raw = trace.value if trace is not None and trace.quality < FIRST_BAD else None
    came = told(tag, _converted(before, rules, raw)) if raw is not None else "the value"
    limits = rules.limits
    if found.quality == Quality.BAD_RANGE and limits is not None:
        wrong = f"{came} is beyond its limits: {_limits(limits, tag.unit)}"
        return Stage(VALUE, "failed", seen, wrong, _where(trace))
    if found.quality == Quality.BAD_RANGE and rules.conversion is not None:
        return Stage(VALUE, "failed", seen, "converted, the value is too large", "is `as` or `ratio` right?")
    if found.quality == Quality.BAD_JUMP:
        wrong = f"{came} is further from the value before than `rate` allows"
        return Stage(VALUE, "failed", seen, wrong, "three in a row that agree are taken; else look at the source")
    if found.quality == Quality.BAD_STUCK:
        return Stage(VALUE, "failed", seen, "it has not moved for as long as `stuck` allows", "look at the sensor")
    if found.quality == Quality.BAD_DECODE and raw is not None:
        return Stage(VALUE, "failed", seen, f"{figure(raw, before.dtype)} is no {before.dtype}", "is `type` right?")
    return Stage(VALUE, "unreached", seen)


def _where(trace: Trace | None) -> str:
    if trace is not None and trace.hint:
        return trace.hint
    return "is `limits` right, and `scale`, `as` and `ratio`? else look at the source"


def _converted(before: Tag, rules: Rules, raw: Value) -> Value:
    """What a value is in the unit that leaves."""
    schema = Schema("", "", (before,))
    stage = convert.build(schema, [rules], None)
    return raw if stage is None else stage(Frame(schema, 0, (raw,), bytes(1))).values[0]


def _conversion(asked: Conversion | None, before: Tag) -> str:
    if asked is None:
        return ""
    plus = f", then {float(asked.offset):+.6g}" if asked.offset else ""
    return f"{before.unit or '1'} times {float(asked.factor):.6g}{plus} is {asked.unit or '1'}"


def _limits(asked: Limits | None, unit: str) -> str:
    if asked is None:
        return ""
    edges = [("from", asked.min), ("to", asked.max)]
    said = [f"{word} {edge:.15g} {unit}".rstrip() for word, edge in edges if edge is not None]
    said += ["clamped beyond"] if asked.clamp else []
    said += [f"at most {asked.rate:g} a second"] if asked.rate is not None else []
    said += [f"stuck after {duration_text(asked.stuck / S)}"] if asked.stuck else []
    return ", ".join(said)


@dataclass(frozen=True, slots=True)
class Policy:
    """When a value is told, and the word by which those are counted that are left out."""

    asked: Reporting = ALWAYS
    reason: str = ""


def report(tag: Tag, policy: Policy, found: Sample | None, before: Sample | None, wall: int) -> Stage:
    """Whether the newest value was told; `before` is the one that was told last."""
    asked, reason = policy.asked, policy.reason
    seen = facts([("policy", _policy(asked, tag.unit))])
    if found is None:
        return Stage(REPORT, "unreached", seen)
    if before is not None and found.ts <= before.ts:
        return Stage(REPORT, "ok", [*seen, ("last told", f"{_short(tag, before)}, {moment(before.ts)}")])
    if asked == ALWAYS:
        return Stage(REPORT, "ok", seen)
    if before is None:
        wrong = f"the last value, {_short(tag, found)}, is held: nothing has been told yet"
        return Stage(REPORT, "held", seen, wrong, _again(asked, tag.unit))
    since = f"{moment(before.ts)}, {span((wall - before.ts) / S)} ago"
    seen = [*seen, ("last told", f"{_short(tag, before)}, {since}"), ("left out", f"{_short(tag, found)}, as {reason}")]
    wrong = f"the last value, {_short(tag, found)}, was left out: {_LEFT_OUT.get(reason, reason)}"
    return Stage(REPORT, "held", seen, wrong, _again(asked, tag.unit))


def _short(tag: Tag, found: Sample) -> str:
    return told(tag, found.value) if found.value is not None else quality_name(found.quality)


def _policy(asked: Reporting, unit: str) -> str:
    if asked == ALWAYS:
        return "always: each value is told"
    said = []
    if asked.door:
        said.append(f"when it leaves a door of {asked.door:g} {unit}".rstrip())
    elif asked.share:
        least = f", {asked.band:g} {unit} at least" if asked.band else ""
        said.append(f"when it moves by more than {100 * asked.share:g} % of what was told{least}")
    elif asked.band:
        said.append(f"when it moves by more than {asked.band:g} {unit}".rstrip())
    elif asked.changes:
        said.append("when it changes")
    if asked.period:
        said.append(f"the first of each {duration_text(asked.period / S)}")
    if asked.max_time:
        said.append(f"again after {duration_text(asked.max_time / S)}")
    return ", and ".join(said)


def _again(asked: Reporting, unit: str) -> str:
    hint = f"it is told {_policy(asked, unit)}"
    return hint if asked.max_time or asked.period else f"{hint}; `report: {{max_time: 1m}}` repeats it"
