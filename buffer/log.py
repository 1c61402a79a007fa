"""What RAM knows about the file, and the transaction that keeps both in step.

Debts, counts and losses change in RAM first. They are *settled* about once a second, in a transaction that also moves
the high-water mark `hwm`: up to there the tables speak. Frames above it are what a crash left unsettled: they were read
and are owed to every active sink, which is counted from the frames themselves when the file is opened. So most commits
write frames and nothing else, and a crash takes an acknowledgement and its count together: a frame may be sent again,
but it is never counted twice.
"""

import secrets
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from agent import __version__
from agent.model.clock import Clock
from agent.model.errors import Damaged
from buffer import debtor, epochs, limits, refusals
from buffer.clocks import Clocks
from buffer.database import code
from buffer.debtor import Debtor
from buffer.epochs import Epoch
from buffer.ledger import Account, Books, Cell, Part, Source, Tally, What, accounts, owed_samples, written_counts
from buffer.limits import Limits
from buffer.ranges import Range, Ranges, parse, runs
from buffer.refusals import Refusal
from buffer.room import Room
from buffer.schemas import Schemas
from buffer.state import State
from buffer.witness import Witness

SETTLE_EVERY = 10**9
CHECKPOINT_BYTES = 1 << 20
_COMMIT_BYTES = 8192  # what a commit writes besides its frames, roughly
_WRITER = "INSERT OR REPLACE INTO meta (k, v) VALUES ('program', ?)"
MOST_RANGES = 1000  # of one debt; an ack that would make more is forgotten, so the frame is sent again


class Log:
    """The file's connection with everything that must stay in step with it; only reads until `begin`."""

    epoch: Epoch
    present: Ranges  # the frames in the file
    next: int  # the seq that comes next
    samples: int  # that were ever accepted
    suppressed: int  # samples that were ever left out, as far as the file knows
    limits: Limits | None  # None: the file does not say
    room: Room
    witness: Witness

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock
        self.books = Books()
        self.tally = Tally(connection)
        self.clocks = Clocks(connection)
        self.unsaved = 0  # bytes in the -wal file that are not yet in the main file, roughly
        self.refusals: dict[tuple[int, int], Refusal] = {}  # by sink and seq: what is not yet in the file
        self._settled = clock.mono()
        with _readable():
            self.schemas = Schemas(connection)
            self.sinks = {sink.name: sink for sink in debtor.load(connection)}
            self.epochs = epochs.load(connection)
            self.clocks.know(self.epochs.values())
            self.state = State(connection)
            self._load_frames()

    def begin(self, boot: str, room: Room, witness: Witness) -> None:
        """Draw a new epoch and settle what a crash left."""
        self.room, self.witness = room, witness
        self.checkpoint()
        epoch = Epoch(self.last_epoch() + 1, secrets.token_bytes(8), boot, self.clock.wall())
        for sink in self.sinks.values():
            sink.active, sink.changed = False, True
        with self.transaction():
            epoch.insert(self.connection)
            epochs.forget(self.connection, epoch.id)
            self.connection.execute(_WRITER, (__version__,))
        self.epochs[epoch.id] = self.epoch = epoch
        self.clocks.begin(self.clock, boot, self.epochs.values())

    def last_epoch(self) -> int:
        """Also of those whose rows cannot be read."""
        (last,) = self.connection.execute("SELECT coalesce(max(id), 0) FROM epoch").fetchone()
        return int(last)

    @property
    def waiting(self) -> bool:
        """Whether RAM holds something that is not settled."""
        return bool(
            self.books or self.state.waiting or self.clocks.waiting or any(sink.changed for sink in self.sinks.values())
        )

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
            self.clocks.write(self.connection)
            self.state.write(self.connection)
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

    def attach(self, names: Mapping[str, bool]) -> list[Debtor]:
        """The sinks by these names are the active ones from now on; True: a new one is owed all that is in the file."""
        last = max((sink.id for sink in self.sinks.values()), default=0)
        new = [
            Debtor(id_, name, self.next)
            for id_, name in enumerate((name for name in names if name not in self.sinks), last + 1)
        ]
        self.sinks |= {sink.name: sink for sink in new}
        for sink in self.sinks.values():
            sink.active, sink.changed = sink.name in names, True
        for sink in new:
            sink.acked = self.next - 1
            if names[sink.name]:
                self._owe(sink, self.present)
        with self.transaction():
            pass
        return [self.sinks[name] for name in names]

    def _owe(self, sink: Debtor, ranges: Ranges) -> None:
        """Frames that are in the file already, as if they had just been read."""
        for first, last in ranges:
            sink.debt.add(first, last)
        for (device, origin), samples in self.samples_in(ranges).items():
            self.books.count(sink.id, device, origin, samples)

    def samples_in(self, ranges: Iterable[Range]) -> dict[Source, int]:
        """Samples by device and origin in these ranges of frames, counted in the file."""
        found: defaultdict[Source, int] = defaultdict(int)
        for schema, samples in self.tally.count(ranges).items():
            found[self.schemas.source(schema)] += samples
        return dict(found)

    def admit(self, first: int, last: int, samples: Mapping[Source, int]) -> None:
        """Frames first..last with so many samples by device and origin are in the file and owed to the active sinks."""
        self.next = max(self.next, last + 1)
        self.present.add(first, last)
        self.samples += sum(samples.values())
        for sink in self.sinks.values():
            if sink.active:
                sink.debt.add(first, last)
                sink.changed = True
                for (device, origin), count in samples.items():
                    self.books.count(sink.id, device, origin, count)

    def withdraw(self, first: int, last: int, samples: Mapping[Source, int]) -> None:
        """Take `admit` back: the newest frames were not committed after all, so they appear nowhere."""
        self.next = first
        self.present.remove(first, last)
        self.samples -= sum(samples.values())
        for sink in self.sinks.values():
            if sink.active:
                sink.debt.remove(first, last)
                for (device, origin), count in samples.items():
                    self.books.count(sink.id, device, origin, -count)

    def disown(self, first: int, last: int) -> None:
        """The newest frames of an earlier run leave the file, and every account of it."""
        samples = self.samples_in([(first, last)])
        for sink in self.sinks.values():
            if sink.debt.remove(first, last):
                sink.changed = True
                for (device, origin), count in samples.items():
                    self.books.count(sink.id, device, origin, -count)
        self.samples -= sum(samples.values())
        self.next = first
        self.delete([(first, last)])

    def release(self, sink: Debtor, parts: Mapping[int, Part], what: What, reason: str = "") -> None:
        """Clear from the debt of `sink` what it still owed among these frames, and count where it went."""
        for first, last in runs(sorted(parts)):
            if sink.debt.splits(first, last) and len(sink.debt) >= MOST_RANGES and what == "delivered":
                continue
            for run in sink.debt.remove(first, last):
                self._clear(sink, run, [parts[seq] for seq in range(run[0], run[1] + 1)], what, reason)

    def put_aside(self, sink: Debtor, seqs: Iterable[int], error: str, tries: int) -> None:
        """The sink will not take these as they are: out of its debt, but kept until somebody decides."""
        for seq in seqs:
            if sink.debt.remove(seq, seq):
                sink.aside.add(seq, seq)
                sink.acked, sink.changed = max(sink.acked, seq), True
                self.refusals[sink.id, seq] = Refusal(error, tries, self.clock.wall())

    def take_back(self, sink: Debtor, ranges: Iterable[Range]) -> int:
        """Set-aside frames in these ranges are owed again; how many they were."""
        taken = [run for first, last in ranges for run in sink.aside.remove(first, last)]
        for first, last in taken:
            sink.debt.add(first, last)
            sink.changed = True
        return sum(last - first + 1 for first, last in taken)

    def lose(self, parts: Mapping[int, Part], among: Iterable[Range], reason: str) -> None:
        """The frames in these ranges will reach no sink any more; `parts` knows those that can still be read."""
        ranges = list(among)
        for sink in self.sinks.values():
            self.give_up(sink, parts, ranges, reason)

    def give_up(self, sink: Debtor, parts: Mapping[int, Part], among: Iterable[Range], reason: str) -> None:
        """One sink will never get what it still needs of these ranges."""
        for first, last in among:
            for held in sink.held:
                for run in held.remove(first, last):
                    known = [parts[seq] for seq in range(run[0], run[1] + 1) if seq in parts]
                    self._clear(sink, run, known, "dropped", reason)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is counted as lost in here is owed again when the frames could not be deleted after all."""
        held = [(sink, Ranges(sink.debt), Ranges(sink.aside)) for sink in self.sinks.values()]
        counts, losses = self.books.counts.copy(), len(self.books.losses)
        with ExitStack() as undo:
            undo.callback(self._owe_again, held, counts, losses)
            yield
            undo.pop_all()

    def _owe_again(self, held: Sequence[tuple[Debtor, Ranges, Ranges]], counts: dict[Cell, int], losses: int) -> None:
        for sink, debt, aside in held:
            sink.debt, sink.aside = debt, aside
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

    def accounts(self) -> list[Account]:
        """Where each sample went, per sink and device."""
        sinks = self.sinks.values()
        buffered = owed_samples(((sink.id, sink.debt) for sink in sinks), self.tally, self.schemas.device)
        aside = owed_samples(((sink.id, sink.aside) for sink in sinks), self.tally, self.schemas.device)
        self.tally.tidy()
        return accounts({sink.id: sink.name for sink in sinks}, self.counts().items(), buffered, aside)

    def counts(self) -> dict[Cell, int]:
        """What the ledger counts, with what is not yet written."""
        found = Counter(written_counts(self.connection))
        found.update(self.books.counts)
        return found

    def warm(self, seconds: float) -> bool:
        """Prepare `accounts` for about so long; True when it would not have to read a backlog any more."""
        end = time.monotonic() + seconds
        held = (ranges for sink in self.sinks.values() for ranges in sink.held)
        return all(self.tally.warm(ranges, end) for ranges in held)

    def _load_frames(self) -> None:
        """The frames in the file, the seq that comes next (above all that was ever given), and what a crash left."""
        meta = dict(self.connection.execute("SELECT k, v FROM meta").fetchall())
        hwm = int(meta.get("hwm", 0))
        (newest,) = self.connection.execute("SELECT coalesce(max(seq), 0) FROM frame").fetchone()
        given = [max(sink.acked, sink.debt.last or 0) for sink in self.sinks.values()]
        self.present = parse(meta.get("kept", "[]"))
        self.file = bytes.fromhex(meta.get("file", "")) or secrets.token_bytes(8)
        self.samples = int(meta.get("samples", 0))
        self.suppressed = int(meta.get("suppressed", 0))
        self.limits = limits.parse(meta.get("limits", ""))
        self.next = 1 + max(newest, hwm, *given, 0)
        if newest > hwm:
            self.admit(hwm + 1, newest, self.samples_in([(hwm + 1, newest)]))

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
        for sink in self.sinks.values():
            if sink.changed:
                sink.write(self.connection)
                refusals.settle(self.connection, sink, self.refusals)
        marks = [("hwm", self.next - 1), ("kept", self.present.text())]
        marks += [("samples", self.samples), ("file", self.file.hex())]
        marks += [("suppressed", self.suppressed + self.books.left_out.total())]
        marks += [("limits", self.limits.text())] if self.limits else []
        self.connection.executemany("INSERT OR REPLACE INTO meta (k, v) VALUES (?, ?)", marks)

    def _written(self, *, settled: bool) -> None:
        self.unsaved += _COMMIT_BYTES
        self.schemas.written()
        self.clocks.written()
        self.state.written()
        self.witness.note(self.next - 1, self.samples)
        if settled:
            self.witness.settle(self.next - 1, self.sinks.values())
            self._settled = self.clock.mono()
            self.suppressed += self.books.left_out.total()
            self.books.written()
            self.refusals.clear()
            for sink in self.sinks.values():
                sink.changed = False


@contextmanager
def _readable() -> Iterator[None]:
    """Tables that make no sense as StoreError; a damaged frame is not one of them."""
    try:
        yield
    except (ValueError, TypeError) as error:
        hint = "floorgate run sets the file aside and saves what it can"
        raise Damaged(f"the tables of the store cannot be read: {error}", hint=hint) from error
