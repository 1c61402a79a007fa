"""Node ids: what people write, and what is refused with a reason."""

from base64 import b64encode
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.nodes import NodeAddress, parse, spellings

GUID = "09087e75-8e5e-499b-954f-f2a9603db28a"
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=50).filter(str.splitlines)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("i=2258", NodeAddress(0, "i", 2258)),
        ("ns=3;s=Temp", NodeAddress(3, "s", "Temp")),
        ("ns=3;i=4294967295", NodeAddress(3, "i", 4294967295)),
        ("nsu=urn:press;s=Temp", NodeAddress("urn:press", "s", "Temp")),
        ("nsu=http://example.org/UA/;i=7", NodeAddress("http://example.org/UA/", "i", 7)),
        (f"ns=2;g={GUID}", NodeAddress(2, "g", UUID(GUID))),
        ("ns=2;b=AQID", NodeAddress(2, "b", b"\x01\x02\x03")),
        ('ns=3;s="DB"."temp[1]";x=y', NodeAddress(3, "s", '"DB"."temp[1]";x=y')),
        ("s= with blanks ", NodeAddress(0, "s", " with blanks ")),
    ],
)
def test_a_node_id_has_a_namespace_and_an_identifier(text: str, node: NodeAddress) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write ns=3;s=Temp"),
        ("Temp", "write ns=3;s=Temp"),
        ("ns=3,s=Temp", "write ns=3;s=Temp"),
        ("ns=3;Temp", "write ns=3;s=Temp"),
        ("ns=-1;i=1", "write ns=3;s=Temp"),
        ("nsu=;i=1", "write ns=3;s=Temp"),
        ("ns=3;s=", "write ns=3;s=Temp"),
        ("ns=70000;i=1", "up to 65535"),
        ("i=4294967296", "0 to 4294967295"),
        ("i=-1", "0 to 4294967295"),
        ("i=1e3", "0 to 4294967295"),
        ("i=²", "0 to 4294967295"),
        ("g=123", "GUID"),
        ("b=???", "base64"),
        ("s=" + "x" * 4097, "4096"),
    ],
)
def test_what_is_no_node_id_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


@given(st.text())
def test_any_text_is_a_node_id_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse(text), NodeAddress)


@given(st.integers(0, 0xFFFF), NAMES)
def test_a_name_may_hold_anything(index: int, name: str) -> None:
    """Quotes, semicolons and equal signs are common in the names of PLC variables."""
    assert parse(f"ns={index};s={name}") == NodeAddress(index, "s", name)


@given(st.binary(min_size=1, max_size=40))
def test_opaque_ids_survive(raw: bytes) -> None:
    assert parse(f"ns=1;b={b64encode(raw).decode()}") == NodeAddress(1, "b", raw)


def test_a_namespace_is_also_looked_up_without_its_escapes() -> None:
    """A node id writes `;` and `%` of a namespace as %3B and %25."""
    assert spellings("urn:a%3Bb%25") == ("urn:a%3Bb%25", "urn:a;b%")
    assert spellings("urn:press") == ("urn:press",)
