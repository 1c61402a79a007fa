"""Structures as an OPC Binary schema lays them out: fields one after the other, some of them bits, some not there.

How many elements a field has, and whether it is there at all, stands in fields before it (part 5, C.2.6).
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.opcua.binary import Malformed

One = Callable[[str, bytes, int], tuple[object, int]]  # reads a value of this type
CHAR = "char"  # a byte of UTF-8
OPERANDS: Mapping[str, Callable[[int, int], bool]] = {
    "Equals": operator.eq,
    "NotEqual": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A field. `kind` is its type; `bits`, of a bit field, how many it has.

    `count` is how many there are, or the name of the field that says so; `in_bytes`: it counts bytes. `switch` is the
    name of the field on which it depends whether this one is there: compared with a number, or by not being zero.
    """

    name: str
    kind: str
    bits: int = 0
    count: int | str | None = None
    in_bytes: bool = False
    switch: str = ""
    compare: tuple[str, int] = ("NotEqual", 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """`encoding` is the node id of the binary form of a structure that stands by itself."""

    parts: tuple[Part, ...]
    encoding: str = ""

    @property
    def kinds(self) -> Sequence[str]:
        """The types of its fields, as far as they have to be looked up."""
        return [part.kind for part in self.parts if not part.bits and part.kind != CHAR]


def read(layout: Layout, body: bytes, at: int, one: One) -> tuple[dict[str, object], int]:
    """The fields that are there, and the place after them. Raises Malformed, struct.error and IndexError."""
    found: dict[str, object] = {}
    bit = at * 8
    for part in layout.parts:
        if part.switch and not _is_there(part, found.get(part.switch)):
            continue
        if part.bits:
            found[part.name], bit = _bits(body, bit, part.bits)
        else:
            found[part.name], at = _value(part, found, body, -(-bit // 8), one)
            bit = at * 8
    return found, -(-bit // 8)


def _is_there(part: Part, held: object) -> bool:
    operand, value = part.compare
    return isinstance(held, int) and OPERANDS[operand](held, value)


def _bits(body: bytes, bit: int, width: int) -> tuple[int | bool, int]:
    """The lowest bit of a byte comes first (part 5, C.4)."""
    end = bit + width
    if end > len(body) * 8:
        raise Malformed(f"{width} bits announced, {len(body) * 8 - bit} there")
    whole = int.from_bytes(body[bit // 8 : -(-end // 8)], "little") >> bit % 8 & (1 << width) - 1
    return bool(whole) if width == 1 else whole, end


def _value(part: Part, found: Mapping[str, object], body: bytes, at: int, one: One) -> tuple[object, int]:
    count = found.get(part.count) if isinstance(part.count, str) else part.count
    if count is None and part.kind == CHAR:
        count = 1
    if count is None:
        return one(part.kind, body, at)  # also when the field that says how many is not there
    if not isinstance(count, int):
        raise Malformed(f"{part.name} has {count!r} elements")
    if count > len(body) - at:
        raise Malformed(f"{count:,} elements announced in {len(body) - at:,} bytes")
    count = max(count, 0)
    if part.kind == CHAR:
        return body[at : at + count].decode("utf-8", "replace"), at + count
    listed: list[object] = []
    end = at + count if part.in_bytes else len(body)
    while at < end if part.in_bytes else len(listed) < count:
        start = at
        value, at = one(part.kind, body, at)
        if at > end or (part.in_bytes and at == start):
            raise Malformed(f"{part.name} does not fit into the {count:,} bytes that it should have")
        listed.append(value)
    return listed, at
