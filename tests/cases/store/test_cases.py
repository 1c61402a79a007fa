"""Stores of every version of the file, written by the code of that time, and what that code itself read out of them.

A folder is the number of a version: `store.sql` is the file as SQL, `expected.json` its ledger, what each sink is owed
(epoch, seq, ts, device, group, values, quality) and its state.
"""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Newer
from buffer import database
from buffer.migrations import migrate
from buffer.rest import peek_ledger
from buffer.store import Store
from buffer.wayback import place as copy_of
from tests.house import ROOT

CASES = Path(__file__).parent
VERSIONS = sorted(int(folder.name) for folder in CASES.iterdir() if folder.name.isdigit())
OLD = VERSIONS[:-1]
AFTER = (  # a process that is killed at each statement of the migration in turn, one copy of the file for each
    "import os, sqlite3, sys; from buffer.migrations import migrate\n"
    "def run(path, left):\n"
    "    connection = sqlite3.connect(path, isolation_level=None)\n"
    "    connection.execute('PRAGMA journal_mode=WAL').fetchall()\n"
    "    def count(statement):\n"
    "        nonlocal left\n"
    "        left -= 1\n"
    "        left or os.kill(os.getpid(), 9)\n"
    "    connection.set_trace_callback(count)\n"
    "    migrate(connection)\n"
    "    os._exit(0)\n"
    "content = open(sys.argv[1], 'rb').read()\n"
    "number, status = 0, 9\n"
    "while status == 9:\n"
    "    number += 1\n"
    "    path = f'{sys.argv[2]}/{number}.db'\n"
    "    open(path, 'wb').write(content)\n"
    "    child = os.fork()\n"
    "    child or run(path, number)\n"
    "    status = os.waitpid(child, 0)[1]\n"
    "sys.exit(status)\n"
)


def made(place: Path, version: int) -> dict[str, Any]:
    """The file of a version; what is expected of it."""
    connection = sqlite3.connect(place)
    connection.executescript((CASES / str(version) / "store.sql").read_text("utf-8"))
    connection.close()
    expected = json.loads((CASES / str(version) / "expected.json").read_text("utf-8"))
    assert isinstance(expected, dict)
    return expected


def look(place: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(place)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def opened(place: Path, told: list[str]) -> Store:
    return Store.open(place, boot="boot-x", keep=1e9, max_size=1 << 22, reserve=0, tell=told.append)


def owed(store: Store, sink: str) -> list[list[Any]]:
    return [
        [
            e.epoch,
            e.seq,
            e.frame.ts,
            e.frame.schema.device,
            e.frame.schema.group,
            [*e.frame.values],
            e.frame.quality.hex(),
        ]
        for e in store.read(sink, 1000)
    ]


def accounts(place: Path) -> list[dict[str, Any]]:
    return [asdict(account) for account in peek_ledger(place)]


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether the accounts are the same; what an older version could not count is nothing."""
    names = {name for account in expected for name in account}
    less = [{name: value for name, value in account.items() if name in names or value} for account in found]
    return less == expected


def test_there_is_a_store_of_each_version() -> None:
    assert list(range(1, database.VERSION + 1)) == VERSIONS, "a new version needs a case: see this file's head"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_written_then_is_read_now(tmp_path: Path, version: int) -> None:
    place, told = tmp_path / "store.db", list[str]()
    expected = made(place, version)
    frames = look(place, "SELECT seq, ts, mono, n, crc, body FROM frame")
    assert same(accounts(place), expected["ledger"]), "at rest, without a change to the file"
    store = opened(place, told)
    store.attach(list(expected["owed"]))
    assert {sink: owed(store, sink) for sink in expected["owed"]} == expected["owed"]
    assert same([asdict(account) for account in store.ledger()], expected["ledger"])
    assert all(account.balanced for account in store.ledger())
    assert expected["state"].items() <= {key: value.hex() for key, value in store.state.items()}.items()
    store.close()
    assert look(place, "SELECT seq, ts, mono, n, crc, body FROM frame") == frames
    assert [text.split(";")[0] for text in told] == [
        f"the store was of format {version} and is of format {database.VERSION} now" for _ in range(version in OLD)
    ]


@pytest.mark.parametrize("version", OLD)
def test_a_migration_that_is_killed_at_any_statement_leaves_the_old_or_the_new(tmp_path: Path, version: int) -> None:
    place, copies, told = tmp_path / "store.db", tmp_path / "killed", list[str]()
    expected = made(place, version)
    copies.mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", AFTER, place, copies], check=True, env=environ, timeout=60)
    ends = []
    for path in copies.glob("*.db"):
        ends.append(look(path, "PRAGMA user_version")[0][0])
        assert same(accounts(path), expected["ledger"])
        assert look(path, "PRAGMA integrity_check") == [("ok",)]
    assert set(ends) == {version, database.VERSION}
    assert len(ends) > 10, "it has more statements than that"
    store = opened(copies / f"{len(ends) // 2}.db", told)
    assert same([asdict(account) for account in store.ledger()], expected["ledger"]), "and the next start gets through"
    store.close()


def test_a_migration_without_room_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "store.db"
    expected = made(place, 1)
    before = place.read_bytes()
    connection = sqlite3.connect(place, isolation_level=None)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        migrate(connection)
    connection.close()
    assert place.read_bytes() == before
    assert same(accounts(place), expected["ledger"])


@pytest.mark.parametrize("version", OLD)
def test_the_file_as_it_was_is_kept_for_the_way_back(tmp_path: Path, version: int) -> None:
    """The witness knows what the newer program did meanwhile: no number is given twice, and what is gone is told."""
    place, told = tmp_path / "store.db", list[str]()
    expected = made(place, version)
    frames = look(place, "SELECT * FROM frame")
    store = opened(place, told)
    sinks = list(expected["owed"])
    store.attach(sinks)
    last = store.last()
    store.ack(sinks[0], store.read(sinks[0], 1000))
    store.append([store.read(sinks[1], 1)[0].frame])
    store.close()
    copy = copy_of(place, version)
    assert told[0].endswith(f"as it was it is in {copy.name}")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert look(copy, "PRAGMA user_version") == [(version,)]
    assert look(copy, "PRAGMA application_id") == [(database.APPLICATION_ID,)]
    assert look(copy, "SELECT * FROM frame") == frames
    assert same(accounts(copy), expected["ledger"])
    look(place, "PRAGMA user_version = 99")
    with pytest.raises(Newer, match="in format 99") as caught:
        opened(place, told)
    assert copy.name in caught.value.hint
    copy.replace(place)
    store = opened(place, told)
    if version > 1:  # which did not know its own name yet
        assert (store.missing, store.last()) == (1, last + 1)
    store.close()
