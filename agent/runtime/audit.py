"""Who wrote what, kept in `audit.db`: an entry is on disk before anything is sent, its outcome follows as another row.

An entry without an outcome means that the process ended in between: nobody knows what the device did. Rows are never
changed, and each is chained to the one before (`chain.py`). When there are `KEEP` entries nothing more is written to a
device, until some are archived. Several processes may write at once.

Commands that were turned away leave rows of their own, of which the newest `REFUSALS` stay: a flood of them pushes no
entry out.
"""

import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from agent.model import host
from agent.model.errors import AgentError, StoreError
from agent.model.frame import Value
from agent.runtime import audit_file as file
from agent.runtime.audit_file import FILE, UNCHAINED, VERSION, WAIT, mapped, prepare, transaction
from agent.runtime.chain import Link, Verdict, advance, read_head, verify

KEEP = 100_000  # entries
NEARLY = 0.8  # of them: from there on a person is told
REFUSALS = 10_000  # rows
IDS, REMEMBERED = 100_000, 2 * 3600 * 10**9  # ids that are known for ever, and ns for which all are: see `Commands`
_LOOKING = "may this user read it, or is it damaged?"
Outcome = Literal["done", "differs", "refused", "unknown"]

_LAST = "SELECT at FROM last WHERE device = ? AND tag = ?"
_NEXT = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) + 1"
_COUNT = "SELECT coalesce(max(id) - min(id) + 1, 0) FROM entry"
_LIST = """
SELECT entry.id, entry.at, user, uid, terminal, via, device, endpoint, tag, old, new, raw,
       coalesce(outcome, 'unknown') AS outcome, found, coalesce(message, '') AS message
FROM entry LEFT JOIN outcome USING (id) WHERE ? IN ('', device) ORDER BY entry.id DESC LIMIT ?
"""
_REFUSED = "SELECT * FROM refusal WHERE ? IN ('', device) ORDER BY id DESC LIMIT ?"
_FORGET = "DELETE FROM claim WHERE k <= (SELECT max(k) FROM claim) - ? AND at < ?"


class Repeated(AgentError):
    """A command with this id was there before."""


@dataclass(frozen=True, slots=True)
class Who:
    """A person, as far as the operating system knows, or a sink. `via` is where they came from: ssh, sudo."""

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


@dataclass(frozen=True, slots=True)
class Claim:
    """The id of a command, which is taken once."""

    sink: str
    id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was turned away, or `count` of them that nobody told apart."""

    at: int
    sink: str
    who: str
    command: str
    device: str
    tag: str
    value: str
    outcome: str
    message: str
    count: int = 1


class Audit:
    """The file, open. Every call raises StoreError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    def begin(
        self,
        who: Who,
        entry: Entry,
        allowed: Callable[[int | None], None],
        now: int,
        claim: Claim | None = None,
    ) -> int:
        """Commit an entry and give its number, unless `allowed` raises when it is told the time of the last one, or the
        claim was made before: Repeated.

        All happens in one transaction: of two processes that write the same tag at once only one is in time.
        """
        with mapped(self._path):
            with transaction(self._connection) as db:
                last = db.execute(_LAST, (entry.device, entry.tag)).fetchone()
                if claim is not None:
                    _claim(db, claim, now)
                allowed(last[0] if last else None)
                if db.execute(_COUNT).fetchone()[0] >= KEEP:
                    hint = "`floorgate audit --archive FILE` makes room; until then nothing is written to a device"
                    raise StoreError(f"audit {self._path} is full: {KEEP:,} entries", hint=hint)
                (number,) = db.execute(_NEXT).fetchone()
                values = (_json(entry.old), _json(entry.new) or "null", _spelt(entry.raw))
                row = (number, now, *astuple(who), entry.device, entry.endpoint, entry.tag, *values)
                link = file.insert(db, "entry", row)
                db.execute("INSERT OR REPLACE INTO last VALUES (?, ?, ?)", (entry.device, entry.tag, now))
            advance(self._path.parent, link)
        return int(number)

    def end(self, number: int, outcome: Outcome, found: Value, message: str, now: int) -> Link:
        """Put the outcome beside an entry; gives its link in the chain."""
        kept = f"the device was asked all the same and the outcome was {outcome}; the audit will say unknown"
        with mapped(self._path, kept):
            with transaction(self._connection) as db:
                link = file.insert(db, "outcome", (number, now, outcome, _json(found), _spelt(message)))
            advance(self._path.parent, link)
        return link

    def refuse(self, refusal: Refusal, claim: Claim | None = None) -> None:
        """Keep what was turned away; with a claim its id is not taken later either."""
        with mapped(self._path), transaction(self._connection) as db:
            if claim is not None:
                with suppress(Repeated):
                    _claim(db, claim, refusal.at)
            made = db.execute(
                "INSERT INTO refusal VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(refusal)
            ).lastrowid
            db.execute("DELETE FROM refusal WHERE id <= ?", ((made or 0) - REFUSALS,))

    def settle(self) -> None:
        """Have all rows in the file itself, so that it may be moved while nothing is written."""
        with mapped(self._path):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def known(self, claim: Claim) -> bool:
        """Whether an id was there before."""
        with mapped(self._path, _LOOKING):
            return _known(self._connection, claim)

    def fill(self) -> float:
        """How much of its room is taken, from 0 to 1."""
        with mapped(self._path, _LOOKING):
            return float(self._connection.execute(_COUNT).fetchone()[0] / KEEP)

    def entries(self, last: int, device: str = "") -> list[dict[str, Any]]:
        """The newest ones, oldest first; of one device when it is named."""
        with mapped(self._path, _LOOKING):
            rows = self._connection.execute(_LIST, (device, last)).fetchall()
            return [file.shown(dict(row), ("old", "new", "found")) for row in reversed(rows)]

    def refusals(self, last: int, device: str = "") -> list[dict[str, Any]]:
        """The newest commands that were turned away, oldest first."""
        with mapped(self._path, _LOOKING):
            return [dict(row) for row in reversed(self._connection.execute(_REFUSED, (device, last)).fetchall())]

    def verify(self) -> Verdict:
        """Whether all rows are as they were written, in their order; the head tells whether some are missing at the
        end, if this is the file that it belongs to."""
        head = read_head(self._path.parent)  # before the rows, for another process may add some
        with mapped(self._path, _LOOKING), _snapshot(self._connection) as db:
            if file.kind_of(db)[1] == UNCHAINED:
                hint = "the next write makes it a chain"
                raise StoreError(f"audit {self._path} is of an earlier version, whose rows were not chained", hint=hint)
            return verify(file.base(db), file.rows(db), head if self._path.name == FILE else file.newest(db))

    def archive(self, target: Path, now: int) -> Link:
        """Copy all into a new file, and begin anew behind it; gives the last link that went there.

        What is being written at this moment stays, and so does what came after it.
        """
        if target.exists():
            raise StoreError(f"{target} is there already", hint="name a file that is not")
        with mapped(self._path, "nothing was taken out of the audit"):
            target.touch(mode=0o600)
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE").fetchall()
                file.keep_settled(copy, now)
                link = file.newest(copy)
            _sync(target)
            with transaction(self._connection) as db:
                advance(self._path.parent, file.newest(db))
                db.execute("UPDATE base SET n = ?, hash = ?", link)
                for table in file.COLUMNS:
                    db.execute(f"DELETE FROM {table} WHERE n <= ?", (link.n,))  # noqa: S608  # our own words
        return link


def _claim(db: sqlite3.Connection, claim: Claim, now: int) -> None:
    if _known(db, claim):
        raise Repeated(
            f"a command with the id {claim.id!r} was there before", hint="give each command an id of its own"
        )
    db.execute("INSERT INTO claim (sink, id, at) VALUES (?, ?, ?)", (claim.sink, claim.id, now))
    db.execute(_FORGET, (IDS, now - REMEMBERED))


def _known(db: sqlite3.Connection, claim: Claim) -> bool:
    found = db.execute("SELECT 1 FROM claim WHERE sink = ? AND id = ?", (claim.sink, claim.id)).fetchone()
    return found is not None


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """What is written meanwhile is not seen."""
    db.execute("BEGIN")
    try:
        yield db
    finally:
        db.execute("ROLLBACK")


def _sync(path: Path) -> None:
    host.sync_file(path)
    host.sync_folder(path.absolute().parent)


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
        with mapped(path):
            prepare(path, connection)
        yield Audit(path, connection)


@contextmanager
def resting(path: Path) -> Iterator[Audit]:
    """The same to look into only, in a data directory or a file of its own: nothing is made and nothing changed, so it
    works beside a writer and on a disk that takes no more. Raises StoreError."""
    folder, path = path.parent if path.is_file() else path, path if path.is_file() else path / FILE
    if not path.exists():
        raise StoreError(f"there is no audit in {folder}", hint="was nothing written yet? name the folder with --data")
    alone = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"  # else it would want to make one
    with mapped(path, _LOOKING):
        address = f"file:{quote(str(path.absolute()))}?mode=ro{alone}"
        connection = sqlite3.connect(address, timeout=WAIT, isolation_level=None, uri=True)
    with closing(connection):
        connection.row_factory = sqlite3.Row
        with mapped(path, _LOOKING):
            kind, version = file.kind_of(connection)
            file.refuse_unknown(path, kind, version, known=(VERSION, UNCHAINED))
        yield Audit(path, connection)


def somebody() -> Who:
    """Who runs this process."""
    name, uid = host.login()
    via = [f"ssh {os.environ['SSH_CONNECTION'].split()[0]}"] if os.environ.get("SSH_CONNECTION", "").strip() else []
    via += [f"sudo {os.environ['SUDO_USER']}"] if os.environ.get("SUDO_USER") else []
    return Who(name, uid, host.terminal(), ", ".join(via))


def _json(value: Value) -> str | None:
    """None for no value; a number that JSON does not have as its name."""
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return None if value is None else _spelt(json.dumps(value, ensure_ascii=False))


def _spelt(text: str) -> str:
    """What UTF-8 cannot carry (bytes of a device that are no text) as `\\udcff`: an entry never fails for it."""
    return text.encode("utf-8", "backslashreplace").decode()
