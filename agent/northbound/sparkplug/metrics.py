"""Turn a frame into the metrics of a data message, and a tag into the metric of a birth; no I/O happens here.

Almost every frame is dense, good and made of finite numbers. For these, what is the same in each message is compiled
once: metrics of a fixed size (floats, booleans) are one `struct.Struct` over (head, time, value), so that one C call
writes them all; integers and texts follow, one by one. Everything else (doubt, gaps, NaN, sparse columns, source times)
takes the careful way, value by value, in the order of their times.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality, quality_name, sparkplug_quality
from agent.model.tag import DType, Tag
from agent.northbound.sparkplug import codec

TYPES: Final[dict[DType, int]] = {
    "int8": codec.INT8,
    "int16": codec.INT16,
    "int32": codec.INT32,
    "int64": codec.INT64,
    "uint8": codec.UINT8,
    "uint16": codec.UINT16,
    "uint32": codec.UINT32,
    "uint64": codec.UINT64,
    "float32": codec.FLOAT,
    "float64": codec.DOUBLE,
    "bool": codec.BOOLEAN,
    "str": codec.STRING,
}
_LIMITS = {
    dtype: (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.startswith("i") else (0, (1 << bits) - 1)
    for dtype, bits in ((dtype, int(dtype.removeprefix("u").removeprefix("int"))) for dtype in TYPES if "int" in dtype)
}
_FIXED = {"float32": (b"\x65", "f"), "float64": (b"\x69", "d"), "bool": (b"\x70", "?")}  # key of the field, struct code
HISTORICAL, NULL = b"\x28\x01", b"\x38\x01"
_FIRST, _LAST = 1 << 35, 1 << 42  # ms: times whose varint has six bytes, 1971 to 2109
_MS = 1_000_000
Metrics = list[bytes]


@dataclass(frozen=True, slots=True)
class Told:
    """How a host application knows a tag: the metric's name and its alias, which stands for the name in data."""

    tag: Tag
    name: str
    alias: int

    @property
    def datatype(self) -> int:
        return TYPES[self.tag.dtype]

    def born(self, value: Value, quality: int, ts: int, fields: codec.Fields, *, known: bool) -> bytes:
        """The metric in a birth: with its name, datatype and unit; `ts` is ms UTC. Not `known`: never read yet."""
        head = codec.text(1, self.name) + codec.number(2, self.alias) + codec.number(3, _time(ts))
        unit = (("engUnit", (codec.STRING, self.tag.unit)),) if self.tag.unit else ()
        rest = _state(value, quality, self.tag.dtype, fields, unit) if known else NULL + _doubts(0, unit)
        return codec.metric(head + codec.number(4, self.datatype) + rest)


class Plan:
    """What is known of the data messages of a group before the first frame; `told` has an entry for each of its tags.

    `typed`: each metric tells its datatype, as births do: some host applications from before 3.0 read no other.
    `dense(…)` gives None when a frame needs care. What both give are the metrics, as bytes that stand in a payload.
    """

    def __init__(self, told: Sequence[Told], fields: codec.Fields = codec.FIELDS, *, typed: bool = False) -> None:
        self._fields, self._dtypes = fields, [one.tag.dtype for one in told]
        self._heads = [codec.number(2, one.alias) + (codec.number(4, one.datatype) if typed else b"") for one in told]
        self.good = bytes(len(told))
        self.gone = bytes((Quality.BAD_COMM,)) * len(told)
        columns: dict[DType, list[int]] = {}
        for column, one in enumerate(told):
            columns.setdefault(one.tag.dtype, []).append(column)
        self._columns = columns
        self._live = self._writers(b"")
        self._past: list[_Writer] = []  # made when they are needed

    def _writers(self, mark: bytes) -> "list[_Writer]":
        columns = self._columns
        order = sorted(columns, key=lambda dtype: dtype not in _FIXED)
        return [_writer(dtype, columns[dtype], len(self.good), self._heads, self._fields, mark) for dtype in order]

    def metrics(self, frame: Frame, *, historical: bool, unsynced: bool = False) -> bytes | Metrics:
        """Those of a frame: in one piece, or one by one where it needs care. `unsynced`: nobody knows its time."""
        if frame.quality == self.good and frame.columns is None and frame.stamps is None and not unsynced:
            metrics = self.dense(frame.values, frame.ts // _MS, historical=historical)
            if metrics is not None:
                return metrics
        return self.careful(frame, historical=historical, unsynced=unsynced)

    def dense(self, values: Sequence[Any], ts: int, *, historical: bool) -> bytes | None:
        """All values of a frame, good ones at one time (ms UTC)."""
        if not _FIRST <= ts < _LAST or len(values) != len(self.good):
            return None
        if historical and not self._past:
            self._past = self._writers(HISTORICAL)
        time = codec.varint(ts)
        try:
            return b"".join([write(values, time) for write in (self._past if historical else self._live)])
        except (TypeError, OverflowError, ValueError, AttributeError, struct.error):
            return None

    def careful(self, frame: Frame, *, historical: bool, unsynced: bool = False) -> Metrics:
        """Any frame, a metric for each column, in chronological order (5.16)."""
        mark = HISTORICAL if historical else b""
        columns = range(len(frame.values)) if frame.columns is None else frame.columns
        stamps = frame.stamps or (frame.ts,) * len(frame.values)
        metrics = []
        for column, value, quality, stamp in zip(columns, frame.values, frame.quality, stamps, strict=True):
            ts = _time(stamp // _MS)
            doubt = Quality.CLOCK_UNSYNCED if unsynced and not quality else quality
            rest = _state(value, doubt, self._dtypes[column], self._fields)
            metrics.append((ts, codec.metric(self._heads[column] + codec.number(3, ts) + mark + rest)))
        if frame.stamps:
            metrics.sort(key=itemgetter(0))
        return [metric for _, metric in metrics]


def _time(ms: int) -> int:
    """What a metric can say: times before 1970 are told as 1970."""
    return max(0, ms)


def _state(
    value: Value, quality: int, dtype: DType, fields: codec.Fields, more: tuple[tuple[str, codec.Property], ...] = ()
) -> bytes:
    """Value, properties and whether it is null. What the datatype cannot hold, a NaN too, is null and bad_decode."""
    held = None
    if quality < FIRST_BAD:
        held = _held(value, dtype, fields)
        quality = Quality.BAD_DECODE if held is None else quality
    return (NULL if held is None else b"") + _doubts(quality, more) + (held or b"")


def _held(value: Value, dtype: DType, fields: codec.Fields) -> bytes | None:
    if dtype in _LIMITS:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        low, high = _LIMITS[dtype]
        if not isinstance(value, int) or not low <= value <= high:
            return None
    elif dtype != "str" and (not isinstance(value, int | float) or not _finite(value)):
        return None
    try:
        return codec.value(fields[TYPES[dtype]], value)
    except (TypeError, OverflowError, struct.error):
        return None


def _finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # a whole number that no double holds
        return False


@lru_cache(4096)
def _doubts(quality: int, more: tuple[tuple[str, codec.Property], ...]) -> bytes:
    """`Quality` as 6.4.9.1 has it, and `Reason`, our own word: only where a value is not good."""
    said = dict(more)
    if quality:
        said["Quality"] = codec.INT32, sparkplug_quality(quality)
        said["Reason"] = codec.STRING, quality_name(quality)
    return codec.properties(said) if said else b""


_Writer = Callable[[Sequence[Any], bytes], bytes]


def _writer(
    dtype: DType, columns: Sequence[int], of: int, heads: Sequence[bytes], fields: codec.Fields, mark: bytes
) -> _Writer:
    """What writes the columns of one type; it raises when a value needs care."""
    pick = _picker(columns, of)
    mine = [heads[column] + mark + b"\x18" for column in columns]
    if dtype in _FIXED:
        return _fixed(pick, mine, *_FIXED[dtype])
    if dtype == "str":
        return _texts(pick, mine)
    return _integers(pick, mine, fields[TYPES[dtype]], _LIMITS[dtype])


def _picker(columns: Sequence[int], of: int) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(columns) == of:
        return lambda values: values
    if len(columns) == 1:
        (column,) = columns
        return lambda values: (values[column],)
    return itemgetter(*columns)


def _fixed(pick: Callable[[Sequence[Any]], Sequence[Any]], heads: Sequence[bytes], key: bytes, code: str) -> _Writer:
    size, count = struct.calcsize(f"<{code}"), len(heads)
    starts = [b"\x12%b%b" % (codec.varint(len(head) + 7 + size), head) for head in heads]
    pack = _packer("<" + "".join(f"{len(start)}s7s{code}" for start in starts)).pack

    def write(values: Sequence[Any], time: bytes) -> bytes:
        mine = pick(values)
        if not isfinite(sum(mine)):  # of which one that is no number makes a TypeError
            raise ValueError("not a number")
        args: list[Any] = [None] * (3 * count)
        args[0::3] = starts
        args[1::3] = [time + key] * count
        args[2::3] = mine
        return pack(*args)

    return write


_packer = lru_cache(256)(struct.Struct)  # 32 bytes for each of its parts, and most devices have the same


def _integers(
    pick: Callable[[Sequence[Any]], Sequence[Any]], heads: Sequence[bytes], place: int, limits: tuple[int, int]
) -> _Writer:
    varint, (low, high) = codec.varint, limits
    mask = 0xFFFF_FFFF if place == codec.INT else 0xFFFF_FFFF_FFFF_FFFF
    rows = [(head, len(head) + 7) for head in heads]
    sizes = [codec.varint(size) for size in range(max(size for _, size in rows) + 11)]
    key = bytes((place << 3,))

    def write(values: Sequence[Any], time: bytes) -> bytes:
        mine, tail = pick(values), time + key
        if min(mine) < low or max(mine) > high:
            raise ValueError("outside what the datatype holds")
        held = [varint(value & mask) for value in mine]
        return b"".join(
            [
                b"\x12%b%b%b%b" % (sizes[size + len(data)], head, tail, data)
                for (head, size), data in zip(rows, held, strict=True)
            ]
        )

    return write


def _texts(pick: Callable[[Sequence[Any]], Sequence[Any]], heads: Sequence[bytes]) -> _Writer:
    key = bytes((codec.TEXT << 3 | 2,))

    def write(values: Sequence[Any], time: bytes) -> bytes:
        tail = time + key
        held = [value.encode() for value in pick(values)]
        return b"".join(
            codec.metric(b"%b%b%b%b" % (head, tail, codec.varint(len(data)), data))
            for head, data in zip(heads, held, strict=True)
        )

    return write
