"""The guard: what may be written is decided by the tag's limits alone, in decimal numbers as the file has them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.model.frame import Value
from agent.model.tag import DType
from agent.runtime.guard import Forbidden, TooSoon, allow, in_time, near, parse
from drivers.api import WriteConfig

SECOND = 10**9


def limits(**keys: Any) -> WriteConfig:
    return WriteConfig.model_validate(keys)


@pytest.mark.parametrize(
    ("text", "dtype", "value"),
    [
        ("true", "bool", True),
        ("OFF", "bool", False),
        ("1", "bool", True),
        ("0x10", "uint16", 16),
        ("-5", "int16", -5),
        ("5.0", "uint16", 5),
        ("1e3", "uint16", 1000),
        ("9007199254740993.0", "uint64", 2**53 + 1),  # no float can hold it
        ("5.", "float64", 5.0),
        ("18446744073709551615", "uint64", 2**64 - 1),
        ("229.7", "float64", 229.7),
        ("7", "float32", 7),
        ("-1.5e-3", "float32", -0.0015),
        ("7", "str", "7"),
        ("", "str", ""),
    ],
)
def test_text_becomes_a_value_of_the_tag_s_type(text: str, dtype: DType, value: Value) -> None:
    found = parse(text, dtype)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "dtype", "said"),
    [
        ("maybe", "bool", "neither true nor false"),
        ("2", "bool", "neither true nor false"),
        ("5.5", "uint16", "not whole"),
        ("nan", "float32", "no number"),
        ("inf", "float64", "no number"),
        ("1e999", "float64", "too large"),
        ("12345678901234.567", "float64", "more digits than can be kept: 12345678901234.566 would be written"),
        ("1e-400", "float32", "more digits than can be kept: 0.0 would be written"),
        ("9007199254740993.5", "uint64", "not whole"),
        ("1_000", "uint16", "no number"),
        ("٣", "uint16", "no number"),
        (" 5", "uint16", "no number"),
        ("", "uint16", "no number"),
        ("5 V", "float32", "no number"),
        ("9" * 2000, "int64", "too long"),
    ],
)
def test_text_that_is_none_is_refused(text: str, dtype: DType, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text, dtype)


def test_a_name_of_an_enum_is_taken_and_another_word_is_told_the_names() -> None:
    assert parse("auto", "str", ("off", "auto")) == "auto"
    assert parse("2", "str", ("off", "auto")) == 2
    with pytest.raises(ValueError, match="none of its names: off, auto"):
        parse("automatic", "str", ("off", "auto"))


@given(st.text(max_size=30), st.sampled_from(["bool", "int8", "uint64", "float32", "float64", "str"]))
def test_no_text_does_more_than_be_refused(text: str, dtype: DType) -> None:
    try:
        found = parse(text, dtype)
    except ValueError:
        return
    assert found is not None and found == found  # noqa: PLR0124  a NaN is not equal to itself


def test_without_a_section_nothing_may_be_written() -> None:
    with pytest.raises(Forbidden, match=r"does not let this tag be written \(only a tag with a section such as `write"):
        allow(None, 1)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({}, 10**12),
        ({}, True),
        ({}, "text"),
        ({"min": 20, "max": 80}, 20),
        ({"min": 20, "max": 80}, 80.0),
        ({"min": 0.1, "step": 0.1}, 0.3),  # in binary 0.1 + 2 * 0.1 is not 0.3
        ({"min": -40, "step": 0.5}, -39.5),
        ({"step": 0.7}, 2.1),
        ({"min": 0, "max": 1}, True),
    ],
)
def test_what_the_limits_allow_passes(keys: dict[str, Any], value: Value) -> None:
    allow(limits(**keys), value)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        ({"min": 20, "max": 80}, 19.9, r"19.9 is less than 20 \(the tag allows 20 to 80\)"),
        ({"max": 80}, 10**400, "is more than 80"),
        ({"max": 2**63 - 1}, 2**63, r"9223372036854775808 is more than 9223372036854775807"),
        ({"min": 2**53 + 1}, 2**53, r"9007199254740992 is less than 9007199254740993"),
        ({"max": 80}, 80.1, r"80.1 is more than 80 \(the tag allows at most 80\)"),
        ({"min": 20}, 0, r"0 is less than 20 \(the tag allows at least 20\)"),
        ({"min": 20, "step": 0.5}, 20.3, r"20.3 is no whole step of 0.5 \(nearest: 20 or 20.5\)"),
        ({"min": 0, "max": 1, "step": 0.4}, 0.9, r"nearest: 0.8\)"),
        ({"max": 0}, True, "True is more than 0"),
        ({"max": 500}, "9999", "'9999' is a text, which cannot be held against the limits"),
        ({"step": 1}, "", "a text"),
        ({}, float("nan"), "no value"),
        ({}, float("-inf"), "no value"),
        ({}, None, "no value"),
    ],
)
def test_what_they_do_not_allow_is_refused_with_what_they_do(keys: dict[str, Any], value: Value, said: str) -> None:
    with pytest.raises(Forbidden, match=said):
        allow(limits(**keys), value)


@pytest.mark.parametrize("keys", [{"min": float("nan")}, {"max": float("inf")}, {"step": float("inf")}])
def test_a_limit_is_a_finite_number(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        limits(**keys)


def test_the_name_of_a_number_is_bound_as_the_number_is() -> None:
    allow(limits(max=1), "on", {"on": 1, "boost": 2})
    with pytest.raises(Forbidden, match="boost is more than 1"):
        allow(limits(max=1), "boost", {"on": 1, "boost": 2})


def test_two_writes_are_as_far_apart_as_the_rate_says() -> None:
    rate = limits(rate="10s").rate
    in_time(rate, None, 0)
    in_time(rate, 0, 10 * SECOND)
    with pytest.raises(Forbidden, match=r"last write was 4.0 s ago.*again in 6.0 s"):
        in_time(rate, 0, 4 * SECOND)


def test_a_clock_that_was_set_back_holds_nobody_up_for_longer_than_the_rate() -> None:
    in_time(10.0, 1000 * SECOND, 0)
    with pytest.raises(Forbidden):
        in_time(10.0, 5 * SECOND, 0)


@pytest.mark.parametrize(("value", "old"), [(5, 0), (-5, 0.0), (0.3, 0.1 - 4.8), (True, False), ("a", "b"), (5, 5)])
def test_what_is_near_enough_may_be_written(value: Value, old: Value) -> None:
    near(limits(change=5), value, old)
    near(limits(), 1e9, None)


@pytest.mark.parametrize("old", [None, "text", True, float("nan"), float("inf"), -0.00001, 10**30, -(10**30)])
def test_what_is_not_or_where_nobody_knows_may_not(old: Value) -> None:
    with pytest.raises(Forbidden, match=r"cannot be read|away from") as error:
        near(limits(change=5), 5.0000001, old)
    assert error.value.hint == "the tag allows a change of 5 at a time"


def test_decimal_numbers_are_as_far_apart_as_they_say() -> None:
    near(limits(change=0.1), 0.3, 0.2)
    with pytest.raises(Forbidden, match=r"0\.4 is 0\.2 away from the 0\.2"):
        near(limits(change=0.1), 0.4, 0.2)


def test_what_a_float32_makes_of_a_number_is_no_distance() -> None:
    near(limits(change=0.1), 1.1, 1.2000000476837158)
    with pytest.raises(Forbidden):
        near(limits(change=0.1), 1.1, 1.200001)


def test_too_soon_is_told_from_never() -> None:
    with pytest.raises(TooSoon):
        in_time(10, 0, SECOND)


@pytest.mark.parametrize("change", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_change_is_a_number_above_0(change: object) -> None:
    with pytest.raises(ValidationError):
        limits(change=change)
