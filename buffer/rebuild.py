"""Puts a damaged store aside and a new one in its place, with all that could be saved.

The damaged files go to `corrupt-N/`; the new one is made as `store.new` and takes its name when it is whole, so that a
kill at any moment ends either with the damage found again or with the salvage begun again. `corrupt-N/salvaged` marks
the end, and says what became of it. One such folder is kept, and a large one is not.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agent.model import host
from agent.model.clock import Clock
from agent.model.errors import StoreError
from buffer import database, salvage, witness
from buffer.debtor import Debtor
from buffer.epochs import Epoch
from buffer.growth import in_use
from buffer.ledger import ADD, CAME, Books
from buffer.ranges import Ranges
from buffer.salvage import Census, Owed, Tables, Wreck
from buffer.schemas import Schemas
from buffer.witness import Testimony

MOST_KEPT = 256 << 20  # bytes of a damaged file that stay for a look
_DONE = "salvaged"
_BATCH = 500
_INSERT = "INSERT OR IGNORE INTO frame (seq, epoch, schema, ts, mono, n, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_CLOCK = "INSERT INTO clock (boot_id, mono, before, after, synced, reported) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_REFUSAL = "INSERT OR REPLACE INTO refusal (sink, seq, error, tries, at) VALUES (?, ?, ?, ?, ?)"
_INSERT_LOSS = (
    "INSERT INTO loss (sink, from_seq, to_seq, frames, samples, t0, t1, reason, at, reported)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Frames that were carried over, and the most that one sink has lost; `known`: who is owed them is known."""

    frames: int
    lost: int
    known: bool
    folder: Path

    def __str__(self) -> str:
        return f"{self.frames:,} frames were saved, {self.lost:,} are lost; the damaged file is in {self.folder}"


def unfinished(path: Path) -> Path | None:
    """The folder of a salvage that was cut short: the damaged file has gone there, and no new one has come."""
    folders = [folder for folder in _folders(path) if not (folder / _DONE).exists()]
    return folders[-1] if folders and not path.exists() and (folders[-1] / path.name).exists() else None


def rebuild(path: Path, clock: Clock) -> Salvaged:
    """A new file in the place of a damaged one. Raises sqlite3.Error and OSError.

    Raises StoreError when another process has the file open: to who has it open already it may be sound.
    """
    with _alone(path):
        return _rebuild(path, clock)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The data directory is locked for other salvages."""
    with host.alone(path.parent, wait=False) as ours:
        if not ours or (path.exists() and in_use(path)):
            raise StoreError(f"store {path} is in use by another process", hint="is another floorgate running here?")
        yield


def _rebuild(path: Path, clock: Clock) -> Salvaged:
    folder = unfinished(path)
    if folder is None:
        number = max((int(each.name.rpartition("-")[2]) for each in _folders(path)), default=0) + 1
        folder = path.with_name(f"corrupt-{number}")
        folder.mkdir(mode=0o700)
        path.rename(folder / path.name)
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        wal.rename(folder / wal.name)
    said = witness.testimony(witness.place(path))
    draft = path.with_suffix(".new")
    _remove(draft)
    done = _build(folder / path.name, draft, said, clock, folder)
    draft.replace(path)
    (folder / _DONE).write_text(f"{done}\n", "utf-8")
    _tidy(path, folder)
    return done


def _folders(path: Path) -> list[Path]:
    found = [each for each in path.parent.glob("corrupt-*") if each.name.rpartition("-")[2].isdecimal()]
    return sorted(found, key=lambda each: int(each.name.rpartition("-")[2]))


def _tidy(path: Path, newest: Path) -> None:
    for folder in _folders(path):
        if folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
    if sum(host.taken(file) for file in newest.iterdir()) > MOST_KEPT:
        _remove(newest / path.name)


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _build(old: Path, draft: Path, said: Testimony | None, clock: Clock, folder: Path) -> Salvaged:
    tables = salvage.tables(old)
    owed = salvage.owed(tables, said)
    with closing(database.connect(draft)) as connection, closing(Wreck(old)) as wreck:
        runs, schemas = _names(tables, wreck, Schemas(connection))
        census = Census(owed, schemas.source)
        with suppress(sqlite3.OperationalError):  # no room for more: what is here is whole, the rest counts as lost
            _carry(connection, wreck, runs, owed, census)
        if connection.in_transaction:
            connection.rollback()
        connection.execute("BEGIN")
        for run in runs.values():
            run.insert(connection)
        schemas.write(connection)
        _copy(connection, tables, said, owed, census)
        lost = max((_account(connection, sink, tables, owed, census, clock) for sink in owed.sinks), default=0)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Salvaged(census.seqs.size, lost, owed.known, folder)


def _names(tables: Tables, wreck: Wreck, schemas: Schemas) -> tuple[dict[int, Epoch], Schemas]:
    """The runs and schemas of the damaged file: from its tables, else from its pages."""
    if tables.epochs and tables.schemas and tables.schemas.rows:
        schemas.adopt(tables.schemas.rows)
        return tables.epochs, schemas
    runs, keys = wreck.names()
    schemas.adopt(keys)
    return {**runs, **tables.epochs}, schemas


def _carry(connection: sqlite3.Connection, wreck: Wreck, runs: dict[int, Epoch], owed: Owed, census: Census) -> None:
    rows = (row for row in wreck.frames(runs) if owed.wanted(row[0]))
    while batch := list(islice(rows, _BATCH)):
        connection.execute("BEGIN")
        connection.executemany(_INSERT, batch)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        for row in batch:
            census.add(row)


def _copy(connection: sqlite3.Connection, tables: Tables, said: Testimony | None, owed: Owed, census: Census) -> None:
    """What needs no judgement."""
    last = max(owed.last, census.seqs.last or 0)
    samples = said.samples if said else tables.mark("samples") or 0
    marks = {"hwm": last, "kept": census.seqs.text(), "samples": samples, "file": salvage.file_id(tables, said)}
    marks["suppressed"] = tables.mark("suppressed") or 0
    connection.executemany("INSERT OR REPLACE INTO meta (k, v) VALUES (?, ?)", marks.items())
    connection.executemany("INSERT OR REPLACE INTO state (k, v) VALUES (?, ?)", (tables.state or {}).items())
    connection.executemany(_INSERT_LOSS, tables.loss or [])
    connection.executemany("INSERT INTO snapshot (at, body) VALUES (?, ?)", tables.snapshots or [])
    connection.executemany(_INSERT_CLOCK, tables.clock or [])
    connection.executemany(_INSERT_REFUSAL, tables.refusals or [])
    connection.executemany(ADD, [(*cell, samples) for cell, samples in (tables.ledger or {}).items()])


def _account(
    connection: sqlite3.Connection, sink: Debtor, tables: Tables, owed: Owed, census: Census, clock: Clock
) -> int:
    """The sink's debt and its part of the ledger, such that it balances; how many frames it has lost."""
    if sink.active and owed.last > owed.settled:
        sink.debt.add(owed.settled + 1, owed.last)
    if not owed.known:
        sink.debt = Ranges(census.seqs)
    gone = Ranges(run for held in sink.held for run in held).minus([census.seqs])
    sink.debt, sink.aside, sink.acked = sink.debt.minus([gone]), sink.aside.minus([gone]), max(sink.acked, owed.last)
    sink.write(connection)
    books = Books()
    lost = sum(_settle(sink.id, tables, census, books))
    books.list_losses(sink.id, list(gone), lost, "corrupt", clock.wall())
    books.write(connection)
    return gone.size


def _settle(sink: int, tables: Tables, census: Census, books: Books) -> Iterator[int]:
    """Count what came, and what the ledger expected to find and did not; yields the samples lost by device."""
    held: Counter[str] = Counter()
    for (of, device, what, _), samples in (tables.ledger or {}).items():
        if of == sink:
            held[device] += samples if what in CAME else -samples
    for (of, (device, _)), samples in census.settled.items():
        if of == sink:
            held[device] -= samples
    for device, missing in held.items():
        if missing > 0:
            books.count(sink, device, "dropped", missing, "corrupt")
        else:  # more is here than the ledger knows
            made = min(-missing, census.settled[sink, (device, "made")])
            books.count(sink, device, "made", made)
            books.count(sink, device, "read", -missing - made)
        yield max(0, missing)
    for (of, (device, origin)), samples in census.unsettled.items():
        if of == sink:
            books.count(sink, device, origin, samples)
