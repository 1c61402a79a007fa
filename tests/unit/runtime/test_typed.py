"""What a platform sends is taken as the tag has it, exactly, or not at all."""

import math
import struct
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Value
from agent.model.tag import DType
from agent.runtime.typed import EXACT, quoted, typed

DTYPES = get_args(DType)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)


@pytest.mark.parametrize(
    ("value", "dtype", "taken"),
    [
        (True, "bool", True),
        (5, "uint16", 5),
        (5.0, "uint16", 5),
        (-0.0, "int8", 0),
        (float(EXACT), "int64", EXACT),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("-1", "int64", -1),
        ("18446744073709551615", "uint64", 2**64 - 1),
        (2**64 - 1, "uint64", 2**64 - 1),
        (20, "float64", 20),
        (0.1, "float32", 0.1),
        (0.1, "float64", 0.1),
        (struct.unpack("<f", struct.pack("<f", 22.1))[0], "float32", 22.1),
        (struct.unpack("<f", struct.pack("<f", 22.1))[0], "float64", 22.100000381469727),
        (1e300, "float32", 1e300),  # which the driver refuses
        ("", "str", ""),
    ],
)
def test_a_value_of_the_right_type_is_taken(value: Value, dtype: DType, taken: Value) -> None:
    found = typed(value, dtype)
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "bool"),
        (0.0, "bool"),
        ("true", "bool"),
        (None, "bool"),
        (True, "uint16"),
        (1.5, "uint16"),
        ("5", "uint16"),
        ("5", "int32"),
        (float(EXACT) * 2, "int64"),
        ("5.0", "int64"),
        ("0x10", "int64"),
        ("\u0665", "int64"),
        ("1" * 21, "int64"),
        ("5", "float64"),
        (True, "float32"),
        (math.nan, "float64"),
        (math.inf, "float32"),
        (EXACT + 1, "float64"),
        (10**400, "float64"),
        (5, "str"),
        (None, "str"),
        ("x" * 1025, "str"),
    ],
)
def test_one_of_another_type_is_not(value: Value, dtype: DType) -> None:
    with pytest.raises(ValueError, match=r"neither true nor false|whole number|is no|more digits|too long"):
        typed(value, dtype)


def test_names_are_taken_and_so_are_their_numbers() -> None:
    assert [typed(value, "str", ("off", "auto")) for value in ("auto", 1, 1.0)] == ["auto", 1, 1]
    for wrong in ("on", "1", True, 1.5, None):
        with pytest.raises(ValueError, match=r"none of its names|no whole number"):
            typed(wrong, "str", ("off", "auto"))


@given(VALUES, st.sampled_from(DTYPES))
def test_whatever_comes_it_is_the_same_value_or_an_error_that_is_short_and_prints(value: Value, dtype: DType) -> None:
    found, said = _taken(value, dtype)
    if said:
        assert len(said) < 500 and said.isprintable()
        return
    assert isinstance(found, bool) == (dtype == "bool") == isinstance(value, bool)
    assert isinstance(found, str) == (dtype == "str")
    assert found == value or str(found) == str(value).lstrip("+") or dtype in ("float32", "int64", "uint64")


def _taken(value: Value, dtype: DType) -> tuple[Value, str]:
    try:
        return typed(value, dtype), ""
    except ValueError as error:
        return None, str(error)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_stays_the_same_float32(value: float) -> None:
    found = typed(value, "float32")
    assert isinstance(found, float) and struct.pack("<f", found) == struct.pack("<f", value)
    assert len(repr(found)) <= len(repr(value))


@given(VALUES)
def test_what_is_quoted_is_short_and_prints(value: Value) -> None:
    assert len(quoted(value)) <= 61 and quoted(value).isprintable()
