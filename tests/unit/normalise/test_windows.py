"""Aggregates of windows are what a plain reading of all readings says."""

from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import DType, Tag
from agent.normalise.local import Local
from agent.normalise.windows.ask import Window
from tests.lengths import often
from tests.unit.normalise.test_local import ns
from tests.unit.normalise.window_oracle import OF, SECOND, Reading, Said, World, expected

MINUTE, QUARTER = 60 * SECOND, 900 * SECOND
NOON = ns("2026-03-02T12:00+00:00")
BAD, DOUBT = Quality.BAD_COMM, Quality.ESTIMATED
whole = st.integers(-(2**40), 2**40)
real = st.floats(-1e12, 1e12).map(lambda value: value + 0.0)


@st.composite
def series(draw: st.DrawFn, values: st.SearchStrategy[float]) -> list[Reading]:
    """Readings in order, mostly a few seconds apart, with gaps, bad ones and doubtful ones."""
    at, found = NOON - draw(st.integers(0, 20)) * MINUTE, []
    seconds = st.sampled_from([0, *range(1, 8), 30, 200, 700, 4000, 40 * 3600])
    quality = st.sampled_from((0,) * 8 + (BAD, DOUBT))
    for step, value, trust in draw(st.lists(st.tuples(seconds, values, quality), min_size=1, max_size=70)):
        at += step * SECOND
        found.append(Reading(at, None if trust == BAD else value, trust))
    return found


def same(found: Said, wanted: Said) -> None:
    assert found.keys() == wanted.keys()
    for key, (value, quality) in wanted.items():
        assert found[key][1] == quality, key
        if isinstance(value, float):
            assert found[key][0] == pytest.approx(value, rel=1e-9, abs=1e-3), key
        else:
            assert found[key][0] == value, key


def at_the_end(world: World, last: int) -> Said:
    world.tick(last + 3 * QUARTER)
    return world.said


@settings(max_examples=often(60, 1000), deadline=None)
@given(st.one_of(series(whole), series(real)), st.sampled_from([1.0, 20.0]))
def test_readings_in_order(readings: list[Reading], interval: float) -> None:
    dtype: DType = "int64" if all(isinstance(each.value, int | None) for each in readings) else "float64"
    world = World(dtype=dtype, interval=interval)
    for at, value, quality in readings:
        world.read(at, value, quality=bytes((quality,)))
    hold = round(3 * interval * SECOND)
    same(at_the_end(world, readings[-1].at), expected("a", readings, world.window, hold, Local()))


@settings(max_examples=often(40, 600), deadline=None)
@given(series(real), series(real), st.randoms())
def test_tags_in_whole_and_sparse_frames_with_restarts(a: list[Reading], b: list[Reading], random: Random) -> None:
    """Two tags, each frame with one of them or both; the agent is restarted here and there."""
    world = World(("a", "b"))
    length = min(len(a), len(b))
    told: dict[str, list[Reading]] = {"a": [], "b": []}
    for one, other in zip(a[:length], b[:length], strict=True):
        columns = random.choice([(0,), (1,), (0, 1), (1, 0), None])
        pair = one, Reading(one.at, other.value, other.quality)
        picked = [pair[column] for column in columns or (0, 1)]
        quality = bytes(each.quality for each in picked)
        world.push(Frame(world.schema, one.at, tuple(each.value for each in picked), quality, one.at, columns))
        for column in columns or (0, 1):
            told["ab"[column]].append(pair[column])
        if random.random() < 0.1:
            world.again()
    found = at_the_end(world, a[length - 1].at)
    wanted = {}
    for name, readings in told.items():
        wanted |= expected(name, readings, world.window, 3 * SECOND, Local())
    same({key: value for key, value in found.items() if key in wanted}, wanted)


@settings(max_examples=often(40, 600), deadline=None)
@given(series(real), st.lists(st.integers(0, 1900), min_size=70, max_size=70))
def test_readings_with_times_of_their_own_that_arrive_late_but_in_time(readings: list[Reading], ms: list[int]) -> None:
    """Each arrives up to two seconds after its time: all of them count for their own window."""
    world = World(window=Window(QUARTER, OF, late=2 * SECOND, hold=10 * SECOND), interval=0)
    arrivals, now = [], 0
    for reading, delay in zip(readings, ms, strict=False):
        now = max(now, reading.at + delay * 10**6)
        arrivals.append(now)
    for arrival, (at, value, quality) in zip(arrivals, readings, strict=True):
        world.read(arrival, value, quality=bytes((quality,)), stamps=[at])
    same(at_the_end(world, readings[-1].at), expected("a", readings, world.window, 10 * SECOND, Local()))


def window(world: World, at: int = NOON + QUARTER, tag: str = "a") -> dict[str, Value]:
    return {what: world.said[key][0] for what in OF if (key := (f"{tag}_{what}_15m", at)) in world.said}


def test_a_scan_closes_the_window_with_the_first_reading_after_its_end() -> None:
    world = World()
    for second in range(0, 900, 10):
        world.read(NOON + second * SECOND, float(second))
    assert world.said == {}
    world.read(NOON + 900 * SECOND, -1.0)
    found = window(world)
    assert (found["first"], found["last"], found["min"], found["max"]) == (0, 890, 0, 890)
    assert (found["count"], found["sum"], found["mean"]) == (90, 40050, 445)
    assert found["good"] == pytest.approx(0.3)  # each holds for three seconds of ten
    (frame,) = world.frames
    assert (frame.ts, frame.mono, frame.schema.group) == (NOON + QUARTER, NOON + QUARTER, "window-15m")


def test_without_another_reading_time_alone_closes_it() -> None:
    world = World()
    world.read(NOON + 899 * SECOND, 5.0)
    world.tick(NOON + 901 * SECOND)
    assert world.said == {}
    world.tick(NOON + 902 * SECOND)
    assert window(world)["last"] == 5
    assert world.frames[0].mono == NOON + QUARTER
    for second in range(900, 5000, 60):
        world.tick(NOON + second * SECOND)
    assert len(world.frames) == 1  # of what nothing is known nothing is told


def test_a_subscription_s_value_holds_until_another_comes_and_is_told_every_window() -> None:
    world = World(interval=0)
    world.read(NOON, 10.0, stamps=[NOON - MINUTE])
    for second in range(0, 3600 + 900, 30):
        world.tick(NOON + second * SECOND)
    assert [frame.ts - NOON for frame in world.frames[-4:]] == [QUARTER, 2 * QUARTER, 3 * QUARTER, 4 * QUARTER]
    assert window(world, NOON + 3 * QUARTER) == {
        "min": 10,
        "max": 10,
        "time_mean": 10,
        "count": 0,
        "good": 1,
        "late": 0,
    }


def test_a_value_that_held_at_the_start_counts_for_min_and_max() -> None:
    world = World(interval=0)
    world.read(NOON + MINUTE, 10.0, stamps=[NOON + MINUTE])
    world.read(NOON + 16 * MINUTE, 4.0, stamps=[NOON + 16 * MINUTE])
    world.tick(NOON + 31 * MINUTE)
    found = window(world, NOON + 2 * QUARTER)
    assert (found["min"], found["max"], found["first"], found["count"]) == (4, 10, 4, 1)
    assert found["time_mean"] == pytest.approx((10 * 1 + 4 * 14) / 15)


def test_a_lost_device_holds_nothing() -> None:
    world = World(interval=0)
    world.read(NOON, 10.0, stamps=[NOON])
    world.read(NOON + 3 * MINUTE, None, quality=bytes((BAD,)))
    world.tick(NOON + 16 * MINUTE)
    world.tick(NOON + 40 * MINUTE)
    assert window(world)["good"] == pytest.approx(0.2)
    assert len(world.frames) == 1


def test_a_window_of_bad_readings_alone_says_so() -> None:
    world = World()
    world.read(NOON, None, quality=bytes((BAD,)))
    world.tick(NOON + 16 * MINUTE)
    assert world.said["a_mean_15m", NOON + QUARTER] == (None, BAD)
    assert world.said["a_count_15m", NOON + QUARTER] == (0, 0)
    assert world.said["a_good_15m", NOON + QUARTER] == (0.0, 0)


def test_what_comes_too_late_counts_into_nothing_and_is_counted() -> None:
    world = World(interval=0)
    world.read(NOON + MINUTE, 1.0, stamps=[NOON + MINUTE])
    world.tick(NOON + 16 * MINUTE)
    world.read(NOON + 17 * MINUTE, 99.0, stamps=[NOON + 2 * MINUTE])
    world.tick(NOON + 31 * MINUTE)
    found = window(world, NOON + 2 * QUARTER)
    assert (found["late"], found["count"], found["time_mean"]) == (1, 0, pytest.approx(99))
    assert window(world)["max"] == 1


def test_readings_of_the_next_window_wait_for_the_late_ones_of_this() -> None:
    world = World(interval=0)
    world.read(NOON + 899 * SECOND, 1.0, stamps=[NOON + 899 * SECOND])
    world.read(NOON + 900 * SECOND, 2.0, stamps=[NOON + 900 * SECOND])
    world.read(NOON + 901 * SECOND, 3.0, stamps=[NOON + 899 * SECOND])
    world.tick(NOON + 903 * SECOND)
    world.tick(NOON + 1803 * SECOND)
    assert (window(world)["count"], window(world)["last"]) == (2, 3)
    found = window(world, NOON + 2 * QUARTER)
    assert (found["count"], found["first"]) == (1, 2)


def test_a_clock_that_is_far_ahead_fills_no_window_of_the_future() -> None:
    world = World(interval=0)
    world.read(NOON + MINUTE, 7.0, stamps=[NOON + 10**18])
    world.tick(NOON + 16 * MINUTE)
    assert (window(world)["last"], window(world)["count"]) == (7, 1)


def test_a_source_that_stands_still_does_not_hold_its_window_open_for_ever() -> None:
    world = World(interval=0)
    for second in range(3600):
        world.read(NOON + second * SECOND, 1.0, stamps=[NOON])
    assert window(world)["count"] == pytest.approx(1802, abs=2)
    assert sum(1 for frame in world.frames if frame.ts == NOON + QUARTER) == 1


@pytest.mark.parametrize("jump", [3600, 24 * 3600, 40 * 365 * 86400])
def test_a_clock_that_jumps_ahead_makes_no_empty_windows(jump: int) -> None:
    for interval in (0.0, 1.0):
        world = World(interval=interval)
        world.read(NOON, 1.0)
        world.tick(NOON + (jump + 1) * SECOND)
        world.read(NOON + (jump + 2) * SECOND, 2.0)
        world.tick(NOON + (jump + 2000) * SECOND)
        assert 2 <= len(world.frames) <= 3
        assert window(world)["count"] == 1


def test_a_clock_that_is_put_back_tells_no_window_twice() -> None:
    world = World()
    for second in range(4000):
        world.read(NOON + second * SECOND, 1.0)
    for second in range(400, 6000):
        world.read(NOON + second * SECOND, 2.0)
    assert window(world)["count"] == 900
    assert window(world, NOON + 6 * QUARTER)["mean"] == 2
    told = [frame.ts for frame in world.frames]
    assert len(told) == len(set(told)) == 6


def test_a_small_step_back_over_the_boundary_costs_no_window() -> None:
    world = World()
    world.read(NOON + 899 * SECOND, 1.0)
    world.read(NOON + 900 * SECOND, 1.0)
    world.read(NOON + 899 * SECOND + 1, 1.0)
    for second in range(901, 1802):
        world.read(NOON + second * SECOND, 1.0)
    found = window(world, NOON + 2 * QUARTER)
    assert (found["count"], found["late"]) == (900, 1)


def test_a_window_that_spans_a_restart_is_whole_but_for_the_gap() -> None:
    world = World()
    for second in range(300):
        world.read(NOON + second * SECOND, 1.0)
    world.again()
    for second in range(600, 901):
        world.read(NOON + second * SECOND, 3.0)
    found = window(world)
    assert (found["count"], found["mean"], found["first"]) == (600, 2, 1)
    assert found["good"] == pytest.approx(602 / 900)


def test_a_window_that_ended_while_nobody_was_there_is_told_after_the_start() -> None:
    world = World()
    world.read(NOON, 1.0)
    world.again()
    world.read(NOON + 5 * QUARTER, 2.0)
    world.again()
    world.tick(NOON + 8 * QUARTER)
    world.again()
    world.tick(NOON + 9 * QUARTER)
    assert [frame.ts - NOON for frame in world.frames] == [QUARTER, 6 * QUARTER]


def test_what_a_subscription_held_is_not_taken_for_granted_over_a_restart() -> None:
    world = World(interval=0)
    world.read(NOON, 1.0, stamps=[NOON])
    world.tick(NOON + MINUTE)
    world.again()
    world.tick(NOON + 16 * MINUTE)
    assert window(world)["good"] == pytest.approx(1 / 15)
    assert len(world.frames) == 1


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint64", 0, 2**64 - 1), ("int64", -(2**63), 2**63 - 1)])
def test_sums_of_whole_numbers_are_exact_or_are_not_told(dtype: DType, low: int, high: int) -> None:
    world = World(dtype=dtype)
    world.read(NOON, high - 3)
    world.read(NOON + SECOND, 3)
    world.again()
    world.read(NOON + QUARTER, high)
    assert world.said["a_sum_15m", NOON + QUARTER] == (high, 0)
    world.read(NOON + QUARTER + 1, high)
    world.again()
    world.read(NOON + 2 * QUARTER, low)
    assert world.said["a_sum_15m", NOON + 2 * QUARTER] == (None, Quality.BAD_RANGE)
    assert world.said["a_mean_15m", NOON + 2 * QUARTER] == (float(high), 0)


def test_numbers_beyond_all_range_do_no_harm() -> None:
    for dtype, value in (("float64", 1.7e308), ("int64", 10**400)):
        world = World(dtype=dtype)  # type: ignore[arg-type]
        for second in range(40):
            world.read(NOON + second * SECOND, value)
        world.again()
        world.read(NOON + QUARTER, 0)
        assert world.said["a_mean_15m", NOON + QUARTER] == (None, Quality.BAD_RANGE)
        assert window(world)["count"] == 40


def test_many_small_numbers_beside_a_large_one_are_not_lost() -> None:
    world = World()
    for number in range(900):
        world.read(NOON + number * SECOND, 1e16 if number == 0 else 1.0 if number < 899 else -1e16)
    world.read(NOON + QUARTER, 0.0)
    assert window(world)["sum"] == pytest.approx(898, abs=4)  # by plain addition it is 0


def test_a_bool_counts_as_a_number_and_stays_one_as_first_and_last() -> None:
    world = World(dtype="bool", interval=300)
    for minute, value in ((0, False), (5, True), (10, True)):
        world.read(NOON + minute * MINUTE, value)
    world.read(NOON + QUARTER, False)
    found = window(world)
    assert (found["first"], found["last"]) == (False, True)
    assert [type(found[what]) for what in ("first", "min", "max", "sum")] == [bool, int, int, int]
    assert (found["sum"], found["time_mean"]) == (2, pytest.approx(2 / 3))


def test_of_text_there_are_first_last_and_count_alone() -> None:
    world = World(dtype="str")
    for second, value in enumerate(("run", "idle", "fault")):
        world.read(NOON + second * SECOND, value)
    world.again()
    world.read(NOON + QUARTER, "run")
    assert window(world) == {"first": "run", "last": "fault", "count": 3, "good": pytest.approx(5 / 900), "late": 0}


def test_what_is_made_says_what_it_is() -> None:
    made = Window(QUARTER, OF).tags(Tag("e", "uint32", "kWh", "counter"))
    assert made["last"] == Tag("e_last_15m", "uint32", "kWh", "counter")
    assert made["sum"] == Tag("e_sum_15m", "uint64", "kWh")
    assert made["mean"] == Tag("e_mean_15m", "float64", "kWh")
    assert (made["count"], made["good"]) == (Tag("e_count_15m", "uint32", "1"), Tag("e_good_15m", "float64", "1"))


def test_windows_of_hours_begin_at_local_midnight() -> None:
    local = Local(ZoneInfo("Asia/Shanghai"))
    world = World(window=Window(8 * 3600 * SECOND, ("count",)), local=local)
    world.read(ns("2026-03-02T07:59+08:00"), 1.0)
    world.read(ns("2026-03-02T08:00+08:00"), 1.0)
    assert world.said == {("a_count_8h", ns("2026-03-02T08:00+08:00")): (1, 0)}
