"""Sees that there is a store: on the disk if that works, mended if it was damaged, in memory while all else fails.

The ladder, each step only when the one before did not help:

1. the file is closed and opened again: what failed once may have been the moment;
2. it is looked at: what SQLite finds sound goes on being used, and nothing is thrown away for one bad read;
3. it is put aside, and a new one takes over every frame whose checksum holds (`rebuild.py`);
4. a store in memory takes its place, a few minutes' worth, until the disk works again; then its frames move there.
"""

import errno
import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.model import host
from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Damaged, DiskFailed, StoreError
from buffer.database import mapped
from buffer.ledger import Unsettled
from buffer.limits import Limits as InFile
from buffer.look import read_through
from buffer.opening import ENDLESS
from buffer.rebuild import Salvaged, rebuild, unfinished
from buffer.store import Store
from buffer.witness import place, testimony

IN_MEMORY = 8 << 20  # bytes of a store in memory
GLANCE = 0.5  # seconds for a look at the file at each start
LOOK = 60.0  # seconds for one after an error that speaks of damage
_LOOKS = 3  # times that a file is opened before it is called damaged
_SOON = 3600 * 10**9  # ns: a file that is damaged again within that time is looked at ten times as long
_PATIENCE = 60 * 10**9  # ns: what cannot be read for so long is not waited for
_OURS_TO_MEND = {errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ENODEV, errno.ENXIO}


@dataclass(frozen=True, slots=True)
class Limits:
    """As for `Store.open`."""

    keep: float
    max_size: int
    reserve: int


class Keeper:
    """Opens the store of one data directory, and mends it; runs in the owner thread."""

    def __init__(self, path: Path, limits: Limits, *, boot: str, clock: Clock = SYSTEM) -> None:
        self._path, self._limits, self._boot, self._clock = path, limits, boot, clock
        self._sinks: tuple[list[str], list[str]] = [], []
        self._owed_to_all = False  # frames were saved of which nobody knows who has them
        self._memories: list[Store] = []  # whose frames are to go to the disk, the oldest first; one of them serves
        self._moving: Store | None = None  # the last one with which that was tried
        self._illegible = 0  # monotonic ns since when the file cannot be read from end to end; 0: it can
        self._look, self._damaged_at = LOOK, -_SOON
        self._unsettled: Unsettled = 0, Counter()  # of the last store on the disk
        self._doubtful = 0  # seq of a commit that was said to have failed, and was made again in memory; 0: none
        self.store: Store
        self.trouble: StoreError | None = None  # why `heal` could not go back to the disk
        self.notes: list[str] = []  # what had to be done, for the log; who has said it takes it away
        self.tidings: list[str] = []  # the same of what is no trouble

    def attach(self, sinks: list[str], oldest: list[str]) -> None:
        """As `Store.attach`; remembered for every store that comes after this one."""
        self._sinks = sinks, sinks if self._owed_to_all else oldest
        try:
            self.store.attach(*self._sinks)
        except (DiskFailed, Damaged) as error:
            self.heal(damaged=isinstance(error, Damaged))

    def limit(self, limits: Limits) -> None:
        """Keep so much from now on."""
        self._limits = limits
        if not self.store.volatile:
            self.store.retention.limit(InFile(round(limits.keep * 1e9), limits.max_size, limits.reserve))

    def open(self) -> Store:
        """The store on the disk, or in memory if only the disk is to blame. Raises StoreError if a person is needed."""
        try:
            self.store = self._on_disk(GLANCE)
        except DiskFailed as error:
            if not self._may_pass():
                raise
            said = testimony(place(self._path))
            self._use_memory(said.last + 1 if said else 1)
            self.notes.append(f"working in memory: {error}")
        return self.store

    def heal(self, *, damaged: bool = False) -> int:
        """After an error of the store: a store that works, see `store`, and what is in the way of a better one.

        Returns how many of the frames whose commit was said to have failed are on the disk all the same. While there
        is `trouble` the store lies in memory; call again to see whether the disk has come back.
        """
        hurt, arrived, self.trouble = self.store, 0, None
        if not hurt.volatile:
            hurt.abandon()
            self._doubtful = hurt.next if hurt.tried else 0
            self._unsettled = hurt.unsettled()
        try:
            fresh = self._on_disk(GLANCE if hurt.volatile else self._look_for(damaged=damaged))
            arrived = 0 if hurt.volatile else max(0, fresh.opened - hurt.next)
            with ExitStack() as undo:
                undo.callback(fresh.abandon)
                fresh.moved |= hurt.moved
                if hurt.volatile and self._doubtful:
                    fresh.take_back(self._doubtful)
                self._doubtful = 0
                self._move_to(fresh)
                fresh.attach(*self._sinks)
                fresh.suppress_again(self._unsettled)
                self._unsettled = 0, Counter()
                undo.pop_all()
            self.store = fresh
        except StoreError as error:
            self.trouble = error
        finally:
            if self.store is hurt and (hurt not in self._memories or hurt is self._moving):
                self._use_memory(hurt.next + arrived)
                self.store.attach(*self._sinks)
        return arrived

    def _look_for(self, *, damaged: bool) -> float:
        """Seconds: what the last look has not reached in a large file is found by a longer one."""
        if not damaged:
            return LOOK
        now = self._clock.mono()
        self._look = 10 * self._look if now - self._damaged_at < _SOON else LOOK
        self._damaged_at = now
        return self._look

    def _use_memory(self, first: int) -> None:
        self.store = Store.in_memory(clock=self._clock, boot=self._boot, max_size=IN_MEMORY, first=first)
        self._memories.append(self.store)

    def _move_to(self, fresh: Store) -> None:
        """All that lies in memory. A move that fails may have been made all the same, so nothing is added after it."""
        while self._memories:
            self._moving = self._memories[0]
            if fresh.knows(self._moving.epoch):
                fresh.moved[self._moving.epoch] = -ENDLESS  # nobody knows where to
            else:
                fresh.adopt(self._moving)
            self._moving.abandon()
            del self._memories[0]
            self.notes += [] if self._memories else ["back on the disk"]

    def _on_disk(self, look: float) -> Store:
        if unfinished(self._path):
            self._rebuild()
        for _ in range(_LOOKS):
            try:
                store = self._opened()
            except Damaged:
                continue
            if self._sound(store, look):
                self._illegible = 0
                return store
        self._read_through()
        done = self._rebuild()
        store = self._opened()
        if not done.known:
            self._owed_to_all, self._sinks = True, (self._sinks[0], self._sinks[0])
        return store

    def _sound(self, store: Store, look: float) -> bool:
        """A store that is not sound, or cannot be read, is closed."""
        with ExitStack() as undo:
            undo.callback(store.abandon)
            if sound := store.sound(look):
                undo.pop_all()
        return sound

    def _read_through(self) -> None:
        """Raises DiskFailed when the disk is to blame; but pages that it does not give for a while are lost."""
        try:
            read_through(self._path)
        except DiskFailed:
            now = self._clock.mono()
            self._illegible = self._illegible or now
            if now - self._illegible < _PATIENCE:
                raise

    def _opened(self) -> Store:
        limits = self._limits
        store = Store.open(
            self._path,
            clock=self._clock,
            boot=self._boot,
            keep=limits.keep,
            max_size=limits.max_size,
            reserve=limits.reserve,
            tell=self.tidings.append,
        )
        if store.missing:
            self.notes.append(f"the store went back in time: {store.missing:,} frames are gone")
        return store

    def _rebuild(self) -> Salvaged:
        with mapped(self._path):
            done = rebuild(self._path, self._clock)
        self.notes.append(f"the store was damaged: {done}")
        return done

    def _may_pass(self) -> bool:
        """Whether the disk fails by itself, so that it may work again without a person; rights do not."""
        try:
            probe = self._path.with_name("probe")
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | host.RAW, 0o600))
            probe.unlink()
        except OSError as error:
            return error.errno in _OURS_TO_MEND
        return True
