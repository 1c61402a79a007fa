"""No commit is promised room that the disk does not have, so a full disk costs the oldest frames and no standstill."""

import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer.limits import Limits
from buffer.rest import peek_ledger
from buffer.room import AHEAD, BALLAST, PAGE, WAL, Disk
from buffer.store import Store
from tests.unit.buffer.builders import Hands, frames, open_store, schema, seqs

WIDE = schema(tags=100)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Disk]:
    """The room of an empty database in WAL mode."""
    path = tmp_path / "some.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    made = Disk(connection, path)
    yield made
    connection.close()
    made.close()
    made.close()


@pytest.fixture
def ceiling() -> Iterator[list[int]]:
    """No file of this process may grow beyond the bytes that a test puts here: `EFBIG`, a cousin of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield [before[1]]
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit(room: Disk) -> int:
    (pages,) = room._connection.execute("PRAGMA max_page_count").fetchone()
    return int(pages)


def test_the_blocks_are_there_before_sqlite_may_use_them(room: Disk, tmp_path: Path) -> None:
    assert room.take()
    disk = (tmp_path / "some.db").stat()
    assert limit(room) * PAGE == disk.st_size > AHEAD
    assert disk.st_blocks * 512 >= AHEAD, "blocks, not a hole"
    assert (tmp_path / "some.db-wal").stat().st_size == WAL


def test_more_is_taken_for_a_commit_that_needs_more(room: Disk) -> None:
    assert room.take(3 * AHEAD)
    assert limit(room) * PAGE > 3 * AHEAD


def test_without_room_on_the_disk_the_file_may_use_what_it_has(room: Disk, tmp_path: Path, ceiling: list[int]) -> None:
    assert room.take(AHEAD)
    has = (tmp_path / "some.db").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (has + PAGE, ceiling[0]))
    assert not room.take(2 * AHEAD)
    assert limit(room) * PAGE == has


def test_each_checkpoint_is_followed_by_new_room(place: Path) -> None:
    """SQLite cuts the file back to its pages at a checkpoint, as long as it has not its full size."""
    store = open_store(place, sinks=["platform"], reserve=1 << 60)
    for _ in range(60):
        store.append(frames(100, of=WIDE))
        assert place.stat().st_size >= store.stats().file_bytes
    store._log.checkpoint()
    stats = store.stats()
    assert place.stat().st_size >= stats.bytes + AHEAD
    store.close()
    assert place.stat().st_size < 8 * AHEAD


def test_what_the_disk_still_has_is_used_before_a_frame_is_given_up(place: Path) -> None:
    """The first commit is larger than what was taken ahead."""
    store = open_store(place, sinks=["platform"])
    store.append(frames(8000, of=WIDE))
    store.append(frames(8000, of=WIDE))
    assert [account.dropped for account in store.ledger()] == [{}]


def test_frames_that_could_not_be_deleted_are_still_owed(place: Path) -> None:
    """A disk that takes not even a deletion: nothing is written off for room that nobody gains."""
    store = open_store(place, sinks=["a", "b"])
    store.append(frames(50))
    store.ack("a", store.read("a", 10))

    store._log.connection.execute(
        "CREATE TEMP TRIGGER no_deletion BEFORE DELETE ON frame BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    )
    store.retention.limits = Limits(keep=1 << 60, max_size=1, reserve=0)
    for _ in range(5):
        with pytest.raises(StoreError, match="disk is full"):
            store.tend()
    assert (store.owed("a"), store.owed("b")) == (40, 50)
    assert [(a.delivered, a.buffered, a.dropped, a.balanced) for a in store.ledger()] == [
        (30, 120, {}, True),
        (0, 150, {}, True),
    ]
    assert seqs(store.read("b", 99)) == list(range(1, 51))


def killed_in_a_checkpoint(place: Path, hands: Hands) -> Path:
    """A copy of the files at the instant when a checkpoint has written the first page and no other."""
    store = open_store(place, hands, sinks=["platform"])
    store._log.checkpoint()
    os.truncate(place, store.stats().file_bytes)
    before = place.read_bytes()
    store.append(frames(500, of=WIDE))
    copy = place.parent.parent / "copy" / "store.db"
    copy.parent.mkdir()
    shutil.copy(f"{place}-wal", f"{copy}-wal")
    store._log.checkpoint()
    copy.write_bytes(place.read_bytes()[:PAGE] + before[PAGE:])
    return copy


def test_a_kill_in_the_middle_of_a_checkpoint_does_not_keep_the_agent_from_starting(place: Path, hands: Hands) -> None:
    copy = killed_in_a_checkpoint(place, hands)
    assert [(a.read, a.buffered) for a in peek_ledger(copy)] == [(50_000, 50_000)]
    again: Store = open_store(copy, hands, sinks=["platform"])
    assert seqs(again.read("platform", 999)) == list(range(1, 501))


def test_the_ballast_is_kept_and_put_back(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.tend()
    ballast = place.with_name("ballast")
    assert ballast.stat().st_blocks * 512 >= BALLAST
    assert store._log.room.drop_ballast()  # type: ignore[attr-defined]  # on a disk
    assert not ballast.exists()
    assert not store._log.room.drop_ballast()  # type: ignore[attr-defined]  # as above
    store.tend()
    assert ballast.exists()
