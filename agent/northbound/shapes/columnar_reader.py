"""Reads columnar messages; this one file and Python's standard library are all that a platform needs.

    reader = Reader()
    reader.learn(payload)             # of the topic `floorgate/GATEWAY/$schema/ID`, retained
    for frame in reader.read(payload):
        frame["device"], frame["ts"], frame["values"], frame["quality"]

A frame is a dictionary with the keys of the JSON envelope. Nothing in a message is believed: what is not well-formed is
a ValueError, and a message costs no more memory than about a hundred times its own size.
"""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

MAGIC = b"FGC\x01"
LARGEST = 64 << 20  # bytes of a message, and of a description
HISTORY, UNSYNCED, CORRECTED, SPARSE, QUALITY, STAMPS, TYPES, PART = (1 << bit for bit in range(8))
FIRST_BAD = 64
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
    "float64": "f",
    "str": "s",
}
SIZES = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4, "d": 8, "s": 1}
QUALITIES = {
    0: "good",
    1: "clamped",
    2: "estimated",
    3: "stale",
    4: "clock_unsynced",
    5: "substituted",
    64: "bad_decode",
    65: "bad_device",
    66: "bad_comm",
    67: "bad_range",
    68: "bad_stuck",
    69: "bad_jump",
    70: "bad_config",
}


class UnknownSchema(ValueError):
    """A message names a schema that this reader has not learnt: keep the message until its description has come."""

    def __init__(self, schema: bytes) -> None:
        super().__init__(f"schema {schema.hex()} is not known yet")
        self.id = schema


@dataclass(frozen=True)
class Schema:
    """What the columns of a group are."""

    device: str
    group: str
    names: tuple[str, ...]
    codes: str
    units: tuple[str, ...]


class Reader:
    """Remembers the schemas that it has learnt, by their id."""

    def __init__(self) -> None:
        self.schemas: dict[bytes, Schema] = {}

    def learn(self, description: bytes) -> bytes:
        """Take a description, which was published as the schema; returns its id. Raises ValueError."""
        if len(description) > LARGEST:
            raise ValueError(f"a description of {len(description):,} bytes is too long")
        try:
            told = json.loads(description)
            tags = told["tags"]
            names = tuple(_said(tag["name"]) for tag in tags)
            codes = "".join(CODES[tag["type"]] for tag in tags)
            units = tuple(_said(tag["unit"]) for tag in tags)
            schema = Schema(_said(told["device"]), _said(told["group"]), names, codes, units)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise ValueError(f"no description of a schema: {error!r}") from None
        key = sha256(description).digest()[:8]
        self.schemas[key] = schema
        return key

    def read(self, message: bytes) -> Iterator[dict[str, Any]]:
        """The frames of a message, in its order. Raises UnknownSchema before the first frame, and ValueError."""
        if len(message) > LARGEST:
            raise ValueError(f"a message of {len(message):,} bytes is too long")
        cursor = _Cursor(message)
        if cursor.take(len(MAGIC)) != MAGIC:
            raise ValueError("no columnar message, or one of another version")
        gateway = cursor.text()
        epochs = [cursor.take(8).hex() for _ in range(cursor.count(8))]
        schemas = [self._named(cursor) for _ in range(cursor.count(9))]
        return _blocks(cursor, gateway, epochs, schemas)

    def _named(self, cursor: "_Cursor") -> Schema:
        key = cursor.take(8)
        description = cursor.take(cursor.count(1))
        if description and self.learn(description) != key:
            raise ValueError(f"the description of schema {key.hex()} is another one's")
        if key not in self.schemas:
            raise UnknownSchema(key)
        return self.schemas[key]


def _said(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    return text


class _Cursor:
    """A place in a message. Every call raises ValueError at its end."""

    def __init__(self, message: bytes) -> None:
        self._data, self._at = message, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise ValueError(f"cut short: {size:,} bytes are announced and {self.left:,} are there")
        self._at += size
        return self._data[self._at - size : self._at]

    def varint(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise ValueError("a number of more than ten bytes")

    def zigzag(self) -> int:
        number = self.varint()
        return number >> 1 if not number & 1 else -((number + 1) >> 1)

    def count(self, least: int) -> int:
        """How many things follow that need `least` bytes each."""
        number = self.varint()
        if number * least > self.left:
            raise ValueError(f"{number:,} things are announced and {self.left:,} bytes are left")
        return number

    def text(self) -> str:
        try:
            return self.take(self.count(1)).decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"a text that is not UTF-8: {error}") from None

    def unpack(self, code: str, count: int) -> tuple[Any, ...]:
        return struct.unpack(f"<{count}{code}", self.take(count * SIZES[code]))


def _blocks(
    cursor: _Cursor, gateway: str, epochs: Sequence[str], schemas: Sequence[Schema]
) -> Iterator[dict[str, Any]]:
    seq = ts = 0
    while cursor.left:
        schema, epoch = _pick(schemas, cursor.varint()), _pick(epochs, cursor.varint())
        flags, count = cursor.take(1)[0], cursor.count(2)
        if not count:
            raise ValueError("a block without a frame")  # a few bytes that cost as much as all columns of a schema
        part = [cursor.varint(), cursor.varint()] if flags & PART else None
        seqs = _series(cursor, count, seq)
        times = _series(cursor, count, ts)
        columns = _columns(cursor, len(schema.names)) if flags & SPARSE else range(len(schema.names))
        quality = cursor.take(count * len(columns)) if flags & QUALITY else bytes(count * len(columns))
        stamps = [cursor.zigzag() for _ in range(count * len(columns))] if flags & STAMPS else None
        codes = "".join(schema.codes[column] for column in columns)
        if flags & TYPES:
            codes = _codes(cursor.take(len(columns)))
        values = _values(cursor, codes, count)
        names = [schema.names[column] for column in columns]
        for row in range(count):
            frame = {"gateway": gateway, "epoch": epoch, "seq": seqs[row], "device": schema.device}
            frame |= {"group": schema.group, "ts": times[row]}
            doubts = quality[row::count]
            frame["values"] = {
                name: column[row]
                for name, column, doubt in zip(names, values, doubts, strict=True)
                if doubt < FIRST_BAD
            }
            frame["quality"] = {name: _quality(doubt) for name, doubt in zip(names, doubts, strict=True) if doubt}
            frame["history"] = bool(flags & HISTORY)
            if stamps:
                frame["stamps"] = {
                    name: times[row] + ahead for name, ahead in zip(names, stamps[row::count], strict=True) if ahead
                }
            if flags & (UNSYNCED | CORRECTED):
                frame["clock"] = "unsynced" if flags & UNSYNCED else "corrected"
            if part:
                frame["part"] = part
            yield frame
        seq, ts = seqs[-1], times[-1]


def _pick(things: Sequence[Any], number: int) -> Any:
    if number >= len(things):
        raise ValueError(f"number {number} of {len(things)} is named")
    return things[number]


def _series(cursor: _Cursor, count: int, before: int) -> list[int]:
    numbers = []
    for _ in range(count):
        before += cursor.zigzag()
        numbers.append(before)
    return numbers


def _columns(cursor: _Cursor, size: int) -> list[int]:
    bits = int.from_bytes(cursor.take(-(-size // 8)), "little")
    if bits >> size:
        raise ValueError(f"columns beyond the {size} that there are")
    return [column for column in range(size) if bits >> column & 1]


def _codes(said: bytes) -> str:
    codes = said.decode("latin-1")
    if not set(codes) <= set(SIZES):
        raise ValueError(f"types that are none: {said!r}")
    return codes


def _values(cursor: _Cursor, codes: str, count: int) -> list[Sequence[Any]]:
    """By column; the texts come after all numbers."""
    fixed = {column: cursor.unpack(code, count) for column, code in enumerate(codes) if code != "s"}
    texts = {column: [cursor.text() for _ in range(count)] for column, code in enumerate(codes) if code == "s"}
    return [fixed[column] if column in fixed else texts[column] for column in range(len(codes))]


def _quality(code: int) -> str:
    return QUALITIES.get(code) or f"{'doubt' if code < FIRST_BAD else 'bad'}_{code}"
