"""Due times lie on the wall grid and never drift."""

from hypothesis import given
from hypothesis import strategies as st

from agent.model.tag import Schema
from agent.runtime.schedule import EARLY, PHASES, SPREAD, Turn, missed, phase, until_next

S = 1_000_000_000
MS = 1_000_000


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
    turn = Turn(due=10 * S, driver=None, schema=Schema("d", "1s", ()), interval=S, shift=0)  # type: ignore[arg-type]  # no driver needed
    assert turn.advance(wall=1700000000 * S + 13 * S + 200 * MS, mono=13 * S + 200 * MS) == 3
    assert turn.due == 14 * S
    assert missed(due=10 * S, mono=10 * S + 999 * MS, interval=S) == 0


def test_a_wall_clock_that_steps_back_a_day_neither_stalls_nor_bunches() -> None:
    turn = Turn(due=10 * S, driver=None, schema=Schema("d", "1s", ()), interval=S, shift=0)  # type: ignore[arg-type]  # no driver needed
    assert turn.advance(wall=1700000000 * S - 86400 * S + 250 * MS, mono=10 * S + 1 * MS) == 0
    assert turn.due == 10 * S + 1 * MS + 750 * MS
