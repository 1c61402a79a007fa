"""A wall clock that was wrong costs no frame and no order, and its stamps are put right as soon as that is possible."""

from pathlib import Path

import pytest

from agent.model.clock import SYSTEM, kernel_synced
from buffer.clocks import PLAUSIBLE, SYNCED, WRONG, Event, Fix, fix
from buffer.store import Store
from tests.unit.buffer.builders import NOON, SECOND, Hands, frames, look, open_store

HOUR = 3600
LONG_AGO = 5 * SECOND  # 1970, as a machine without a battery wakes up


def stamps(store: Store) -> list[tuple[int, str]]:
    """(seconds after noon, note) of all frames."""
    return [((entry.frame.ts - NOON) // SECOND, entry.clock) for entry in store.read("a", 99)]


def one(store: Store, hands: Hands) -> None:
    store.append(frames(1, ts=hands.wall, mono=hands.mono))


def test_in_step_from_the_start_nothing_is_touched(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a"])
    for _ in range(3):
        one(store, hands)
        hands.move(1)
        store.tend()
    assert stamps(store) == [(0, ""), (1, ""), (2, "")]
    assert store.steps() == []


def test_frames_of_a_boot_that_began_in_1970_are_stamped_right_once_the_clock_is_set(place: Path) -> None:
    hands = Hands(wall=LONG_AGO, synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    hands.move(60)
    store.tend()
    one(store, hands)
    assert {entry.clock for entry in store.read("a", 9)} == {"unsynced"}
    hands.move(1)
    hands.wall, hands.synced = NOON + 100 * SECOND, True
    store.tend()
    one(store, hands)
    assert stamps(store) == [(39, "corrected"), (99, "corrected"), (100, "")]
    assert store.steps() == [pytest.approx(NOON / SECOND + 100 - 66)]


@pytest.mark.parametrize("killed", [False, True])
def test_a_restart_in_the_same_boot_knows_the_offset_too(place: Path, killed: bool) -> None:
    hands = Hands(wall=LONG_AGO, synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    if killed:
        store.abandon()
    else:
        store.close()
    hands.move(10)
    hands.wall, hands.synced = NOON, True
    again = open_store(place, hands, sinks=["a"])
    one(again, hands)
    assert stamps(again) == [(-10, "corrected"), (0, "")]


def test_another_boot_knows_nothing_of_it_and_says_so(place: Path) -> None:
    hands = Hands(wall=LONG_AGO, synced=False)
    store = open_store(place, hands, sinks=["a"], boot="before")
    one(store, hands)
    store.close()
    hands = Hands()
    again = open_store(place, hands, sinks=["a"], boot="after")
    one(again, hands)
    assert [entry.clock for entry in again.read("a", 9)] == ["unsynced", ""]


def test_a_clock_that_only_drifted_until_it_was_in_step_is_left_as_it_is(place: Path) -> None:
    hands = Hands(synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    hands.move(60)
    hands.wall += SECOND // 5
    hands.synced = True
    store.tend()
    assert stamps(store) == [(0, "")]


def test_a_clock_that_stood_at_the_last_stop_is_corrected_too(place: Path) -> None:
    """Plausible, and wrong by the time that the machine was off."""
    hands = Hands(synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    hands.move(1)
    hands.wall += 8 * HOUR * SECOND
    hands.synced = True
    store.tend()
    assert stamps(store) == [(8 * HOUR, "corrected")]


def test_a_clock_that_an_operator_sets_by_hand_rewrites_no_history(place: Path) -> None:
    """Nobody vouches for the new time more than for the old one."""
    hands = Hands(synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    hands.move(1)
    hands.wall += HOUR * SECOND
    store.tend()
    assert stamps(store) == [(0, "")]
    assert store.steps() == [HOUR]
    assert store.steps() == []


def test_every_start_and_step_is_in_the_file(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a"])
    for step in (HOUR, -24 * HOUR):
        hands.move(1)
        hands.wall += step * SECOND
        store.tend()
    store.close()
    rows = look(place, "SELECT (after - before) / 1000000000, synced FROM clock ORDER BY id")
    assert rows == [(0, SYNCED), (HOUR, SYNCED), (-24 * HOUR, SYNCED)]


def test_a_clock_that_is_set_again_and_again_is_remembered_within_bounds(place: Path) -> None:
    """The first frame was stamped in 1970; thousands of steps later it is still known how to put it right."""
    hands = Hands(wall=LONG_AGO, synced=False)
    store = open_store(place, hands, sinks=["a"])
    one(store, hands)
    hands.move(60)
    hands.wall, hands.synced = NOON, True
    store.tend()
    for step in range(2300):
        hands.move(1)
        hands.wall += (5 if step % 2 else -5) * SECOND
        store.tend()
    assert stamps(store)[0] == (-60, "corrected")
    assert len(store._log.clocks._boots["boot-1"]) <= 2000
    store.close()
    assert len(look(place, "SELECT id FROM clock")) <= 1002
    assert stamps(open_store(place, hands, sinks=["a"]))[0] == (-60, "corrected")


def test_the_order_is_that_of_reading_whatever_the_clock_does(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["a"])
    for step in (0, HOUR, -24 * HOUR, 20 * 365 * 24 * HOUR):
        hands.move(1)
        hands.wall += step * SECOND
        one(store, hands)
        store.tend()
    read = [entry.frame.mono for entry in store.read("a", 99) if entry.frame.schema.device == "meter"]
    assert len(read) == 4
    assert read == sorted(read)


def test_age_takes_nothing_while_the_clock_cannot_be_trusted(place: Path) -> None:
    """Set by hand to 2037 in a running agent: what earlier boots left stays, however many hours go by."""
    hands = Hands(synced=False)
    store = open_store(place, hands, sinks=["a"], boot="before", keep=HOUR)
    store.append(frames(100, ts=hands.wall, mono=hands.mono))
    store.close()
    store = open_store(place, hands, sinks=["a"], boot="after", keep=HOUR)
    hands.wall += 14 * 365 * 24 * HOUR * SECOND
    for _ in range(5):
        store.tend()
        hands.move(HOUR)
    reports = 1  # of the step
    assert store.owed("a") == 100 + reports
    hands.synced = True
    hands.move(HOUR)
    store.tend()
    assert store.owed("a") == 95 + reports


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([(1, 10, SYNCED)], None),
        ([(1, 10, PLAUSIBLE)], None),
        ([(1, 10, PLAUSIBLE), (5, 900, PLAUSIBLE)], None),
        ([(1, 10, WRONG)], Fix(1, 9, unsynced=True)),
        ([(1, 10, WRONG), (5, 900, PLAUSIBLE)], Fix(5, 895, unsynced=False)),
        ([(1, 10, WRONG), (5, 900, PLAUSIBLE), (7, 950, SYNCED)], Fix(7, 943, unsynced=False)),
        ([(1, 10, SYNCED), (5, 900, PLAUSIBLE), (7, 950, SYNCED)], None),
    ],
)
def test_what_the_history_of_a_boot_means_for_its_stamps(
    events: list[tuple[int, int, int]], expected: Fix | None
) -> None:
    assert fix([Event("boot", mono, after, after, state) for mono, after, state in events]) == expected


def test_the_kernel_can_be_asked() -> None:
    assert SYSTEM.synced() is kernel_synced()
