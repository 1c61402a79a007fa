"""A file that is given its full size stays a sound database, and nobody else's file is touched."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffer.database import APPLICATION_ID
from buffer.growth import grow
from buffer.room import PAGE
from tests.unit.buffer.builders import change, frames, look, open_store, schema, seqs

MB = 1 << 20


def database(path: Path, rows: int, gone: int) -> None:
    """One in WAL mode with so many rows, of which some were deleted."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(k, os.urandom(900)) for k in range(rows)])
    connection.execute("DELETE FROM t WHERE k < ?", (gone,))
    connection.commit()
    connection.close()


def resize(path: Path, page: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode=DELETE", f"PRAGMA page_size={page}", "VACUUM", "PRAGMA journal_mode=WAL"):
        connection.execute(statement).fetchall()
    connection.close()


@settings(max_examples=25)
@given(rows=st.integers(0, 300), gone=st.integers(0, 300), pages=st.lists(st.integers(1, 3000), min_size=1, max_size=3))
def test_any_database_can_be_grown_any_number_of_times(
    tmp_path_factory: pytest.TempPathFactory, rows: int, gone: int, pages: list[int]
) -> None:
    path = tmp_path_factory.mktemp("growth") / "some.db"
    database(path, rows, gone)
    before = look(path, "SELECT * FROM t")
    for count in pages:
        has = path.stat().st_size // PAGE
        assert grow(path, count * PAGE, APPLICATION_ID)
        assert look(path, "PRAGMA page_count") == [(max(has, count),)]
        assert look(path, "PRAGMA integrity_check") == [("ok",)]
    assert look(path, "SELECT * FROM t") == before
    shutil.rmtree(path.parent)


def test_the_blocks_are_taken_and_the_page_of_the_locks_is_left_out(tmp_path: Path) -> None:
    """The page at 1 GB belongs to no database."""
    path = tmp_path / "some.db"
    database(path, 10, 0)
    assert grow(path, (1 << 30) + 4 * MB, APPLICATION_ID)
    assert path.stat().st_blocks * 512 >= 1 << 30
    (free,), (pages,) = look(path, "PRAGMA freelist_count")[0], look(path, "PRAGMA page_count")[0]
    assert look(path, "PRAGMA quick_check") == [("ok",)]
    assert (pages, free) == (262144 + 1024, pages - 6)  # the header, the table, four leaves


def test_it_fills_from_front_to_back(tmp_path: Path) -> None:
    """Reading a backlog is then reading forward."""
    path = tmp_path / "some.db"
    database(path, 0, 0)
    assert grow(path, MB, APPLICATION_ID)
    for k in range(10):
        change(path, "INSERT INTO t VALUES (?, zeroblob(4000))", k)
    raw = path.read_bytes()
    found = [page for page in range(3, len(raw) // PAGE) if raw[page * PAGE] == 13]
    assert found == sorted(found)
    assert max(found) < 20


@pytest.mark.parametrize(
    "what", ["other program", "no wal mode", "other page size", "hot wal", "empty", "noise", "in use"]
)
def test_what_is_not_ours_or_not_at_rest_is_left_alone(tmp_path: Path, what: str) -> None:
    path = tmp_path / "some.db"
    database(path, 10, 0)
    holder = None
    match what:
        case "other program":
            change(path, "PRAGMA application_id = 7")
        case "no wal mode":
            change(path, "PRAGMA journal_mode = DELETE")
        case "other page size":
            resize(path, 8192)
        case "hot wal":
            path.with_name("some.db-wal").write_bytes(b"x")
        case "empty":
            path.write_bytes(b"")
        case "noise":
            path.write_bytes(os.urandom(9000))
        case "in use":
            holder = sqlite3.connect(path)
            holder.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            holder.execute("DELETE FROM t WHERE k = 1")
            holder.commit()
    before = path.read_bytes()
    if holder:
        # another process holds the lock: locks of our own do not shut us out
        pid = os.fork()
        if pid == 0:
            os._exit(1 if grow(path, MB, APPLICATION_ID) else 0)
        assert os.waitpid(pid, 0)[1] == 0
        holder.close()
    else:
        assert not grow(path, MB, APPLICATION_ID)
        assert path.read_bytes() == before


def test_a_store_has_its_full_size_from_the_start_and_keeps_it(place: Path) -> None:
    store = open_store(place, sinks=["platform"], max_size=4 * MB)
    size = place.stat().st_size
    assert size == 12 * MB
    for _ in range(30):
        store.append(frames(100, of=schema(tags=100)))
        store.tend()
        store._log.checkpoint()
    assert place.stat().st_size == size
    store.close()
    assert place.stat().st_size == size
    again = open_store(place, sinks=["platform"], max_size=6 * MB)
    assert place.stat().st_size == 14 * MB
    assert seqs(again.read("platform", 5000)) == list(range(1, 3001))
    assert again._log.connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
