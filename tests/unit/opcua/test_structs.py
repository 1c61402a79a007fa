"""Structures from their definitions and their bytes, and what becomes of both when they are wrong."""

import struct

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.binary import Structure
from drivers.opcua.structs import (
    OPTIONAL,
    PLAIN,
    UNION,
    Definition,
    Member,
    Said,
    Types,
    definition,
    enum_value,
    learn,
)

DOUBLE, INT32, TEXT = 11, 6, 12
BUILTIN = {"i=11": DOUBLE, "i=6": INT32, "i=12": TEXT}
POINT = Definition("ns=2;i=5", PLAIN, (Member("x", "i=11", False, False), Member("n", "i=6", True, False)))


def types(**structures: Definition) -> Types:
    return Types({f"ns=2;s={name}": each for name, each in structures.items()}, dict(BUILTIN))


def test_the_fields_of_a_structure_by_name() -> None:
    body = struct.pack("<diii", 1.5, 2, 7, 8)
    assert types(point=POINT).fields(Structure("ns=2;i=5", body)) == {"x": 1.5, "n": [7, 8]}


def test_structures_within_structures() -> None:
    line = Definition(
        "ns=2;i=6", PLAIN, (Member("ends", "ns=2;s=point", True, False), Member("t", "i=12", False, False))
    )
    point = struct.pack("<di", 1.0, 0)
    body = struct.pack("<i", 2) + point * 2 + struct.pack("<i", 2) + b"ab"
    found = types(point=POINT, line=line).fields(Structure("ns=2;i=6", body))
    assert found == {"ends": [{"x": 1.0, "n": []}] * 2, "t": "ab"}


def test_optional_fields_and_unions_hold_what_their_mask_says() -> None:
    members = (Member("a", "i=6", False, False), Member("b", "i=6", False, True), Member("c", "i=6", False, True))
    known = types(o=Definition("ns=2;i=7", OPTIONAL, members), u=Definition("ns=2;i=8", UNION, members))
    assert known.fields(Structure("ns=2;i=7", struct.pack("<Iii", 0b10, 1, 3))) == {"a": 1, "c": 3}
    assert known.fields(Structure("ns=2;i=8", struct.pack("<Ii", 2, 5))) == {"b": 5}
    assert known.fields(Structure("ns=2;i=8", struct.pack("<I", 0))) == {}


@given(st.binary(max_size=60))
def test_bytes_that_do_not_fit_have_no_fields_or_some(body: bytes) -> None:
    loop = Definition("ns=2;i=9", PLAIN, (Member("self", "ns=2;s=loop", False, False),))
    known = types(point=POINT, loop=loop)
    assert isinstance(known.fields(Structure("ns=2;i=5", body)), dict)
    assert known.fields(Structure("ns=2;i=9", body)) == {}
    assert known.fields(Structure("ns=2;i=99", body)) == {}
    for kind in ("i=122", "i=123", "i=8251"):
        found = definition(Structure(kind, body))
        assert found is None or isinstance(found, Definition | dict)
        assert enum_value(Structure(kind, body)) is None or kind == "i=8251"


def test_a_definition_as_a_server_writes_it() -> None:
    fields = [
        ua.StructureField("x", ua.LocalizedText("X"), ua.NodeId(ua.Int32(11)), ua.Int32(-1)),
        ua.StructureField("n", ua.LocalizedText(), ua.NodeId(ua.Int32(6)), ua.Int32(1), [ua.UInt32(0)]),
    ]
    for field in fields:
        field.IsOptional = False
    raw = ua.StructureDefinition(
        ua.NodeId(ua.Int32(5), ua.Int16(2)), ua.NodeId(ua.Int32(22)), ua.StructureType.Structure, fields
    )
    assert definition(Structure("i=122", struct_to_binary(raw))) == POINT


def test_the_names_of_an_enumeration() -> None:
    raw = ua.EnumDefinition(
        [ua.EnumField(ua.Int64(n), ua.LocalizedText(t), ua.LocalizedText(), t) for n, t in enumerate("ab")]
    )
    assert definition(Structure("i=123", struct_to_binary(raw))) == {0: "a", 1: "b"}
    value = ua.EnumValueType(ua.Int64(7), ua.LocalizedText("seven"))
    assert enum_value(Structure("i=8251", struct_to_binary(value))) == (7, "seven")


@pytest.mark.parametrize("value", [None, 1, "text", Structure("i=1", b"")])
def test_what_is_no_definition_says_nothing(value: object) -> None:
    assert definition(value) is None
    assert enum_value(value) is None


def test_a_matrix_is_one_long_array_behind_its_dimensions() -> None:
    members = (Member("m", "i=6", True, False, is_matrix=True), Member("t", "i=12", False, False))
    known = types(m=Definition("ns=2;i=6", PLAIN, members))
    body = struct.pack("<iii6i", 2, 2, 3, *range(6)) + struct.pack("<i", 2) + b"ab"
    assert known.fields(Structure("ns=2;i=6", body)) == {"m": [0, 1, 2, 3, 4, 5], "t": "ab"}
    assert known.fields(Structure("ns=2;i=6", struct.pack("<ii", -1, -1))) == {"m": [], "t": None}
    for dimensions in ((2, 4), (1 << 30, 1 << 30)):
        assert known.fields(Structure("ns=2;i=6", struct.pack("<iii6i", 2, *dimensions, *range(6)))) == {}


def test_a_definition_that_multiplies_has_an_end() -> None:
    """A thousand fields of a type of a thousand fields of … nothing: given up, not counted out."""
    wide = {
        f"L{n}": Definition(f"ns=2;i={n}", PLAIN, (Member("a", f"ns=2;s=L{n + 1}", False, False),) * 1000)
        for n in range(7)
    }
    assert types(**wide, L7=Definition("ns=2;i=7", PLAIN, ())).fields(Structure("ns=2;i=0", b"")) == {}


def test_a_union_of_a_field_that_it_does_not_have() -> None:
    known = types(u=Definition("ns=2;i=8", UNION, (Member("a", "i=6", False, False),)))
    assert known.fields(Structure("ns=2;i=8", struct.pack("<Ii", 0xFFFFFFFF, 5))) == {}


def test_why_a_type_is_not_known_is_known_of_all_that_hold_one() -> None:
    known = types(line=Definition("ns=2;i=6", PLAIN, (Member("ends", "ns=2;s=gone", True, False),)), point=POINT)
    known.unknown["ns=2;s=gone"] = "it is gone"
    assert known.missing("ns=2;s=line") == "it is gone"
    assert known.missing("ns=2;s=point") == ""
    assert "no fields" in known.missing("i=6")


async def test_types_are_looked_up_once_and_only_those_that_are_needed() -> None:
    asked: list[str] = []

    async def look(kinds: list[str]) -> list[Said]:
        asked.extend(kinds)
        return [POINT if kind == "ns=2;s=point" else BUILTIN[kind] for kind in kinds]

    known = Types()
    await learn(known, ["ns=2;s=point", "ns=2;s=point"], look)
    assert asked == ["ns=2;s=point", "i=11", "i=6"]
    await learn(known, ["ns=2;s=point"], look)
    assert len(asked) == 3
