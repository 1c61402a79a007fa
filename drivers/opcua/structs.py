"""Structures of a server's own making: their layout as the server describes it, and their fields from their bytes.

A definition (part 3, 8.48 and 8.51) is read only for the types that a tag looks into, and for those within them; where
there is none, what a dictionary says (`layouts.py`).
"""

import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.opcua import layouts
from drivers.opcua.binary import Malformed, Structure, count, data_value, node_id, octets, single, text
from drivers.opcua.layouts import Layout

PLAIN, OPTIONAL, UNION = 0, 1, 2  # StructureType
DEFINITION, ENUMERATION = "i=122", "i=123"  # encodings of StructureDefinition and EnumDefinition
ENUM_VALUE = "i=8251"  # encoding of EnumValueType
INT32, STRUCTURE = 6, 22
DEEPEST = 8
SPARE = 200_000  # fields of a value beyond one for each of its bytes: some take none
_UINT32, _INT32, _INT64 = (
    struct.Struct("<I").unpack_from,
    struct.Struct("<i").unpack_from,
    struct.Struct("<q").unpack_from,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A field as its definition says: `kind` is the node id of its type; a matrix is an array of several dimensions."""

    name: str
    kind: str
    is_array: bool
    is_optional: bool
    is_matrix: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """`form` is the StructureType, `encoding` the node id of its binary form."""

    encoding: str
    form: int
    members: tuple[Member, ...]

    @property
    def kinds(self) -> Sequence[str]:
        """The types of its fields."""
        return [member.kind for member in self.members]


@dataclass(slots=True)
class Types:
    """What is known of a server's types, by their node ids or their names in a dictionary.

    `builtin` is the number of the built-in type that one is read as, `unknown` why nothing is known of one.
    """

    structures: dict[str, Definition | Layout] = field(default_factory=dict)
    builtin: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    _left: int = 0  # fields that may still be looked at of the value that is looked into

    def fields(self, value: Structure) -> Mapping[str, object]:
        """The fields of a structure; none of one whose type is not known or whose bytes do not fit."""
        found = next((each for each in self.structures.values() if each.encoding == value.kind), None)
        if found is None:
            return {}
        self._left = len(value.body) + SPARE
        try:
            return self._read(found, value.body, 0, 0)[0]
        except (Malformed, struct.error, IndexError):
            return {}

    def knows(self, kind: str) -> bool:
        return kind in self.structures or kind in self.builtin or kind in self.unknown

    def missing(self, kind: str) -> str:
        """Why no value of this type can be looked into; empty for one that can."""
        if kind in self.builtin:
            return f"the server says of no fields in its type {kind}"
        return next((self.unknown[each] for each in self._within(kind) if each in self.unknown), "")

    def _within(self, kind: str) -> Iterable[str]:
        """The type, and all that are within it."""
        seen, fresh = {kind}, [kind]
        while fresh:
            held = self.structures.get(fresh.pop())
            inner = set(held.kinds if held else ()) - seen
            seen |= inner
            fresh += inner
        return seen

    def _read(self, definition: Definition | Layout, body: bytes, at: int, depth: int) -> tuple[dict[str, object], int]:
        if depth > DEEPEST:
            raise Malformed("structures within structures without end")
        if isinstance(definition, Layout):
            self._spend(len(definition.parts))
            return layouts.read(definition, body, at, lambda kind, body, at: self._one(kind, body, at, depth))
        members = definition.members
        self._spend(len(members))
        there = (1 << len(members)) - 1
        if definition.form == OPTIONAL:
            (mask,), at = _UINT32(body, at), at + 4
            optional = [member for member in members if member.is_optional]
            absent = {each.name for bit, each in enumerate(optional) if not mask >> bit & 1}
            there = sum(1 << place for place, each in enumerate(members) if each.name not in absent)
        elif definition.form == UNION:
            (which,), at = _UINT32(body, at), at + 4
            there = 1 << which - 1 if 0 < which <= len(members) else 0
        found: dict[str, object] = {}
        for place, member in enumerate(members):
            if there >> place & 1:
                found[member.name], at = self._member(member, body, at, depth)
        return found, at

    def _member(self, member: Member, body: bytes, at: int, depth: int) -> tuple[object, int]:
        if not member.is_array:
            return self._one(member.kind, body, at, depth)
        length, at = _volume(body, at) if member.is_matrix else count(body, at, 1)
        listed = []
        for _ in range(length):
            value, at = self._one(member.kind, body, at, depth)
            listed.append(value)
        return listed, at

    def _one(self, kind: str, body: bytes, at: int, depth: int) -> tuple[object, int]:
        self._spend(1)
        inner = self.structures.get(kind)
        if inner is not None:
            return self._read(inner, body, at, depth + 1)
        builtin = self.builtin.get(kind, 0)
        if not builtin:
            raise Malformed(f"a field of type {kind}, which is not known")
        return data_value(body, at) if builtin == 23 else single(builtin, body, at)

    def _spend(self, fields: int) -> None:
        self._left -= fields
        if self._left < 0:
            raise Malformed("a value of too many fields")


def definition(value: object) -> Definition | dict[int, str] | None:
    """A data type's DataTypeDefinition: of a structure, or the names of an enumeration."""
    if not isinstance(value, Structure):
        return None
    try:
        if value.kind == ENUMERATION:
            return _enumeration(value.body)
        return _structure(value.body) if value.kind == DEFINITION else None
    except (Malformed, struct.error, IndexError):
        return None


def enum_value(value: object) -> tuple[int, str] | None:
    """An EnumValueType: a number and its name."""
    if not isinstance(value, Structure) or value.kind != ENUM_VALUE:
        return None
    try:
        return _INT64(value.body, 0)[0], str(single(21, value.body, 8)[0])
    except (Malformed, struct.error, IndexError):
        return None


def _volume(body: bytes, at: int) -> tuple[int, int]:
    """How many elements follow the dimensions of a matrix (part 6, 5.2.5)."""
    dimensions, at = count(body, at, 4)
    volume = 1 if dimensions else 0
    for place in range(dimensions):
        volume *= max(0, _INT32(body, at + 4 * place)[0])
        if volume > len(body):
            raise Malformed(f"{volume:,} elements announced in {len(body):,} bytes")
    return volume, at + 4 * dimensions


def _structure(body: bytes) -> Definition:
    encoding, at = node_id(body, 0)
    _, at = node_id(body, at)
    (form,), at = _INT32(body, at), at + 4
    members, at = count(body, at, 10)
    found = []
    for _ in range(members):
        name, at = text(body, at)
        _, at = single(21, body, at)
        kind, at = node_id(body, at)
        (rank,), at = _INT32(body, at), at + 4
        dimensions, at = count(body, at, 4)
        at += 4 * dimensions + 4  # and the longest text
        found.append(Member(name or "", kind, rank >= 0, body[at] != 0, rank > 1))
        at += 1
    return Definition(encoding, form, tuple(found))


def _enumeration(body: bytes) -> dict[int, str]:
    members, at = count(body, 0, 10)
    found: dict[int, str] = {}
    for _ in range(members):
        (number,), at = _INT64(body, at), at + 8
        shown, at = single(21, body, at)
        _, at = single(21, body, at)
        name, at = octets(body, at)
        found[number] = (name or b"").decode("utf-8", "replace") or str(shown)
    return found


Said = Definition | Layout | int | str
Look = Callable[[list[str]], Awaitable[list[Said]]]


async def learn(types: Types, kinds: list[str], look: Look) -> None:
    """Fill in these types and all that are within them; `look` says what each is: a structure, the number of a built-in
    type, or why that is not known."""
    for _ in range(DEEPEST):
        unknown = [kind for kind in dict.fromkeys(kinds) if not types.knows(kind)]
        if not unknown:
            return
        kinds = []
        for kind, found in zip(unknown, await look(unknown), strict=True):
            if isinstance(found, int):
                types.builtin[kind] = found
            elif isinstance(found, str):
                types.unknown[kind] = found
            else:
                types.structures[kind] = found
                kinds += found.kinds
