"""Counters in the steps: what comes out of frames of all kinds, what time alone brings, and what is kept."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import DType, Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.calendar import Calendar, Days, Period, Stretch
from agent.normalise.counters.ask import Counter
from agent.normalise.counters.tap import GRACE
from agent.normalise.local import Local
from tests.lengths import often
from tests.unit.normalise.meters import DAY, HOUR, MIDNIGHT, MINUTE, SECOND, Agent, agent, exact

QUARTER = 15 * MINUTE
FAST = 1e7  # in an hour: all growth of these tests is believed at once
ESTIMATED = int(Quality.ESTIMATED)
Rows = list[tuple[str, Value, int]]


def site(*tags: Tag, asked: Counter | None = None, interval: float = 10.0, recipes: Recipes | None = None) -> Agent:
    """One whose tags of the kind counter are such."""
    schema, base = Schema("meter", "10s", tags, interval), recipes or Recipes()
    asked = asked or Counter(intervals=(QUARTER,))
    rules = {("meter", tag.name): Rules(counter=asked) for tag in tags if tag.kind == "counter"}
    return Agent(schema, Recipes(rules, base.local, base.calendars))


def rows(frames: list[Frame]) -> Rows:
    return [(f"{f.schema.group}/{tag.name}", value, quality) for f in frames for tag, value, quality in f.rows()]


def push(one: Agent, at: int, *values: Value, quality: bytes = b"", columns: tuple[int, ...] | None = None) -> Rows:
    """What is made of a reading at that time after midnight."""
    frame = Frame(one.schema, MIDNIGHT + at, values, quality or bytes(len(values)), at + HOUR, columns)
    return rows([each for each in one.steps[one.schema](frame) if each.schema.made])


A, B, C = Tag("a", "uint32", "Wh", "counter"), Tag("b", "float32", "V"), Tag("c_total", "float64", "m3", "counter")


def test_a_tag_that_asks_for_nothing_costs_nothing() -> None:
    one = site(B)
    assert push(one, 0, 230.0) == []
    assert one.steps.made == []


def test_totals_come_in_one_frame_of_all_counters() -> None:
    one = site(A, B, C)
    assert push(one, 0, 5, 230.0, 0.25) == [("total/a_total", 5, 0), ("total/c_total_monotone", 0.25, 0)]
    schema = next(each for each in one.steps.made if each.group == "total")
    assert [(tag.dtype, tag.unit, tag.kind) for tag in schema.tags] == [
        ("uint64", "Wh", "counter"),
        ("float64", "m3", "counter"),
    ]


def test_sparse_frames_in_any_order_count_as_whole_ones() -> None:
    one = site(A, B, C)
    push(one, 0, 1.5, 100, columns=(2, 0))
    push(one, 10 * MINUTE, 230.0, columns=(1,))
    assert push(one, QUARTER, 101, 2.5, columns=(0, 2)) == [
        *[("interval-15m/a_15m", 1, 0), ("interval-15m/c_total_15m", 1.0, 0)],
        *[("total/a_total", 101, 0), ("total/c_total_monotone", 2.5, 0)],
    ]


@pytest.mark.parametrize("bad", [Quality.BAD_COMM, Quality.STALE, Quality.CLAMPED, Quality.SUBSTITUTED])
def test_a_value_that_is_no_reading_is_not_counted(bad: Quality) -> None:
    one = site(A)
    push(one, 0, 100)
    assert push(one, 10 * SECOND, 170, quality=bytes([bad])) == []
    assert push(one, 20 * SECOND, 105) == [("total/a_total", 105, 0)]


@pytest.mark.parametrize("doubt", [Quality.ESTIMATED, Quality.CLOCK_UNSYNCED])
def test_a_reading_in_doubt_counts_and_says_so(doubt: Quality) -> None:
    one = site(A)
    push(one, 0, 100)
    assert push(one, MINUTE, 105, quality=bytes([doubt])) == [("total/a_total", 105, doubt)]
    assert push(one, 2 * MINUTE, 106) == [("total/a_total", 106, 0)]
    assert push(one, QUARTER, 107)[0] == ("interval-15m/a_15m", 7, doubt)
    assert push(one, 2 * QUARTER, 107)[0] == ("interval-15m/a_15m", 0, 0)


def test_source_times_count_and_not_those_of_arrival() -> None:
    one = site(A)
    for at, value in ((0, 100), (14 * MINUTE + 59 * SECOND, 110), (15 * MINUTE + SECOND, 120)):
        stamped = Frame(one.schema, MIDNIGHT + at + HOUR, (value,), bytes(1), 1, None, (MIDNIGHT + at,))
        made = [each for each in one.steps[one.schema](stamped) if each.schema.made]
    assert rows(made) == [("interval-15m/a_15m", 15, 0), ("total/a_total", 120, 0)]
    assert made[0].ts == MIDNIGHT + QUARTER
    assert made[1].stamps == (MIDNIGHT + 15 * MINUTE + SECOND,)


def test_history_that_comes_after_live_readings_changes_nothing() -> None:
    one = site(A, asked=Counter(max_rate=FAST))
    made: Rows = []
    for at, value in ((0, 100), (2 * HOUR, 300), (HOUR, 200), (HOUR + MINUTE, 201), (HOUR + 2 * MINUTE, 202)):
        stamped = Frame(one.schema, MIDNIGHT + 3 * HOUR, (value,), bytes(1), 1, None, (MIDNIGHT + at,))
        made += rows([each for each in one.steps[one.schema](stamped) if each.schema.made])
    assert [value for name, value, _ in made if name == "total/a_total"] == [100, 300]
    assert push(one, 2 * HOUR + MINUTE, 310)[-1] == ("total/a_total", 310, 0)


def test_what_is_made_of_the_end_of_an_interval_carries_its_instant_on_both_clocks() -> None:
    one = site(A)
    push(one, 0, 1)
    (made, _) = one.steps[one.schema](Frame(one.schema, MIDNIGHT + QUARTER + SECOND, (1,), bytes(1), HOUR))[1:]
    assert (made.ts, made.mono) == (MIDNIGHT + QUARTER, HOUR - SECOND)


def test_a_device_that_speaks_only_of_changes_ends_its_intervals_in_silence() -> None:
    one = site(A, interval=0)
    push(one, 0, 100)
    push(one, 5 * MINUTE, 103)
    assert list(one.steps.tick(MIDNIGHT + QUARTER + GRACE - 1, 1)) == []
    ended = list(one.steps.tick(MIDNIGHT + QUARTER + GRACE, 1))
    assert rows(ended) == [("interval-15m/a_15m", 3, 0)]
    assert ended[0].ts == MIDNIGHT + QUARTER
    assert list(one.steps.tick(MIDNIGHT + QUARTER + GRACE + SECOND, 1)) == []
    made = push(one, 50 * MINUTE, 110)
    assert [row for row in made if row[0].startswith("i")] == [("interval-15m/a_15m", 0, 0)] * 2


def test_while_a_device_is_away_nothing_ends_and_then_all_is_spread() -> None:
    one = site(A, interval=0)
    push(one, 0, 100)
    push(one, MINUTE, None, quality=bytes([Quality.BAD_COMM]))
    assert list(one.steps.tick(MIDNIGHT + 2 * HOUR, 1)) == []
    made = push(one, HOUR, 108)
    assert [row for row in made if row[0].startswith("i")] == [("interval-15m/a_15m", 2, ESTIMATED)] * 4


def test_a_device_that_is_asked_is_waited_for() -> None:
    one = site(A)
    push(one, 0, 100)
    assert list(one.steps.tick(MIDNIGHT + DAY, 1)) == []


def test_a_tag_that_is_found_later_does_not_disturb_those_before() -> None:
    one = site(A, replace(A, name="z"))
    small = Schema("meter", "10s", (A,), 10.0)
    steps = Steps((), one.recipes)
    for at, value in ((0, 100), (MINUTE, 101)):
        steps[small](Frame(small, MIDNIGHT + at, (value,), bytes(1), 1))
    whole = Frame(one.schema, MIDNIGHT + QUARTER, (110, 7), bytes(2), 1)
    assert rows([each for each in steps[one.schema](whole) if each.schema.made]) == [
        ("interval-15m/a_15m", 10, 0),
        *[("total/a_total", 110, 0), ("total/z_total", 7, 0)],
    ]


def test_the_total_may_be_left_out() -> None:
    one = site(A, asked=Counter(total=False, intervals=(HOUR,)))
    assert push(one, 0, 1) == []
    assert push(one, HOUR, 5) == [("interval-1h/a_1h", 4, ESTIMATED * 0)]


def test_the_peak_begins_anew_with_the_local_day_and_month() -> None:
    local = Recipes(local=Local(ZoneInfo("Asia/Shanghai")))
    one = site(A, asked=Counter(max_rate=FAST, total=False, demand=HOUR), recipes=local)
    peaks: dict[int, Rows] = {}
    for hour, total in enumerate([0, 10, 40, 60, 65, *range(66, 100)]):
        peaks[hour] = push(one, 14 * HOUR + hour * HOUR, total * 100)  # from 22:00 on 2 March
    assert peaks[1] == [
        *[("demand/a_demand_1h", 1000.0, 0), ("demand/a_demand_peak_day", 1000.0, 0)],
        ("demand/a_demand_peak_day_at", (MIDNIGHT + 15 * HOUR) // 10**6, 0),
        *[("demand/a_demand_peak_month", 1000.0, 0)],
        ("demand/a_demand_peak_month_at", (MIDNIGHT + 15 * HOUR) // 10**6, 0),
    ]
    by_name = {hour: {name: value for name, value, _ in found} for hour, found in peaks.items()}
    assert by_name[2]["demand/a_demand_peak_day"] == 3000.0  # 23:00 to 24:00 is still the 2nd
    assert by_name[3]["demand/a_demand_peak_day"] == 2000.0
    assert by_name[3]["demand/a_demand_peak_month"] == 3000.0
    schema = next(each for each in one.steps.made if each.group == "demand")
    assert [tag.unit for tag in schema.tags] == ["W", "W", "ms", "W", "ms"]


def tariffs() -> Recipes:
    zone = Local(ZoneInfo("Asia/Shanghai"))
    times = [(0, "valley"), (8 * 60, "flat"), (10 * 60 + 20, "peak"), (12 * 60, "flat")]
    sunday = Days(((0, Period("deep")),), dates=((date(2026, 3, 8).toordinal(),) * 2,))
    entries = [sunday, Days(tuple((at, Period(name)) for at, name in times))]
    return Recipes(local=zone, calendars={"tou": Calendar(zone, entries)})


def test_each_period_of_a_tariff_has_a_total_of_what_was_counted_in_it() -> None:
    one = site(A, asked=Counter(total=False, tariff="tou"), recipes=tariffs())
    made: dict[str, tuple[Value, int]] = {}
    for minute in range(24 * 60 + 1):
        for name, value, quality in push(one, minute * MINUTE, minute * 7):
            made[name.removeprefix("tariff/a_")] = value, quality
    hours = {"valley": 8, "flat": 14 + 20 / 60, "peak": 1 + 40 / 60, "deep": 0}
    assert made == {name: (round(count * 60 * 7), 0) for name, count in hours.items()}


def test_a_gap_is_spread_over_the_periods_that_it_covers() -> None:
    one = site(A, asked=Counter(max_rate=FAST, total=False, tariff="tou"), recipes=tariffs())
    push(one, 0, 0)  # 08:00 in Shanghai
    made = push(one, 10 * DAY, 24_000_000)
    assert [name for name, _, _ in made] == [f"tariff/a_{name}" for name in ("deep", "valley", "flat", "peak")]
    assert sum(int(value or 0) for _, value, _ in made) == 24_000_000
    assert made[0][1] == 2_400_000
    assert {quality for _, _, quality in made} == {ESTIMATED}


class Asked(Calendar):
    """One that counts how often it is asked."""

    times = 0

    def span_at(self, ns: int) -> Stretch:
        self.times += 1
        return super().span_at(ns)


def test_a_clock_that_is_set_by_decades_is_not_gone_through_day_by_day() -> None:
    """That of a gateway without a battery, which begins in 1970: it would stand still for each of its meters."""
    recipes = tariffs()
    calendar = Asked(recipes.local, [Days(((0, Period("valley")), (8 * 60, Period("flat"))))])
    one = site(
        A,
        asked=Counter(max_rate=FAST, total=False, tariff="tou"),
        recipes=replace(recipes, calendars={"tou": calendar}),
    )
    push(one, -MIDNIGHT, 0)
    made = push(one, 0, 24_000_000)
    assert sum(int(value or 0) for _, value, _ in made) == 24_000_000
    assert calendar.times < 2000


def test_what_is_known_survives_a_restart_whole() -> None:
    asked = Counter(intervals=(MINUTE, QUARTER), demand=QUARTER, tariff="tou")
    one, other = (site(A, B, C, asked=asked, recipes=tariffs()) for _ in range(2))
    told: list[list[Frame]] = []
    for each, stops in ((one, False), (other, True)):
        for place in range(200):
            at = place * 20 * SECOND - (30 * MINUTE if place > 120 else 0)
            each.push(Frame(each.schema, MIDNIGHT + at, (place * 7 % 500, 1.0, place / 7), bytes(3), place))
            if stops and place % 10 == 0:
                each.commit(place, last=True)
                each.start()
        each.commit(0)
        told.append([frame for frame in each.disk if frame.schema.made])
    assert [(frame.ts, rows([frame])) for frame in told[0]] == [(frame.ts, rows([frame])) for frame in told[1]]


def test_a_counter_that_was_of_floats_and_asks_for_more_goes_on() -> None:
    one = agent(Counter(intervals=(QUARTER,)))
    one.push(Frame(one.schema, MIDNIGHT, (12.75,), bytes(1), 1))
    one.commit(1, last=True)
    two = agent(Counter(intervals=(QUARTER, 5 * MINUTE), demand=QUARTER), "uint32")
    two.known = one.known
    two.start()
    made = push(two, QUARTER, 15)
    assert [row[1:] for row in made if row[0].endswith("y_5m")] == [(1, ESTIMATED)] * 3
    assert ("interval-15m/energy_15m", 3, 0) in made
    assert ("demand/energy_demand_15m", 12.0, 0) in made


junk = st.one_of(st.binary(), st.lists(st.one_of(st.integers(0, 2), st.lists(st.text()))).map(msgspec.msgpack.encode))


@settings(max_examples=often(30, 1000))
@given(junk)
def test_junk_is_no_state(kept: bytes) -> None:
    one = site(A)
    part = next(part for _, part in one.steps._keys())
    part.load(kept)  # type: ignore[attr-defined]  # the only part there is
    assert push(one, 0, 5) == [("total/a_total", 5, 0)]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 100),
    st.integers(-(2**65), 2**65),
    st.floats(0, 1000),
    st.floats(),
    st.text(max_size=3),
)
times = st.one_of(st.integers(0, 4000 * SECOND), st.integers(-(2**64), 2**64))


@given(
    st.sampled_from(["uint16", "int64", "float32", "float64", "bool"]),
    st.lists(st.tuples(values, st.sampled_from([0, 0, 0, 2, 4, 5, 66]), times, st.booleans()), max_size=40),
    st.sampled_from([0.0, 10.0]),
)
def test_whatever_comes_the_total_never_goes_back_and_nothing_is_told_twice(
    dtype: DType, readings: list[tuple[Value, int, int, bool]], interval: float
) -> None:
    one = agent(Counter(intervals=(QUARTER,), demand=QUARTER, tariff="tou"), dtype, interval, tariffs())
    for place, (value, quality, at, stamped) in enumerate(readings):
        stamps = (MIDNIGHT + at,) if stamped else None
        one.push(Frame(one.schema, MIDNIGHT + at, (value,), bytes([quality]), place, None, stamps))
        one.waiting += one.steps.tick(MIDNIGHT + at, place)
        if place % 7 == 6:
            one.commit(place, last=True)
            one.start()
    one.commit(0, last=True)
    totals = [exact([value]) for _, value, _ in one.told("total", "energy_total")]
    quarters = list(one.told("interval-15m", "energy_15m"))
    assert totals == sorted(totals)
    assert len({ts for ts, _, _ in quarters}) == len(quarters)
    assert all(quality < FIRST_BAD and float(value or 0) >= 0 for _, value, quality in quarters)
