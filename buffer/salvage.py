"""A new store out of a damaged one: every frame whose checksum holds, and accounts that say what is gone.

The small tables are read through SQL as far as that works; what is owed comes from the witness where it does not.
Frames come from the raw pages. Only what some sink is still owed is carried over: deleted rows leave their bytes
behind.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from agent.model.errors import Damaged
from buffer import epochs, schemas
from buffer.codec import checksum
from buffer.debtor import Debtor, load
from buffer.epochs import Epoch
from buffer.ledger import Cell, Source, written_counts
from buffer.look import Bytes
from buffer.older import look_like_newest
from buffer.pages import Column, Pages
from buffer.ranges import Ranges
from buffer.schemas import Schemas
from buffer.witness import Testimony

T = TypeVar("T")
FrameRow = tuple[int, int, int, int, int, int, int, bytes]
_PIECE = 256  # pages read at a time
_LOSS_KINDS = (*[int] * 7, str, int, int | None)
_CLOCK = "SELECT boot_id, mono, before, after, synced, reported FROM clock ORDER BY id"
_REFUSALS = "SELECT sink, seq, error, tries, at FROM refusal"
_LOSS = "SELECT sink, from_seq, to_seq, frames, samples, t0, t1, reason, at, reported FROM loss"


@dataclass(slots=True)
class Tables:
    """What SQL could read; None where it could not."""

    meta: dict[str, Any] | None = None
    state: dict[str, bytes] | None = None
    sinks: list[Debtor] | None = None
    ledger: dict[Cell, int] | None = None
    loss: list[tuple[Any, ...]] | None = None
    snapshots: list[tuple[Any, ...]] | None = None
    clock: list[tuple[Any, ...]] | None = None
    refusals: list[tuple[Any, ...]] | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    schemas: Schemas | None = None

    @property
    def settled(self) -> int | None:
        """Up to this seq debts and ledger speak."""
        return self.mark("hwm")

    def mark(self, name: str) -> int | None:
        """A number in `meta`, 0 in an empty one; None for what cannot be read."""
        value = 0 if self.meta == {} else (self.meta or {}).get(name)
        return value if isinstance(value, int) and value >= 0 else None


def tables(path: Path) -> Tables:
    """The small tables of a damaged file that nobody has open."""
    found = Tables()
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        look_like_newest(connection, version)
        found.meta = _read(lambda: dict(connection.execute("SELECT k, v FROM meta").fetchall()))
        found.state = _read(lambda: dict(_rows(connection, "SELECT k, v FROM state", str, bytes)))
        found.sinks = _read(lambda: load(connection))
        found.ledger = _read(lambda: written_counts(connection))
        found.loss = _read(lambda: _rows(connection, _LOSS, *_LOSS_KINDS))
        found.snapshots = _read(lambda: _rows(connection, "SELECT at, body FROM snapshot ORDER BY id", int, bytes))
        found.clock = _read(lambda: _rows(connection, _CLOCK, str, int, int, int, int, int | None))
        found.refusals = _read(lambda: _rows(connection, _REFUSALS, int, int, str, int, int))
        found.epochs = _read(lambda: epochs.load(connection)) or {}
        found.schemas = _read(lambda: Schemas(connection))
    return found


def _rows(connection: sqlite3.Connection, query: str, *kinds: Any) -> list[tuple[Any, ...]]:
    """The rows whose columns are what they should be: a flipped bit may change even the type of one."""
    rows = connection.execute(query).fetchall()
    return [row for row in rows if all(map(isinstance, row, kinds))]


def _read(query: Callable[[], T]) -> T | None:
    try:
        return query()
    except (sqlite3.Error, Damaged, ValueError, TypeError):
        return None


class Wreck:
    """A damaged file with its -wal file."""

    def __init__(self, path: Path) -> None:
        self._files = [Bytes(path), Bytes(path.with_name(f"{path.name}-wal"))]
        main, wal = self._files
        self._pages = Pages(main, wal[:])

    def close(self) -> None:
        for file in self._files:
            file.close()

    def names(self) -> tuple[dict[int, Epoch], dict[int, schemas.Key]]:
        """Runs and schemas whose rows match their checksum."""
        runs: dict[int, Epoch] = {}
        keys: dict[int, schemas.Key] = {}
        for rowid, columns in self._rows():
            if run := epochs.revived(rowid, columns):
                runs.setdefault(run.id, run)
            elif key := schemas.revived(columns):
                keys.setdefault(abs(rowid), key)
        return runs, keys

    def frames(self, runs: dict[int, Epoch]) -> Iterator[FrameRow]:
        """Rows of frames whose checksum holds, in the order in which they lie there; one may come twice."""
        for rowid, columns in self._rows():
            if row := _frame(rowid, columns, runs):
                yield row

    def _rows(self) -> Iterator[tuple[int, list[Column]]]:
        for first in range(1, self._pages.count + 1, _PIECE):
            yield from self._pages.rows(range(first, min(first + _PIECE, self._pages.count + 1)))


def _frame(rowid: int, columns: list[Column], runs: dict[int, Epoch]) -> FrameRow | None:
    match columns:
        case [None, int(epoch), int(schema), int(ts), int(mono), int(n), int(crc), bytes(body)] if rowid > 0:
            run = runs.get(epoch)
            if run and n >= 0 <= schema and checksum(body, rowid, run.eid, ts, mono, schema, n) == crc:
                return rowid, epoch, schema, ts, mono, n, crc, body
    return None


@dataclass(slots=True)
class Owed:
    """What each sink was owed when the file was damaged, as far as anything knows."""

    sinks: list[Debtor]
    settled: int  # frames above it are owed to every active sink
    last: int  # the last seq that was given
    known: bool  # False: nothing knows what is owed, so everything that is found is

    def wanted(self, seq: int) -> bool:
        return not self.known or seq > self.settled or any(seq in held for sink in self.sinks for held in sink.held)


def owed(tables: Tables, said: Testimony | None) -> Owed:
    """From the file's own tables, else from the witness."""
    settled = tables.settled
    last = max([settled or 0, said.last if said else 0, *(sink.acked for sink in tables.sinks or ())])
    if tables.sinks is not None and settled is not None:
        return Owed(tables.sinks, settled, last, known=True)
    if said is not None:
        sinks = [Debtor(id_, name, 1, active=True, debt=debt) for name, (id_, debt) in said.sinks.items()]
        return Owed(sinks, said.settled, last, known=True)
    return Owed(tables.sinks or [], 0, last, known=False)


def file_id(tables: Tables, said: Testimony | None) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return bytes.fromhex((tables.meta or {})["file"]).hex()
    return said.file.hex() if said else secrets.token_hex(8)


class Census:
    """Counts what was carried over, by sink, device and origin."""

    def __init__(self, owed: Owed, source: Callable[[int], Source]) -> None:
        self._owed, self._source = owed, source
        self.seqs = Ranges()
        self.settled: Counter[tuple[int, Source]] = Counter()  # samples up to `owed.settled`
        self.unsettled: Counter[tuple[int, Source]] = Counter()

    def add(self, row: FrameRow) -> None:
        seq, source, samples = row[0], self._source(row[2]), row[5]
        if seq in self.seqs:
            return
        self.seqs.add(seq, seq)
        for sink in self._owed.sinks:
            if seq > self._owed.settled:
                if sink.active:
                    self.unsettled[sink.id, source] += samples
            elif not self._owed.known or any(seq in held for held in sink.held):
                self.settled[sink.id, source] += samples
