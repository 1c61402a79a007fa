"""Frames as columns in bytes: about 4 bytes a float sample, in one message for many frames.

The layout is in the README beside this file; `columnar_reader.py` reads it and needs nothing of the agent. What the
tags of a group are is not in the message: `describe(schema)` is sent once, and messages name it by its `schema_id`.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from math import isfinite

import msgspec

from agent.model.frame import Entry, Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import FLOATS, Schema

MAGIC = b"FGC\x01"
HISTORY, UNSYNCED, CORRECTED, SPARSE, QUALITY, STAMPS, TYPES, PART = (1 << bit for bit in range(8))
CODES = {
    "bool": "?",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "f",  # where that is exact; else the block says `d`
}
_CLOCKS = {"": 0, "unsynced": UNSYNCED, "corrected": CORRECTED}
_MS = 1_000_000
_SCHEMAS = 1024  # plans kept: after a reload the store hands out new instances
_UNPACKABLE = (struct.error, OverflowError, TypeError)


def describe(schema: Schema) -> bytes:
    """What a reader has to know of a schema, as JSON; the same schema always gives the same bytes."""
    tags = [{"name": tag.name, "type": tag.dtype, "unit": tag.unit, "kind": tag.kind} for tag in schema.tags]
    return msgspec.json.encode({"device": schema.device, "group": schema.group, "tags": tags})


def schema_id(description: bytes) -> bytes:
    """Eight bytes that stand for a description."""
    return sha256(description).digest()[:8]


class Columnar:
    """Encodes for one gateway. With `inline`, each message describes its schemas itself and can be read alone.

    Any frame can be encoded. Values that are none (None, NaN, infinity, one that is not of its tag's type) are left out
    and called `bad_decode`.
    """

    def __init__(self, gateway: str, *, inline: bool = False) -> None:
        self._head = MAGIC + _text(gateway)
        self._inline = inline
        self._plans: dict[Schema, _Plan] = {}

    def encode(self, entries: Sequence[Entry], part: tuple[int, int] | None = None) -> bytes:
        """One message; `part` (number from 1, count) marks the only entry as a part of a frame."""
        groups: dict[tuple[object, ...], list[Entry]] = {}
        for entry in entries:
            frame = entry.frame
            plain = frame.columns is None and frame.stamps is None
            key = (frame.schema, entry.epoch, entry.history, entry.clock) if plain else (len(groups), id(entry))
            groups.setdefault(key, []).append(entry)
        epochs: dict[str, int] = {}
        plans: dict[_Plan, int] = {}
        blocks: list[bytes] = []
        seq = ts = 0
        for group in groups.values():
            first = group[0]
            plan = self._plan(first.frame.schema)
            place, epoch = plans.setdefault(plan, len(plans)), epochs.setdefault(first.epoch, len(epochs))
            flags, body = plan.body(group)
            flags |= first.history | _CLOCKS.get(first.clock, 0) | (PART if part else 0)
            blocks.append(b"%b%b%c%b" % (varint(place), varint(epoch), flags, varint(len(group))))
            if part:
                blocks.append(varint(part[0]) + varint(part[1]))
            blocks.append(_deltas([entry.seq for entry in group], seq))
            times = [entry.frame.ts // _MS for entry in group]
            blocks += [_deltas(times, ts), body]
            seq, ts = group[-1].seq, times[-1]
        names = b"".join(plan.named(inline=self._inline) for plan in plans)
        runs = b"".join(bytes.fromhex(epoch) for epoch in epochs)
        return b"".join((self._head, varint(len(epochs)), runs, varint(len(plans)), names, *blocks))

    def schema(self, schema: Schema) -> tuple[bytes, bytes]:
        """(id, description) as messages name it."""
        plan = self._plan(schema)
        return plan.id, plan.description

    def _plan(self, schema: Schema) -> "_Plan":
        plan = self._plans.get(schema)
        if plan is None:
            if len(self._plans) >= _SCHEMAS:
                del self._plans[next(iter(self._plans))]
            plan = self._plans[schema] = _Plan(schema)
        return plan


class _Plan:
    """What is known of a schema before the first frame."""

    def __init__(self, schema: Schema) -> None:
        self.description = describe(schema)
        self.id = schema_id(self.description)
        self._good = bytes(len(schema.tags))
        self._types = [tag.dtype for tag in schema.tags]
        self._codes = "".join(CODES.get(dtype, "s") for dtype in self._types)
        self._exact = {"bool", *FLOATS}.isdisjoint(self._types)  # whether what can be packed is what was meant
        self._plain = "s" not in self._codes

    def named(self, *, inline: bool) -> bytes:
        return self.id + (_sized(self.description) if inline else b"\0")

    def body(self, group: Sequence[Entry]) -> tuple[int, bytes]:
        """Flags and bytes of the columns of frames that are alike."""
        frame = group[0].frame
        if frame.columns is None and frame.stamps is None and self._plain:
            rows = [entry.frame.values for entry in group]
            values = tuple(rows[0]) if len(rows) == 1 else tuple(chain.from_iterable(zip(*rows, strict=True)))
            if all(entry.frame.quality == self._good for entry in group):
                packed = self._packed(values, len(rows))
                if packed is not None:
                    return 0, packed
        return self._careful(group)

    def _packed(self, values: tuple[Value, ...], count: int) -> bytes | None:
        packer = _packer(self._codes, count)
        try:
            packed = packer.pack(*values)
            if self._exact or (isfinite(sum(values)) and packer.unpack(packed) == values):  # type: ignore[arg-type]
                return packed
        except _UNPACKABLE:  # a value that is none, or none of its tag's type
            pass
        return None

    def _careful(self, group: Sequence[Entry]) -> tuple[int, bytes]:
        """Value by value: what is missing or of another type than its tag, source times, texts, some of the columns."""
        frame = group[0].frame
        if frame.columns is not None and (ascending := sorted(frame.columns)) != list(frame.columns):
            frame = _rearranged(frame, ascending)
            group = [group[0]._replace(frame=frame)]
        columns = range(len(self._codes)) if frame.columns is None else frame.columns
        qualities = [bytearray(entry.frame.quality) for entry in group]
        codes, packed, texts = [], [], []
        for place, column in enumerate(columns):
            values = [
                entry.frame.values[place] if quality[place] < FIRST_BAD else None
                for entry, quality in zip(group, qualities, strict=True)
            ]
            if self._codes[column] == "s":
                code, body, lost = _texts(values)
                texts.append(body)
            else:
                code, body, lost = _numbers(values, self._codes[column], self._types[column])
                packed.append(body)
            codes.append(code)
            for row in lost:
                qualities[row][place] = max(qualities[row][place], Quality.BAD_DECODE)
        flags, head = 0, b""
        if frame.columns is not None:
            flags, head = SPARSE, _bitmap(columns, len(self._codes))
        if any(any(quality) for quality in qualities):
            flags |= QUALITY
            head += bytes(chain.from_iterable(zip(*qualities, strict=True)))
        if frame.stamps is not None:
            flags |= STAMPS
            head += b"".join(zigzag(stamp // _MS - frame.ts // _MS) for stamp in frame.stamps)
        said = "".join(codes)
        if said != "".join(self._codes[column] for column in columns):
            flags |= TYPES
            head += said.encode()
        return flags, b"".join((head, *packed, *texts))


def _rearranged(frame: Frame, columns: Sequence[int]) -> Frame:
    """The same in another order: a source that speaks up by itself names its columns in the order of their changes."""
    assert frame.columns is not None
    where = {column: place for place, column in enumerate(frame.columns)}
    places = [where[column] for column in columns]
    stamps = None if frame.stamps is None else tuple(frame.stamps[place] for place in places)
    values, quality = [frame.values[place] for place in places], bytes(frame.quality[place] for place in places)
    return replace(frame, values=values, quality=quality, columns=tuple(columns), stamps=stamps)


def _numbers(values: Sequence[Value], code: str, dtype: str) -> tuple[str, bytes, list[int]]:
    """The smallest type of a few that holds them all exactly, their bytes, and the places of those that are none."""
    kept = [value if _is_number(value) else None for value in values]
    for each in dict.fromkeys((code, "f", "d", "q", "Q") if dtype in FLOATS else (code, "q", "Q", "d")):
        packed = _exactly(each, kept)
        if packed is not None:
            return each, packed, _lost(kept)
    kept = [value if _exactly(code, [value]) else None for value in kept]
    return code, _exactly(code, kept) or b"", _lost(kept)


def _exactly(code: str, values: Sequence[Value]) -> bytes | None:
    """With 0 in the place of None; None when one of them cannot be kept exactly."""
    packer, filled = _packer(code, len(values)), [0 if value is None else value for value in values]
    try:
        packed = packer.pack(*filled)
    except _UNPACKABLE:
        return None
    return packed if list(packer.unpack(packed)) == filled else None


def _lost(values: Sequence[Value]) -> list[int]:
    return [row for row, value in enumerate(values) if value is None]


def _texts(values: Sequence[Value]) -> tuple[str, bytes, list[int]]:
    kept = [value if isinstance(value, str) else None for value in values]
    return "s", b"".join(b"\0" if value is None else _text(value) for value in kept), _lost(kept)


def _is_number(value: Value) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value - value == 0)


@lru_cache(4096)
def _packer(codes: str, count: int) -> struct.Struct:
    """Column after column, `count` values each; little-endian, without padding."""
    return struct.Struct("<" + "".join(f"{count}{code}" for code in codes)) if count > 1 else struct.Struct("<" + codes)


def _bitmap(columns: Iterable[int], size: int) -> bytes:
    return sum(1 << column for column in columns).to_bytes(-(-size // 8), "little")


def _deltas(numbers: Sequence[int], before: int) -> bytes:
    if len(numbers) == 1:
        return zigzag(numbers[0] - before)
    return b"".join(zigzag(number - last) for number, last in zip(numbers, (before, *numbers), strict=False))


def zigzag(number: int) -> bytes:
    """A signed varint: 0, -1, 1, -2 … as 0, 1, 2, 3 …"""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that another byte follows."""
    if number < 0x80:
        return b"%c" % number
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _text(text: str) -> bytes:
    return _sized(text.encode("utf-8", "replace"))


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data
