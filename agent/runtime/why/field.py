"""The stages up to a value: the line, the request and its answer, and how that was decoded."""

from collections.abc import Iterator

from agent.health import Health, Load, Part
from agent.model.figures import moment, span
from agent.model.quality import FIRST_BAD
from agent.model.tag import Schema
from agent.model.text import public
from agent.runtime.why.stages import Hex, Seen, Stage, facts, said
from drivers.tracing import Trace

LATE = 3  # intervals after which an answer is no longer the last one that was due
PATIENCE = 5.0  # seconds that are always left to it
LINE, EXCHANGE, DECODE = "line", "exchange", "decode"


def line(health: Health, schema: Schema, now: float) -> Stage:
    """How the wire and the device are; `now` is monotonic seconds."""
    device = health.parts.get(("device", schema.device))
    load = next((each for each in health.loads.values() if device in each.devices), None) if device else None
    owner = health.parts.get(("line", load.name)) if load else None
    group = health.parts.get(("group", f"{schema.device}/{schema.group}"))
    seen = [*_line_seen(owner, load, now), *_device_seen(device, now), *_group_seen(group, schema, now)]
    if owner is not None and owner.state == "down":
        return Stage(LINE, "failed", seen, said(owner), owner.hint)
    if device is None or device.state in ("starting", "stopped"):
        return Stage(LINE, "doubt", seen, "the device has not been asked yet", "wait for one interval, and ask again")
    if device.state != "up" or device.breaker in ("open", "half_open"):
        return Stage(LINE, "failed", seen, said(device) or "the device does not answer", device.hint)
    if load is not None and load.overloaded:
        wrong = f"the line has more to do than time: {load.ratio(int(now * 1e9)):.0%} busy, scans are late"
        return Stage(LINE, "doubt", seen, wrong, "the log of the agent says what would help: `cannot keep up`")
    return Stage(LINE, "ok", seen)


def _line_seen(owner: Part | None, load: Load | None, now: float) -> Iterator[Seen]:
    if load is None or owner is None:
        return
    busy, dead = load.ratio(int(now * 1e9)), load.dead()
    yield "line", f"{public(load.name)}, {owner.state}, {busy:.1%} busy, {load.late} scans late since the start"
    if dead:
        yield "dead devices", f"{len(dead)} of {len(load.devices)} on this line"


def _device_seen(device: Part | None, now: float) -> Iterator[Seen]:
    if device is None:
        return
    yield "device", f"{device.state} for {span(now - device.since)}"
    if device.breaker in ("open", "half_open"):
        left = device.probe_at - now
        when = f"asked again in {span(left)}" if left > 0 else "it is asked again now"
        yield "breaker", f"{device.breaker}: the device is left alone, {when}"


def _group_seen(group: Part | None, schema: Schema, now: float) -> Iterator[Seen]:
    if group is not None and group.state == "down":
        left = group.probe_at - now
        when = f"asked again in {span(left)}" if left > 0 else "it is asked again now"
        yield "group", f"{schema.group} is refused by the device, {when}"


def exchange(trace: Trace | None, schema: Schema, wall: int, mono: int, *, reached: bool = True) -> Stage:
    """The last request for the tag and what came back; `wall` and `mono` are now (ns), `reached`: the line is well."""
    if trace is None:
        return Stage(EXCHANGE, "ok", [("exchange", "the driver of this device does not show it")])
    found = trace.exchange
    if found is None:
        seen = facts([("address", trace.address), *trace.about])
        return Stage(EXCHANGE, "doubt" if reached else "unreached", seen, trace.wrong, trace.hint)
    age = (mono - found.mono) / 1e9
    took = f"{found.seconds * 1e3:.0f} ms" if found.seconds >= 1e-3 else "less than 1 ms" if found.sent else ""
    at = f"{moment(wall - (mono - found.mono))}, {span(age)} ago" if found.mono else ""
    seen = facts([("address", trace.address), ("at", at), ("took", took), *trace.about])
    shown = Hex(found.sent, found.received, trace.mine) if found.sent or found.received else None
    if found.error:
        return Stage(EXCHANGE, "failed", seen, found.error, found.hint, shown)
    if schema.interval and age > LATE * schema.interval + PATIENCE:
        wrong = f"the last answer is {span(age)} old, and one is due every {span(schema.interval)}"
        return Stage(EXCHANGE, "doubt", seen, wrong, "look at the line", shown)
    return Stage(EXCHANGE, "ok", seen, hex=shown)


def decode(trace: Trace | None) -> Stage:
    """What the bytes of the answer were taken to mean."""
    if trace is None:
        return Stage(DECODE, "ok", [("decoded", "the driver of this device does not show how")])
    if trace.exchange is None or trace.exchange.error:
        return Stage(DECODE, "unreached")
    seen = facts([("raw", trace.raw), *trace.facts])
    if trace.quality >= FIRST_BAD:
        return Stage(DECODE, "failed", seen, trace.wrong or "there is no value in these bytes", trace.hint)
    if trace.wrong:
        return Stage(DECODE, "doubt", seen, trace.wrong, trace.hint)
    return Stage(DECODE, "ok", seen)
