"""How the ledger stood at earlier hours is known, thinned out with time, whatever the clock does."""

from itertools import pairwise
from pathlib import Path

import pytest

from buffer.ledger import Account
from buffer.rebuild import rebuild
from buffer.rest import resting
from buffer.snapshots import Past
from buffer.store import Store
from tests.unit.buffer.builders import NOON, SECOND, Hands, change, frames, look, open_store

HOUR = 3600 * SECOND
DAY = 24 * HOUR
TIMES = "SELECT at FROM snapshot ORDER BY id"


@pytest.fixture
def store(place: Path, hands: Hands) -> Store:
    return open_store(place, hands, sinks=["a"])


def hours(store: Store, hands: Hands, count: int) -> None:
    """Each with one frame that is delivered at once."""
    for _ in range(count):
        store.append(frames(1))
        store.ack("a", store.read("a", 9))
        hands.move(3600)
        store.tend()


def read(past: Past | None) -> int:
    assert past is not None
    return sum(account.read for account in past.accounts)


def times(place: Path, store: Store) -> list[int]:
    store.close()
    return [int(str(at)) for (at,) in look(place, TIMES)]


def test_one_is_taken_at_the_start_and_one_an_hour(place: Path, hands: Hands, store: Store) -> None:
    for _ in range(3 * 60):
        store.tend()
        hands.move(60)
    assert times(place, store) == [NOON, NOON + HOUR, NOON + 2 * HOUR]


def test_it_holds_what_was_not_settled_yet_too(hands: Hands, store: Store) -> None:
    store.append(frames(2))
    store.ack("a", store.read("a", 1))
    store.tend()
    assert store.past(hands.wall) == Past(NOON, [Account("a", "meter", read=6, delivered=3)])


def test_the_nearest_one_before_a_time_is_found(hands: Hands, store: Store) -> None:
    store.tend()
    hours(store, hands, 5)
    assert [read(store.past(NOON + h * HOUR)) for h in (0, 1, 4, 99)] == [0, 3, 12, 15]
    assert store.past(NOON + 2 * HOUR + HOUR // 2) == store.past(NOON + 2 * HOUR)


def test_before_the_first_one_the_first_one_must_do(hands: Hands, store: Store) -> None:
    store.tend()
    hours(store, hands, 2)
    assert store.past(NOON - DAY) == store.past(NOON)


def test_without_any_nothing_is_known(place: Path, store: Store) -> None:
    assert store.past(NOON) is None
    store.close()
    with resting(place) as rest:
        assert rest.past(NOON) is None


def test_hours_are_kept_for_two_days_and_days_for_three_months(place: Path, hands: Hands, store: Store) -> None:
    hours(store, hands, 24 * 120)
    kept = times(place, store)
    assert len(kept) == 48 + 92
    hourly, daily = kept[-48:], kept[:-48]
    assert {b - a for a, b in pairwise(hourly)} == {HOUR}
    assert {b - a for a, b in pairwise(daily)} == {DAY}
    assert (hands.wall - kept[0]) // DAY in (92, 93, 94)


def test_a_clock_that_jumps_does_not_empty_the_table(place: Path, hands: Hands, store: Store) -> None:
    """To 2037 and back costs two rows more, and a time that cannot be none at all."""
    hours(store, hands, 3)
    now = hands.wall
    for wall in (2_114_380_800 * SECOND, now + 60 * SECOND, 5 * SECOND, now + 120 * SECOND):
        hands.wall = wall
        store.tend()
    assert read(store.past(now)) == 9
    assert times(place, store) == [
        NOON + HOUR,
        NOON + 2 * HOUR,
        NOON + 3 * HOUR,
        2_114_380_800 * SECOND,
        now + 60 * SECOND,
    ]


def test_one_that_is_damaged_is_passed_over(place: Path, hands: Hands, store: Store) -> None:
    hours(store, hands, 3)
    store.close()
    change(place, "UPDATE snapshot SET body = zeroblob(9) WHERE id = 2")
    change(place, "UPDATE snapshot SET body = 'x', at = 'y' WHERE id = 3")
    with resting(place) as rest:
        assert read(rest.past(NOON + 2 * HOUR)) == 3
    store = open_store(place, hands)
    store.tend()
    assert read(store.past(hands.wall + HOUR)) == 9


def test_a_sink_that_came_later_has_no_account_then(place: Path, hands: Hands, store: Store) -> None:
    hours(store, hands, 1)
    store.attach(["a", "b"])
    store.append(frames(1))
    past = store.past(hands.wall)
    assert past is not None
    assert [account.sink for account in past.accounts] == ["a"]


def test_they_are_carried_over_when_the_file_is_rebuilt(place: Path, hands: Hands, store: Store) -> None:
    store.tend()
    hours(store, hands, 3)
    known = [store.past(NOON + h * HOUR) for h in range(4)]
    store.close()
    rebuild(place, hands.clock())
    again = open_store(place, hands)
    assert [again.past(NOON + h * HOUR) for h in range(4)] == known
