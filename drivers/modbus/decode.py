"""Compile the tags of one block into a function from reply to columns.

A reply is at most 253 bytes long, so each of its bytes has an index below 256. `bytes.translate`, fed with a list of
indexes as text and the reply as the table, therefore picks any bytes in any order in one call: word orders, shared
registers and holes all become one gather, and one `struct.Struct` decodes what it gathered. A block in network order
without overlaps needs no gather at all: the struct reads the reply in place, with pad bytes over the holes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import lcm
from struct import Struct
from typing import Any

from agent.model.frame import Value
from drivers.modbus.config import Tag

HEAD = 2  # function code and byte count stand before the registers
Decode = Callable[[bytes], Sequence[Value]]
Column = list[Any]
Convert = Callable[[Column], Column]

_CODES = {
    "bool": "H",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
_BITS = [bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256)]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What happens to a column after `struct`; equal neighbours are converted together."""

    numerator: int = 0
    constant: int = 0
    denominator: int = 0
    mask: int = 0
    text: bool = False

    def compiled(self) -> Convert | None:
        if self.text:
            return _texts
        if self.mask:
            return _masked(self.mask)
        return _scaled(self.numerator, self.constant, self.denominator) if self.denominator else None


def registers(tags: Sequence[Tag], start: int, order: str) -> Decode:
    """`tags` in the order of their columns, `start` the address of the first register in the reply."""
    layouts = [_layout(tag, tag.order or order) for tag in tags]
    positions = [
        HEAD + 2 * (tag.address - start) + byte for tag, (_, where) in zip(tags, layouts, strict=True) for byte in where
    ]
    codes = [code for code, _ in layouts]
    unpack = _in_place(codes, positions) if _ascending(positions) else _gathered(codes, positions)
    runs = _runs(tags)
    return _converted(unpack, runs) if runs else unpack


def bits(offsets: Sequence[int]) -> Decode:
    """Coils: `offsets` from the first one in the reply, ascending, in the order of their columns."""
    distinct = sorted(set(offsets))
    gaps = [after - before - 1 for before, after in pairwise([-1, *distinct])]
    unpack = Struct("".join(f"{gap}x?" for gap in gaps)).unpack_from
    expand = _BITS.__getitem__

    def decode(reply: bytes) -> Sequence[Value]:
        return unpack(b"".join(map(expand, reply[HEAD:])))

    if len(distinct) == len(offsets):
        return decode
    picks = [distinct.index(offset) for offset in offsets]

    def shared(reply: bytes) -> Sequence[Value]:
        found = decode(reply)
        return [found[pick] for pick in picks]

    return shared


def _layout(tag: Tag, order: str) -> tuple[str, list[int]]:
    """The struct code of a value, and which bytes of its registers it takes, highest first."""
    swapped = order in ("BADC", "DCBA", "BA")
    if tag.type in ("int8", "uint8"):
        return _CODES[tag.type], [0 if swapped else 1]
    words = list(range(tag.words))
    if tag.type != "string" and order in ("CDAB", "DCBA"):
        words.reverse()
    pair = (1, 0) if swapped else (0, 1)
    where = [2 * word + byte for word in words for byte in pair]
    return (f"{len(where)}s" if tag.type == "string" else _CODES[tag.type]), where


def _ascending(positions: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(positions))


def _in_place(codes: Sequence[str], positions: Sequence[int]) -> Decode:
    form, cursor, taken = ">", HEAD, 0
    for code in codes:
        size = Struct(f">{code}").size
        form += f"{positions[taken] - cursor}x{code}"
        cursor = positions[taken] + size
        taken += size
    unpack = Struct(form).unpack_from
    return lambda reply: unpack(reply, HEAD)


def _gathered(codes: Sequence[str], positions: Sequence[int]) -> Decode:
    gather = bytes(positions).translate
    unpack = Struct(">" + "".join(codes)).unpack
    return lambda reply: unpack(gather(reply.ljust(256, b"\0")))


def _conversion(tag: Tag) -> Conversion:
    if tag.type == "string":
        return Conversion(text=True)
    if tag.bit is not None or tag.type == "bool":
        return Conversion(mask=0xFFFF if tag.bit is None else 1 << tag.bit)
    return Conversion(*rational(tag.scale, tag.offset)) if tag.scaled else Conversion()


def _runs(tags: Sequence[Tag]) -> list[tuple[slice, Convert]]:
    runs, start = [], 0
    for conversion, group in groupby(tags, _conversion):
        stop = start + len(list(group))
        if convert := conversion.compiled():
            runs.append((slice(start, stop), convert))
        start = stop
    return runs


def _converted(unpack: Decode, runs: list[tuple[slice, Convert]]) -> Decode:
    def decode(reply: bytes) -> Sequence[Value]:
        values = list(unpack(reply))
        for where, convert in runs:
            values[where] = convert(values[where])
        return values

    return decode


def rational(scale: float, offset: float) -> tuple[int, int, int]:
    """`(p, c, q)` so that `raw * scale + offset` is `(raw * p + c) / q`.

    The decimal numbers of the configuration are meant exactly: 0.1 is 1/10. With whole numbers everything up to the
    one division is exact and the result is the nearest float: a raw 2305 at 0.1 is 230.5, not 230.50000000000003.
    """
    factor, constant = Fraction(repr(scale)), Fraction(repr(offset))
    q = lcm(factor.denominator, constant.denominator)
    return int(factor * q), int(constant * q), q


def _scaled(p: int, c: int, q: int) -> Convert:
    if c:
        return lambda column: [(raw * p + c) / q for raw in column]
    if p != 1:
        return lambda column: [raw * p / q for raw in column]
    return lambda column: [raw / q for raw in column]


def _masked(mask: int) -> Convert:
    return lambda column: [raw & mask != 0 for raw in column]


def _texts(column: Column) -> Column:
    return [text(raw) for raw in column]


def text(raw: bytes) -> str | None:
    """UTF-8 up to the first NUL, without padding; None when it is not UTF-8."""
    try:
        return raw.strip(b"\0 ").partition(b"\0")[0].rstrip(b" ").decode()
    except UnicodeDecodeError:
        return None
