"""Dictionaries of types: what they say of structures, and what becomes of them when they are hostile."""

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.binary import Malformed, Structure
from drivers.opcua.dictionary import DEEPEST, MOST, Dictionary, key, parse
from drivers.opcua.layouts import Layout
from drivers.opcua.structs import Types

HEAD = (
    '<opc:TypeDictionary xmlns:opc="http://opcfoundation.org/BinarySchema/" xmlns:ua="http://opcfoundation.org/UA/"'
    ' xmlns:tns="urn:a" xmlns:b="urn:b" TargetNamespace="urn:a">'
)
TAIL = "</opc:TypeDictionary>"
POINT = '<opc:StructuredType Name="Point"><opc:Field Name="x" TypeName="opc:Double"/></opc:StructuredType>'
BYTE = '<opc:Field Name="a" TypeName="opc:Byte"/>'
OTHER = HEAD.replace('TargetNamespace="urn:a"', 'TargetNamespace="urn:b"')


def book(types: str) -> Dictionary:
    return parse((HEAD + types + TAIL).encode())


def struct_of(fields: str, more: str = "") -> str:
    return f'<opc:StructuredType Name="T">{fields}</opc:StructuredType>{more}'


def types_of(*books: Dictionary) -> Types:
    """What is learnt of these dictionaries; T stands by itself as `ns=1;i=1`."""
    known = Types()
    for name, held in [pair for each in books for pair in each.types.items()]:
        if isinstance(held, int):
            known.builtin[name] = held
        else:
            known.structures[name] = replace(held, encoding="ns=1;i=1") if name.endswith("}T") else held
    known.builtin |= {f"i={number}": number for number in range(1, 26)}
    return known


def fields(types: str, body: bytes, *others: Dictionary) -> Any:
    return types_of(book(types), *others).fields(Structure("ns=1;i=1", body))


def test_optional_fields_are_there_by_their_bits() -> None:
    spec = struct_of(
        '<opc:Field Name="aSpecified" TypeName="opc:Bit"/><opc:Field Name="bSpecified" TypeName="opc:Bit"/>'
        '<opc:Field Name="Reserved1" TypeName="opc:Bit" Length="30"/><opc:Field Name="c" TypeName="opc:Byte"/>'
        '<opc:Field Name="a" TypeName="opc:Int16" SwitchField="aSpecified"/>'
        '<opc:Field Name="b" TypeName="opc:CharArray" SwitchField="bSpecified"/>'
    )
    assert fields(spec, struct.pack("<IB", 2, 9) + struct.pack("<i", 2) + b"hi") == {
        "aSpecified": False,
        "bSpecified": True,
        "Reserved1": 0,
        "c": 9,
        "b": "hi",
    }
    assert fields(spec, struct.pack("<IBh", 1, 9, -3))["a"] == -3


def test_a_union_holds_one_of_its_fields() -> None:
    spec = struct_of(
        '<opc:Field Name="SwitchField" TypeName="opc:UInt32"/>'
        '<opc:Field Name="a" TypeName="opc:Int32" SwitchField="SwitchField" SwitchValue="1"/>'
        '<opc:Field Name="b" TypeName="tns:Point" SwitchField="SwitchField" SwitchValue="2"/>',
        POINT,
    )
    assert fields(spec, struct.pack("<Ii", 1, -5)) == {"SwitchField": 1, "a": -5}
    assert fields(spec, struct.pack("<Id", 2, 1.5)) == {"SwitchField": 2, "b": {"x": 1.5}}
    assert fields(spec, struct.pack("<I", 0)) == {"SwitchField": 0}


def test_arrays_of_a_length_that_a_field_says_or_that_is_fixed() -> None:
    spec = struct_of(
        '<opc:Field Name="NoOfp" TypeName="opc:Int32"/><opc:Field Name="p" TypeName="tns:Point" LengthField="NoOfp"/>'
        '<opc:Field Name="two" TypeName="opc:UInt16" Length="2"/>',
        POINT,
    )
    assert fields(spec, struct.pack("<iddHH", 2, 1.0, 2.0, 3, 4)) == {
        "NoOfp": 2,
        "p": [{"x": 1.0}, {"x": 2.0}],
        "two": [3, 4],
    }
    assert fields(spec, struct.pack("<iHH", -1, 3, 4))["p"] == []
    for length in (3, 1 << 30):
        assert fields(spec, struct.pack("<iddHH", length, 1.0, 2.0, 3, 4)) == {}


def test_lengths_in_bytes_and_texts_of_single_characters() -> None:
    spec = struct_of(
        '<opc:Field Name="n" TypeName="opc:Byte"/>'
        '<opc:Field Name="a" TypeName="opc:UInt16" LengthField="n" IsLengthInBytes="true"/>'
        '<opc:Field Name="t" TypeName="opc:Char" Length="3"/>'
    )
    assert fields(spec, b"\x04\x01\x00\x02\x00" + b"abc") == {"n": 4, "a": [1, 2], "t": "abc"}
    assert fields(spec, b"\x03\x01\x00\x02\x00" + b"abc") == {}


def test_an_enumeration_is_its_number_in_as_many_bits_as_it_has() -> None:
    enums = "".join(f'<opc:EnumeratedType Name="E{bits}" LengthInBits="{bits}"/>' for bits in (8, 16, 32))
    spec = struct_of("".join(f'<opc:Field Name="e{n}" TypeName="tns:E{n}"/>' for n in (8, 16, 32)), enums)
    assert fields(spec, struct.pack("<BHi", 200, 7, -1)) == {"e8": 200, "e16": 7, "e32": -1}


def test_a_type_of_another_dictionary() -> None:
    other = parse((OTHER + POINT.replace("tns:", "b:") + TAIL).encode())
    spec = struct_of('<opc:Field Name="p" TypeName="b:Point"/><opc:Field Name="e" TypeName="ua:LocalizedText"/>')
    assert fields(spec, struct.pack("<dB", 2.5, 0), other) == {"p": {"x": 2.5}, "e": ""}


@pytest.mark.parametrize(
    "repeated",
    [
        "",
        '<opc:Field Name="x" TypeName="opc:Double" SourceType="tns:Point"/>',
        '<opc:Field Name="x" TypeName="opc:Double"/>',
    ],
)
def test_the_fields_of_a_base_come_first_whether_they_are_repeated_or_not(repeated: str) -> None:
    derived = f'<opc:StructuredType Name="T" BaseType="tns:Point">{repeated}{BYTE}</opc:StructuredType>'
    assert fields(derived + POINT, struct.pack("<dB", 1.0, 2)) == {"x": 1.0, "a": 2}


@pytest.mark.parametrize(
    ("operand", "there"),
    {
        "Equals": {2},
        "NotEqual": {1, 3},
        "GreaterThan": {3},
        "GreaterThanOrEqual": {2, 3},
        "LessThan": {1},
        "LessThanOrEqual": {1, 2},
    }.items(),
)
def test_a_field_may_depend_on_a_comparison(operand: str, there: set[int]) -> None:
    spec = struct_of(
        '<opc:Field Name="s" TypeName="opc:Byte"/>'
        f'<opc:Field Name="a" TypeName="opc:Byte" SwitchField="s" SwitchValue="2" SwitchOperand="{operand}"/>'
    )
    assert {s for s in (1, 2, 3) if "a" in fields(spec, bytes((s, 9)))} == there


def test_names_with_quotes_colons_and_no_prefix() -> None:
    """As Siemens has them: `"DB".type` is one name."""
    point = POINT.replace('"Point"', '"&quot;a:b&quot;"')
    spec = struct_of(
        '<opc:Field Name="p" TypeName="tns:&quot;a:b&quot;"/><opc:Field Name="n" TypeName="Int32"/>', point
    )
    assert fields(spec, struct.pack("<di", 1.0, 2)) == {"p": {"x": 1.0}, "n": 2}


def test_documentation_may_hold_anything_and_says_nothing() -> None:
    noise = '<opc:Documentation><opc:Field Name="z" TypeName="opc:Byte"/><b/></opc:Documentation>'
    assert fields(noise + struct_of(noise + '<opc:Field Name="a" TypeName="opc:Byte"/>'), b"\x05") == {"a": 5}


def test_a_field_that_cannot_be_read_leaves_its_type_out() -> None:
    spec = struct_of(
        '<opc:Field Name="a" TypeName="opc:Char" Terminator="00"/><opc:Field Name="b" TypeName="opc:Byte"/>'
    )
    assert list(book(spec + POINT).types) == [key("urn:a", "Point")]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>{HEAD}&l9;{TAIL}', "DTD"),
        (f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{HEAD}&x;{TAIL}', "DTD"),
        (f'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">{HEAD}{TAIL}', "DTD"),
        (f"{HEAD}&unknown;{TAIL}", "undefined entity"),
        ("", "no element"),
        (HEAD, "no element|unclosed"),
        ("<a/>", "but a a"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "encoding"),
        (HEAD + "<a>" * DEEPEST + "</a>" * DEEPEST + TAIL, "within elements"),
        (HEAD + "<a " + " ".join(f'xmlns:n{n}="u"' for n in range(300)) + "/>" + TAIL, "namespaces"),
        (HEAD + struct_of('<opc:Field Name="a" TypeName="opc:Bit" Length="9x"/>') + TAIL, "no number"),
    ],
)
def test_what_is_no_dictionary_says_why(text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        parse(text.encode())


def test_a_dictionary_has_an_end() -> None:
    """Types that inherit the same fields again and again count them each time."""
    wide = f'<opc:StructuredType Name="B">{"<opc:Field/>" * 1000}</opc:StructuredType>'
    heirs = "".join(f'<opc:StructuredType Name="H{n}" BaseType="tns:B"/>' for n in range(MOST // 1000))
    with pytest.raises(Malformed, match="more than 200,000"):
        book(wide + heirs)
    loop = f'<opc:StructuredType Name="A" BaseType="tns:A">{BYTE}</opc:StructuredType>'
    assert book(loop).types == {}


def test_values_that_take_no_bytes_have_an_end() -> None:
    """A thousand of a thousand of a thousand … of nothing: given up, not counted out."""
    level = '<opc:StructuredType Name="L{}"><opc:Field Name="a" TypeName="tns:L{}" Length="1000"/></opc:StructuredType>'
    levels = "".join(level.format(n, n + 1) for n in range(7))
    nothing = '<opc:StructuredType Name="L7"/>'
    assert fields(struct_of('<opc:Field Name="a" TypeName="tns:L0"/>', levels + nothing), bytes(1000)) == {}


PIECES = st.sampled_from(
    [
        "<opc:Field ",
        "/>",
        ">",
        'Name="a" ',
        'TypeName="tns:T" ',
        'TypeName="opc:Bit" ',
        'Length="4" ',
        'Length="-1" ',
        'LengthField="a" ',
        "&#0;",
        'SwitchField="a" ',
        'SwitchValue="7" ',
        'SwitchOperand="LessThan" ',
        'Terminator="0" ',
        '<opc:StructuredType Name="T" ',
        'BaseType="tns:T" ',
        "</opc:StructuredType>",
        'IsLengthInBytes="1" ',
        '<opc:EnumeratedType Name="T" LengthInBits="8"/>',
        'TypeName="opc:CharArray" ',
        "<!--",
        "<!DOCTYPE x>",
        "<![CDATA[",
        'TypeName="opc:Char" ',
        'TypeName="ua:Variant" ',
        'TypeName="opc:UInt32" ',
        'xmlns:tns="urn:b" ',
        "\x00",
        "é",
    ]
)
WELL = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["tns:T", "tns:U", "opc:Bit", "opc:Char", "opc:UInt16", "opc:CharArray", "ua:Variant", "b:X"]),
        st.sampled_from(
            ["", 'Length="3"', 'Length="99999"', 'LengthField="a"', 'LengthField="b" IsLengthInBytes="true"']
        )
        | st.sampled_from(['SwitchField="a"', 'SwitchField="b" SwitchValue="-1" SwitchOperand="GreaterThan"']),
    ),
    max_size=6,
)


@given(st.lists(PIECES, max_size=30).map("".join), st.binary(max_size=40))
def test_pieces_of_xml_in_any_order(text: str, body: bytes) -> None:
    try:
        found = book(text)
    except Malformed:
        return
    assert isinstance(types_of(found).fields(Structure("ns=1;i=1", body)), dict)


@given(WELL, WELL, st.binary(max_size=80))
def test_layouts_of_every_kind_over_any_bytes(one: list[Any], two: list[Any], body: bytes) -> None:
    spec = "".join(
        f'<opc:StructuredType Name="{name}">'
        + "".join(f'<opc:Field Name="{each}" TypeName="{kind}" {more}/>' for each, kind, more in parts)
        + "</opc:StructuredType>"
        for name, parts in (("T", one), ("U", two))
    )
    found = book(spec)
    assert all(isinstance(each, Layout) for each in found.types.values())
    assert isinstance(types_of(found).fields(Structure("ns=1;i=1", body)), dict)


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)
