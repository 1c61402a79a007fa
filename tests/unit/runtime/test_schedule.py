"""Due times lie on the wall grid and never drift; and when several groups are due, each device gets its share."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.model.tag import Schema
from agent.runtime.breaker import NEVER
from agent.runtime.schedule import (
    AGE,
    EARLY,
    HANDICAP,
    PHASES,
    SOON,
    SPREAD,
    Calendar,
    Share,
    Turn,
    handicaps,
    missed,
    phase,
    until_next,
)

S = 1_000_000_000
MS = 1_000_000
NOON = 1_700_000_000 * S


@dataclass(eq=False)
class Chair:
    """As much of a seat as a calendar looks at."""

    name: str = "d"
    waiting: int = 0


def turned(
    seat: Any, share: Share | None = None, *, due: int = 0, interval: int = S, handicap: int = 0, number: int = 0
) -> Turn:
    return Turn(seat, share or Share(), Schema("d", "1s", ()), interval, 0, handicap, number, due)


class Wire:
    """A calendar, and a wire on which each scan of a device takes as long as `costs` says (ms)."""

    def __init__(self, costs: dict[str, int], *groups: tuple[str, int, str]) -> None:
        """`groups`: device, interval in ms, priority."""
        self.seats = {name: Chair(name) for name in costs}
        self.costs, self.now = costs, 0
        waits = handicaps([priority for _, _, priority in groups])  # type: ignore[misc]  # text in a test
        shares = {(name, priority): Share() for name in costs for priority in HANDICAP}
        self.calendar = Calendar(
            [
                turned(
                    self.seats[name],
                    shares[name, priority],
                    interval=interval * MS,
                    handicap=handicap,
                    number=number,
                )
                for number, ((name, interval, priority), handicap) in enumerate(zip(groups, waits, strict=True))
            ]
        )
        self.calendar.begin(NOON, 0)
        self.had: dict[str, int] = dict.fromkeys(costs, 0)  # ms of the wire
        self.order: list[tuple[str, int]] = []  # device, when it began (ms)
        self.turns: list[Turn] = []

    def run(self, seconds: int) -> "Wire":
        end = self.now + seconds * S
        while self.now < end:
            turn = self.calendar.pop(self.now)
            if turn is None:
                self.now = self.calendar.next
                continue
            seat: Any = turn.seat
            began, self.now = self.now, self.now + self.costs[seat.name] * MS
            self.had[seat.name] += self.costs[seat.name]
            self.order.append((seat.name, began // MS))
            self.turns.append(turn)
            self.calendar.used(turn, began, self.now)
            turn.advance(NOON + self.now, self.now)
            self.calendar.put(turn)
        return self

    def longest(self, name: str) -> int:
        """The longest time between two scans of a device (ms)."""
        times = [at for device, at in self.order if device == name]
        return max(later - earlier for earlier, later in pairwise(times))


def test_the_next_slot_is_the_next_multiple_of_the_interval() -> None:
    assert until_next(wall=1700000000 * S + 300 * MS, interval=S, shift=0) == 700 * MS
    assert until_next(wall=1700000000 * S, interval=S, shift=0) == S
    assert until_next(wall=1700000000 * S + 300 * MS, interval=S, shift=500 * MS) == 200 * MS


def test_a_timer_that_fires_a_little_early_does_not_serve_the_same_slot_twice() -> None:
    assert until_next(wall=1700000000 * S - 1 * MS, interval=S, shift=0) == S + 1 * MS


@given(
    wall=st.integers(0, 4_000_000_000 * S),
    interval=st.integers(10 * MS, 86400 * S),
    part=st.integers(0, 99),
)
def test_every_slot_is_ahead_and_on_the_grid(wall: int, interval: int, part: int) -> None:
    shift = phase(part, 100, interval)
    wait = until_next(wall, interval, shift)
    assert 0 < wait <= interval + EARLY
    assert (wall + wait - shift) % interval == 0


def test_phases_spread_the_lines_over_at_most_one_second() -> None:
    assert [phase(place, 4, 100 * MS) for place in range(4)] == [0, 25 * MS, 50 * MS, 75 * MS]
    assert max(phase(place, 100, 3600 * S) for place in range(100)) < SPREAD
    assert len({phase(place, 100, S) for place in range(100)}) == PHASES


def test_slots_that_passed_unused_are_counted_and_not_made_up_for() -> None:
    turn = turned(Chair(), due=10 * S)
    assert turn.advance(wall=1700000000 * S + 13 * S + 200 * MS, mono=13 * S + 200 * MS) == 3
    assert turn.due == 14 * S
    assert missed(due=10 * S, mono=10 * S + 999 * MS, interval=S) == 0


def test_a_wall_clock_that_steps_back_a_day_neither_stalls_nor_bunches() -> None:
    turn = turned(Chair(), due=10 * S)
    assert turn.advance(wall=1700000000 * S - 86400 * S + 250 * MS, mono=10 * S + 1 * MS) == 0
    assert turn.due == 10 * S + 1 * MS + 750 * MS


def test_a_line_that_keeps_up_serves_its_groups_in_the_order_in_which_they_are_due() -> None:
    """Each at the same moment of every round, whatever the others took."""
    wire = Wire({"a": 10, "b": 20, "c": 5}, *((name, 1000, "normal") for name in "abc"), ("a", 1000, "normal"))
    wire.run(20)
    rounds = [wire.order[at : at + 4] for at in range(0, 76, 4)]
    assert all([name for name, _ in each] == ["a", "b", "c", "a"] for each in rounds)
    assert {tuple(at % 1000 for _, at in each) for each in rounds[1:]} == {(0, 10, 30, 35)}


def test_a_device_with_many_groups_gets_no_more_than_one_with_one() -> None:
    wire = Wire({"many": 50, "one": 50}, *[("many", 100, "normal")] * 20, ("one", 100, "normal")).run(60)
    assert 0.9 < wire.had["many"] / wire.had["one"] < 1.15


def test_a_device_with_a_tiny_interval_does_not_starve_its_neighbours() -> None:
    hasty = [("hasty", 10, "normal")] * 5
    wire = Wire({"hasty": 40, "a": 40, "b": 40}, *hasty, ("a", 120, "normal"), ("b", 120, "normal")).run(60)
    assert wire.longest("a") <= 200
    assert wire.longest("b") <= 200


def test_a_slow_device_gets_as_much_time_as_a_quick_one_and_not_as_many_turns() -> None:
    quick = [f"q{number}" for number in range(10)]
    groups = [("slow", 100, "normal"), *((name, 100, "normal") for name in quick)]
    wire = Wire({"slow": 2000, **dict.fromkeys(quick, 50)}, *groups).run(600)
    assert wire.had["slow"] < 1.3 * max(wire.had[name] for name in quick)
    assert wire.had["slow"] > 0.7 * max(wire.had[name] for name in quick)


def test_what_one_device_does_not_need_is_for_the_others() -> None:
    wire = Wire({"lazy": 10, "busy": 100}, ("lazy", 1000, "normal"), ("busy", 10, "normal")).run(60)
    assert wire.had["lazy"] >= 59 * 10
    assert wire.had["busy"] > 53_000, "it misses each tenth slot by being busy in the one before"


def test_high_goes_first_among_what_is_due() -> None:
    groups = [("l", 1000, "low"), ("n", 1000, "normal"), ("h", 1000, "high")]
    wire = Wire({"l": 100, "n": 100, "h": 100}, *groups).run(5)
    assert [name for name, _ in wire.order[:9]] == ["h", "n", "l"] * 3


def test_a_low_priority_waits_ten_seconds_and_does_not_starve() -> None:
    groups = [*[("h", 100, "high")] * 5, ("n", 100, "normal"), ("l", 100, "low")]
    wire = Wire({"h": 100, "n": 100, "l": 100}, *groups).run(300)
    assert wire.had["h"] > wire.had["n"] > wire.had["l"] > 0
    assert 4_000 < wire.longest("n") <= AGE // MS + 500
    assert 9_000 < wire.longest("l") <= 2 * AGE // MS + 500


def test_many_low_groups_of_one_device_do_not_wait_for_one_another() -> None:
    """Once they have waited enough, each takes its turn."""
    wire = Wire({"d": 100}, ("d", 100, "high"), ("d", 100, "high"), *[("d", 100, "low")] * 10).run(120)
    for number in range(2, 12):
        turns = [at for (_, at), turn in zip(wire.order, wire.turns, strict=True) if turn.number == number]
        assert max(later - earlier for earlier, later in pairwise(turns)) <= 2 * AGE // MS + 12 * 100 + 200


def test_where_all_have_one_priority_nobody_waits_for_it() -> None:
    assert handicaps(["low", "low"]) == [0, 0]
    assert handicaps(["low", "normal"]) == [AGE, 0]
    assert handicaps(["low", "high", "normal"]) == [2 * AGE, 0, AGE]
    assert handicaps([]) == []


def test_a_group_s_priority_holds_within_its_device_too() -> None:
    wire = Wire({"d": 100}, ("d", 200, "low"), ("d", 200, "high"), ("d", 200, "normal")).run(30)
    counts = [sum(turn is each for turn in wire.turns) for each in wire.calendar.turns]
    assert counts[1] > 140
    assert counts[0] > 0 < counts[2]


def test_a_group_whose_slot_comes_within_a_millisecond_is_taken_along() -> None:
    """A timer that fires early is not set again for the rest."""
    calendar = Calendar([turned(Chair(), interval=S)])
    calendar.begin(NOON, 0)
    assert calendar.pop(S - SOON - 1) is None
    turn = calendar.pop(S - SOON)
    assert turn is not None
    assert calendar.next == NEVER
    assert turn.advance(NOON + S - SOON, S - SOON) == 0
    assert turn.due == 2 * S


@given(
    groups=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([10, 50, 300, 1000]), st.sampled_from(sorted(HANDICAP))),
        min_size=1,
        max_size=12,
    ),
    costs=st.tuples(*[st.integers(1, 200)] * 3),
)
def test_whatever_the_groups_nobody_is_forgotten(groups: list[tuple[str, int, str]], costs: tuple[int, ...]) -> None:
    """Each group is read at least once in the time that all of them take with the longest wait for a priority."""
    wire = Wire(dict(zip("abc", costs, strict=True)), *groups).run(60)
    assert {turn.number for turn in wire.turns} == set(range(len(groups)))
    due = {turn.number for _, at, _, turn in wire.calendar._due if at == turn.due}
    assert sum(seat.waiting for seat in wire.seats.values()) == len(due)
    assert wire.calendar._devices == sum(bool(seat.waiting) for seat in wire.seats.values())
    assert len(due) + len(wire.calendar._ahead) == len(groups)
    assert len(wire.calendar._due) + len(wire.calendar._patient) < 60_000, "what is out of date goes"
