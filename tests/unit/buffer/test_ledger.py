"""read = delivered + buffered + suppressed + dropped, per sink and device, and `buffered` is counted, not derived."""

from collections import Counter
from pathlib import Path

import pytest

from buffer import ledger
from buffer.ledger import Account
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.unit.buffer.builders import Hands, change, frames, look, open_store, schema

PRESS = schema("press", tags=2)


def account(store: Store, sink: str = "platform", device: str = "meter") -> Account:
    (found,) = [a for a in store.ledger() if (a.sink, a.device) == (sink, device)]
    return found


def test_samples_are_counted_by_sink_and_device(place: Path) -> None:
    store = open_store(place, sinks=["a", "b"])
    store.append([*frames(4), *frames(3, of=PRESS)])
    store.ack("a", store.read("a", 5))
    assert store.ledger() == [
        Account("a", "meter", read=12, delivered=12, buffered=0),
        Account("a", "press", read=6, delivered=2, buffered=4),
        Account("b", "meter", read=12, delivered=0, buffered=12),
        Account("b", "press", read=6, delivered=0, buffered=6),
    ]


def test_an_account_that_does_not_add_up_says_by_how_much() -> None:
    assert Account("s", "d", 10, 4, 3, {"deadband": 1}, {"age": 2}).balanced
    odd = Account("s", "d", 10, 4, 3)
    assert (odd.balanced, odd.missing) == (False, 3)


def test_an_ack_counts_once_however_often_it_comes(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(4))
    entries = store.read("platform", 4)
    store.ack("platform", entries[:2])
    store.ack("platform", [*entries, *entries])
    store.ack("platform", entries[::-1])
    assert account(store) == Account("platform", "meter", read=12, delivered=12)


def test_an_ack_after_the_frame_has_left_the_file_counts_nothing(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"], keep=10)
    store.append(frames(4, mono=hands.mono))
    entries = store.read("platform", 4)
    hands.move(11)
    store.tend()
    store.ack("platform", entries)
    assert account(store) == Account("platform", "meter", read=12, dropped={"age": 12})


def test_what_a_sink_will_never_take_is_dropped_by_reason_and_listed(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform", "other"])
    store.append([*frames(4), *frames(4, ts=7)])
    entries = store.read("platform", 8)
    store.drop("platform", entries[1:3], "rejected")
    store.drop("platform", entries[3:5], "rejected")
    store.drop("platform", entries[3:5], "rejected")
    store.drop("platform", entries[7:], "too_large")
    assert account(store) == Account("platform", "meter", 24, 0, 9, {}, {"rejected": 12, "too_large": 3})
    assert account(store, "other").buffered == 24
    store.close()
    rows = look(place, "SELECT sink, from_seq, to_seq, frames, samples, t0, t1, reason, at FROM loss")
    noon = hands.wall
    assert rows == [(1, 2, 5, 4, 12, 7, noon, "rejected", noon), (1, 8, 8, 1, 3, 7, 7, "too_large", noon)]


def test_what_was_suppressed_was_read_too(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.suppress(Counter({("meter", "deadband", False): 5}))
    store.append(frames(1))
    store.suppress(Counter({("meter", "unchanged", False): 2}))
    store.close()
    assert peek_ledger(place) == [Account("platform", "meter", 10, 0, 3, {"deadband": 5, "unchanged": 2})]


def test_the_ledger_is_the_same_at_rest(place: Path) -> None:
    store = open_store(place, sinks=["a", "b"])
    store.append([*frames(4), *frames(3, of=PRESS)])
    store.ack("a", store.read("a", 5))
    store.drop("b", store.read("b", 1), "rejected")
    running = store.ledger()
    store.close()
    before = {path: path.read_bytes() for path in place.parent.iterdir()}
    assert peek_ledger(place) == peek_ledger(place) == running
    assert {path: path.read_bytes() for path in place.parent.iterdir()} == before


def test_a_sink_that_is_no_longer_named_stays_in_the_ledger(place: Path) -> None:
    store = open_store(place, sinks=["gone"])
    store.append(frames(2))
    store.attach(["here"])
    store.append(frames(1))
    assert account(store, "gone") == Account("gone", "meter", read=6, buffered=6)
    assert account(store, "here") == Account("here", "meter", read=3, buffered=3)


def test_buffered_is_counted_from_the_file(place: Path) -> None:
    """A frame that someone deletes by hand is missed, not explained away."""
    store = open_store(place, sinks=["platform"])
    store.append(frames(4))
    store.close()
    change(place, "DELETE FROM frame WHERE seq = 2")
    (found,) = peek_ledger(place)
    assert (found.buffered, found.missing) == (9, 3)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks and stacks of such a size that a test can have some."""
    monkeypatch.setattr(ledger, "_BLOCK", 10)
    monkeypatch.setattr(ledger, "_STACK", 40)
    return 40


def test_a_large_backlog_is_counted_once_and_stays_right(place: Path, small: int) -> None:
    """Pieces are remembered while they are asked for; acks and purges cut into them, and the sum still holds."""
    store = open_store(place, sinks=["platform"])
    store.append(frames(100))
    tally = store._log.tally
    assert account(store).buffered == 300
    account(store)
    assert list(tally._before) == [(1, 39), (40, 79), (80, 100)], "stacks alone, once they are counted"
    store.ack("platform", store.read("platform", 50))
    store.ack("platform", store.read("platform", 5, after=60))
    store.tend()
    assert account(store) == Account("platform", "meter", read=300, delivered=165, buffered=135)
    account(store)
    assert list(tally._before) == [(51, 60), (66, 79), (80, 100)], "what no range names any more is forgotten"


def test_a_cold_backlog_is_counted_in_slices(place: Path, small: int) -> None:
    """Each slice counts one block at least; when all are counted, the ledger reads none of them again."""
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(100))
    store.set_aside("a", store.read("a", 1), "no")
    slices = 0
    while not store.warm(0.0):
        slices += 1
    assert slices == 11 + 1 + 1, "eleven blocks of what a is owed, the one that is aside, and the first of b's"
    asked: list[str] = []
    store._log.connection.set_trace_callback(asked.append)
    assert all(found.balanced for found in store.ledger())
    assert not [query for query in asked if "FROM frame" in query]


def test_a_crash_before_the_books_were_settled_is_caught_up_from_the_frames(place: Path, hands: Hands) -> None:
    """Frames alone are on disk; that they were read, and by whom they are awaited, follows from them."""
    store = open_store(place, hands, sinks=["a", "b"])
    store.attach(["b"])
    store.append([*frames(2), *frames(1, of=PRESS)])
    store.ack("b", store.read("b", 1))
    assert store._log.waiting
    store._log.connection.close()
    at_rest = [Account("b", "meter", read=6, buffered=6), Account("b", "press", read=2, buffered=2)]
    assert peek_ledger(place) == at_rest
    again = open_store(place)
    assert again.ledger() == at_rest
    assert (again.owed("a"), again.owed("b")) == (0, 3)


def test_frames_of_a_run_that_named_no_sink_are_owed_to_nobody(place: Path) -> None:
    """The sinks of the run before do not count for it, even when it is killed."""
    open_store(place, sinks=["platform"]).close()
    store = open_store(place)
    store.append(frames(2))
    store._log.connection.close()
    again = open_store(place, sinks=["platform"])
    assert again.owed("platform") == 0
    assert again.ledger() == []
    assert again.stats().frames == 2
