"""One process has the file, strangers' files are left alone, and whoever is turned away is told why."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import __version__
from agent.model.errors import Newer, StoreError
from buffer import database, migrations
from buffer.rest import peek_ledger
from tests.unit.buffer.builders import change, frames, look, open_store


def refused(place: Path, message: str) -> StoreError:
    with pytest.raises(StoreError, match=message) as caught:
        open_store(place)
    assert caught.value.hint
    return caught.value


def test_the_file_is_for_its_owner_only(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(1))
    store.tend()
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.parent.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.witness": 0o600, "ballast": 0o600}
    store.close()
    place.chmod(0o644)
    open_store(place)
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_second_opener_in_this_process_is_refused_and_the_first_goes_on(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    began = time.monotonic()
    error = refused(place, "in use by another process")
    assert time.monotonic() - began < 2
    assert "another floorgate" in error.hint
    assert store.append(frames(1)) == (1, 1)


def test_a_second_process_is_refused_and_the_first_goes_on(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    code = (
        "import sys, time; from agent.model.errors import StoreError\n"
        "from buffer.store import Store; from buffer.rest import peek_ledger\n"
        "for use in (lambda p: Store.open(p, boot='b', keep=1, max_size=1, reserve=0), peek_ledger):\n"
        "    began = time.monotonic()\n"
        "    try: use(sys.argv[1])\n"
        "    except StoreError as error: print('in use' in str(error), time.monotonic() - began < 2)\n"
    )
    out = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout.split() == ["True"] * 4
    assert store.append(frames(1)) == (1, 1)


def test_a_file_of_a_newer_program_is_refused_and_not_touched(place: Path) -> None:
    open_store(place).close()
    change(place, f"PRAGMA user_version = {database.VERSION + 1}")
    before = place.read_bytes()
    refused(place, f"written by floorgate {__version__} in format {database.VERSION + 1}; this is")
    with pytest.raises(Newer, match=f"knows formats up to {database.VERSION}"):
        peek_ledger(place)
    assert place.read_bytes() == before
    assert not place.with_name("store.db-wal").exists()


def test_a_newer_version_that_is_only_in_the_wal_is_refused_too(place: Path) -> None:
    """The newer program was killed before its first checkpoint."""
    open_store(place).close()
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        f"c.execute('PRAGMA user_version = {database.VERSION + 1}'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, place], check=False, timeout=30)
    assert place.with_name("store.db-wal").stat().st_size
    refused(place, "in format")


def test_another_programs_database_is_refused_and_not_touched(place: Path) -> None:
    place.parent.mkdir()
    change(place, "CREATE TABLE theirs (a)")
    before = place.read_bytes()
    refused(place, "some other program's database")
    assert place.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database", b"x" * 5000, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_refused_and_not_touched(place: Path, content: bytes) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    refused(place, "not a database|is damaged")
    assert place.read_bytes() == content


def test_a_place_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "store.db", "cannot be opened")
    refused(tmp_path, "is not a file")


def test_an_empty_file_is_a_new_store(place: Path) -> None:
    """What a power cut in the first second leaves."""
    place.parent.mkdir()
    place.touch()
    assert open_store(place).append(frames(1)) == (1, 1)


def test_a_start_that_was_cut_short_is_taken_up(place: Path) -> None:
    """The file has its mark but no tables yet."""
    place.parent.mkdir()
    change(place, f"PRAGMA application_id = {database.APPLICATION_ID}")
    assert open_store(place).append(frames(1)) == (1, 1)


def test_a_known_file_opens_without_the_migration_library(place: Path) -> None:
    """It costs 10 MB and 160 ms, and is needed once per version."""
    open_store(place).close()
    code = (
        "import sys; from buffer.store import Store; import buffer.keeper;"
        "Store.open(sys.argv[1], boot='b', keep=1, max_size=1, reserve=0).close(); print('sqlite_utils' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code, place], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout == "False\n"


def test_each_version_is_one_step_and_each_step_leaves_its_number(place: Path) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
    assert len(migrations.steps._migrations) == database.VERSION
    connection.close()


def test_each_start_is_an_epoch_of_its_own_and_old_ones_are_forgotten(place: Path) -> None:
    store = open_store(place, sinks=["platform"], boot="first boot")
    store.append(frames(1))
    store.close()
    change(place, "UPDATE epoch SET id = 5000 * id")
    change(place, "UPDATE frame SET epoch = 5000")
    change(place, "INSERT INTO epoch SELECT 3999, randomblob(8), 'x', 0, NULL")
    change(place, "INSERT INTO epoch SELECT 4001, randomblob(8), 'x', 0, NULL")
    open_store(place, boot="second boot").close()
    assert look(place, "SELECT id, boot_id FROM epoch WHERE id > 0") == [
        (4001, "x"),
        (5000, "first boot"),
        (5001, "second boot"),
    ]


def test_peeking_at_nothing_says_so(place: Path) -> None:
    with pytest.raises(StoreError, match="does not exist") as caught:
        peek_ledger(place)
    assert caught.value.hint
    place.parent.mkdir()
    place.touch()
    with pytest.raises(StoreError, match="is empty"):
        peek_ledger(place)
    assert place.stat().st_size == 0


def test_a_damaged_debt_is_a_clear_error(place: Path) -> None:
    open_store(place, sinks=["platform"]).close()
    change(place, "UPDATE sink SET debt = '[[5,', crc = NULL")
    refused(place, "tables of the store cannot be read")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_deleted_under_the_agent_is_said_and_goes_on_working(place: Path, *, replaced: bool) -> None:
    store = open_store(place, sinks=["platform"])
    store.append(frames(3))
    place.unlink()
    if replaced:
        place.touch()
    with pytest.raises(StoreError, match="deleted or replaced"):
        store.tend()
    assert store.append(frames(2)) == (4, 5)
    assert len(store.read("platform", 9)) == 5
