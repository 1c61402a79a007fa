"""What RAM knows about the file, and the transaction that keeps both in step.

Debts, counts and losses change in RAM first. They are *settled* about once a second, in a transaction that also moves
the high-water mark `hwm`: up to there the tables speak. Frames above it are what a crash left unsettled: they were read
and are owed to every active sink, which is counted from the frames themselves when the file is opened. So most commits
write frames and nothing else, and a crash takes an acknowledgement and its count together: a frame may be sent again,
but it is never counted twice.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from agent.model.clock import Clock
from agent.model.errors import StoreError
from buffer.database import code
from buffer.ledger import Account, Books, Cell, Part, Tally, What, accounts, owed_samples, written_counts
from buffer.ranges import Range, Ranges, parse, runs
from buffer.room import Room
from buffer.schemas import Schemas

SETTLE_EVERY = 10**9
CHECKPOINT_BYTES = 1 << 20
_COMMIT_BYTES = 8192  # what a commit writes besides its frames, roughly
MOST_RANGES = 1000  # of one debt; an ack that would make more is forgotten, so the frame is sent again


@dataclass(slots=True)
class Debtor:
    """A sink: what it is owed, the highest seq that it has confirmed, and whether new frames are owed to it."""

    id: int
    name: str
    acked: int
    debt: Ranges
    active: bool
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Epoch:
    """One run of the agent: 8 random bytes, and the boot whose monotonic clock its frames carry."""

    id: int
    eid: bytes
    boot: str


class Log:
    """The file's connection with everything that must stay in step with it; only reads until `begin`."""

    epoch: Epoch
    present: Ranges  # the frames in the file
    next: int  # the seq that comes next
    room: Room

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock
        self.books = Books()
        self.tally = Tally(connection)
        self.unsaved = 0  # bytes in the -wal file that are not yet in the main file, roughly
        self._changed: set[str] = set()
        self._settled = clock.mono()
        with _readable():
            self.schemas = Schemas(connection)
            self.sinks = {sink.name: sink for sink in _load_sinks(connection)}
            self.epochs = _load_epochs(connection)
            self.state: dict[str, bytes] = dict(connection.execute("SELECT k, v FROM state").fetchall())
            self._load_frames()

    def begin(self, boot: str, room: Room) -> None:
        """Draw a new epoch and settle what a crash left."""
        self.room = room
        self.checkpoint()
        epoch = Epoch(max(self.epochs, default=0) + 1, secrets.token_bytes(8), boot)
        with self.transaction():
            row = (epoch.id, epoch.eid, epoch.boot, self.clock.wall())
            self.connection.execute("INSERT INTO epoch (id, eid, boot_id, started) VALUES (?, ?, ?, ?)", row)
            oldest = "coalesce((SELECT epoch FROM frame ORDER BY seq LIMIT 1), :now)"
            forget = f"DELETE FROM epoch WHERE id < min({oldest}, :now - 1000)"  # noqa: S608  # fixed text
            self.connection.execute(forget, {"now": epoch.id})
            self.connection.execute("UPDATE sink SET active = 0")
        self.epochs[epoch.id] = self.epoch = epoch
        for sink in self.sinks.values():
            sink.active = False

    @property
    def waiting(self) -> bool:
        """Whether RAM holds something that is not settled."""
        return bool(self.books or self._changed or any(sink.changed for sink in self.sinks.values()))

    @property
    def due(self) -> bool:
        return self.clock.mono() - self._settled >= SETTLE_EVERY

    @contextmanager
    def transaction(self, *, settle: bool = True) -> Iterator[None]:
        """All or nothing, with the state that waits in RAM and, when settling, the books. Raises sqlite3.Error."""
        if self.unsaved >= CHECKPOINT_BYTES:
            self.checkpoint()
        with ExitStack() as undo:
            undo.callback(self.connection.rollback)
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.schemas.write(self.connection)
            state = [(key, self.state[key]) for key in self._changed]
            self.connection.executemany("INSERT OR REPLACE INTO state (k, v) VALUES (?, ?)", state)
            if settle:
                self._settle()
            self.connection.execute("COMMIT")
            undo.pop_all()
        self._written(settled=settle)

    def checkpoint(self) -> None:
        """Copy the -wal file into the main one. On a full disk all stays in the -wal file, where it is as durable."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.OperationalError as error:
            if code(error) != sqlite3.SQLITE_FULL:
                raise
        else:
            self.unsaved = 0
            self.room.take()

    def set_state(self, key: str, value: bytes) -> None:
        self.state[key] = value
        self._changed.add(key)

    def attach(self, names: Sequence[str]) -> list[Debtor]:
        """The sinks by these names, new ones included, are the active ones from now on."""
        new = [(name, self.next, self.next - 1) for name in names if name not in self.sinks]
        with self.transaction():
            insert = "INSERT INTO sink (name, since, acked, active, debt) VALUES (?, ?, ?, 0, '[]')"
            self.connection.executemany(insert, new)
            self.connection.execute("UPDATE sink SET active = 0")
            self.connection.executemany("UPDATE sink SET active = 1 WHERE name = ?", [(name,) for name in names])
        for sink in _load_sinks(self.connection):
            self.sinks.setdefault(sink.name, sink).active = sink.active
        return [self.sinks[name] for name in names]

    def admit(self, first: int, last: int, samples: Mapping[str, int]) -> None:
        """Frames first..last with so many samples by device are in the file and owed to the active sinks."""
        self.next = max(self.next, last + 1)
        self.present.add(first, last)
        for sink in self.sinks.values():
            if sink.active:
                sink.debt.add(first, last)
                sink.changed = True
                for device, count in samples.items():
                    self.books.count(sink.id, device, "read", count)

    def withdraw(self, first: int, last: int, samples: Mapping[str, int]) -> None:
        """Take `admit` back: the newest frames were not committed after all, so they appear nowhere."""
        self.next = first
        self.present.remove(first, last)
        for sink in self.sinks.values():
            if sink.active:
                sink.debt.remove(first, last)
                for device, count in samples.items():
                    self.books.count(sink.id, device, "read", -count)

    def release(self, sink: Debtor, parts: Mapping[int, Part], what: What, reason: str = "") -> None:
        """Clear from the debt of `sink` what it still owed among these frames, and count where it went."""
        for first, last in runs(sorted(parts)):
            if sink.debt.splits(first, last) and len(sink.debt) >= MOST_RANGES and what == "delivered":
                continue
            for run in sink.debt.remove(first, last):
                self._clear(sink, run, [parts[seq] for seq in range(run[0], run[1] + 1)], what, reason)

    def lose(self, parts: Mapping[int, Part], among: Iterable[Range], reason: str) -> None:
        """The frames in these ranges will reach no sink any more; `parts` knows those that can still be read."""
        for sink in self.sinks.values():
            for first, last in among:
                for run in sink.debt.remove(first, last):
                    known = [parts[seq] for seq in range(run[0], run[1] + 1) if seq in parts]
                    self._clear(sink, run, known, "dropped", reason)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is counted as lost in here is owed again when the frames could not be deleted after all."""
        debts = [(sink, Ranges(sink.debt)) for sink in self.sinks.values()]
        counts, losses = self.books.counts.copy(), len(self.books.losses)
        with ExitStack() as undo:
            undo.callback(self._owe_again, debts, counts, losses)
            yield
            undo.pop_all()

    def _owe_again(self, debts: Sequence[tuple[Debtor, Ranges]], counts: dict[Cell, int], losses: int) -> None:
        for sink, debt in debts:
            sink.debt = debt
        self.books.counts.clear()
        self.books.counts.update(counts)
        del self.books.losses[losses:]

    def delete(self, gone: Sequence[Range]) -> None:
        """One transaction that takes frames out of the file; no sink may be owed them."""
        with ExitStack() as undo:
            undo.callback(setattr, self, "present", self.present)
            self.present = self.present.minus([Ranges(gone)])
            with self.transaction():
                self.connection.executemany("DELETE FROM frame WHERE seq BETWEEN ? AND ?", gone)
            undo.pop_all()
        self.tally.forget(self.present.first or self.next)

    def accounts(self) -> list[Account]:
        """Where each sample went, per sink and device."""
        counts = [*written_counts(self.connection).items(), *self.books.counts.items()]
        debts = [(sink.id, sink.debt) for sink in self.sinks.values()]
        buffered = owed_samples(debts, self.tally, self.schemas.device)
        return accounts({sink.id: sink.name for sink in self.sinks.values()}, counts, buffered)

    def _load_frames(self) -> None:
        """The frames in the file, the seq that comes next (above all that was ever given), and what a crash left."""
        meta = dict(self.connection.execute("SELECT k, v FROM meta").fetchall())
        hwm = int(meta.get("hwm", 0))
        (newest,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM frame").fetchone()
        given = [max(sink.acked, sink.debt.last or 0) for sink in self.sinks.values()]
        self.present = parse(meta.get("kept", "[]"))
        self.next = 1 + max(newest, hwm, *given, 0)
        if newest > hwm:
            samples: dict[str, int] = {}
            for schema, count in self.tally.count([(hwm + 1, newest)]).items():
                device = self.schemas.device(schema)
                samples[device] = samples.get(device, 0) + count
            self.admit(hwm + 1, newest, samples)

    def _clear(self, sink: Debtor, run: Range, parts: Sequence[Part], what: What, reason: str) -> None:
        sink.changed = True
        if what == "dropped":
            self.books.lose(sink.id, run, parts, reason, self.clock.wall())
            return
        sink.acked = max(sink.acked, run[1])
        for part in parts:
            self.books.count(sink.id, part.device, what, part.samples, reason)

    def _settle(self) -> None:
        self.books.write(self.connection)
        debts = [(sink.acked, sink.debt.text(), sink.id) for sink in self.sinks.values() if sink.changed]
        self.connection.executemany("UPDATE sink SET acked = ?, debt = ? WHERE id = ?", debts)
        marks = [("hwm", self.next - 1), ("kept", self.present.text())]
        self.connection.executemany("INSERT OR REPLACE INTO meta (k, v) VALUES (?, ?)", marks)

    def _written(self, *, settled: bool) -> None:
        self.unsaved += _COMMIT_BYTES
        self.schemas.written()
        self._changed.clear()
        if settled:
            self._settled = self.clock.mono()
            self.books.written()
            for sink in self.sinks.values():
                sink.changed = False


@contextmanager
def _readable() -> Iterator[None]:
    """Tables that make no sense as StoreError; a damaged frame is not one of them."""
    try:
        yield
    except (ValueError, TypeError) as error:
        hint = "move it aside together with its -wal file, then start again"
        raise StoreError(f"the tables of the store cannot be read: {error}", hint=hint) from error


def _load_sinks(connection: sqlite3.Connection) -> list[Debtor]:
    rows = connection.execute("SELECT id, name, acked, debt, active FROM sink").fetchall()
    return [Debtor(id_, name, int(acked), parse(debt), bool(active)) for id_, name, acked, debt, active in rows]


def _load_epochs(connection: sqlite3.Connection) -> dict[int, Epoch]:
    rows = connection.execute("SELECT id, eid, boot_id FROM epoch").fetchall()
    return {int(id_): Epoch(int(id_), bytes(eid), boot) for id_, eid, boot in rows}
