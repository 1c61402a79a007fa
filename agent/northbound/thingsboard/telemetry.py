"""Frames as telemetry: records `{"ts": ms, "values": {…}}`, and messages that hold those of many devices; pure.

A tag without a usable value is left out, for the platform has no word for that. Its quality is a key of its own,
`TAG_quality`, told when it is another than the one that was told last; what was told is forgotten with the connection.

ThingsBoard takes a number of more than 16 decimals for text, so there are no more (its JsonConverter: `scale() <= 16`).
"""

from collections.abc import Sequence
from typing import Any

from agent.model.frame import Entry, Frame, Value
from agent.model.quality import Quality, quality_name
from agent.model.tag import FLOATS, Schema
from agent.northbound.encode import as_json, dense, stamped, told
from agent.northbound.shapes.single import columns

_MS = 1_000_000
_SCHEMAS = 1024  # kept: after a reload or a restart the store hands out new instances
_DECIMALS = 16
UNKNOWN = 255  # no quality
_BRACKETS = len(b'{"":[]}') - len(b'""')


class Plan:
    """What is known of a schema before its first frame."""

    def __init__(self, schema: Schema) -> None:
        names = tuple(tag.name for tag in schema.tags)
        self.good = bytes(len(names))
        self.unknown = bytes((UNKNOWN,)) * len(names)
        self.qualities = beside(names, "quality")
        self._dense = dense(schema, names)
        self._all_floats = all(tag.dtype in FLOATS for tag in schema.tags)

    def dense(self, values: Sequence[Value]) -> bytes | None:
        """As JSON; None when one of them is no value."""
        try:
            return self._dense(_all_short(values) if self._all_floats else [_short(value) for value in values])
        except TypeError:
            return None


def _all_short(values: Sequence[Any]) -> list[float]:
    """Of numbers alone. From 1 on they have 16 decimals at most, as far as they are written."""
    return [value if value >= 1.0 or value <= -1.0 else round(value, _DECIMALS) for value in values]


def _short(value: Value) -> Value:
    return round(value, _DECIMALS) if isinstance(value, float) and -1.0 < value < 1.0 else value


def beside(names: Sequence[str], what: str) -> dict[str, str]:
    """The key for something that is told of a tag beside its value; it is never the name of another tag."""
    taken, keys = set(names), {}
    for name in names:
        key = f"{name}_{what}"
        while key in taken:
            key += "_"
        taken.add(key)
        keys[name] = key
    return keys


class Lane:
    """The qualities that were told last, of live data or of history: a byte for each tag of a schema."""

    def __init__(self) -> None:
        self.told: dict[Schema, bytes] = {}

    def learn(self, frame: Frame, plan: Plan, codes: Sequence[int]) -> dict[str, int]:
        """The tags whose quality is news."""
        before = self.told.get(frame.schema, plan.unknown)
        places = range(len(codes)) if frame.columns is None else frame.columns
        after = bytearray(before)
        for place, code in zip(places, codes, strict=True):
            after[place] = code
        if len(self.told) >= _SCHEMAS and frame.schema not in self.told:
            del self.told[next(iter(self.told))]
        self.told[frame.schema] = bytes(after)
        tags = frame.schema.tags
        return {tags[place].name: after[place] for place in places if after[place] != before[place]}

    def dead(self, schema: Schema) -> bool:
        """Nothing of it can be read, as far as was told."""
        known = set(self.told.get(schema, b"")) - {UNKNOWN}
        return known == {Quality.BAD_COMM}


class Records:
    """Writes for one sink; `begin` is called with each connection."""

    def __init__(self, *, quality: bool) -> None:
        self._quality = quality
        self._plans: dict[Schema, Plan] = {}
        self.begin()

    def begin(self) -> None:
        """Nobody knows what the platform has: each quality is told anew."""
        self.live, self._history = Lane(), Lane()

    def write(self, entry: Entry, aim: int, most: int) -> list[bytes] | None:
        """The records of a frame: one; more with source times, or where one would have more than `aim` bytes.

        None when a single value makes more than `most`.
        """
        frame = entry.frame
        plan = self._plans.get(frame.schema) or self._compiled(frame.schema)
        lane = self._history if entry.history else self.live
        if (
            frame.quality == plan.good
            and frame.columns is None
            and frame.stamps is None
            and lane.told.get(frame.schema) == plan.good
        ):
            values = plan.dense(frame.values)
            if values is not None:
                record = b'{"ts":%d,"values":%b}' % (frame.ts // _MS, values)
                return [record] if len(record) <= aim else self._cut(frame, plan, {}, aim, most)
        doubts = told(frame)[1]
        news = lane.learn(frame, plan, [doubts.get(tag.name, 0) for tag in frame.tags()])
        return self._cut(frame, plan, news if self._quality else {}, aim, most)

    def _compiled(self, schema: Schema) -> Plan:
        if len(self._plans) >= _SCHEMAS:
            del self._plans[next(iter(self._plans))]
        plan = self._plans[schema] = Plan(schema)
        return plan

    def _cut(self, frame: Frame, plan: Plan, news: dict[str, int], aim: int, most: int) -> list[bytes] | None:
        """Halves that are too large are halved again, down to a single column."""
        waiting, found = [frame], []
        while waiting:
            part = waiting.pop()
            records, count = _records(part, plan, news), len(part.values)
            if all(len(record) <= (aim if count > 1 else most) for record in records):
                found += records
            elif count > 1:
                waiting += [columns(part, count // 2, count), columns(part, 0, count // 2)]
            else:
                return None
        return found


def _records(frame: Frame, plan: Plan, news: dict[str, int]) -> list[bytes]:
    """One for each time; none when there is nothing to say."""
    values, stamps, ts = told(frame)[0], stamped(frame), frame.ts // _MS
    times: dict[int, dict[str, Value]] = {}
    for tag in frame.tags():
        at = times.setdefault(stamps.get(tag.name, ts), {})
        if tag.name in values:
            at[tag.name] = _short(values[tag.name])
        if tag.name in news:
            at[plan.qualities[tag.name]] = quality_name(news[tag.name])
    return [b'{"ts":%d,"values":%b}' % (time, as_json(at)) for time, at in times.items() if at]


class Packer:
    """Puts records into messages of at most `room` bytes; `owners` says whose records are in each."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.messages: list[bytes] = []
        self.owners: list[tuple[int, ...]] = []
        self._devices: dict[bytes, list[bytes]] = {}
        self._whose: dict[int, None] = {}
        self._size = 0

    def add(self, name: bytes, record: bytes, owner: int) -> None:
        """`name` is JSON. A record that makes a larger message gets one of its own."""
        there = self._devices.get(name)
        size = len(record) + 1 + (0 if there is not None else len(name) + _BRACKETS)
        if self._devices and self._size + size > self._room:
            self.flush()
            there, size = None, len(record) + len(name) + _BRACKETS + 1
        if there is None:
            there = self._devices[name] = []
        there.append(record)
        self._size += size
        self._whose[owner] = None

    def flush(self) -> None:
        if self._devices:
            devices = [b"%b:[%b]" % (name, b",".join(records)) for name, records in self._devices.items()]
            self.messages.append(b"{%b}" % b",".join(devices))
            self.owners.append(tuple(self._whose))
        self._devices, self._whose, self._size = {}, {}, 0


def overhead(name: bytes) -> int:
    """Bytes of a message around a single record."""
    return len(name) + _BRACKETS
