"""A frame comes back from its bytes as it went in, and nothing else comes back at all."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from buffer.codec import UNWRITABLE, checksum, cleaned, decode, encode, narrow
from tests.unit.buffer.builders import NOON, frame, schema

values = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
stamp = st.integers(-(2**63), 2**63 - 1)


@st.composite
def any_frame(draw: st.DrawFn) -> Frame:
    n = draw(st.integers(0, 12))
    column = st.lists(stamp, min_size=n, max_size=n).map(tuple)
    positions = st.lists(st.integers(0, 10_000), min_size=n, max_size=n).map(tuple)
    return Frame(
        Schema("d", "g", tuple(Tag(f"t{i}", draw(st.sampled_from(["float32", "int64"]))) for i in range(n))),
        draw(stamp),
        draw(st.lists(values, min_size=n, max_size=n).map(tuple)),
        draw(st.just(bytes(n)) | st.binary(min_size=n, max_size=n)),
        draw(stamp),
        draw(st.none() | positions),
        draw(st.none() | column),
    )


def back(original: Frame) -> Frame:
    body = encode(original, narrow(original.schema))
    return decode(body, len(original.values), original.schema, original.ts, original.mono)


@given(any_frame())
def test_every_frame_survives(original: Frame) -> None:
    """Values are equal and keep their type, except that a float32 tag may turn an integer into the same float."""
    copy = back(original)
    assert copy == original
    if narrow(original.schema) is None:
        assert [type(v) for v in copy.values] == [type(v) for v in original.values]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
def test_good_float32_values_take_four_bytes_each(numbers: list[float]) -> None:
    original = frame(*numbers, of=schema(tags=len(numbers), dtype="float32"))
    assert len(encode(original, narrow(original.schema))) == 1 + 4 * len(numbers)
    assert [struct.pack(">d", v) for v in back(original).values] == [struct.pack(">d", v) for v in numbers]


@pytest.mark.parametrize("value", [0.1, 1e300, None, "off", 2**24 + 1, 2**64 - 1])
def test_what_float32_cannot_hold_is_written_wide_and_stays_exact(value: Value) -> None:
    original = frame(1.5, value, of=schema(tags=2, dtype="float32"))
    assert back(original) == original


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_odd_floats_keep_their_bits(value: float, dtype: str) -> None:
    (copy,) = back(frame(value, of=Schema("d", "g", (Tag("t", dtype),)))).values  # type: ignore[arg-type]  # parametrized
    assert struct.pack(">d", copy) == struct.pack(">d", value)


def test_all_good_quality_takes_no_room() -> None:
    good, doubtful = frame(1, 2, 3), Frame(schema(), NOON, (1, 2, 3), bytes((0, 3, 0)))
    assert len(encode(doubtful)) == len(encode(good)) + 3
    assert back(doubtful).quality == bytes((0, 3, 0))


@given(st.binary(max_size=200), st.integers(0, 50))
def test_garbage_is_refused_or_is_a_frame(body: bytes, n: int) -> None:
    for head in (b"", b"\x01", b"\x02", b"\x01\x94"):
        try:
            found = decode(head + body, n, schema(), 0, 0)
        except ValueError:
            continue
        assert len(found.values) == len(found.quality) == n


@pytest.mark.parametrize(
    ("body", "n", "message"),
    [
        (b"", 1, "no bytes"),
        (b"\x7f", 1, "does not know: 7f"),
        (b"\x02abc", 1, "no frame of 1 float32"),
        (b"\x01", 1, "not the body of a frame"),
        (b"\x01" + b"\x91" * 5000, 1, "not the body of a frame"),
        (encode(frame(1, 2, 3)), 2, "different length"),
        (encode(Frame(schema(), 0, (1, 2, 3), b"\1\1")), 3, "different length"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(body, n, schema(), 0, 0)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800", 1j])
def test_a_value_that_cannot_be_written_becomes_bad_decode_and_its_neighbours_stay(value: Value) -> None:
    broken = frame(1, value, 3)
    with pytest.raises(UNWRITABLE):
        encode(broken)
    copy = back(cleaned(broken))
    assert copy.values == (1, None, 3)
    assert copy.quality == bytes((0, Quality.BAD_DECODE, 0))


def test_the_checksum_covers_the_body_the_place_and_the_stamps() -> None:
    whole = (b"body", 7, b"8 bytes!", NOON, 5, 2, 3)
    changed = [
        (b"bodY", *whole[1:]),
        *((*whole[:i], b"8 bytes?" if i == 2 else whole[i] + 1, *whole[i + 1 :]) for i in range(1, 7)),  # type: ignore[operator]  # numbers
    ]
    sums = [checksum(*row) for row in (whole, *changed)]  # type: ignore[arg-type]  # rows of mixed types
    assert len(set(sums)) == len(sums)
