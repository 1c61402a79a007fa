"""Local days and aligned windows follow the clock on the wall, whatever it does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.normalise.local import DAY, HOUR, SECOND, Local, begins
from tests.lengths import often

MINUTE = 60 * SECOND
ZONES = [
    *("UTC", "Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
    *("America/St_Johns", "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu"),
]
EVERY = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY]
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.integers(0, 70 * 365 * 24 * 60).map(lambda minutes: minutes * MINUTE)  # 1970 to 2039


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def shown(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone).replace(tzinfo=None, fold=0)


@given(zones, instants, st.integers(0, 1439))
def test_a_local_time_begins_when_the_clock_first_shows_it_or_later(zone: ZoneInfo, at: int, minutes: int) -> None:
    """Against a look at the clock at every minute of two days and more."""
    on = shown(at, zone).date()
    wanted = datetime.combine(on, datetime.min.time()) + timedelta(minutes=minutes)
    found = begins(on, timedelta(minutes=minutes), zone)
    assert shown(found, zone) >= wanted
    assert all(shown(found - back * MINUTE, zone) < wanted for back in range(1, 60 * 26, 7))
    assert shown(found - SECOND, zone) < wanted


@given(zones, instants)
def test_days_weeks_and_months_hold_what_they_are_asked_for_and_meet(zone: ZoneInfo, at: int) -> None:
    local = Local(zone)
    for span in (local.day, local.week, local.month):
        begin, end = span(at)
        assert begin <= at < end
        assert span(begin) == span(end - 1) == (begin, end)
        assert span(end)[0] == end
        assert span(begin - 1)[1] == begin
    assert local.day_start(at) == local.day(at)[0]
    assert (local.week_start(at), local.month_start(at)) == (local.week(at)[0], local.month(at)[0])
    assert shown(local.month(at)[0], zone).day == 1 or zone.key in {"Pacific/Apia", "America/St_Johns"}


@given(zones, instants, st.sampled_from(EVERY))
def test_windows_meet_and_fill_their_day(zone: ZoneInfo, at: int, every: int) -> None:
    local = Local(zone)
    begin, end = local.window(at, every)
    assert begin <= at < end
    assert local.day(begin) == local.day(end - 1)
    assert local.window(begin, every) == local.window(end - 1, every) == (begin, end)
    assert local.window(end, every)[0] == end
    if every <= HOUR:
        assert end - begin <= every


def windows(zone: str, day: str, every: int) -> list[str]:
    local = Local(ZoneInfo(zone))
    begin, end = local.day(ns(day))
    found = [begin]
    while found[-1] < end:
        found.append(local.window(found[-1], every)[1])
    return [shown(at, ZoneInfo(zone)).strftime("%H:%M") for at in found]


def test_an_ordinary_day_has_windows_at_its_own_hours() -> None:
    assert windows("Asia/Shanghai", "2026-10-01T04:00+00:00", 8 * HOUR) == ["00:00", "08:00", "16:00", "00:00"]
    assert len(windows("Asia/Kolkata", "2026-10-01T04:00+00:00", 15 * MINUTE)) == 97


def test_a_day_of_23_or_25_hours_has_more_or_fewer_short_windows_and_as_many_long_ones() -> None:
    long, short = "2026-10-25T12:00+00:00", "2026-03-29T12:00+00:00"
    assert [len(windows("Europe/Berlin", day, 15 * MINUTE)) - 1 for day in (long, short)] == [100, 92]
    six = ["00:00", "06:00", "12:00", "18:00", "00:00"]
    assert windows("Europe/Berlin", long, 6 * HOUR) == windows("Europe/Berlin", short, 6 * HOUR) == six


def test_the_hour_that_comes_twice_has_windows_of_the_usual_length() -> None:
    found = windows("Europe/Berlin", "2026-10-25T12:00+00:00", 30 * MINUTE)
    assert found[3:10] == ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]


def test_a_window_that_the_clock_jumps_over_does_not_exist() -> None:
    assert windows("Europe/Berlin", "2026-03-29T12:00+00:00", 2 * HOUR)[:3] == ["00:00", "03:00", "04:00"]


@pytest.mark.parametrize("at", [-(2**63), 2**63 - 1, 2**64, -(10**30), 10**30])
def test_a_time_beyond_all_years_has_an_answer(at: int) -> None:
    local = Local(ZoneInfo("Asia/Shanghai"))
    for begin, end in (local.day(at), local.week(at), local.month(at), local.window(at, 2 * HOUR), local.window(at, 1)):
        assert begin < end


def test_many_days_are_not_remembered_for_ever() -> None:
    local = Local(ZoneInfo("Europe/Berlin"))
    assert len({local.day(day * DAY) for day in range(often(300, 3000))}) >= 300
    assert len(local._spans) <= 65


def test_days_in_a_row_meet() -> None:
    local = Local(ZoneInfo("America/Sao_Paulo"))
    days = [local.day(ns("2018-10-20T12:00+00:00") + number * DAY) for number in range(200)]
    assert all(one[1] == other[0] for one, other in pairwise(days))
    assert {(end - begin) // HOUR for begin, end in days} == {23, 24, 25}
