"""Compile the tags of one block into a function from reply to columns.

A reply is at most 253 bytes long, so each of its bytes has an index below 256. `bytes.translate`, fed with a list of
indexes as text and the reply as the table, therefore picks any bytes in any order in one call: word orders, shared
registers and holes all become one gather, and one `struct.Struct` decodes what it gathered. A block in network order
without overlaps needs no gather at all: the struct reads the reply in place, with pad bytes over the holes.
"""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from struct import Struct

from agent.model.frame import Value
from drivers.modbus.convert import Conversion, Convert, conversion
from drivers.modbus.kinds import BYTES, SIZED
from drivers.modbus.tag import Tag

HEAD = 2  # function code and byte count stand before the registers
Decode = Callable[[bytes], Sequence[Value]]

_CODES = {
    "bool": "H",
    **{kind: "B" if kind.startswith("u") else "b" for kind in BYTES},
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "bcd16": "H",
    "bcd32": "I",
}
_NUMERIC_DATES = {"unix": "I"}
_BITS = [bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256)]


def registers(tags: Sequence[Tag], start: int, order: str) -> Decode:
    """`tags` in the order of their columns, `start` the address of the first register in the reply."""
    hows = [conversion(tag) for tag in tags]
    columns = _together(hows)
    if columns is None:
        return _decoder(tags, hows, start, order)
    decode = _decoder([tags[at] for at in columns], [hows[at] for at in columns], start, order)
    back = itemgetter(*sorted(range(len(columns)), key=columns.__getitem__))
    return lambda reply: back(decode(reply))


def _together(hows: Sequence[Conversion]) -> list[int] | None:
    """The columns with those that are converted alike side by side, where that saves many small steps."""
    kinds = {how: rank for rank, how in enumerate(dict.fromkeys(hows))}
    if sum(1 for _ in groupby(hows)) <= 2 * len(kinds):
        return None
    return sorted(range(len(hows)), key=lambda at: kinds[hows[at]])


def _decoder(tags: Sequence[Tag], hows: Sequence[Conversion], start: int, order: str) -> Decode:
    layouts = [layout(tag, tag.order or order) for tag in tags]
    positions = [
        HEAD + 2 * (tag.address - start) + byte for tag, (_, where) in zip(tags, layouts, strict=True) for byte in where
    ]
    codes = [code for code, _ in layouts]
    unpack = _in_place(codes, positions) if _ascending(positions) else _gathered(codes, positions)
    runs = _runs(hows)
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


def layout(tag: Tag, order: str) -> tuple[str, list[int]]:
    """The struct code of a value, and which bytes of its registers it takes, highest first."""
    swapped = order in ("BADC", "DCBA", "BA")
    if tag.type in BYTES:
        return _CODES[tag.type], [int(tag.type.endswith("h") == swapped)]
    words = list(range(tag.words))
    if order in ("CDAB", "DCBA") and tag.type not in SIZED and tag.layout not in ("bcd", "words"):
        words.reverse()
    pair = (1, 0) if swapped else (0, 1)
    where = [2 * word + byte for word in words for byte in pair]
    return _CODES.get(tag.type) or _NUMERIC_DATES.get(str(tag.layout)) or f"{len(where)}s", where


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


def _runs(hows: Sequence[Conversion]) -> list[tuple[slice, Convert]]:
    runs, start = [], 0
    for how, group in groupby(hows):
        stop = start + len(list(group))
        if convert := how.compiled():
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
