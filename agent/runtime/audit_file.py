"""The file `audit.db`: what stands in it, how it is made, and how one of an earlier version becomes a chain."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent import __version__
from agent.model import host
from agent.model.errors import Newer, StoreError
from agent.runtime.chain import START, Link, Row, advance, follow, read_head

FILE = "audit.db"
APPLICATION_ID = 0x464C4741  # "FLGA" at byte 68 of the file; the schema has it too
VERSION = 2
UNCHAINED = 1  # the version before
WAIT = 5.0  # seconds for another process that writes at the same moment
UNDER_WAY = 300 * 10**9  # ns: longer than any write takes
WITHOUT = "without it nothing is written to a device: may this user write there, is the disk full?"
COLUMNS = {  # what a row is made of, beside its link
    "entry": ("id", "at", "user", "uid", "terminal", "via", "device", "endpoint", "tag", "old", "new", "raw"),
    "outcome": ("id", "at", "outcome", "found", "message"),
}
_SCHEMA = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, user TEXT NOT NULL, uid INTEGER NOT NULL,
    terminal TEXT NOT NULL, via TEXT NOT NULL, device TEXT NOT NULL, endpoint TEXT NOT NULL, tag TEXT NOT NULL,
    old TEXT, new TEXT NOT NULL, raw TEXT NOT NULL, n INTEGER NOT NULL UNIQUE, hash BLOB NOT NULL) STRICT;
CREATE TABLE last (
    device TEXT NOT NULL, tag TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (device, tag)) STRICT, WITHOUT ROWID;
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, outcome TEXT NOT NULL, found TEXT, message TEXT NOT NULL,
    n INTEGER NOT NULL UNIQUE, hash BLOB NOT NULL) STRICT;
CREATE TABLE base (n INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE claim (
    k INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
    UNIQUE (sink, id)) STRICT;
CREATE TABLE refusal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, sink TEXT NOT NULL, who TEXT NOT NULL,
    command TEXT NOT NULL, device TEXT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL, outcome TEXT NOT NULL,
    message TEXT NOT NULL, count INTEGER NOT NULL) STRICT;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_stays BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN OLD.n > (SELECT n FROM base)
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_kept BEFORE DELETE ON outcome WHEN OLD.n > (SELECT n FROM base)
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
PRAGMA application_id=0x464C4741;
PRAGMA user_version=2;
"""
_NEWEST = """
SELECT n, hash FROM (SELECT n, hash FROM entry ORDER BY n DESC LIMIT 1)
UNION ALL SELECT n, hash FROM (SELECT n, hash FROM outcome ORDER BY n DESC LIMIT 1)
UNION ALL SELECT n, hash FROM base ORDER BY n DESC LIMIT 1
"""


def newest(db: sqlite3.Connection) -> Link:
    """The end of the chain."""
    return Link(*db.execute(_NEWEST).fetchone())


def base(db: sqlite3.Connection) -> Link:
    """The link before the first row: what came up to it was archived."""
    return Link(*db.execute("SELECT n, hash FROM base").fetchone())


def insert(db: sqlite3.Connection, table: str, content: Iterable[str | int | None]) -> Link:
    """Put a row at the end of the chain; `content` as `COLUMNS` has it."""
    content = tuple(content)
    link = follow(newest(db), table, content)
    marks = ", ".join("?" * (len(content) + 2))
    db.execute(f"INSERT INTO {table} VALUES ({marks})", (*content, *link))  # noqa: S608  # our own words
    return link


def rows(db: sqlite3.Connection) -> Iterator[Row]:
    """All rows in the order of the chain."""
    heads = {table: _rows(db, table) for table in COLUMNS}
    waiting = {table: row for table, each in heads.items() if (row := next(each, None))}
    while waiting:
        table = min(waiting, key=lambda table: waiting[table].link.n)
        yield waiting.pop(table)
        if (row := next(heads[table], None)) is not None:
            waiting[table] = row


def _rows(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    columns = ", ".join(COLUMNS[table])
    for row in db.execute(f"SELECT n, hash, {columns} FROM {table} ORDER BY n"):  # noqa: S608  # our own words
        yield Row(table, row[2], Link(row[0], row[1]), tuple(row)[2:])


def keep_settled(db: sqlite3.Connection, now: int) -> None:
    """Take the end off a copy, from the first entry on of which the outcome may still come, so that none is parted from
    its outcome. Of one that is older nobody waits for it."""
    moment = (now - UNDER_WAY, now + UNDER_WAY)
    (end,) = db.execute(
        "SELECT min(n) FROM entry WHERE at BETWEEN ? AND ? AND id NOT IN (SELECT id FROM outcome)", moment
    ).fetchone()
    if end is None:
        return
    parted = "SELECT min(entry.n) FROM entry JOIN outcome USING (id) WHERE entry.n < ? AND outcome.n > ?"
    while (earlier := db.execute(parted, (end, end)).fetchone()[0]) is not None:
        end = earlier
    before = base(db)
    with transaction(db):
        db.execute("UPDATE base SET n = ?", (1 << 62,))  # what lies up to there may be deleted
        for table in COLUMNS:
            db.execute(f"DELETE FROM {table} WHERE n >= ?", (end,))  # noqa: S608  # our own words
        db.execute("UPDATE base SET n = ?", (before.n,))


def prepare(path: Path, db: sqlite3.Connection) -> None:
    """Make the file what it has to be; one process after the other. Raises sqlite3.Error, OSError and StoreError."""
    with host.alone(path.parent):  # SQLite does not wait for another that is about to turn the journal into a WAL
        refuse_unknown(path, *kind_of(db), known=(0, UNCHAINED, VERSION), kinds=(0, APPLICATION_ID))
        for setting in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF"):
            db.execute(f"PRAGMA {setting}").fetchall()
        with transaction(db):
            kind, version = kind_of(db)
            empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            made = empty and not version
            if made:
                _make(db, read_head(path.parent) or START)
            elif (kind, version) == (APPLICATION_ID, UNCHAINED):
                _chain(db)
            else:
                refuse_unknown(path, kind, version)
        if made or version == UNCHAINED:
            advance(path.parent, newest(db))
            host.sync_folder(path.parent)
            host.sync_folder(path.parent.parent)


def _make(db: sqlite3.Connection, before: Link) -> None:
    """A chain that was there before, in a file that is gone, goes on."""
    for statement in _statements(_SCHEMA):
        db.execute(statement)
    db.execute("INSERT INTO base VALUES (?, ?)", before)


def _chain(db: sqlite3.Connection) -> None:
    """Version 1 had the same rows without links: each entry gets one, and its outcome the next."""
    for name in ("entry_stays", "outcome_stays", "entry_kept", "outcome_kept"):
        db.execute(f"DROP TRIGGER IF EXISTS {name}")
    for table in COLUMNS:
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    _make(db, START)
    newest_each = "SELECT max(id) FROM entry_1 GROUP BY device, tag"
    db.execute(f"INSERT INTO last SELECT device, tag, at FROM entry_1 WHERE id IN ({newest_each})")  # noqa: S608  # our own
    columns = ", ".join(COLUMNS["outcome"])
    for entry in db.execute("SELECT * FROM entry_1 ORDER BY id").fetchall():
        insert(db, "entry", tuple(entry))
        outcome = db.execute(f"SELECT {columns} FROM outcome_1 WHERE id = ?", (entry[0],)).fetchone()  # noqa: S608  # our own
        if outcome is not None:
            insert(db, "outcome", tuple(outcome))
    for table in COLUMNS:
        db.execute(f"DROP TABLE {table}_1")


def kind_of(db: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and of which version."""
    kind, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return kind, version


def refuse_unknown(
    path: Path,
    kind: int,
    version: int,
    *,
    known: tuple[int, ...] = (VERSION,),
    kinds: tuple[int, ...] = (APPLICATION_ID,),
) -> None:
    """Raises StoreError, and Newer for what a newer version has written."""
    if kind == APPLICATION_ID and version > VERSION:
        raise Newer(
            f"{path} was written by a newer floorgate in format {version}; this is floorgate {__version__}, which knows"
            f" formats up to {VERSION}. The file is left as it is",
            hint="install the newer version again: nothing is written to a device until then",
        )
    if kind not in kinds or version not in known:
        raise StoreError(f"{path} is no audit that this version knows", hint="move it away")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def mapped(path: Path, hint: str = WITHOUT) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"audit {path}: {why}", hint=hint) from error


def shown(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A row with these values as they were; what is damaged raises ValueError."""
    return row | {name: None if row[name] is None else json.loads(row[name]) for name in names}
