"""Sparkplug B payloads, as far as their bytes go (specification 3.0, chapter 6); no I/O happens here.

The protobuf of the specification, written by hand: what a gateway sends, and what a host application may send to it.
DataSets, templates and extensions are read over: the value of such a metric is None.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.model.frame import Value

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING = range(9, 13)
MOST_METRICS = 1000  # in a payload that comes
_MOST_PROPERTIES = 100  # of a metric
_LAST = (1 << 64) - 1  # the largest number that a varint may hold
_f32, _f64 = struct.Struct("<f"), struct.Struct("<d")

# The field of a Metric that holds a value of a datatype; in a PropertyValue its number is seven lower.
INT, LONG, SINGLE, TWICE, TRUTH, TEXT = range(10, 16)
Fields = Mapping[int, int]
FIELDS: Final[Fields] = {
    **dict.fromkeys((INT8, INT16, INT32, UINT8, UINT16, UINT32), INT),
    **dict.fromkeys((INT64, UINT64), LONG),
    FLOAT: SINGLE,
    DOUBLE: TWICE,
    BOOLEAN: TRUTH,
    STRING: TEXT,
}
OLD_FIELDS: Final[Fields] = {**FIELDS, UINT32: LONG}  # where host applications from before 3.0 look
_LOWER = 7
_EXTENSION = 19  # the last field of a metric that holds a value
_VARINT, _64_BITS, _LENGTH, _32_BITS = 0, 1, 2, 5  # wire types

Property = tuple[int, Value]  # datatype and value


@dataclass(frozen=True, slots=True)
class Raw:
    """A value as it came, and which field of the metric held it."""

    field: int
    value: Value

    def typed(self, datatype: int) -> Value:
        """What it is in a metric of this datatype: signed integers come as two's complement."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int) or datatype not in _SIGNED:
            return value
        bits = 32 if self.field == INT else 64
        return value - (1 << bits) if value >> (bits - 1) else value


_SIGNED = frozenset((INT8, INT16, INT32, INT64))


@dataclass(frozen=True, slots=True)
class Metric:
    """What is None is not there; `timestamp` is ms since 1970 UTC."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int | None = None
    historical: bool = False
    null: bool = False
    properties: Mapping[str, Property] = field(default_factory=dict)
    raw: Raw | None = None

    @property
    def value(self) -> Value:
        """By its own datatype. Data have none: there `raw.typed(…)` wants that of the birth."""
        return None if self.raw is None or self.null else self.raw.typed(self.datatype or 0)


@dataclass(frozen=True, slots=True)
class Payload:
    """`seq` is 0 to 255; commands and NDEATHs have none."""

    timestamp: int | None = None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None


def varint(number: int) -> bytes:
    """A protobuf varint of 0 to 2**64 - 1."""
    if number < 0x80:
        return _BYTES[number]
    if number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 0x20_0000:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_BYTES = tuple(bytes((number,)) for number in range(0x80))
SEQS = tuple(b"\x18" + varint(seq) for seq in range(256))  # how a payload with this seq ends


def encode(timestamp: int, metrics: Iterable[bytes], seq: int | None) -> bytes:
    """A payload of metrics from `metric`; `timestamp` is ms UTC, a payload without `seq` is an NDEATH or a command."""
    return b"\x08%b%b%b" % (varint(timestamp), b"".join(metrics), b"" if seq is None else SEQS[seq])


def metric(body: bytes) -> bytes:
    """The fields of a metric as one of its payload."""
    return b"\x12%b%b" % (varint(len(body)), body)


def number(place: int, value: int) -> bytes:
    """A field that holds a varint."""
    return varint(place << 3) + varint(value)


def text(place: int, value: str) -> bytes:
    """A field that holds text; what UTF-8 cannot carry (a lone surrogate) becomes a question mark."""
    return _long(place, value.encode("utf-8", "replace"))


def _long(place: int, data: bytes) -> bytes:
    return b"%b%b%b" % (varint(place << 3 | _LENGTH), varint(len(data)), data)


def value(place: int, data: Value) -> bytes:
    """The field of a metric that holds its value. Raises TypeError, OverflowError and struct.error for what is none."""
    if place in {INT, LONG}:
        if not isinstance(data, int):
            raise TypeError(f"{data!r} is no whole number")
        return number(place, data & (0xFFFF_FFFF if place == INT else _LAST))
    if place == TEXT:
        if not isinstance(data, str):
            raise TypeError(f"{data!r} is no text")
        return text(place, data)
    if place == TRUTH:
        return b"\x70\x01" if data else b"\x70\x00"
    return b"\x65" + _f32.pack(data) if place == SINGLE else b"\x69" + _f64.pack(data)


def properties(of: Mapping[str, Property]) -> bytes:
    """The property set of a metric; as many keys as values."""
    keys = b"".join(text(1, key) for key in of)
    return _long(9, keys + b"".join(_long(2, _property(*found)) for found in of.values()))


def _property(datatype: int, data: Value) -> bytes:
    if data is None:
        return number(1, datatype) + number(2, 1)
    held = value(FIELDS[datatype], data)
    return number(1, datatype) + bytes((held[0] - (_LOWER << 3),)) + held[1:]


def decode(data: bytes, most: int = MOST_METRICS) -> Payload:
    """What a payload says; fields that are not known are read over. Raises ValueError for what is no payload."""
    timestamp = seq = None
    metrics: list[Metric] = []
    for place, wire, held in _fields(data):
        if place == 2:
            if len(metrics) >= most:
                raise ValueError(f"a payload of more than {most:,} metrics")
            metrics.append(_metric(_data(held, wire)))
        elif place == 1:
            timestamp = _number(held, wire)
        elif place == 3:
            seq = _number(held, wire)
    return Payload(timestamp, tuple(metrics), seq)


def _metric(data: bytes) -> Metric:
    told: dict[str, object] = {}
    for place, wire, held in _fields(data):
        if place in _NUMBERS:
            told[_NUMBERS[place]] = _number(held, wire)
        elif place in _FLAGS:
            told[_FLAGS[place]] = bool(_number(held, wire))
        elif place == 1:
            told["name"] = _text(held, wire)
        elif place == 9:
            told["properties"] = _properties(_data(held, wire))
        elif INT <= place <= TEXT:
            told["raw"] = Raw(place, _value(place, held, wire))
        elif TEXT < place <= _EXTENSION:
            told["raw"] = Raw(place, None)
    return Metric(**told)  # type: ignore[arg-type]  # each has the type that its reader gives


_NUMBERS = {2: "alias", 3: "timestamp", 4: "datatype"}
_FLAGS = {5: "historical", 7: "null"}


def _value(place: int, held: int | bytes, wire: int) -> Value:
    if place == INT:
        return _number(held, wire) & 0xFFFF_FFFF
    if place == LONG:
        return _number(held, wire)
    if place == TRUTH:
        return bool(_number(held, wire))
    if place == TEXT:
        return _text(held, wire)
    kind, read = (_32_BITS, _f32) if place == SINGLE else (_64_BITS, _f64)
    if wire != kind or not isinstance(held, bytes):
        raise ValueError(f"a value of another kind than its field {place} has")
    return float(read.unpack(held)[0])


def _properties(data: bytes) -> dict[str, Property]:
    keys: list[str] = []
    values: list[Property] = []
    for place, wire, held in _fields(data):
        if place == 1:
            keys.append(_text(held, wire))
        elif place == 2:
            values.append(_property_value(_data(held, wire)))
        if len(keys) + len(values) > 2 * _MOST_PROPERTIES:
            raise ValueError(f"a metric of more than {_MOST_PROPERTIES} properties")
    if len(keys) != len(values):
        raise ValueError(f"{len(keys)} keys of properties and {len(values)} values")
    return dict(zip(keys, values, strict=True))


def _property_value(data: bytes) -> Property:
    datatype, raw = 0, None
    for place, wire, held in _fields(data):
        if place == 1:
            datatype = _number(held, wire)
        elif INT <= place + _LOWER <= TEXT:
            raw = Raw(place + _LOWER, _value(place + _LOWER, held, wire))
    return datatype, None if raw is None else raw.typed(datatype)


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, what it holds) of each field. Raises ValueError."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        place, wire = key >> 3, key & 7
        if not 0 < place < 1 << 29:
            raise ValueError(f"a field of the number {place}")
        if wire == _VARINT:
            held, at = _varint(data, at)
            yield place, wire, held
            continue
        if wire == _LENGTH:
            size, at = _varint(data, at)
        elif wire in {_64_BITS, _32_BITS}:
            size = 8 if wire == _64_BITS else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if size > end - at:
            raise ValueError(f"a field of {size:,} bytes, and {end - at:,} are left")
        yield place, wire, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    for digit in data[at : at + 10]:
        at += 1
        found |= (digit & 0x7F) << shift
        if digit < 0x80:
            return found & _LAST, at
        shift += 7
    raise ValueError("a number that has no end")


def _number(held: int | bytes, wire: int) -> int:
    if wire != _VARINT or not isinstance(held, int):
        raise ValueError("bytes in the place of a number")
    return held


def _data(held: int | bytes, wire: int) -> bytes:
    if wire != _LENGTH or not isinstance(held, bytes):
        raise ValueError("a number in the place of bytes")
    return held


def _text(held: int | bytes, wire: int) -> str:
    try:
        return _data(held, wire).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"text that is not UTF-8: {error.reason}") from None
