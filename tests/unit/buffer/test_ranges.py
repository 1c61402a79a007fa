"""Ranges behave like the set of numbers that they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffer.ranges import Ranges, parse, runs

Steps = list[tuple[bool, int, int]]
steps = st.lists(st.tuples(st.booleans(), st.integers(1, 60), st.integers(0, 15)))


def build(moves: Steps) -> tuple[Ranges, set[int]]:
    ranges, numbers = Ranges(), set[int]()
    for adding, first, length in moves:
        span = set(range(first, first + length + 1))
        if adding:
            ranges.add(first, first + length)
            numbers |= span
        else:
            taken = ranges.remove(first, first + length)
            assert {n for a, b in taken for n in range(a, b + 1)} == numbers & span
            numbers -= span
    return ranges, numbers


def members(ranges: Ranges) -> list[int]:
    return [n for first, last in ranges for n in range(first, last + 1)]


@given(steps)
def test_adding_and_removing_is_what_a_set_would_do(moves: Steps) -> None:
    ranges, numbers = build(moves)
    assert members(ranges) == sorted(numbers)
    assert ranges.size == len(numbers)
    assert (ranges.first, ranges.last) == (min(numbers, default=None), max(numbers, default=None))
    assert all((n in ranges) == (n in numbers) for n in range(80))


@given(steps)
def test_ranges_are_sorted_disjoint_and_do_not_touch(moves: Steps) -> None:
    ranges, _ = build(moves)
    flat = [end for pair in ranges for end in pair]
    assert flat == sorted(flat)
    assert all(second - last > 1 for (_, last), (second, _) in zip(list(ranges), list(ranges)[1:], strict=False))


@given(steps, st.integers(0, 80))
def test_after_gives_the_first_range_above_a_number(moves: Steps, seq: int) -> None:
    ranges, numbers = build(moves)
    above = sorted(n for n in numbers if n > seq)
    span = ranges.after(seq)
    assert (span is None) == (not above)
    if span:
        assert span[0] == above[0]
        assert set(range(span[0], span[1] + 1)) <= numbers
        assert span[1] + 1 not in numbers


@given(steps, st.integers(1, 60), st.integers(0, 15))
def test_splits_foretells_that_a_removal_leaves_one_range_more(moves: Steps, first: int, length: int) -> None:
    ranges, _ = build(moves)
    before, foretold = len(ranges), ranges.splits(first, first + length)
    ranges.remove(first, first + length)
    assert foretold == (len(ranges) > before)


@given(steps, st.integers(0, 50))
def test_head_is_the_lowest_numbers(moves: Steps, count: int) -> None:
    ranges, numbers = build(moves)
    assert members(Ranges(ranges.head(count))) == sorted(numbers)[:count]


@given(steps, steps)
def test_minus_leaves_what_the_others_do_not_hold(moves: Steps, others: Steps) -> None:
    (ranges, numbers), (other, away) = build(moves), build(others)
    assert members(ranges.minus([other])) == sorted(numbers - away)
    assert members(ranges) == sorted(numbers)


@given(steps)
def test_text_and_back(moves: Steps) -> None:
    ranges, _ = build(moves)
    assert parse(ranges.text()) == ranges


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[[1]]", "[[2,1]]", "[[0,4]]", '[["1",2]]', "[[1,2,3]]", "[[1,null]]"]
)
def test_text_that_is_not_ranges_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the message is Python's for half of these
        parse(text)


@given(st.sets(st.integers(1, 40)))
def test_runs_group_ascending_numbers(numbers: set[int]) -> None:
    assert runs(sorted(numbers)) == list(Ranges((n, n) for n in sorted(numbers)))


def test_ranges_show_what_they_hold() -> None:
    assert repr(Ranges([(1, 2), (9, 9)])) == "Ranges([(1, 2), (9, 9)])"
    assert Ranges([(1, 2)]) != [(1, 2)]
