"""What the server said last of a tag: its value as it came, its status code in words, and its times."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from agent.model.quality import FIRST_BAD, Quality
from drivers.opcua.columns import TICKS_1970
from drivers.opcua.group import Group
from drivers.opcua.plan import Plan
from drivers.opcua.recent import Noted, noted
from drivers.opcua.refusal import name
from drivers.opcua.status import PLAIN
from drivers.opcua.stream import Stream
from drivers.tracing import Exchange, Trace

_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 60  # characters of a value
_HINTS = {
    Quality.BAD_CONFIG: "is `node` right, and may this user read it? `floorgate browse` shows what the server has",
    Quality.BAD_COMM: "the server does not reach what is behind it: look there",
    Quality.BAD_DECODE: "leave `type` out, or give it the one that the server has: `floorgate browse` shows it",
}
_SOURCE = "the server says so of its own source: look there"


def polled(group: Group, column: int) -> Noted | None:
    """What the last scan brought of a column."""
    answers, mono = group.last
    for columns, batch in answers:
        for place, each in enumerate(columns):
            if each == column:
                return noted(batch, place, mono)
    return None


def trace(plan: Plan, column: int, group: Group | None, stream: Stream | None) -> Trace:
    """Of one column: in the session of `group`, watched by `stream` if there is one."""
    address, tag = plan.nodes[column], plan.schema.tags[column]
    if group is None:
        return Trace(address, wrong="there is no session with the server")
    found = stream.recent.find(column) if stream is not None else polled(group, column)
    about = list(_about(group, column, stream, found))
    refused = group.refused.get(tag.name) or group.closed.get(column, "")
    if found is None:
        wrong = refused or "the server has said nothing of it yet"
        if not refused:
            return Trace(address, None, about, wrong=wrong)
        hint = _HINTS[Quality.BAD_CONFIG]
        exchange = Exchange(b"", b"", 0, 0.0, wrong, hint)
        return Trace(address, exchange, about, quality=Quality.BAD_CONFIG, wrong=wrong, hint=hint)
    value, quality = plan.columns.one(column, found.value, found.code)
    wrong = hint = ""
    if found.code >> 30:
        wrong = f"the server says {_code(found.code)}"
        hint = _HINTS.get(Quality(quality), _SOURCE)
    elif quality >= FIRST_BAD:
        wrong = f"the server gives {_shown(found.value)}, which is no {tag.dtype}"
        hint = _HINTS[Quality.BAD_DECODE]
    error = (wrong, hint) if found.code >> 31 else ("", "")
    exchange = Exchange(b"", b"", found.mono, 0.0, *error)
    facts = [("type", tag.dtype)]
    return Trace(address, exchange, about, (0, 0), _shown(found.value), facts, value, quality, wrong, hint)


def _about(group: Group, column: int, stream: Stream | None, found: Noted | None) -> Iterator[tuple[str, str]]:
    node = group.nodes[column]
    yield "node id", "not found" if node is None else node.to_string()
    if stream is not None:
        item = stream.items.get(column)
        number = "none" if item is None else str(item)
        yield "monitored item", f"{number} of subscription {stream.number}"
    if found is not None:
        yield "status", _code(found.code)
        yield "source time", _moment(found.ticks)
        yield "server time", _moment(found.served)


def _code(code: int) -> str:
    return f"{name(code & PLAIN)} (0x{code:08x})"


def _moment(ticks: int) -> str:
    """A time in ticks of 100 ns since 1601."""
    try:
        moment = _1970 + timedelta(microseconds=(ticks - TICKS_1970) // 10)
    except OverflowError:
        return "beyond all time"
    return moment.isoformat(timespec="milliseconds") if ticks > TICKS_1970 else "none"


def _shown(value: object) -> str:
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def columns_of(plans: Sequence[Plan], tag: str) -> tuple[Plan, int] | None:
    """Where a tag is."""
    for plan in plans:
        for column, each in enumerate(plan.schema.tags):
            if each.name == tag:
                return plan, column
    return None
