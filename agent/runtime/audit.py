"""Who wrote what, kept in `audit.db`: an entry is on disk before anything is sent, its outcome follows as another row.

An entry without an outcome means that the process ended in between: nobody knows what the device did. Rows are never
changed; the newest `KEEP` entries stay. Several processes may write at once.
"""

import fcntl
import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from agent.model.errors import StoreError
from agent.model.frame import Value

FILE = "audit.db"
KEEP = 100_000  # entries; the schema has the number too
APPLICATION_ID = 0x464C4741  # "FLGA" at byte 68 of the file; as above
VERSION = 1
WAIT = 5.0  # seconds for another process that writes at the same moment
_WITHOUT = "without it nothing is written to a device: may this user write there, is the disk full?"
_LOOKING = "may this user read it, or is it damaged?"
Outcome = Literal["done", "differs", "refused", "unknown"]

_SCHEMA = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, user TEXT NOT NULL, uid INTEGER NOT NULL,
    terminal TEXT NOT NULL, via TEXT NOT NULL, device TEXT NOT NULL, endpoint TEXT NOT NULL, tag TEXT NOT NULL,
    old TEXT, new TEXT NOT NULL, raw TEXT NOT NULL) STRICT;
CREATE INDEX entry_tag ON entry (device, tag, id);
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, outcome TEXT NOT NULL, found TEXT, message TEXT NOT NULL) STRICT;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_stays BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry WHEN OLD.id > (SELECT max(id) FROM entry) - 100000
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
CREATE TRIGGER outcome_kept BEFORE DELETE ON outcome WHEN OLD.id > (SELECT max(id) FROM entry) - 100000
BEGIN SELECT RAISE(ABORT, 'an audit is not changed'); END;
PRAGMA application_id=0x464C4741;
PRAGMA user_version=1;
"""
_LAST = "SELECT at FROM entry WHERE device = ? AND tag = ? ORDER BY id DESC LIMIT 1"
_LIST = """
SELECT entry.id, entry.at, user, uid, terminal, via, device, endpoint, tag, old, new, raw,
       coalesce(outcome, 'unknown') AS outcome, found, coalesce(message, '') AS message
FROM entry LEFT JOIN outcome USING (id) WHERE ? IN ('', device) ORDER BY entry.id DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Who:
    """A person, as far as the operating system knows. `via` is where they came from: ssh, sudo."""

    user: str
    uid: int
    terminal: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is about to be written. `old` is None when it could not be read."""

    device: str
    endpoint: str
    tag: str
    old: Value
    new: Value
    raw: str


class Audit:
    """The file, open. Every call raises StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    def begin(self, who: Who, entry: Entry, allowed: Callable[[int | None], None], now: int) -> int:
        """Commit an entry and give its number, unless `allowed` raises when it is told the time of the last one.

        Both happen in one transaction: of two processes that write the same tag at once only one is in time.
        """
        with mapped(self._path), _transaction(self._connection) as db:
            last = db.execute(_LAST, (entry.device, entry.tag)).fetchone()
            allowed(last[0] if last else None)
            row = (now, who.user, who.uid, who.terminal, who.via, entry.device, entry.endpoint, entry.tag)
            values = (_json(entry.old), _json(entry.new) or "null", _spelt(entry.raw))
            marks = ", ".join("?" * 11)
            columns = "at, user, uid, terminal, via, device, endpoint, tag, old, new, raw"
            made = db.execute(f"INSERT INTO entry ({columns}) VALUES ({marks})", (*row, *values)).lastrowid  # noqa: S608  # our own words
            assert made is not None
            for table in ("entry", "outcome"):
                db.execute(f"DELETE FROM {table} WHERE id <= ?", (made - KEEP,))  # noqa: S608  # as above
            return made

    def end(self, number: int, outcome: Outcome, found: Value, message: str, now: int) -> None:
        kept = f"the device was asked all the same and the outcome was {outcome}; the audit will say unknown"
        with mapped(self._path, kept), _transaction(self._connection) as db:
            db.execute(
                "INSERT INTO outcome VALUES (?, ?, ?, ?, ?)", (number, now, outcome, _json(found), _spelt(message))
            )

    def entries(self, last: int, device: str = "") -> list[dict[str, Any]]:
        """The newest ones, oldest first; of one device when it is named."""
        with mapped(self._path, _LOOKING):
            rows = self._connection.execute(_LIST, (device, last)).fetchall()
            return [_shown(dict(row)) for row in reversed(rows)]


@contextmanager
def audit(folder: Path) -> Iterator[Audit]:
    """The audit of a data directory, made if need be. Raises StoreError."""
    path = folder / FILE
    with mapped(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    with closing(connection):
        connection.row_factory = sqlite3.Row
        with mapped(path), _alone(folder):
            _prepare(path, connection)
        yield Audit(path, connection)


@contextmanager
def resting(folder: Path) -> Iterator[Audit]:
    """The same to look into only: nothing is made and nothing changed, so it works beside a writer and on a disk that
    takes no more. Raises StoreError."""
    path = folder / FILE
    if not path.exists():
        raise StoreError(f"there is no audit in {folder}", hint="was nothing written yet? name the folder with --data")
    alone = "" if path.with_name(f"{FILE}-wal").exists() else "&immutable=1"  # else it would want to make one
    with mapped(path, _LOOKING):
        address = f"file:{quote(str(path.absolute()))}?mode=ro{alone}"
        connection = sqlite3.connect(address, timeout=WAIT, isolation_level=None, uri=True)
    with closing(connection):
        connection.row_factory = sqlite3.Row
        with mapped(path, _LOOKING):
            _refuse_unknown(path, *_kind(connection))
        yield Audit(path, connection)


def somebody() -> Who:
    """Who runs this process."""
    uid = os.getuid() if hasattr(os, "getuid") else -1  # not on Windows
    via = [f"ssh {os.environ['SSH_CONNECTION'].split()[0]}"] if os.environ.get("SSH_CONNECTION", "").strip() else []
    via += [f"sudo {os.environ['SUDO_USER']}"] if os.environ.get("SUDO_USER") else []
    return Who(_login(uid), uid, _terminal(), ", ".join(via))


def _login(uid: int) -> str:
    try:
        import pwd  # noqa: PLC0415  # not on Windows

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return os.environ.get("USERNAME", str(uid))


def _terminal() -> str:
    for number in (0, 1, 2):
        with suppress(OSError, AttributeError):
            return os.ttyname(number)
    return ""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process after the other: SQLite does not wait for another that is about to turn the journal into a WAL."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)  # which lets go of it


def _prepare(path: Path, db: sqlite3.Connection) -> None:
    for setting in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF"):
        db.execute(f"PRAGMA {setting}").fetchall()
    with _transaction(db):
        kind, version = _kind(db)
        empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if empty and not version:
            for statement in _statements(_SCHEMA):
                db.execute(statement)
        else:
            _refuse_unknown(path, kind, version)


def _kind(db: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and of which version."""
    kind, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return kind, version


def _refuse_unknown(path: Path, kind: int, version: int) -> None:
    if (kind, version) != (APPLICATION_ID, VERSION):
        hint = "a newer floorgate has written it" if kind == APPLICATION_ID else "move it away"
        raise StoreError(f"{path} is no audit that this version knows", hint=hint)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def mapped(path: Path, hint: str = _WITHOUT) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"audit {path}: {why}", hint=hint) from error


def _json(value: Value) -> str | None:
    """None for no value; a number that JSON does not have as its name."""
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return None if value is None else _spelt(json.dumps(value, ensure_ascii=False))


def _spelt(text: str) -> str:
    """What UTF-8 cannot carry (bytes of a device that are no text) as `\\udcff`: an entry never fails for it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("old", "new", "found"):
        row[name] = None if row[name] is None else json.loads(row[name])
    return row
