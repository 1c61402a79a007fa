"""Every interval is told once, and all of them together have what the readings have."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.quality import Quality
from agent.normalise.counters.register import Step
from agent.normalise.counters.span import MOST, Closed, Span
from agent.normalise.local import Local
from tests.unit.normalise.meters import DAY, HOUR, MIDNIGHT, MINUTE, SECOND

QUARTER = 15 * MINUTE
CLOSE = 90 * SECOND
ESTIMATED = int(Quality.ESTIMATED)
Reading = tuple[int, int]  # ns after midnight, total


def span(every: int = QUARTER) -> Span:
    local = Local()
    return Span("15m", every, CLOSE, lambda ts: local.window(ts, every))


def told(readings: list[Reading], one: Span | None = None, *, steady: bool = False) -> list[Closed]:
    """What the readings end."""
    one, found = one or span(), list[Closed]()
    one.begin(MIDNIGHT + readings[0][0], readings[0][1])
    for (start, before), (end, after) in pairwise(readings):
        found += one.take(Step(MIDNIGHT + start, MIDNIGHT + end, before, after), steady=steady)
    return found


def short(closed: list[Closed]) -> list[tuple[int, int, int]]:
    """(minute of the day at its end, what was counted, quality)"""
    return [((each.edge - MIDNIGHT) // MINUTE, each.grown, each.doubt) for each in closed]


def reference(readings: list[Reading]) -> list[tuple[int, int, int]]:
    """As `short`, slowly: the straight line between the two readings around each edge, looked for among all of them."""
    found, base, doubt = list[tuple[int, int, int]](), readings[0][1], ESTIMATED if readings[0][0] % QUARTER else 0
    for edge in range(QUARTER, readings[-1][0] + 1, QUARTER):
        if edge <= readings[0][0]:
            continue
        start, before = max(each for each in readings if each[0] < edge)
        end, after = min(each for each in readings if each[0] >= edge)
        total = after if end == edge else before + int((after - before) * Fraction(edge - start, end - start) // 1)
        unsure = ESTIMATED if end - start > CLOSE and end > edge and after != before else 0
        found.append((edge // MINUTE, total - base, max(doubt, unsure)))
        base, doubt = total, unsure
    return found


@st.composite
def days(draw: st.DrawFn) -> list[Reading]:
    """Readings that go forward, by seconds or hours."""
    at, total = draw(st.integers(0, 3600)) * SECOND, draw(st.integers(0, 1000))
    found = [(at, total)]
    steps = st.tuples(
        st.one_of(st.integers(1, 20), st.integers(1, 200), st.integers(1, 9000), st.just(900)),
        st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 2**40)),
    )
    for seconds, grown in draw(st.lists(steps, min_size=1, max_size=40)):
        at, total = at + seconds * SECOND, total + grown
        found.append((at, total))
    return found


@given(days())
def test_an_interval_has_what_lies_between_its_ends(readings: list[Reading]) -> None:
    assert short(told(readings)) == reference(readings)


def test_a_reading_at_the_end_belongs_to_the_interval() -> None:
    assert short(told([(0, 100), (10 * MINUTE, 107), (15 * MINUTE, 110), (30 * MINUTE, 130)])) == [
        (15, 10, 0),
        (30, 20, 0),
    ]


def test_a_gap_is_spread_over_what_it_covers() -> None:
    readings = [(0, 0), (10 * MINUTE, 100), (50 * MINUTE, 500), (60 * MINUTE, 600)]
    assert short(told(readings)) == [(15, 150, 2), (30, 150, 2), (45, 150, 2), (60, 150, 2)]


def test_a_gap_in_which_nothing_was_counted_is_known() -> None:
    assert short(told([(0, 0), (10 * MINUTE, 100), (3 * HOUR, 100)])) == [
        (15, 100, 0),
        *((minute, 0, 0) for minute in range(30, 181, 15)),
    ]


def test_a_register_that_stands_between_its_readings_is_not_estimated() -> None:
    """Of a device that speaks only of changes."""
    readings = [(0, 0), (10 * MINUTE, 100), (40 * MINUTE, 500), (60 * MINUTE, 600)]
    assert short(told(readings, steady=True)) == [(15, 100, 0), (30, 0, 0), (45, 400, 0), (60, 100, 0)]


def test_what_began_before_the_first_reading_is_estimated() -> None:
    assert short(told([(5 * MINUTE, 10), (15 * MINUTE, 30), (30 * MINUTE, 60)])) == [(15, 20, 2), (30, 30, 0)]


def test_a_gap_of_years_is_one_interval() -> None:
    years = 3 * 365 * DAY
    found = told([(0, 0), (5 * MINUTE, 5), (years + MINUTE, 10**9), (years + QUARTER, 10**9 + 14)])
    assert [each.edge - MIDNIGHT for each in found] == [years, years + QUARTER]
    assert [(each.start - MIDNIGHT, each.doubt) for each in found] == [(0, 2), (years, 2)]
    assert sum(each.grown for each in found) == 10**9 + 14


@pytest.mark.parametrize("back", [2 * MINUTE, 12 * MINUTE, 5 * HOUR])
def test_a_clock_that_was_put_back_makes_the_open_interval_longer(back: int) -> None:
    before = [(minute * MINUTE, minute) for minute in range(370)]
    after = [(at - back, total) for at, total in ((minute * MINUTE, minute) for minute in range(370, 760))]
    found = told(before + after)
    edges = [each.edge for each in found]
    assert edges == sorted(set(edges))
    assert [each.edge - MIDNIGHT for each in found if each.doubt] == [375 * MINUTE]
    assert found[25 - 1].grown == 15 + back // MINUTE


def test_a_clock_that_was_years_ahead_tells_nothing_twice_when_they_come() -> None:
    """The stretch that it told then is told as part of the interval after it."""
    ahead = 10 * DAY
    readings = [(0, 0), (7 * MINUTE, 7), (ahead + 7 * MINUTE, 8), (ahead + 40 * MINUTE, 41), (42 * MINUTE, 42)]
    readings += [(minute * MINUTE, minute) for minute in range(43, 11 * 24 * 60 + 1)]
    found = told(readings)
    edges = [each.edge for each in found]
    assert len(edges) == len(set(edges))
    assert sum(each.grown for each in found) == 11 * 24 * 60
    assert max((each.grown, each.edge) for each in found) == (60, MIDNIGHT + ahead + 45 * MINUTE)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(-100, 100), st.integers(-20_000, 20_000), st.integers(-(10**9), 10**9), st.integers(1, 60)
            ),
            st.integers(0, 100),
        ),
        min_size=1,
        max_size=60,
    ),
    st.booleans(),
)
def test_however_the_clock_jumps_nothing_is_told_twice_and_nothing_lost(
    steps: list[tuple[int, int]], steady: bool
) -> None:
    at, total, readings = 10 * 365 * DAY, 0, [(10 * 365 * DAY, 0)]
    for seconds, grown in steps:
        at, total = max(at + seconds * SECOND, -MIDNIGHT), total + grown
        readings.append((at, total))
    one = span()
    found = told(readings, one, steady=steady)
    edges = [each.edge for each in found]
    assert len(edges) == len(set(edges)) <= len(steps) * MOST
    assert all(each.grown >= 0 and each.start < each.edge for each in found)
    assert sum(each.grown for each in found) == one.base
    assert one.base <= total
    assert one.edge > MIDNIGHT + at


@pytest.mark.parametrize("ts", [2**63, 2**70, -(2**70)])
def test_times_beyond_any_calendar_end(ts: int) -> None:
    one = span()
    one.begin(MIDNIGHT, 0)
    assert len(one.take(Step(MIDNIGHT, ts, 0, 5), steady=False)) <= MOST
    assert len(one.take(Step(ts, ts + HOUR, 5, 6), steady=False)) <= MOST


def test_a_clock_that_begins_in_1970_with_each_start_tells_nothing_twice() -> None:
    readings, total = [(0, 0)], 0
    for day in range(1, 100):
        for at in (day * DAY, day * DAY + QUARTER, 5 * SECOND - MIDNIGHT, 20 * MINUTE - MIDNIGHT):
            total += 10
            readings.append((at, total))
    one = span()
    closed = told(readings, one)
    edges = [each.edge for each in closed]
    assert len(set(edges)) == len(edges) > 200
    assert sum(each.grown for each in closed) == one.base <= total
    assert len(one.past) < 20
