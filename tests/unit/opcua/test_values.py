"""What a node holds, and what its tag takes."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.tag import DType
from drivers.opcua.values import converter

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.floats()), st.datetimes()
)


@pytest.mark.parametrize(
    ("dtype", "given_", "taken"),
    [
        ("float64", 21.5, 21.5),
        ("float64", 7, 7.0),
        ("float64", True, 1.0),
        ("float64", 1 << 53, float(1 << 53)),
        ("float32", 0.5, 0.5),
        ("int64", (1 << 63) - 1, (1 << 63) - 1),
        ("uint64", (1 << 64) - 1, (1 << 64) - 1),
        ("int8", -128, -128),
        ("bool", False, False),
        ("str", "", ""),
    ],
)
def test_a_value_that_fits_is_a_plain_python_value(dtype: DType, given_: Any, taken: Any) -> None:
    found = converter(dtype)(given_)
    assert found == taken
    assert type(found) is type(taken)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float64", "21.5"),
        ("float64", [1.0]),
        ("float64", datetime.now(UTC)),
        ("float64", (1 << 53) + 1),
        ("float32", 1e39),
        ("int64", 1.0),
        ("int64", True),
        ("int64", 1 << 63),
        ("uint64", -1),
        ("int8", 128),
        ("uint16", 65536),
        ("bool", 1),
        ("bool", "true"),
        ("str", 5),
        ("str", b"raw"),
    ],
)
def test_what_does_not_fit_is_nothing(dtype: DType, value: Any) -> None:
    """No text for numbers, no rounding, no cut-off bits: rather no value than a wrong one."""
    assert converter(dtype)(value) is None


@given(st.sampled_from(get_args(DType)), ANYTHING)
def test_any_value_is_taken_unchanged_or_not_at_all(dtype: DType, value: object) -> None:
    found = converter(dtype)(value)
    assert found is None or found == value or (found != found and value != value)  # noqa: PLR0124  # NaN


def test_an_infinite_float32_is_left_to_normalise() -> None:
    assert converter("float32")(float("inf")) == float("inf")
