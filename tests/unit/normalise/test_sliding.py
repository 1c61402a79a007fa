"""Demand of a window that slides: against the totals at its two ends, over gaps, clocks that are set, and restarts."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules
from agent.normalise.counters.ask import Counter
from agent.normalise.parcels import join, parcels
from tests.lengths import often
from tests.unit.normalise.meters import HOUR, MIDNIGHT, MINUTE, SECOND, Agent, agent

QUARTER = 15 * MINUTE
ASKED = Counter(max_rate=1e7, total=False, demand=QUARTER, sliding=MINUTE)
ESTIMATED = int(Quality.ESTIMATED)
NAME = "energy_demand_15m_sliding"


def read(one: Agent, at: int, value: Value, quality: int = 0) -> None:
    """At that time after midnight."""
    one.push(Frame(one.schema, MIDNIGHT + at, (value,), bytes((quality,)), at + HOUR))


def told(one: Agent, tag: str = NAME) -> dict[int, tuple[Value, int]]:
    """By the time after midnight."""
    one.commit(0)
    found = list(one.told("demand", tag))
    assert len({ts for ts, _, _ in found}) == len(found)
    return {ts - MIDNIGHT: (value, quality) for ts, value, quality in found}


def test_each_minute_tells_the_mean_of_the_quarter_before_it() -> None:
    one = agent(ASKED, "uint32")
    for minute in range(21):
        read(one, minute * MINUTE, minute * minute)
    squares = {minute: 4.0 * (minute**2 - (minute - 15) ** 2) for minute in range(15, 21)}
    assert told(one) == {minute * MINUTE: (power, 0) for minute, power in squares.items()}
    assert told(one, "energy_demand_15m") == {QUARTER: (900.0, 0)}


@settings(max_examples=often(40, 1000))
@given(st.integers(0), st.sampled_from(["uint32", "float64"]), st.sampled_from([MINUTE, 3 * MINUTE, 5 * MINUTE]))
def test_it_is_the_difference_of_the_totals_at_its_ends(seed: int, dtype: str, step: int) -> None:
    """With readings at all edges, some in between, and restarts anywhere; not a unit more or less."""
    dice, total, totals = Random(seed), 0, {}
    one = agent(replace(ASKED, sliding=step), dtype)  # type: ignore[arg-type]  # one of both
    unit = 1 if dtype == "uint32" else dice.choice([10, 100])
    for minute in range(60):
        for at in (minute * MINUTE, minute * MINUTE + dice.randint(1, 59) * SECOND):
            totals[at] = total
            read(one, at, total if unit == 1 else total / unit)
            total += dice.choice([0, 1, 7, 500])
        if dice.random() < 0.1:
            one.commit(minute, last=True)
            one.start()
    found = told(one)
    assert list(found) == list(range(QUARTER, HOUR, step))
    for at, (power, quality) in found.items():
        wanted = Fraction(totals[at] - totals[at - QUARTER], unit) * 4
        assert quality == 0
        assert isinstance(power, float)
        assert power == float(wanted) or abs(Fraction(power) - wanted) <= abs(wanted) * Fraction(1, 2**51)


def test_an_estimated_minute_makes_all_windows_so_in_which_it_lies() -> None:
    one = agent(ASKED, "uint32")
    for minute in range(60):
        if minute not in (20, 21, 22):
            read(one, minute * MINUTE, minute)
    found = told(one)
    doubted = [at // MINUTE for at, (_, quality) in found.items() if quality == ESTIMATED]
    assert doubted == list(range(20, 38))
    assert all(power == 60.0 for power, _ in found.values())
    assert max(told(one, "energy_demand_sliding_peak_day")) == QUARTER  # nothing was higher


def test_a_gap_of_days_is_spread_and_the_window_goes_on() -> None:
    one = agent(replace(ASKED, max_rate=None), "uint32")
    read(one, 0, 0)
    read(one, MINUTE, 60)
    read(one, 48 * HOUR, 48 * 3600)
    for minute in range(1, 20):
        read(one, 48 * HOUR + minute * MINUTE, 48 * 3600 + 60 * minute)
    found = told(one)
    assert all(abs(float(power or 0) - 3600) < 10 for power, _ in found.values())
    assert [found[48 * HOUR + minute * MINUTE][1] for minute in (0, 1, 14, 15, 19)] == [*[ESTIMATED] * 3, 0, 0]


def test_after_a_clock_was_put_back_for_long_it_begins_anew() -> None:
    one = agent(ASKED, "uint32")
    for minute in range(20):
        read(one, 5 * HOUR + minute * MINUTE, minute)
    before = told(one)
    for minute in range(20, 60):
        at = HOUR + minute * MINUTE
        one.push(Frame(one.schema, MIDNIGHT + at, (minute,), bytes(1), 6 * HOUR + minute * MINUTE))
    found = [(at, *row) for at, row in told(one).items() if at not in before]
    assert all(HOUR + 34 * MINUTE <= at < 2 * HOUR for at, _, _ in found)
    assert [row[1:] for row in found][-20:] == [(60.0, 0)] * 20


def test_its_peaks_are_told_when_they_change_and_kept() -> None:
    one = agent(ASKED, "uint32")
    totals = [*range(0, 1500, 100), *range(1500, 2100, 20), 2200, *range(2210, 2300, 10)]
    for minute, total in enumerate(totals):
        read(one, minute * MINUTE, total)
        one.commit(minute, last=True)
        one.start()
    peaks, times = told(one, "energy_demand_sliding_peak_day"), told(one, "energy_demand_sliding_peak_day_at")
    assert peaks == {QUARTER: (6000.0, 0)}
    assert times == {QUARTER: ((MIDNIGHT + QUARTER) // 10**6, 0)}
    assert told(one, "energy_demand_sliding_peak_month") == peaks
    schema = next(each for each in one.steps.made if each.group == "demand")
    assert {tag.name: tag.unit for tag in schema.tags}[NAME] == "kW"


def test_a_device_that_speaks_only_of_changes_tells_it_in_silence() -> None:
    one = agent(ASKED, "uint32", 0.0)
    read(one, 0, 100)
    for second in range(1, 1000):
        one.waiting += one.steps.tick(MIDNIGHT + second * SECOND, HOUR + second * SECOND)
    assert told(one) == {QUARTER: (0.0, 0), 16 * MINUTE: (0.0, 0)}


@pytest.mark.parametrize(
    "steps",
    [[], [(0, 0, 1, 0)], [(0, 9, 1, 0), (8, 12, 1, 0)], [(0, 9, "x", 0)], [(0, 9, "9" * 400, 0)], [(0, 9, 1, 255)]],
)
def test_damaged_steps_are_none(steps: list[tuple[int, int, int | str, int]]) -> None:
    one = agent(ASKED, "uint32")
    for minute in range(16):
        read(one, minute * MINUTE, minute)
    one.commit(1, last=True)
    ((key, blob),) = join(one.known).items()
    known = msgspec.msgpack.decode(blob, strict=False)
    assert len(known[-1][0]) == 15
    known[-1] = {0: steps, 7: steps}
    one.known = dict(parcels(key, msgspec.msgpack.encode(known)))
    one.start()
    for minute in range(16, 40):
        read(one, minute * MINUTE, minute)
    assert [at // MINUTE for at in told(one)] == [15, *range(30, 40)]


def test_what_was_kept_before_there_were_steps_is_read() -> None:
    """An array that is shorter, as an earlier version wrote it."""
    one = agent(replace(ASKED, sliding=0), "uint32")
    read(one, 0, 5)
    one.commit(1, last=True)
    ((key, blob),) = join(one.known).items()
    two = agent(ASKED, "uint32")
    two.known = dict(parcels(key, msgspec.msgpack.encode(msgspec.msgpack.decode(blob)[:-2])))
    two.start()
    read(two, QUARTER, 15)
    assert told(two, "energy_demand_15m") == {QUARTER: (40.0, 0)}
    assert told(two) == {QUARTER: (40.0, ESTIMATED)}


def test_a_counter_that_is_none_for_a_while_slides_on_afterwards() -> None:
    """What is kept of tags that nobody asks for has the steps of their windows, too."""
    one = agent(ASKED, "uint32")
    for minute in range(16):
        read(one, minute * MINUTE, minute)
    one.commit(1, last=True)
    rules = {("meter", "other"): Rules(counter=ASKED)}
    schema = Schema("meter", "10s", (*one.schema.tags, Tag("other", "uint32", "kWh", "counter")), 10.0)
    away = Agent(schema, Recipes(rules), known=one.known)
    away.push(Frame(schema, MIDNIGHT + 16 * MINUTE, (16, 1), bytes(2), 1))
    away.commit(2, last=True)
    back = Agent(one.schema, one.recipes, known=away.known)
    read(back, 16 * MINUTE, 16)
    assert told(back) == {16 * MINUTE: (60.0, 0)}
