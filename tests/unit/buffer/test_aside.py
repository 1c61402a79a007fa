"""What a sink refuses stays in the file, within bounds, until somebody has it sent again or it is given up."""

from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer import aside
from buffer.database import VERSION
from buffer.ledger import Account
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.house import ROOT
from tests.unit.buffer.builders import frames, look, open_store, schema, seqs


def refused(place: Path, *which: int) -> Store:
    """A store of ten frames, of which these were set aside for `a`; `b` has taken all."""
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(10))
    store.set_aside("a", [entry for entry in store.read("a", 10) if entry.seq in which], "too strange", 3)
    store.ack("b", store.read("b", 10))
    return store


def test_what_is_set_aside_is_owed_no_more_but_stays(place: Path) -> None:
    store = refused(place, 4, 7)
    assert seqs(store.read("a", 20)) == [1, 2, 3, 5, 6, 8, 9, 10]
    assert store.stats().aside == {"a": 2, "b": 0}
    assert store.ledger()[0] == Account("a", "meter", read=30, buffered=24, set_aside=6)
    store.ack("a", store.read("a", 20))
    store.tend()
    assert store.stats().frames == 2
    store.close()
    assert look(place, "SELECT sink, seq, error, tries FROM refusal") == [
        (1, 4, "too strange", 3),
        (1, 7, "too strange", 3),
    ]
    assert peek_ledger(place)[0] == Account("a", "meter", read=30, delivered=24, set_aside=6)


def test_a_retry_owes_it_again_under_the_same_name(place: Path) -> None:
    store = refused(place, 4, 7)
    epoch = store.epoch
    store.close()
    again = open_store(place, sinks=["a", "b"])
    assert again.retry("a", [(7, 7)]) == 1
    assert again.retry("a") == 1
    assert again.retry("a") == 0
    entries = again.read("a", 20)
    assert seqs(entries) == list(range(1, 11))
    assert {entry.epoch for entry in entries} == {epoch}
    again.ack("a", entries)
    again.close()
    assert look(place, "SELECT count(*) FROM refusal") == [(0,)]
    assert peek_ledger(place)[0] == Account("a", "meter", read=30, delivered=30)


def test_no_more_than_so_many_frames_are_kept_aside(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "MOST_FRAMES", 3)
    store = refused(place, 1, 2, 4, 7, 9)
    assert store.ledger()[0] == Account("a", "meter", read=30, buffered=15, dropped={"rejected": 6}, set_aside=9)
    assert list(store._log.sinks["a"].aside) == [(4, 4), (7, 7), (9, 9)]
    store.close()
    assert look(place, "SELECT seq FROM refusal") == [(4,), (7,), (9,)]
    assert look(place, "SELECT from_seq, to_seq, reason FROM loss") == [(1, 2, "rejected")]


def test_no_more_than_so_many_bytes_are_kept_aside(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "MOST_BYTES", 2000)
    store = open_store(place, sinks=["a"])
    store.append(frames(5, of=schema(tags=100)))
    store.set_aside("a", store.read("a", 5), "no")
    (account,) = store.ledger()
    assert (account.set_aside, account.dropped) == (200, {"rejected": 300})


def test_age_and_size_take_what_is_aside_too(place: Path) -> None:
    store = open_store(place, sinks=["a"], max_size=1 << 20)
    store.append(frames(3000, of=schema(tags=100)))
    store.set_aside("a", store.read("a", 50), "no")
    store.tend()
    (account,) = store.ledger()
    assert account.balanced
    assert (account.set_aside, set(account.dropped)) == (0, {"size"})


def test_a_crash_forgets_that_it_was_set_aside_and_nothing_else(place: Path) -> None:
    store = refused(place, 4)
    store._log.connection.close()
    again = open_store(place, sinks=["a", "b"])
    assert seqs(again.read("a", 20)) == list(range(1, 11))
    assert all(account.balanced for account in again.ledger())


def test_a_sink_that_is_gone_can_be_forgotten_and_its_frames_are_counted(place: Path) -> None:
    store = refused(place, 4)
    with pytest.raises(StoreError, match="in use"):
        store.forget("a")
    store.attach(["b"])
    assert store.forget("a") == 10
    assert store.ledger()[0] == Account("a", "meter", read=30, dropped={"forgotten": 30})
    store.tend()
    assert store.stats().frames == 0


def test_a_new_sink_starts_at_now_or_at_the_oldest(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.append(frames(5))
    store.attach(["a", "late", "all"], oldest=["all"])
    store.append(frames(1))
    assert seqs(store.read("late", 9)) == [6]
    assert seqs(store.read("all", 9)) == [1, 2, 3, 4, 5, 6]
    assert all(account.balanced for account in store.ledger())
    store.close()
    again = open_store(place, sinks=["a", "late", "all"])
    assert [again.owed(sink) for sink in ("a", "late", "all")] == [6, 1, 6]
    assert all(account.balanced for account in again.ledger())


def test_reading_stops_at_a_given_frame(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.append(frames(10))
    assert seqs(store.read("a", 9, after=2, until=5)) == [3, 4, 5]
    assert store.read("a", 9, after=5, until=5) == []
    store.close()
    again = open_store(place)
    assert seqs(again.read("a", 2, after=2, until=5)) == [3, 4]


def restored(place: Path) -> None:
    """A file as version 1 left it."""
    place.parent.mkdir(exist_ok=True)
    place.touch()
    import sqlite3

    connection = sqlite3.connect(place)
    connection.executescript((ROOT / "tests/cases/store/1/store.sql").read_text("utf-8"))
    connection.close()


def test_a_file_of_version_1_is_read_as_it_is_and_taken_over(place: Path) -> None:
    """The same ledger before and after, the frames under their old names, and nothing rewritten."""
    restored(place)
    before = peek_ledger(place)
    assert [(a.sink, a.device, a.read) for a in before] == [
        ("archive", "main-meter", 70),
        ("archive", "press-3", 40),
        ("platform", "main-meter", 70),
        ("platform", "press-3", 40),
    ]
    assert look(place, "PRAGMA user_version") == [(1,)]
    bodies = look(place, "SELECT seq, crc, body FROM frame")
    store = open_store(place, sinks=["archive", "platform"], boot="boot-1")
    assert store.ledger() == before
    entries = store.read("archive", 100)
    assert len(entries) == 40
    assert len({entry.epoch for entry in entries}) == 2
    store.close()
    assert look(place, "SELECT seq, crc, body FROM frame") == bodies
    assert look(place, "PRAGMA user_version") == [(VERSION,)]
