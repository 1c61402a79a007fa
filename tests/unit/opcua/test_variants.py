"""A value in the type that a node takes: exactly or not at all."""

import math
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.variants import name, variant

BUILTIN = range(-3, 60)
ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40))


@pytest.mark.parametrize(
    ("value", "kind", "held"),
    [
        (1.5, 10, 1.5),
        (0.1, 10, 0.10000000149011612),
        (7, 4, 7),
        (7.0, 4, 7),
        (True, 6, 1),
        (1, 1, True),
        (0.0, 1, False),
        ((1 << 64) - 1, 9, (1 << 64) - 1),
        (-5, 27, -5),
        (3, 29, 3),
        (2, 26, 2.0),
        ("00ff", 15, b"\x00\xff"),
        ("tea", 12, "tea"),
    ],
)
def test_what_a_node_takes(value: Any, kind: int, held: Any) -> None:
    found = variant(value, kind).Value
    assert (found, type(found)) == (held, type(held))


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (7.5, 4, "not whole"),
        (40000, 4, "-32768 to 32767"),
        (-1, 5, "0 to 65535"),
        (1e39, 10, "too large for a Float"),
        ((1 << 53) + 1, 11, "more digits than a Double"),
        pytest.param(10**400, 11, "too large", id="huge"),
        (math.nan, 11, "no number"),
        ("7", 6, "no number"),
        (2, 1, "neither true nor false"),
        ("on", 1, "neither true nor false"),
        (7, 12, "no text"),
        ("\udcff", 12, "no text in UTF-8"),
        ("soon", 13, "no time"),
        ("1601-01-01", 13, "outside of what a DateTime can say"),  # it would be read as no time at all
        ("9999-12-31T23:59:59", 13, "outside"),
        ("xyz", 15, "no bytes"),
        ("xyz", 14, "no GUID"),
        (1, 22, "ExtensionObject cannot be written"),
        (1, 99, "type 99 cannot be written"),
    ],
)
def test_what_it_does_not_take(value: Any, kind: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        variant(value, kind)


def test_texts_of_other_kinds() -> None:
    assert variant("go", 21).Value == ua.LocalizedText("go")
    assert variant("2026-11-25T08:00:00", 13).Value == variant("2026-11-25T10:00:00+02:00", 13).Value
    assert str(variant("09087e75-8e5e-499b-954f-f2a9603db28a", 14).Value).startswith("09087e75")


@given(ANY, st.sampled_from(BUILTIN))
def test_whatever_comes_there_is_a_variant_or_a_reason(value: Any, kind: int) -> None:
    try:
        found = variant(value, kind)
    except ValueError:
        assert name(kind)
        return
    assert found.VariantType.value == {26: 11, 27: 8, 28: 9, 29: 6}.get(kind, kind)
