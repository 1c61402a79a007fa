"""The time of what is made, on both clocks: the store and the platform put values in order by it."""

from collections.abc import Sequence

import pytest

from agent.model.frame import Frame, Value
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.counters.ask import Counter
from agent.normalise.windows.ask import Window
from tests.unit.normalise.meters import DAY, HOUR, MIDNIGHT, MINUTE, SECOND, agent

QUARTER = 15 * MINUTE
POWER = Schema("m", "1m", (Tag("p"),), 60.0)
EVENTS = Schema("m", "events", (Tag("d"), Tag("e"), Tag("f")))
WINDOWS = Recipes({("m", "p"): Rules(windows=(Window(QUARTER, ("last",)),))})


def made(steps: Steps, at: int, mono: int) -> list[tuple[int, int]]:
    """(time after midnight, monotonic) of the windows that end with a reading."""
    frames = steps[POWER](Frame(POWER, MIDNIGHT + at, (1.0,), bytes(1), mono))
    return [(frame.ts - MIDNIGHT, frame.mono) for frame in frames if frame.schema.made]


@pytest.mark.parametrize("late", [MINUTE, 5 * HOUR])
def test_the_end_of_a_window_is_one_instant_on_both_clocks(late: int) -> None:
    steps = Steps((), WINDOWS)
    made(steps, 14 * MINUTE, DAY)
    assert made(steps, QUARTER + late, DAY + MINUTE + late) == [(QUARTER, DAY + MINUTE)]


def test_a_clock_that_is_set_between_two_readings_does_not_move_the_end_of_a_window() -> None:
    """So that the store can put the times of the wrong clock right."""
    steps = Steps((), WINDOWS)
    made(steps, 14 * MINUTE, DAY)
    assert made(steps, 14 * MINUTE + 300 * DAY, DAY + 10 * SECOND) == [(QUARTER, DAY + MINUTE)]


def test_when_a_window_of_the_run_before_has_ended_is_known_by_the_wall_clock_alone() -> None:
    """With the monotonic time of the start it would be taken for a wrong stamp, and put right to now."""
    one = Steps((), WINDOWS)
    made(one, 14 * MINUTE, DAY)
    kept = {key: state for key, state in one.kept(1, all_of_it=True).items() if state}
    by_time, by_reading = Steps((POWER,), WINDOWS), Steps((POWER,), WINDOWS)
    by_time.restore(kept)
    by_reading.restore(kept)
    (ended,) = by_time.tick(MIDNIGHT + 5 * HOUR, 7 * HOUR)
    assert (ended.ts - MIDNIGHT, ended.mono) == (QUARTER, 0)
    assert made(by_reading, 5 * HOUR, 7 * HOUR) == [(QUARTER, 0)]


def event(steps: Steps, values: dict[str, Value], stamps: Sequence[int]) -> dict[str, tuple[Value, int]]:
    columns = tuple("def".index(name) for name in values)
    frame = Frame(EVENTS, 10_000 * SECOND, tuple(values.values()), bytes(len(values)), HOUR, columns, tuple(stamps))
    return {
        tag.name: (value, (each.stamps or ())[place])
        for each in steps[EVENTS](frame)[1:]
        for place, (tag, value, _) in enumerate(each.rows())
    }


def test_no_newer_value_has_an_older_time_than_the_one_before() -> None:
    """A server tells its tags in any order, each with its own time: the last sum is the one that stays."""
    inputs = [(name, ("m", name)) for name in ("d", "e", "f", "x")]
    tags = Derived(Tag("x"), "d + e", tuple(inputs[:2])), Derived(Tag("y"), "x + f", (inputs[3], inputs[2]))
    steps = Steps((EVENTS,), Recipes(derived=(Calculated("m", tags),)))
    event(steps, {"d": 1.0, "e": 1.0, "f": 1.0}, (50, 50, 50))
    assert event(steps, {"d": 2.0}, (90,)) == {"x": (3.0, 90), "y": (4.0, 90)}
    assert event(steps, {"e": 5.0}, (80,)) == {"x": (7.0, 90), "y": (8.0, 90)}
    assert event(steps, {"f": 2.0}, (70,)) == {"y": (9.0, 90)}
    assert event(steps, {"e": 6.0}, (95,)) == {"x": (8.0, 95), "y": (10.0, 95)}


def test_a_tag_whose_clock_is_hours_ahead_does_not_take_the_others_with_it() -> None:
    tags = (Derived(Tag("x"), "d + e", (("d", ("m", "d")), ("e", ("m", "e")))),)
    steps = Steps((EVENTS,), Recipes(derived=(Calculated("m", tags),)))
    event(steps, {"d": 1.0}, (5 * HOUR,))
    assert event(steps, {"e": 1.0}, (HOUR,)) == {"x": (2.0, HOUR)}


@pytest.mark.parametrize("wrong", [-20_000 * DAY, 3 * DAY, 20_000 * DAY])
def test_a_clock_that_is_wrong_for_a_moment_takes_no_peak_away(wrong: int) -> None:
    """As that of a gateway without a battery, until it has asked for the time."""
    one = agent(Counter(max_rate=1e6, total=False, demand=QUARTER), "uint32")

    def read(at: int, value: int, shift: int = 0) -> None:
        one.push(Frame(one.schema, MIDNIGHT + at + shift, (value,), bytes(1), DAY + at))

    for at, value in ((0, 0), (QUARTER, 100), (2 * QUARTER, 150)):
        read(at, value)
    read(2 * QUARTER + MINUTE, 151, wrong)
    for at, value in ((2 * QUARTER + 2 * MINUTE, 152), (3 * QUARTER, 160), (4 * QUARTER, 180)):
        read(at, value)
    one.commit(1, last=True)
    assert list(one.told("demand", "energy_demand_peak_month"))[-1][1:] == (400.0, 0)
    assert list(one.told("demand", "energy_demand_peak_day"))[-1][1:] == (400.0, 0)
