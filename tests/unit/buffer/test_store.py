"""What goes into the store comes out for each sink, in order, until that sink has confirmed it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.quality import Quality
from buffer import log, tail
from buffer.ledger import Account
from buffer.rest import peek_ledger
from buffer.room import WAL
from tests.unit.buffer.builders import METER, Hands, change, frame, frames, look, open_store, schema, seqs


def test_frames_come_out_as_they_went_in(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    given = [frame(1, 2.5, "on"), Frame(METER, 5, (None, True), b"\x40\0", 9, (0, 2), (3, 4))]
    assert store.append(given) == (1, 2)
    entries = store.read("platform", 10)
    assert [entry.frame for entry in entries] == given
    assert [(entry.epoch, entry.seq, entry.history) for entry in entries] == [(store.epoch, n, False) for n in (1, 2)]


def test_frames_come_out_as_they_went_in_after_a_restart(place: Path) -> None:
    """Same columns, and the epoch of the run that committed them; schemas are equal in content, not the same object."""
    store = open_store(place, sinks=["platform"])
    given = [frame(1, 2.5, "on"), Frame(METER, 5, (None, True), b"\x40\0", 9, (0, 2), (3, 4))]
    store.append(given)
    store.close()
    again = open_store(place, sinks=["platform"])
    entries = again.read("platform", 10)
    assert {entry.epoch for entry in entries} == {store.epoch}
    assert again.epoch != store.epoch
    for entry, was in zip(entries, given, strict=True):
        now = entry.frame
        assert (now.ts, now.mono, now.values, now.quality, now.columns, now.stamps) == (
            was.ts, was.mono, was.values, was.quality, was.columns, was.stamps,
        )  # fmt: skip
        assert (now.schema.device, now.schema.group, now.schema.tags, now.schema.interval) == (
            METER.device, METER.group, METER.tags, METER.interval,
        )  # fmt: skip


def test_a_value_that_no_file_can_hold_costs_that_value_only(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append([frame(1, 2**70, 3), frame(4, 5, 6)])
    first, second = store.read("platform", 2)
    assert first.frame.values == (1, None, 3)
    assert first.frame.quality[1] == Quality.BAD_DECODE
    assert second.frame.values == (4, 5, 6)


def test_reading_is_bounded_starts_above_after_and_marks_history(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(10))
    assert seqs(store.read("platform", 3)) == [1, 2, 3]
    assert seqs(store.read("platform", 3, after=8)) == [9, 10]
    assert store.read("platform", 3, after=10) == store.read("platform", 0) == []
    assert [entry.history for entry in store.read("platform", 10, history_until=4)] == [True] * 4 + [False] * 6


def test_reading_takes_nothing_away_and_acking_does(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(5))
    entries = store.read("platform", 5)
    assert store.read("platform", 5) == entries
    store.ack("platform", entries[1:3])
    assert seqs(store.read("platform", 5)) == [1, 4, 5]
    assert store.owed("platform") == 3


def test_each_sink_has_its_own_debt(place: Path) -> None:
    store = open_store(place, sinks=["fast", "slow"])
    store.append(frames(4))
    store.ack("fast", store.read("fast", 4))
    assert (store.owed("fast"), store.owed("slow")) == (0, 4)


def test_a_new_sink_is_owed_what_comes_from_now_on(place: Path) -> None:
    store = open_store(place, sinks=["old"])
    store.append(frames(3))
    store.attach(["old", "new", "new"])
    store.append(frames(2))
    assert seqs(store.read("old", 9)) == [1, 2, 3, 4, 5]
    assert seqs(store.read("new", 9)) == [4, 5]


def test_a_sink_that_is_no_longer_named_keeps_its_debt_and_gets_nothing_new(place: Path) -> None:
    store = open_store(place, sinks=["gone", "here"])
    store.append(frames(2))
    store.close()
    again = open_store(place, sinks=["here"])
    again.append(frames(2))
    assert seqs(again.read("gone", 9)) == [1, 2]
    again.attach(["here", "gone"])
    again.append(frames(1))
    assert seqs(again.read("gone", 9)) == [1, 2, 5]


def test_a_sink_that_was_never_named_is_an_error(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    for use in (store.owed, lambda name: store.read(name, 1), lambda name: store.ack(name, [])):
        with pytest.raises(StoreError, match="knows no sink 'plattform'"):
            use("plattform")


def test_acks_survive_a_clean_stop(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(5))
    store.ack("platform", store.read("platform", 3))
    store.close()
    assert seqs(open_store(place, sinks=["platform"]).read("platform", 9)) == [4, 5]


def test_acks_are_written_by_the_next_idle_round(place: Path, hands: Hands) -> None:
    """While frames keep coming acks ride with them; when none came for a round, `tend` writes them."""
    store = open_store(place, hands, sinks=["platform"])
    store.append(frames(5))
    store.tend()
    store.ack("platform", store.read("platform", 5))
    assert store._log.waiting
    store.tend()
    assert not store._log.waiting


def test_acks_ride_with_frames_once_a_second(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"])
    store.append(frames(5))
    store.ack("platform", store.read("platform", 5))
    store.append(frames(1))
    assert store._log.waiting
    hands.move(1.1)
    store.append(frames(1))
    assert not store._log.waiting


def test_seq_goes_on_after_the_log_was_drained_empty_and_reopened(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(5))
    store.ack("platform", store.read("platform", 5))
    store.tend()
    assert store.stats().frames == 0
    store.close()
    assert look(place, "SELECT count(*) FROM frame") == [(0,)]
    again = open_store(place, sinks=["platform"])
    assert again.append(frames(1)) == (6, 6)


def test_seq_stays_above_what_a_sink_has_confirmed_even_if_the_frames_are_gone(place: Path) -> None:
    """A disk that lied about a flush may lose the newest frames, never the meaning of a number that was given."""
    open_store(place, sinks=["platform"]).close()
    change(place, "UPDATE sink SET acked = 41, crc = NULL")
    again = open_store(place, sinks=["platform"])
    assert again.append(frames(2)) == (42, 43)
    assert again.stats().frames == 2


def test_an_append_of_nothing_is_nothing(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    assert store.append([]) == (1, 0)
    assert store.append(frames(1)) == (1, 1)


def test_a_sink_that_keeps_up_is_served_from_memory(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    given = frames(3)
    store.append(given)
    assert all(entry.frame is was for entry, was in zip(store.read("platform", 3), given, strict=True))


def test_memory_is_bounded_by_frames_and_by_samples(place: Path) -> None:
    store = open_store(place, sinks=["slow"])
    wide = schema(tags=1000)
    for _ in range(3):
        store.append(frames(60, of=wide))
    assert len(store._tail) == tail.MOST_SAMPLES // 1000
    assert seqs(store.read("slow", 200)) == list(range(1, 181))
    for _ in range(5):
        store.append(frames(1000, of=schema(tags=1)))
    assert len(store._tail) == tail.MOST_FRAMES
    assert seqs(store.read("slow", 9999)) == list(range(1, 5181))


def test_memory_lets_go_of_what_every_sink_has(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(10))
    store.ack("platform", store.read("platform", 10))
    store.append(frames(2))
    assert len(store._tail) == 2


def test_the_tail_is_bounded_where_texts_are_long(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    names = schema(tags=1, dtype="str")
    store.append([frame("x" * (tail.MOST_BYTES // 4), of=names) for _ in range(9)])
    assert len(store._tail) == 3
    assert seqs(store.read("platform", 99)) == list(range(1, 10))


@pytest.mark.parametrize("what", [{"ts": 1 << 70}, {"mono": -1 << 70}, {"stamps": (1 << 70, 1, 1)}])
def test_a_time_that_no_column_holds_costs_no_frame(place: Path, what: dict[str, Any]) -> None:
    """A commit that can never succeed would be tried for ever, and nothing behind it would reach the disk."""
    store = open_store(place, sinks=["platform"])
    store.append([*frames(1), replace(frame(), **what), *frames(1)])
    at_once = store.read("platform", 9)
    store.close()
    from_disk = open_store(place, sinks=["platform"]).read("platform", 9)
    assert [entry.frame for entry in at_once[1:2]] == [replace(from_disk[1].frame, schema=METER)]
    assert seqs(from_disk) == [1, 2, 3]
    assert from_disk[1].frame.values == (1.5, 1.5, 1.5)


def test_a_debt_of_very_many_pieces_repeats_instead_of_growing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_RANGES", 5)
    store = open_store(place, sinks=["platform"])
    store.append(frames(40))
    entries = store.read("platform", 40)
    for entry in entries[1::2]:
        store.ack("platform", [entry])
    assert store.owed("platform") == 40 - 5
    assert all(account.balanced for account in store.ledger())
    store.ack("platform", entries)
    assert store.owed("platform") == 0


def test_a_schema_of_the_same_content_is_written_once(place: Path) -> None:
    """A driver that makes its schemas anew at each connect does not fill the file."""
    for _ in range(2):
        store = open_store(place, sinks=["platform"])
        for _ in range(3):
            store.append([frame(of=schema()), frame(of=schema("other"))])
        store.close()
    assert look(place, "SELECT id, device, typeof(tags) FROM schema WHERE id > 0") == [
        (1, "meter", "text"),
        (2, "other", "text"),
    ]


def test_frames_read_from_disk_share_the_live_schema(place: Path) -> None:
    """Encoders look schemas up by identity, so history must not look like another device."""
    store = open_store(place, sinks=["platform"])
    store.append(frames(1))
    store.close()
    again = open_store(place, sinks=["platform"])
    again.append(frames(1))
    assert all(entry.frame.schema is METER for entry in again.read("platform", 9))


def test_state_survives_with_the_next_commit(place: Path) -> None:
    store = open_store(place)
    assert store.state.get("bdSeq") is None
    store.state.set("bdSeq", b"7")
    assert store.state.get("bdSeq") == b"7"
    store.append(frames(1))
    store.close()
    again = open_store(place)
    assert again.state.get("bdSeq") == b"7"
    again.state.set("bdSeq", b"8")
    again.tend()
    again.close()
    assert look(place, "SELECT k, v FROM state") == [("bdSeq", b"8")]


def test_stats_say_how_full_it_is(place: Path) -> None:
    store = open_store(place, sinks=["a", "b"], max_size=10_000_000)
    empty = store.stats()
    assert (empty.frames, empty.oldest, empty.last_seq, empty.limit) == (0, 0, 0, 10_000_000)
    store.append(frames(7, ts=55))
    store.ack("a", store.read("a", 7))
    full = store.stats()
    assert (full.frames, full.oldest, full.last_seq, full.owed) == (7, 55, 7, {"a": 0, "b": 7})
    assert 0 < full.bytes <= full.file_bytes
    assert full.free_bytes > 0


def test_closing_twice_is_fine_and_using_it_afterwards_is_a_clear_error(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append(frames(1))


def test_the_store_is_synced_at_each_commit_and_checkpoints_itself(place: Path) -> None:
    """`synchronous=FULL` in WAL mode; the -wal file stays bounded without SQLite's own checkpoints."""
    store = open_store(place, sinks=["platform"], synced=True)
    connection = store._log.connection
    names = ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint", "mmap_size", "page_size")
    settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    assert settings == ["wal", 2, "exclusive", 0, 0, 4096]
    wide = schema(tags=100)
    for _ in range(60):
        store.append(frames(100, of=wide))
    wal = place.with_name("store.db-wal").stat().st_size
    assert wal == WAL, "no commit had to make it larger"
    assert store.stats().file_bytes > WAL


def test_an_idle_store_is_checkpointed_within_a_minute(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"])
    store.append(frames(1))
    assert store._log.unsaved
    hands.move(61)
    store.tend()
    assert not store._log.unsaved


def test_a_batch_with_a_bug_in_it_is_not_accepted_at_all(place: Path) -> None:
    """A frame without values is a bug of its driver: the supervisor has to hear of it."""
    store = open_store(place, sinks=["platform"])
    store.append(frames(2))
    with pytest.raises(TypeError):
        store.append([frame(), replace(frame(), values=None)])  # type: ignore[arg-type]  # a driver that lies
    assert store.owed("platform") == store.stats().frames == 2
    assert store.append(frames(1)) == (3, 3)


def test_a_commit_that_fails_leaves_no_trace_and_can_be_tried_again(place: Path, hands: Hands) -> None:
    store = open_store(place, hands, sinks=["platform"])
    store.append(frames(2))
    store.ack("platform", store.read("platform", 1))
    store._log.connection.execute("PRAGMA query_only = ON")
    hands.move(2)
    for _ in range(3):
        with pytest.raises(StoreError, match="may not be written"):
            store.append(frames(4, of=schema("press")))
    assert seqs(store.read("platform", 9)) == [2]
    assert store.ledger() == [Account("platform", "meter", read=6, delivered=3, buffered=3)]
    store._log.connection.execute("PRAGMA query_only = OFF")
    assert store.append(frames(4, of=schema("press"))) == (3, 6)
    assert seqs(store.read("platform", 9)) == [2, 3, 4, 5, 6]
    store.close()
    assert all(account.balanced for account in peek_ledger(place))
