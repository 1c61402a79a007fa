"""What registers may mean: the way that a value was written is found again, whatever stands beside it."""

import struct
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.modbus import plausible
from drivers.modbus.plausible import OFFSETS, ORDERS, SCALES, TYPES, WIDTHS, Candidate, Way, decoded, ranked, windows
from tests.unit.modbus import oracle
from tests.unit.modbus.builders import tag

FIRST, LENGTH = -1, 6  # the stretch that is read around an address
WORDS = st.integers(0, 0xFFFF)


def stretch(value: float, kind: str, order: str, offset: int, fill: int | list[int] = 0) -> list[int | None]:
    """Registers from offset -1 on, with the value where it belongs."""
    data = struct.pack(f">{TYPES[kind]}", value)
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    if order in ("BADC", "DCBA"):
        words = [word >> 8 | (word & 0xFF) << 8 for word in words]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    found: list[int | None] = [*fill] if isinstance(fill, list) else [fill] * LENGTH
    found[offset - FIRST : offset - FIRST + len(words)] = words
    return found


def best(words: list[int | None], expect: str | None = None, tolerance: float = 0.01) -> list[Candidate]:
    wanted = None if expect is None else Fraction(expect)
    return ranked(windows(words, FIRST), expect=wanted, tolerance=tolerance)


@st.composite
def ways(draw: st.DrawFn) -> Way:
    kind = draw(st.sampled_from(sorted(TYPES)))
    order = draw(st.sampled_from(ORDERS if WIDTHS[kind] > 1 else ("ABCD", "BADC")))
    return Way(draw(st.sampled_from(OFFSETS)), kind, order, draw(st.sampled_from(SCALES)))


@given(ways(), st.integers(1, 30_000), st.lists(WORDS, min_size=LENGTH, max_size=LENGTH), st.floats(-0.009, 0.009))
def test_the_way_in_which_a_value_was_written_is_first_or_what_is_before_it_fits_too(
    way: Way, raw: int, fill: list[int], off: float
) -> None:
    """With what somebody reads from a display, within one percent."""
    words = stretch(raw, way.type, way.order, way.offset, fill)
    value = raw * Fraction(way.scale)
    found = best(words, str(value * Fraction(1 + off)))
    place = next(at for at, each in enumerate(found) if way == each.way or way in each.same)
    assert found[place].value == value and found[place].fits
    assert all(each.fits and "off" in each.why for each in found[: place + 1])
    assert [each.score for each in found[: place + 1]] == sorted((e.score for e in found[: place + 1]), reverse=True)


@given(ways(), st.integers(1001, 30_000))
def test_a_value_that_the_display_shows_to_the_last_digit_is_first(way: Way, raw: int) -> None:
    """Where nothing stands beside it, and among the ways that read the very same number."""
    words = stretch(raw, way.type, way.order, way.offset)
    found = best(words, str(raw * Fraction(way.scale)), tolerance=0.0001)
    assert way in (found[0].way, *found[0].same)


@given(st.sampled_from(ORDERS), st.floats(1.0, 1000.0, width=32))
def test_a_float_of_a_usual_size_is_found_without_being_told(order: str, value: float) -> None:
    assume(struct.pack(">f", value)[2:] != b"\0\0")  # a round one looks like an integer too
    found = best(stretch(value, "float32", order, 0))
    assert any(each.way == Way(0, "float32", order, "1") for each in found[:3])


@pytest.mark.parametrize(
    ("kind", "order", "value", "first"),
    [
        ("float32", "ABCD", 229.7, "float32 ABCD"),
        ("float32", "CDAB", 229.7, "float32 CDAB"),
        ("float32", "DCBA", 50.02, "float32 DCBA"),
        ("uint16", "ABCD", 2297, "uint16 ABCD x 0.1"),
        ("uint16", "ABCD", 4998, "uint16 ABCD x 0.01"),
        ("uint32", "ABCD", 654321, "uint32 ABCD"),
        ("int16", "ABCD", -5, "int16 ABCD"),
        ("float64", "ABCD", 229.7, "float64 ABCD"),
    ],
)
def test_what_devices_usually_say_is_first_without_being_told(kind: str, order: str, value: float, first: str) -> None:
    found = best(stretch(value, kind, order, 0))
    assert first in [str(found[0].way), *map(str, found[0].same)], [(str(f.way), f.score) for f in found[:5]]


def test_what_jumps_between_two_readings_is_no_measurement() -> None:
    one, two = stretch(229.71, "float32", "CDAB", 0), stretch(229.68, "float32", "CDAB", 0)
    found = ranked(windows(one, FIRST), again=windows(two, FIRST), expect=None, tolerance=0.01)
    assert str(found[0].way) == "float32 CDAB"
    jumping = [each for each in found if each.why.startswith("jumps")]
    assert jumping and all(each.score < found[0].score / 2 for each in jumping)


def test_ways_that_read_the_same_number_are_one_candidate() -> None:
    (first, *_) = best(stretch(2297, "uint32", "ABCD", 0), "2297")
    assert str(first.way) == "uint32 ABCD"
    assert {"int32 ABCD", "uint16 ABCD at +1", "uint64 DCBA"} & set(map(str, first.same)) >= {"uint16 ABCD at +1"}


def test_when_nothing_fits_the_nearest_is_first_and_says_so() -> None:
    found = best(stretch(100, "uint16", "ABCD", 0), "150")
    assert not any(each.fits for each in found)
    assert found[0].value == 100 and found[0].why == "33.33% off"


def test_nothing_is_said_of_what_could_not_be_read() -> None:
    assert windows([None] * LENGTH, FIRST) == {}
    assert ranked({}, expect=None, tolerance=0.01) == []
    assert set(windows([1, 2, None, 4, 5, 6], FIRST)) == {(-1, 1), (-1, 2), (0, 1)}
    assert set(windows([1, 2], 0)) == {(0, 1), (0, 2), (1, 1)}  # there is no register before the first


@given(st.lists(WORDS, min_size=4, max_size=4), st.sampled_from(sorted(TYPES)), st.sampled_from(ORDERS))
def test_a_number_is_what_the_tag_with_the_same_keys_reads(words: list[int], kind: str, order: str) -> None:
    words = words[: WIDTHS[kind]]
    mine, theirs = decoded(words, kind, order), oracle.value(tag(type=kind, order=order), words)
    assert mine == theirs or (mine != mine and theirs != theirs)  # noqa: PLR0124  NaN


@given(st.lists(WORDS, min_size=LENGTH, max_size=LENGTH), st.none() | st.fractions())
def test_any_registers_are_ranked(words: list[int], expect: Fraction | None) -> None:
    found = ranked(windows(list(words), FIRST), expect=expect, tolerance=0.01)
    assert len({each.value for each in found}) == len(found) > 0
    assert all(each.why for each in found)


def test_every_type_of_the_list_is_one_of_the_configuration() -> None:
    assert {tag(type=kind).words for kind in plausible.TYPES} == {1, 2, 4}
