"""A calendar says the same as somebody who looks at the clock on the wall and at the list, minute by minute."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.normalise.calendar import Calendar, Days, Period, Stretch
from agent.normalise.local import DAY, HOUR, SECOND, Local, begins
from tests.unit.normalise.test_local import MINUTE, instants, ns, zones

SHANGHAI = Local(ZoneInfo("Asia/Shanghai"))
BERLIN = Local(ZoneInfo("Europe/Berlin"))


def pattern(**names: str) -> tuple[tuple[int, Period], ...]:
    """`at_0830="peak"`; a `-` before the name says that it is not planned."""
    times = ((int(at[3:5]) * 60 + int(at[5:7]), name) for at, name in names.items())
    return tuple((at, Period(name.lstrip("-"), not name.startswith("-"))) for at, name in times)


SHIFTS = pattern(at_0600="early", at_1000="-early", at_1015="early", at_1400="late", at_2200="night")
periods = st.dictionaries(st.integers(0, 1439), st.sampled_from("abc"), min_size=1, max_size=6)
patterns = periods.map(lambda found: tuple((at, Period(name)) for at, name in sorted(found.items())))
days = st.tuples(st.integers(1, 12), st.integers(1, 28)).map(lambda day: day[0] * 100 + day[1])


@st.composite
def entries(draw: st.DrawFn) -> list[Days]:
    yearly = st.builds(
        Days,
        patterns,
        st.lists(st.tuples(days, days), max_size=2).map(tuple),
        st.frozensets(st.integers(0, 6)),
    )
    return [*draw(st.lists(yearly, max_size=3)), Days(draw(patterns))]


def plain(zone: ZoneInfo, listed: list[Days], at: int) -> str:
    """All that begins in the days around, in order; the last that has begun."""
    on = SHANGHAI.date_of(at)
    begun = ""
    for day in (on + timedelta(number) for number in range(-3, 4)):
        entry = next(entry for entry in sorted(listed, key=lambda entry: entry.rank) if holds(entry, day))
        for minutes, period in entry.pattern:
            if begins(day, timedelta(minutes=minutes), zone) <= at:
                begun = period.name
    return begun


def holds(entry: Days, day: date) -> bool:
    number = day.month * 100 + day.day
    wraps = [(first, last) if first <= last else None for first, last in entry.seasons]
    season = not wraps or any(
        found[0] <= number <= found[1] if found else not last < number < first
        for found, (first, last) in zip(wraps, entry.seasons, strict=True)
    )
    return season and (not entry.weekdays or day.weekday() in entry.weekdays)


@given(zones, entries(), instants, st.lists(st.integers(-DAY, DAY), max_size=4))
def test_it_says_what_a_plain_reading_says(zone: ZoneInfo, listed: list[Days], at: int, steps: list[int]) -> None:
    calendar = Calendar(Local(zone), listed)
    for moment in (at, *(at + step for step in steps)):
        found = calendar.span_at(moment)
        assert found.start <= moment < found.end
        assert found.name == calendar.name_at(moment) == plain(zone, listed, moment)
        assert calendar.next_change(moment) == found.end
        assert found.end - found.start <= 3 * DAY
        assert calendar.span_at(found.end).start == found.end
        assert calendar.span_at(found.start - 1).end == found.start
        shift = calendar.shift_at(moment)
        assert shift.start <= found.start < found.end <= shift.end
        assert shift.name == found.name


def test_a_shift_goes_on_over_midnight_and_is_one_with_its_breaks() -> None:
    calendar = Calendar(SHANGHAI, [Days(SHIFTS)])
    night = calendar.span_at(ns("2026-10-02T03:00+08:00"))
    begin, end = ns("2026-10-01T22:00+08:00"), ns("2026-10-02T06:00+08:00")
    assert night == calendar.shift_at(begin) == (begin, end, "night", True)
    rest = calendar.span_at(ns("2026-10-02T10:05+08:00"))
    assert rest == (ns("2026-10-02T10:00+08:00"), ns("2026-10-02T10:15+08:00"), "early", False)
    assert calendar.shift_at(rest.start) == (end, ns("2026-10-02T14:00+08:00"), "early", True)
    assert calendar.names == ("early", "late", "night")


def test_one_shift_of_a_whole_day_begins_anew_each_day() -> None:
    calendar = Calendar(SHANGHAI, [Days(pattern(at_0600="all"))])
    assert calendar.shift_at(ns("2026-10-02T05:59+08:00")).end == ns("2026-10-02T06:00+08:00")


def test_what_is_not_planned_at_all_says_so() -> None:
    calendar = Calendar(SHANGHAI, [Days(pattern(at_0600="-off"))])
    assert not calendar.shift_at(0).planned


def test_a_holiday_goes_before_a_season_and_that_before_the_rest() -> None:
    holiday, summer, rest = (pattern(at_0000=name) for name in ("holiday", "summer", "rest"))
    first = date(2026, 7, 4).toordinal()
    listed = [Days(rest), Days(summer, seasons=((701, 831),)), Days(holiday, dates=((first, first),))]
    calendar = Calendar(SHANGHAI, listed)
    names = [calendar.name_at(ns(f"2026-{day}T12:00+08:00")) for day in ("06-30", "07-01", "07-04", "08-31", "09-01")]
    assert names == ["rest", "summer", "holiday", "summer", "rest"]


def test_a_season_goes_over_new_year() -> None:
    calendar = Calendar(SHANGHAI, [Days(pattern(at_0000="winter"), ((1215, 131),)), Days(pattern(at_0000="rest"))])
    found = [
        calendar.name_at(ns(f"{day}T12:00+08:00")) for day in ("2026-12-14", "2026-12-15", "2027-01-31", "2027-02-01")
    ]
    assert found == ["rest", "winter", "winter", "rest"]


def test_sunday_off_begins_after_the_night_shift_and_ends_with_the_early_one() -> None:
    calendar = Calendar(SHANGHAI, [Days(pattern(at_0600="-off"), weekdays=frozenset({6})), Days(SHIFTS)])
    off = calendar.shift_at(ns("2026-10-04T12:00+08:00"))
    assert off == (ns("2026-10-04T06:00+08:00"), ns("2026-10-05T06:00+08:00"), "off", False)


def test_a_night_in_which_the_clock_is_put_back_is_an_hour_longer() -> None:
    calendar = Calendar(BERLIN, [Days(SHIFTS)])
    hours = [
        (night.end - night.start) // HOUR
        for day in ("2026-03-29", "2026-06-01", "2026-10-25")
        for night in [calendar.shift_at(ns(f"{day}T00:30+00:00"))]
    ]
    assert hours == [7, 8, 9]


def test_what_the_clock_jumps_over_does_not_come() -> None:
    calendar = Calendar(BERLIN, [Days(pattern(at_0000="a", at_0200="b", at_0230="c", at_0300="d"))])
    names = [each.name for each in calendar.spans(*BERLIN.day(ns("2026-03-29T12:00+00:00")))]
    assert names == ["a", "d"]


def test_spans_are_cut_to_what_is_asked_and_meet() -> None:
    calendar = Calendar(SHANGHAI, [Days(SHIFTS)])
    start, end = ns("2026-10-01T09:00+08:00"), ns("2026-10-02T09:00+08:00")
    found = list(calendar.spans(start, end))
    assert [(each.name, each.planned) for each in found] == [
        ("early", True), ("early", False), ("early", True), ("late", True), ("night", True), ("early", True),
    ]  # fmt: skip
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert list(calendar.spans(end, start)) == []


@pytest.mark.parametrize("at", [-(2**63), 2**63 - 1, 10**30])
def test_a_time_beyond_all_years_has_a_name(at: int) -> None:
    calendar = Calendar(SHANGHAI, [Days(SHIFTS)])
    assert calendar.name_at(at) in calendar.names
    assert len(list(calendar.spans(at, at + DAY))) <= 6


def test_many_days_are_not_remembered_for_ever() -> None:
    calendar = Calendar(SHANGHAI, [Days(SHIFTS)])
    start = ns("2026-01-01T00:00+08:00")
    names = {calendar.name_at(start + number * 7 * HOUR) for number in range(1000)}
    assert names == {"early", "late", "night"}
    assert len(calendar._known) <= 33


def test_the_usual_answer_is_the_one_that_was_given_before() -> None:
    calendar = Calendar(SHANGHAI, [Days(SHIFTS)])
    first = calendar.span_at(ns("2026-10-01T12:00+08:00"))
    assert isinstance(first, Stretch)
    assert calendar.span_at(first.start) is calendar.span_at(first.end - SECOND) is first
    assert datetime.fromtimestamp(first.start / SECOND, SHANGHAI.zone).minute == 15
    assert first.end - first.start > MINUTE


def test_the_shares_of_a_time_are_how_long_each_name_is() -> None:
    calendar = Calendar(BERLIN, [Days(((0, Period("night")), (6 * 60, Period("day")), (22 * 60, Period("night"))))])
    day = BERLIN.day(ns("2026-03-29T12:00Z"))  # of 23 hours
    assert calendar.shares(*day) == (("day", 16 * HOUR), ("night", 7 * HOUR))
    assert calendar.shares(day[0], day[0] + 12 * HOUR) == (("night", 5 * HOUR), ("day", 7 * HOUR))
    assert calendar.shares(day[0], day[0]) == (("night", 0),)


def test_the_shares_of_a_life_end_with_the_last_name() -> None:
    """As when a clock begins in 1970: what years are made of is not worth the time that it takes."""
    calendar = Calendar(Local(), [Days(((0, Period("night")), (12 * 60, Period("day"))))])
    end = 20_500 * DAY
    shares = calendar.shares(0, end)
    assert (sum(part for _, part in shares), [name for name, _ in shares]) == (end, ["night", "day"])
    assert shares[0][1] == 500 * 12 * HOUR
