"""A day of a meter and all that happens to one: its intervals add up to what the meter says, to the last digit."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from agent.model.quality import Quality
from tests.lengths import often
from tests.unit.normalise.meters import (
    DAY,
    FORMS,
    HOUR,
    MIDNIGHT,
    MINUTE,
    PLANS,
    Agent,
    Form,
    Plan,
    Point,
    agent,
    clock,
    day,
    exact,
    frame,
)

QUARTER = 15 * MINUTE
EDGES = [MIDNIGHT + at for at in range(QUARTER, DAY + 1, QUARTER)]


def metered(form: Form, interval: float = 10.0) -> Agent:
    asked = replace(form.asked, intervals=(MINUTE, QUARTER, HOUR), demand=QUARTER)
    return agent(asked, form.dtype, interval)


def lived(form: Form, plan: Plan, every: int = 10) -> tuple[Agent, list[Point]]:
    """The agent after the day, stopped and started once as the plan says."""
    points, one, up = day(form, plan, every), metered(form, every), True
    for place, point in enumerate(points):
        if point.stopped and up:
            one.commit(point.mono, last=True)
            one.start()
        up = not point.stopped
        if up:
            one.push(frame(one.schema, form, point))
            if place % 30 == 0:
                one.commit(point.mono)
    one.commit(points[-1].mono, last=True)
    return one, points


def counted(points: list[Point], form: Form) -> Fraction:
    """What the register itself has gone on by: up to the swap, over its width once, and from the swap on."""
    seen = [point.n for point in points if point.n is not None]
    swap = next(place for place, n in enumerate(seen) if place and n == 1730)
    before, after = seen[:swap], seen[swap:]
    return (before[-1] - before[0] + form.width + after[-1] - after[0]) * form.unit


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_quarters_of_a_day_add_up_to_what_the_meter_says(form: Form, plan: Plan) -> None:
    one, points = lived(form, plan)
    quarters = list(one.told("interval-15m", "energy_15m"))
    assert [ts for ts, _, _ in quarters] == EDGES
    assert exact([value for _, value, _ in quarters]) == counted(points, form) == points[-1].total * form.unit
    estimated = [ts - MIDNIGHT for ts, _, quality in quarters if quality == Quality.ESTIMATED]
    assert estimated == [clock(at) for at in plan.estimated]
    assert {quality for _, _, quality in quarters} == {0, Quality.ESTIMATED}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_what_is_not_estimated_is_right(plan: Plan) -> None:
    one, points = lived(FORMS["float64"], plan, every=30)
    shown: dict[int, int] = {}
    for point in points:
        shown.setdefault(point.ts, point.total)
    for ts, value, quality in one.told("interval-15m", "energy_15m"):
        if quality == 0:
            assert exact([value]) == Fraction(shown[ts] - shown[ts - QUARTER], 100)


@pytest.mark.parametrize("group", ["1m", "1h"])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_other_lengths_add_up_as_well(plan: Plan, group: str) -> None:
    one, points = lived(FORMS["scaled"], plan, every=30)
    told = list(one.told(f"interval-{group}", f"energy_{group}"))
    assert exact([value for _, value, _ in told]) == Fraction(points[-1].total, 100)
    assert len({ts for ts, _, _ in told}) == len(told) == DAY // {"1m": MINUTE, "1h": HOUR}[group]


def test_the_total_never_goes_back_and_says_where_it_is_not_sure() -> None:
    one, points = lived(FORMS["uint32"], PLANS["within intervals"])
    totals = list(one.told("total", "energy_total"))
    values = [int(value or 0) for _, value, _ in totals]
    assert values == sorted(values)
    assert values[-1] - values[0] == points[-1].total
    assert [ts - MIDNIGHT for ts, _, quality in totals if quality] == [clock("09:11:40")]


def test_the_demand_is_the_power_of_each_quarter_and_its_peak_one_that_was_measured() -> None:
    one, _ = lived(FORMS["float64"], PLANS["across their ends"])
    quarters = {ts: (value, quality) for ts, value, quality in one.told("interval-15m", "energy_15m")}
    demands = list(one.told("demand", "energy_demand_15m"))
    assert [(ts, quality) for ts, _, quality in demands] == [(ts, quality) for ts, (_, quality) in quarters.items()]
    assert all(exact([value]) == 4 * exact([quarters[ts][0]]) for ts, value, _ in demands)
    measured = {float(value or 0): ts for ts, value, quality in reversed(demands) if not quality}
    for span in ("day", "month"):
        assert list(one.told("demand", f"energy_demand_peak_{span}"))[-1][1] == max(measured)
        assert list(one.told("demand", f"energy_demand_peak_{span}_at"))[-1][1] == measured[max(measured)] // 10**6


@pytest.mark.parametrize("seed", range(often(6, 100)))
def test_a_crash_costs_nothing_and_tells_nothing_twice(seed: int) -> None:
    """Whatever was not committed is lost, the state of up to a minute among it; the register still has it all."""
    rng, form = random.Random(seed), FORMS[["float32", "float64", "uint32", "scaled"][seed % 4]]
    points, one = day(form, list(PLANS.values())[seed % 3], seed=seed), metered(form)
    away, crashes = 0, 0
    for point in points[:-1]:
        if away:
            away -= 1
            continue
        one.push(frame(one.schema, form, point))
        if point is points[0] or rng.random() < 0.05:
            one.commit(point.mono)
        elif rng.random() < 0.003:
            one.start()
            crashes, away = crashes + 1, rng.choice((0, 1, 30, 200))
    one.push(frame(one.schema, form, points[-1]))
    one.commit(points[-1].mono)
    quarters = list(one.told("interval-15m", "energy_15m"))
    assert crashes
    assert [ts for ts, _, _ in quarters] == EDGES
    totals = list(one.told("total", "energy_total"))
    first, last = (exact([value]) for _, value, _ in (totals[0], totals[-1]))
    assert exact([value for _, value, _ in quarters]) == last - first
    for (_, before, _), (_, after, quality) in pairwise(totals):
        # a meter that was swapped while the agent was away has taken with it what only the lost minute knew
        least = -Fraction(12 * 6) * form.unit if quality else 0
        assert exact([after]) - exact([before]) >= least


def test_readings_each_second_make_the_same_day() -> None:
    one, points = lived(FORMS["float64"], PLANS["within intervals"], every=often(5, 1))
    quarters = list(one.told("interval-15m", "energy_15m"))
    assert [ts for ts, _, _ in quarters] == EDGES
    assert exact([value for _, value, _ in quarters]) == Fraction(points[-1].total, 100)
