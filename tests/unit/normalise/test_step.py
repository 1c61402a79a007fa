"""What the gateway does not vouch for becomes None with a quality, whatever a device sends."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import DType, Schema, Tag
from agent.normalise import MAX_TEXT, Steps

NUMBERS = Schema("meter", "1s", (Tag("volts", "float32"), Tag("count", "uint64"), Tag("on", "bool")))
MIXED = Schema("press", "1s", (Tag("order", "str"), Tag("speed", "float64")))


def stepped(schema: Schema, *values: Value, quality: bytes = b"") -> tuple[tuple[Value, ...], list[int]]:
    (frame,) = Steps()[schema](Frame(schema, 1, values, quality or bytes(len(values))))
    return tuple(frame.values), list(frame.quality)


def test_good_values_pass_untouched_and_without_a_copy() -> None:
    frame = Frame(NUMBERS, 1, (230.5, 2**64 - 1, True), bytes(3))
    assert Steps()[NUMBERS](frame)[0] is frame


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "12", None, 10**400])
def test_what_is_not_a_finite_number_is_bad(value: Value) -> None:
    assert stepped(NUMBERS, value, 1, False) == ((None, 1, False), [Quality.BAD_DECODE, 0, 0])


def test_two_infinities_do_not_cancel_out() -> None:
    schema = Schema("m", "1s", (Tag("a", "float64"), Tag("b", "float64")))
    assert stepped(schema, math.inf, -math.inf) == ((None, None), [Quality.BAD_DECODE] * 2)


def test_large_finite_numbers_whose_sum_overflows_are_good() -> None:
    schema = Schema("m", "1s", (Tag("a", "float64"), Tag("b", "float64")))
    assert stepped(schema, 1.7e308, 1.7e308) == ((1.7e308, 1.7e308), [0, 0])


def test_a_number_where_text_belongs_and_text_without_end_are_bad() -> None:
    assert stepped(MIXED, 5, 1.0) == ((None, 1.0), [Quality.BAD_DECODE, 0])
    assert stepped(MIXED, "x" * MAX_TEXT, 1.0)[1] == [0, 0]
    assert stepped(MIXED, "x" * 1_000_000, 1.0) == ((None, 1.0), [Quality.BAD_DECODE, 0])


def test_text_that_cannot_be_written_is_bad() -> None:
    """It would be in the state of a window or an alarm, and then nothing of what the steps know could be kept."""
    assert stepped(MIXED, b"Halle \xc3\xb6".decode(), 1.0)[1] == [0, 0]
    assert stepped(MIXED, b"Halle \xf6".decode("utf-8", "surrogateescape"), 1.0) == ((None, 1.0), [64, 0])


def test_a_quality_that_is_already_bad_is_kept() -> None:
    assert stepped(NUMBERS, None, 1, True, quality=bytes((66, 0, 1))) == ((None, 1, True), [66, 0, 1])


def test_sparse_frames_are_checked_by_their_own_columns() -> None:
    frame = Frame(MIXED, 1, (1.0, "A7"), bytes(2), columns=(1, 0), stamps=(5, 6))
    assert Steps()[MIXED](frame)[0] is frame
    (checked,) = Steps()[MIXED](Frame(MIXED, 1, ("A7", 1.0), bytes(2), columns=(1, 0), stamps=(5, 6)))
    assert (checked.values, list(checked.quality), checked.stamps) == ((None, None), [64, 64], (5, 6))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(get_args(DType)),
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
            st.integers(0, 127),
        ),
        min_size=1,
    )
)
def test_nothing_that_leaves_is_unfit(columns: list[tuple[str, Value, int]]) -> None:
    schema = Schema("d", "g", tuple(Tag(f"t{i}", dtype) for i, (dtype, _, _) in enumerate(columns)))
    (frame,) = Steps()[schema](
        Frame(schema, 1, [value for _, value, _ in columns], bytes(quality for _, _, quality in columns))
    )
    for tag, value, quality in frame.rows():
        if quality < FIRST_BAD:
            assert isinstance(value, str) == (tag.dtype == "str")
            assert isinstance(value, str) or (value is not None and abs(value) < math.inf)
        elif value is not None:
            raise AssertionError(f"{tag.name} is bad and still has a value")
