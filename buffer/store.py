"""The store: frames go in, each sink takes them out at its own pace, and every sample is accounted for.

Nothing here waits for a network or knows asyncio; one thread owns a Store (`buffer.writer`). Each call raises
StoreError if the file cannot be read or written.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import StoreError
from agent.model.frame import Entry, Frame
from buffer import aside, reports, snapshots
from buffer.adopt import adopt
from buffer.commit import Mark, commit, flush
from buffer.copying import Copier
from buffer.database import MEMORY, code, mapped
from buffer.debtor import Debtor
from buffer.ledger import Account, LeftOut, Part, Unsettled
from buffer.limits import Limits
from buffer.log import Log
from buffer.look import sound
from buffer.opening import ENDLESS, opened, unkept
from buffer.ranges import Range
from buffer.reader import Reader
from buffer.retention import Retention
from buffer.room import refuse_nameless
from buffer.rows import ROW, need
from buffer.scrub import Scrub
from buffer.shelf import Shelf
from buffer.snapshots import Past
from buffer.state import NOTHING, Kept, State
from buffer.stats import Stats, stats
from buffer.tail import Tail

__all__ = ["Account", "Stats", "Store"]

_TRIES = 8
_WAITED = 15 * 10**9  # ns: longer than a pump lets a frame wait that it sends as live
_CHECKPOINT_EVERY = 60 * 10**9
_CRAMPED = 1 << 20  # bytes


class Store:
    """One log; what each sink has not confirmed is its debt."""

    missing = 0  # frames that the file had before and has not any more
    volatile = False  # True: it lies in memory
    opened = 0  # the seq that came next when it was opened
    taken = 0  # bytes of the file that frames have needed since then, roughly
    tried: Sequence[Frame] = ()  # frames of the last commit, whatever became of it; none: it was a report of its own

    def __init__(self, path: Path, log: Log, limits: Limits) -> None:
        self.epoch, self.instance = log.epoch.eid.hex(), log.file.hex()
        self._path = path
        self._log = log
        self._reader = Reader(log)
        self.shelf = Shelf(log, path)
        self.copier = Copier(log.connection, path, partial(flush, log, NOTHING))
        self.retention = Retention(log, limits)
        self._scrub = Scrub(log, self._reader.check)
        self._tail = Tail(log.next)
        self._attached: list[Debtor] = []
        self._idle = True
        self._closed = False
        self._saved = log.clock.mono()
        self.moved: dict[str, int] = {}  # by run that came out of memory: how far its frames went up

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        clock: Clock = SYSTEM,
        boot: str,
        keep: float,
        max_size: int,
        reserve: int,
        tell: Callable[[str], None] = lambda _: None,
    ) -> "Store":
        """Open or make the file and begin a new epoch.

        `boot` names this boot of the machine, `keep` is seconds, `max_size` and `reserve` are bytes. Raises StoreError
        within 2 s if another process has it open; a file of a newer program or of another one is left as it is. That an
        older one is not what it was is told.
        """
        path, limits = Path(path), Limits(round(keep * 1e9), max_size, reserve)
        log, missing, first = opened(path, boot, clock, limits, tell)
        store = cls(path, log, limits)
        store.missing, store.opened = missing, first
        return store

    @classmethod
    def in_memory(cls, *, clock: Clock = SYSTEM, boot: str, max_size: int, first: int) -> "Store":
        """A store that lies in memory, with `first` as its first seq: for a time without a disk."""
        log, limits = unkept(clock, boot, max_size, first)
        store = cls(MEMORY, log, limits)
        store.volatile = True
        return store

    def attach(self, sinks: Sequence[str], oldest: Collection[str] = ()) -> None:
        """From now on frames are owed to these sinks; one that is known but not named keeps what it is owed.

        A sink that the file does not know starts with the next frame, or, when it is in `oldest`, with all frames
        that are in the file.
        """
        with mapped(self._path):
            self._attached = self._log.attach({name: name in oldest for name in sinks})

    def append(self, frames: Sequence[Frame], kept: Kept = NOTHING) -> Range:
        """Commit frames in one transaction and return their first and last seq; the last is below the first for none.

        `kept` is state that goes with them, None for what is to be forgotten. When the file cannot grow, the oldest
        frames make room. Without frames it writes what waits for a commit.
        """
        self._refuse_closed()
        if not frames:
            self._flush(kept)
            return self._log.next, self._log.next - 1
        with mapped(self._path):
            for _ in range(_TRIES):
                try:
                    return self._append(frames, kept)
                except sqlite3.OperationalError as error:
                    full, attached = code(error) == sqlite3.SQLITE_FULL, bool(self._attached)
                    if not full or not self.retention.make_room(need(frames), attached=attached):
                        raise
            return self._append(frames, kept)

    def put_back(self, frames: Sequence[Frame]) -> int:
        """Frames that were once taken out are owed to all sinks, under new numbers; how many they were.

        They have waited for a while, so a pump takes them for history, and `keep` begins anew. Raises StoreError when
        there is no room for them: nothing is given up for what was out already.
        """
        if not self._attached:
            raise StoreError(f"store {self._path} has no sink that would get them", hint="has the agent run with one?")
        if need(frames) > self.stats().room:
            raise StoreError(f"store {self._path} has no room for them", hint="see floorgate store stats")
        waited = self._log.clock.mono() - _WAITED
        mono = waited if self._log.clocks.right_since(self.epoch, waited) else 0
        first, last = self.append([replace(frame, mono=mono) for frame in frames])
        return last - first + 1

    def read(
        self, sink: str, limit: int, *, after: int = 0, until: int = ENDLESS, history_until: int = 0
    ) -> list[Entry]:
        """At most `limit` frames that the sink is owed, in order, of those above seq `after` and up to `until`.

        Those up to `history_until` are marked as history.
        """
        debt = self._sink(sink).debt
        entries: list[Entry] = []
        with mapped(self._path):
            while (room := limit - len(entries)) > 0 and (span := debt.after(after)) and span[0] <= until:
                first, last = span[0], min(span[1], span[0] + room - 1, until)
                if first < self._tail.first:
                    last = min(last, self._tail.first - 1)
                    found = self._reader.read(first, last)
                    entries += [Entry(epoch, seq, seq <= history_until, frame) for epoch, seq, frame in found]
                else:
                    frames = enumerate(self._tail.get(first, last), first)
                    entries += [Entry(self.epoch, seq, seq <= history_until, frame) for seq, frame in frames]
                after = last
        return self._log.clocks.restamped(entries)

    def ack(self, sink: str, entries: Sequence[Entry]) -> None:
        """The sink has confirmed these: written with the next transaction; what it is no longer owed is passed over."""
        self._log.release(self._sink(sink), self._parts(entries), "delivered")

    def set_aside(self, sink: str, entries: Sequence[Entry], error: str, tries: int = 1) -> None:
        """The sink does not take these: out of its debt, but kept (`retry`) within bounds, and listed with why.

        Beyond 1,000 frames or 16 MB of one sink the oldest are dropped as `rejected`. The rest as for `ack`.
        """
        debtor = self._sink(sink)
        self._log.put_aside(debtor, sorted(map(self._place, entries)), error, tries)
        with mapped(self._path):
            over = aside.excess(self._log, debtor)
            self._log.give_up(debtor, self.retention.parts(over), over, "rejected")

    def retry(self, sink: str, seqs: Sequence[Range] | None = None) -> int:
        """Set-aside frames, those in these ranges or all, are owed to the sink again; how many they were."""
        debtor = self._sink(sink)
        return self._log.take_back(debtor, list(debtor.aside) if seqs is None else seqs)

    def forget(self, sink: str, most: int = ENDLESS) -> int:
        """Give up what a sink that is not attached is owed; how many frames it was. Raises StoreError for one that is.

        No more than about `most` at a time: 0 says that nothing is left. The accounts of the sink stay in the ledger;
        its frames count as dropped, `forgotten`.
        """
        debtor = self._sink(sink)
        if debtor in self._attached:
            raise StoreError(f"sink {sink!r} is in use", hint="take it out of the configuration first")
        with mapped(self._path):
            ranges = [run for held in debtor.held for run in held.head(most)]
            self._log.give_up(debtor, self.retention.parts(ranges), ranges, "forgotten")
        return sum(last - first + 1 for first, last in ranges)

    def drop(self, sink: str, entries: Sequence[Entry], reason: str) -> None:
        """The sink will never take these: counted by reason and listed as a loss, with the next transaction."""
        self._log.release(self._sink(sink), self._parts(entries), "dropped", reason)

    def suppress(self, samples: Counter[LeftOut]) -> None:
        """These came but were not worth a frame (unchanged, inside the deadband); counted with the next transaction.

        Taken over: `samples` is empty afterwards, or as it was when the store is closed already (StoreError).
        """
        self._refuse_closed()
        self._log.books.leave_out([sink.id for sink in self._attached], samples)
        samples.clear()

    def unsettled(self) -> Unsettled:
        """What `suppress` was given and no transaction that succeeded has written."""
        return self._log.suppressed, self._log.books.left_out.copy()

    def suppress_again(self, unsettled: Unsettled) -> None:
        """What an earlier store on this file has taken, unless it was written after all; in none of a damaged file."""
        before, samples = unsettled
        if before == self._log.suppressed:
            self.suppress(samples)

    def last(self) -> int:
        """The last seq that was given."""
        return self._log.next - 1

    @property
    def next(self) -> int:
        """The seq that the next frame gets."""
        return self._log.next

    def owed(self, sink: str) -> int:
        """Frames."""
        return self._sink(sink).debt.size

    def warm(self, seconds: float) -> bool:
        """Prepare `ledger` for about so long; False when it would still have to read much of a backlog."""
        with mapped(self._path):
            return self._log.warm(seconds)

    def ledger(self) -> list[Account]:
        """Where each sample of each device went, for each sink that the file knows."""
        with mapped(self._path):
            return self._log.accounts()

    def past(self, at: int) -> Past | None:
        """The ledger as it was at that time (ns UTC), or at the nearest one before that is known."""
        with mapped(self._path):
            return snapshots.past(self._log, at)

    def stats(self) -> Stats:
        with mapped(self._path):
            return stats(self._log, self._log.room.free)

    def tend(self) -> None:
        """Once a second: delete what may go, and write acks for which no frame has come along since the last time.

        Raises StoreError, after that, when the file has lost its name.
        """
        self._log.clocks.look()
        with mapped(self._path):
            self.retention.tend(attached=bool(self._attached))
            self._scrub.step(self.retention.space().used)
            self._report()
            self._settle()
            self._idle = True
            now = self._log.clock.mono()
            if self._log.unsaved and now - self._saved >= _CHECKPOINT_EVERY:
                self._saved = now
                self._log.checkpoint()
        refuse_nameless(self._log.room, self._path)

    def lost(self) -> dict[str, int]:
        """Frames by reason that sinks will never get, since the last call."""
        found = dict(self._log.books.lost)
        self._log.books.lost.clear()
        return found

    def cramped(self) -> bool:
        """Whether the disk is so full that others cannot use it, or the store may need its reserve to be opened."""
        return not self._log.room.ballast or self._log.room.free < _CRAMPED

    def steps(self) -> list[float]:
        """Seconds by which the wall clock was set, each time since the last call."""
        found = [event.step for event in self._log.clocks.steps]
        self._log.clocks.steps.clear()
        return found

    @property
    def state(self) -> State:
        """Small values that survive."""
        return self._log.state

    def sound(self, seconds: float) -> bool:
        """As `look.sound`."""
        with mapped(self._path):
            return sound(self._log.connection, self._path, seconds)

    def adopt(self, other: "Store") -> None:
        """Take over what a store in memory holds; the oldest make room. After a StoreError this one is of no use."""
        room = other.stats().bytes * 9 // 8 + _CRAMPED
        with mapped(self._path):
            while not self._log.room.take(room):
                if not self.retention.make_room(room, attached=bool(other._attached)):  # noqa: SLF001  # two of a kind
                    break
            self.moved[other.epoch] = adopt(self._log, other._log)  # noqa: SLF001  # as above
        self._tail = Tail(self._log.next)

    def take_back(self, first: int) -> None:
        """Frames from this seq on, which were here when the file was opened, count as never committed."""
        log, last = self._log, self.opened - 1
        if last >= first:
            with mapped(self._path):
                log.disown(first, last)
            self._tail = Tail(log.next)

    def knows(self, epoch: str) -> bool:
        """Whether a run of this name has left anything in the file."""
        return any(each.eid.hex() == epoch for each in self._log.epochs.values())

    def abandon(self) -> None:
        """Let go of the file as it is; what was not settled is forgotten, as after a crash."""
        self._closed = True
        self._log.connection.close()
        self._log.room.close()
        self._log.witness.close()

    def close(self) -> None:
        """Write what waits and close the file; twice is fine."""
        if self._closed:
            return
        self._closed = True
        try:
            self._flush(NOTHING)
        finally:
            self.abandon()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"store {self._path} is closed", hint="ask the one that has taken its place")

    def _flush(self, kept: Kept) -> None:
        with mapped(self._path):
            flush(self._log, kept)

    def _settle(self) -> None:
        """Write what has waited for a commit in vain, and once an hour how the ledger stands."""
        log, now = self._log, self._log.clock.wall()
        snapshot = log.clocks.plausible and snapshots.due(log.connection, now)
        if snapshot or (self._idle and log.waiting):
            with log.transaction():
                if snapshot:
                    snapshots.take(log.connection, log.counts(), now)

    def _report(self) -> None:
        """Commit what is to be told of the store itself, together with the mark that it was told."""
        found = reports.due(self._log.connection, self._log.clock) if self._attached else []
        if found:
            marks = [(report.mark, seq, report.row) for seq, report in enumerate(found, self._log.next)]
            self._append([report.frame for report in found], {}, marks)

    def _append(self, frames: Sequence[Frame], kept: Kept, marks: Sequence[Mark] = ()) -> Range:
        self.tried = () if marks else frames
        first = self._log.next
        frames, sizes = commit(self._log, frames, kept, marks)
        self.taken += sum(sizes) + ROW * len(sizes)
        self._idle = False
        self._remember(first, frames, sizes)
        return first, first + len(sizes) - 1

    def _remember(self, first: int, frames: Sequence[Frame], sizes: Sequence[int]) -> None:
        wanted = min((sink.debt.first or self._log.next for sink in self._attached), default=self._log.next)
        self._tail.extend(first, frames, sizes)
        self._tail.trim(wanted)

    def _place(self, entry: Entry) -> int:
        """The seq that the frame has now; it may have been read while it lay in memory."""
        return entry.seq + self.moved.get(entry.epoch, 0) if self.moved else entry.seq

    def _parts(self, entries: Sequence[Entry]) -> dict[int, Part]:
        frames = ((self._place(entry), entry.frame) for entry in entries)
        return {seq: Part(frame.schema.device, len(frame.values), frame.ts) for seq, frame in frames}

    def _sink(self, name: str) -> Debtor:
        if name not in self._log.sinks:
            raise StoreError(f"store {self._path} knows no sink {name!r}", hint="attach it first")
        return self._log.sinks[name]
