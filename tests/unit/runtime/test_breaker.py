"""Silence costs a wire one deadline each time: so it is rationed, and nobody who comes back is forgotten."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.breaker import ALONE, BURST, CAP, NEVER, SHARE, STEP, Breaker, Probes, S
from tests.lengths import often


@dataclass(eq=False)
class Unit:
    """A device that is silent while `dead`, and takes `cost` to be so."""

    cost: int = S
    dead: bool = True
    whole: Breaker = field(default_factory=Breaker)
    hurried: bool = False
    probe_at: int = 0
    asked: list[int] = field(default_factory=list)


class Wire:
    """Dead units and one more device, which is well while `alive`; only the probes are played."""

    def __init__(self, *units: Unit, alive: bool = True, luck: float = 0.0) -> None:
        self.probes = Probes(len(units) + 1, lambda: luck)
        self.other = Unit(dead=not alive)
        self.now, self.silence = 1000 * S, 0
        for unit in units:
            self.fail(unit)
        if not alive:
            self.fail(self.other)

    def fail(self, unit: Unit) -> bool:
        self.now += unit.cost
        self.silence += unit.cost
        return self.probes.failed(unit, self.now, unit.cost)

    def run(self, seconds: float) -> "Wire":
        end = self.now + round(seconds * S)
        while (at := self.probes.at) < end:
            self.now = max(self.now, at)
            unit = self.probes.pick(self.now)
            assert isinstance(unit, Unit)
            unit.asked.append(self.now)
            if unit.dead:
                self.fail(unit)
            else:
                self.probes.answered(unit, self.now)
        self.now = max(self.now, end)
        return self

    def spent(self, seconds: float) -> float:
        """The share of the time that silence takes from now on."""
        before, began = self.silence, self.now
        self.run(seconds)
        return (self.silence - before) / (self.now - began)


def gaps(unit: Unit, last: int = 3) -> list[float]:
    asked = unit.asked[-last - 1 :]
    return [(later - earlier) / S for earlier, later in pairwise(asked)]


def test_a_dead_device_waits_two_seconds_longer_each_time() -> None:
    unit = Unit(cost=S // 20)
    began = Wire(unit).run(45).now - 45 * S
    assert [round((at - began) / S, 1) for at in unit.asked] == [2.0, 6.0, 12.1, 20.1, 30.2, 42.2]


def test_and_five_minutes_at_most() -> None:
    unit = Unit()
    Wire(unit).run(100_000)
    assert gaps(unit) == [301, 301, 301]


@given(luck=st.floats(0, 1), failures=st.integers(1, 10_000))
def test_chance_only_shortens_a_wait_and_by_a_tenth_at_most(luck: float, failures: int) -> None:
    breaker = Breaker()
    for _ in range(min(failures, 200)):
        breaker.failed(0, luck)
    bound = min(STEP * breaker.failures, CAP)
    assert 0.9 * bound - 1 <= breaker.until(CAP) <= bound


@pytest.mark.parametrize("dead", [1, 2, 5, 10, 30, 100])
def test_dead_units_together_take_a_twentieth_of_the_wire_at_most(dead: int) -> None:
    wire = Wire(*(Unit() for _ in range(dead)))
    wire.run(120)
    assert wire.spent(36_000) <= SHARE * 1.001


def test_a_twentieth_holds_soon_after_they_died() -> None:
    """A burst of one second, and the probe that was under way, is all there is on top."""
    wire = Wire(*(Unit() for _ in range(5)))
    assert wire.spent(60) * 60 <= 60 * SHARE + BURST / S + 1


@pytest.mark.parametrize("dead", [1, 15, 30, 100])
def test_each_dead_unit_is_asked_every_five_minutes_or_as_often_as_a_twentieth_allows(dead: int) -> None:
    """A deadline is one second here."""
    units = [Unit() for _ in range(dead)]
    Wire(*units).run(20_000)
    assert all(max(gaps(unit)) <= 1.15 * max(300, dead / SHARE) + 1 for unit in units)


def test_the_probes_of_many_do_not_come_in_one_row() -> None:
    """Not two deadlines one after the other, once the burst is spent."""
    units = [Unit() for _ in range(40)]
    wire = Wire(*units).run(600)
    asked = sorted(at for unit in units for at in unit.asked if at > wire.now - 500 * S)
    assert min(later - earlier for earlier, later in pairwise(asked)) > 3 * S


def test_a_unit_that_died_just_now_is_tried_soon_when_the_account_allows_it() -> None:
    wire, late = Wire(), Unit()
    wire.now += 100 * S
    wire.fail(late)
    wire.run(3)
    assert len(late.asked) == 1


def test_one_answer_closes_the_breaker() -> None:
    unit = Unit()
    wire = Wire(unit)
    unit.dead = False
    wire.run(3)
    assert not unit.whole.failing
    assert wire.probes.at == NEVER
    assert wire.probes.pick(wire.now) is None


def test_where_nobody_answers_each_is_asked_every_ten_seconds() -> None:
    units = [Unit(cost=S // 10) for _ in range(3)]
    Wire(*units, alive=False).run(600)
    assert all(max(gaps(unit)) <= ALONE / S + 1 for unit in units)


def test_when_the_wire_is_back_all_are_back_as_fast_as_they_answer() -> None:
    """A gateway that was off for a night: the units behind it do not wait for their turn in the account."""
    units = [Unit() for _ in range(30)]
    wire = Wire(*units, alive=False).run(often(10_000, 40_000))
    for unit in (*units, wire.other):
        unit.dead = False
    wire.run(11)
    assert not any(unit.whole.failing for unit in (*units, wire.other))


def test_units_that_fell_silent_together_come_back_together() -> None:
    group, old = [Unit() for _ in range(5)], Unit()
    wire = Wire(old)
    wire.run(400)
    for unit in group:
        wire.fail(unit)
    wire.run(3600)
    for unit in group:
        unit.dead = False
    while all(unit.whole.failing for unit in group):
        wire.run(1)
    assert not any(unit.whole.failing for unit in group)
    assert old.whole.failing


def test_one_that_stays_dead_costs_those_that_are_back_one_deadline() -> None:
    units = [Unit() for _ in range(20)]
    wire = Wire(*units, alive=False).run(3600)
    before, wire.other.dead = wire.silence, False
    while wire.other.whole.failing:
        before = wire.silence
        wire.run(0.01)
    wire.run(5)
    assert wire.silence - before <= 3 * S


def test_a_lost_answer_is_forgotten_after_a_few_healthy_seconds() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(1000 * S, 0.0)
    breaker.succeeded(1000 * S)
    assert breaker.failed(1011 * S, 0.0)
    assert breaker.failures == 6 - 2 + 1, "of a long outage six failures are remembered, and each five seconds take one"
    breaker.succeeded(1012 * S)
    assert breaker.failed(1072 * S, 0.0)
    assert breaker.failures == 1


def test_a_device_that_comes_and_goes_does_not_take_more_than_one_that_is_dead() -> None:
    """It answers each probe and falls silent again after two seconds."""
    unit = Unit(dead=False)
    wire = Wire(unit)
    began, before = wire.now, wire.silence
    while wire.now < began + 3600 * S:
        wire.run(0.1)
        if not unit.whole.failing:
            wire.run(2)
            wire.fail(unit)
    assert (wire.silence - before) / (wire.now - began) < 0.07


def test_a_group_that_is_partly_silent_has_the_same_twentieth() -> None:
    wire = Wire()
    until = wire.probes.silent(wire.now, S)
    assert until == wire.now + 19 * S
    again = wire.probes.silent(wire.now, S)
    assert again > wire.now + 19 * S, "what two of them took is paid by both"
    for _ in range(100):
        assert wire.probes.silent(wire.now, S) <= wire.now + CAP


def test_the_edge_is_told_once() -> None:
    wire, unit = Wire(), Unit()
    assert [wire.fail(unit) for _ in range(3)] == [True, False, False]


@given(
    events=st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.floats(0.0, 60.0)), max_size=60),
    luck=st.floats(0, 1),
)
def test_whatever_happens_the_next_probe_is_known(events: list[tuple[int, bool, float]], luck: float) -> None:
    """Somebody is dead, or nobody is asked; and a dead one is asked within a little more than the cap."""
    units = [Unit(cost=S // 2) for _ in range(8)]
    wire = Wire(luck=luck)
    for number, dead, seconds in events:
        unit = units[number]
        if dead and not unit.whole.failing:
            wire.fail(unit)
        unit.dead = dead
        wire.run(seconds)
        failing = [each for each in units if each.whole.failing]
        assert (wire.probes.at == NEVER) == (not failing)
        assert all(each.probe_at - wire.now <= max(CAP, int(len(failing) * S / SHARE)) for each in failing)


def test_a_device_that_is_spaced_is_not_probed_sooner() -> None:
    breaker = Breaker(least=5 * S)
    for luck in (0.0, 1.0):
        breaker.failed(S, luck)
        assert breaker.until(CAP) >= 6 * S
