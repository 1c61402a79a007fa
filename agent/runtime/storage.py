"""The store as the event loop sees it: every call goes to the owner thread; the writer task commits the inlet."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

from agent.health import Durations, Part, Pulse
from agent.model.errors import Damaged, DiskFailed, StoreError
from agent.model.frame import Frame
from agent.runtime.backfill import Meter
from agent.runtime.inlet import Inlet
from agent.runtime.latest import Commit, Latest
from agent.runtime.supervise import Backoff
from buffer.keeper import Keeper, Limits
from buffer.ledger import LeftOut
from buffer.state import MOST, Kept
from buffer.store import Store
from buffer.writer import Writer

P = ParamSpec("P")
R = TypeVar("R")
LOST = {  # what the store itself gives up; what a sink refuses is said by its pump
    "age": "a sink was away for longer than `keep`",
    "size": "a sink was away until `max_size` was full",
    "reserve": "a sink is away, and the disk has less free than `reserve`",
    "full": "a sink is away, and the disk is full",
    "corrupt": "damaged on the disk",
    "missing": "no longer in the file",
    "rollback": "the store went back in time",
}
STORE = "store.db"  # in the data directory
FIRST = 0.02  # seconds that the first frames of a run wait for others: whoever starts it waits for them
QUIET = 10.0  # seconds without a frame after which what was left out is written by itself
TEND = 1.0  # seconds between two rounds of purging and checkpointing


class Account(Protocol):
    """What the steps of all frames have to say at a commit: see `agent.normalise.Steps`."""

    def kept(self, mono: int, *, all_of_it: bool = False) -> dict[str, bytes | None]: ...
    def suppressed(self) -> Counter[LeftOut]: ...


class Storage:
    """Commits in groups and tells the pumps; nothing else in the agent touches the store.

    When the store fails, its `keeper` mends it (`mend`) and commits wait for that. `generation` then goes up: what a
    pump thinks it has sent, or is owed, is to be asked anew.
    """

    def __init__(
        self,
        owner: Writer,
        inlet: Inlet,
        part: Part,
        commit: float,
        backoff: Backoff,
        keeper: Keeper | None = None,
        steps: Account | None = None,
    ) -> None:
        self._steps = steps
        self._owner, self._inlet, self._part, self._commit, self._backoff = owner, inlet, part, commit, backoff
        self._keeper = keeper
        self._probe: Future[int] | None = None
        self._heals = 0  # tries to mend it
        self._attaching = False  # which may mend it, too
        self._hurt, self._mended = asyncio.Event(), asyncio.Event()
        self._mended.set()
        self._damaged = False  # whether the file is in doubt, and not only the disk
        self.generation = 0
        self.meter = Meter()  # of the samples that are committed
        self.inflow = Meter()  # of the bytes that they take in the file
        self.commits = Durations()
        self.steps = 0  # times that the wall clock was set,
        self.step: float | None = None  # and by how many seconds the last time
        self.latest = Latest()  # of what is committed
        self._begun = False  # whether anything was committed
        self._frames: list[Frame] = []  # what is being committed; kept when that fails
        self._last = time.monotonic()  # when there was something to commit
        self._suppressed: Counter[LeftOut] = Counter()  # samples that the store does not have yet
        self._kept: dict[str, bytes | None] = {}  # state that goes with the next commit; kept when that fails
        self._share: int | None = None  # how many of them at a time; None: all
        self._trying = False  # still set when `run` begins anew: the store did not fail, the frames were no good
        self._bells: list[asyncio.Event] = []

    def pulse(self, patience: float) -> Pulse:
        """Of the owner thread, which takes a call of no weight now and then."""
        return Pulse(patience, self._thread_beat, lambda: "waiting for the disk")

    def mending(self, patience: float) -> Pulse:
        return Pulse(patience, lambda _: None if self.well else self._heals, lambda: "mending the store")

    def writing(self, patience: float) -> Pulse:
        """Of who commits what waits: lines and steps rest as long as the inlet is full."""
        return Pulse(patience, self._commit_beat, lambda: f"with {self._inlet.size:,} bytes to be committed")

    def _commit_beat(self, now: int) -> object:
        del now
        waits = self._frames or len(self._inlet)
        return (self._part.frames, self._part.failures) if waits and self.well else None

    @property
    def well(self) -> bool:
        """Whether nothing is mended, or to be."""
        return self._mended.is_set() and not self._attaching

    def _thread_beat(self, now: int) -> object:
        if not self.well:
            self._probe = None
        elif self._probe is None or self._probe.done():
            self._probe = self._owner.call(lambda: now)
        return self._probe

    def waiting(self) -> Iterator[Frame]:
        """What is not on the disk yet, the oldest first."""
        yield from self._frames
        yield from self._inlet

    @property
    def store(self) -> Store:
        """The one that serves now; a call that still goes to the one before it raises StoreError."""
        return self._owner.store

    def bell(self) -> asyncio.Event:
        """An event that is set after each commit; its owner clears it."""
        event = asyncio.Event()
        event.set()
        self._bells.append(event)
        return event

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """As `bell`, for a while."""
        event = self.bell()
        try:
            yield event
        finally:
            self.silence(event)

    def silence(self, bell: asyncio.Event) -> None:
        """Its owner listens no more."""
        self._bells.remove(bell)

    async def attach(self, sinks: list[str], oldest: list[str]) -> None:
        """From now on frames are owed to these sinks; see `Store.attach`. Raises StoreError."""
        before = self.store
        if self._keeper is not None:
            self._attaching = True
            try:
                await asyncio.wrap_future(self._owner.attach(self._keeper, sinks, oldest))
            finally:
                self._attaching = False
        if self.store is not before:
            self.ask_anew()

    async def limit(self, limits: Limits, commit: float) -> None:
        """What the store keeps from now on, and how often is committed."""
        self._commit = commit
        if self._keeper is not None:
            await self.call(self._keeper.limit, limits)

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in the owner thread. A call that has begun is finished even when the caller is cancelled."""
        try:
            return await asyncio.wrap_future(self._owner.call(function, *args, **kwargs))
        except (Damaged, DiskFailed) as error:
            if self._keeper is not None:
                self._damaged |= isinstance(error, Damaged)
                self._hurt.set()
                self._mended.clear()
            raise

    def learn(self, device: str, what: bytes) -> None:
        """Keep what a device has learnt: it is committed with the next frames."""
        if len(what) > MOST:
            self._part.noticed(f"device {device} has learnt {len(what):,} bytes, too many to be kept", logging.WARNING)
            return
        self._kept[_learnt(device)] = what

    async def recall(self, device: str) -> bytes | None:
        """What was kept for a device, by this run or an earlier one. Raises StoreError."""
        waiting = self._kept.get(_learnt(device))
        return waiting or await self.call(self.store.state.get, _learnt(device))

    async def recall_all(self) -> dict[str, bytes]:
        """Everything that was kept, by this run or an earlier one. Raises StoreError."""
        return await self.call(lambda: dict(self.store.state.items()))

    async def keep(self, key: str, value: bytes) -> None:
        """On the disk when this returns, or in memory while the disk fails. Raises StoreError."""
        await self._mended.wait()
        await self.call(self.store.append, [], {key: value})

    async def mend(self, part: Part) -> None:
        """Wait until the store fails, and see to it; for ever. Raises StoreError as long as only memory works."""
        assert self._keeper is not None
        while True:
            self._said(part)
            if self.store.volatile:
                self._hurt.set()
            else:
                part.up()
            await self._hurt.wait()
            self._hurt.clear()
            await self._heal(self._keeper)

    async def rescue(self) -> None:
        """At the end, when nobody mends any more: one more try for what lies in memory. Raises StoreError in vain."""
        if self._keeper is not None and self.store.volatile and self._mended.is_set():
            await self._heal(self._keeper)

    async def _heal(self, keeper: Keeper) -> None:
        before, damaged, self._damaged = self.store, self._damaged, False
        self._heals += 1
        self._mended.clear()  # nothing is to be added to a memory that is on its way to the disk
        try:
            arrived = await asyncio.wrap_future(self._owner.heal(keeper, damaged=damaged))
            if before.tried and self._frames and before.tried[0] is self._frames[0]:  # no report of the store's own
                self.latest.add(self._frames[:arrived])
                del self._frames[:arrived]
        finally:
            self._mended.set()
            if self.store is not before:
                self.generation += 1
                self.latest.forget_marks()
            self.ring()
        if keeper.trouble is not None:
            raise keeper.trouble

    def _said(self, part: Part) -> None:
        """What the keeper had to do is an event of its own, each time."""
        while self._keeper and self._keeper.notes:
            part.noticed(self._keeper.notes.pop(0))
        while self._keeper and self._keeper.tidings:
            part.noticed(self._keeper.tidings.pop(0), logging.INFO)

    def ask_anew(self) -> None:
        """Somebody else has changed what sinks are owed: pumps forget how far they have come."""
        self.generation += 1
        self.ring()

    def ring(self) -> None:
        """There is something new in the store."""
        for bell in self._bells:
            bell.set()

    async def run(self) -> None:
        """Commit what comes until the inlet is closed and drained. Raises StoreError; called again, it goes on.

        Frames over which the store stumbles in a way nobody foresaw are tried one by one; the one that does it is
        given up, so that a bug in one driver does not keep the others from the disk.
        """
        if self._trying:
            self._stumbled()
        while self._frames or (await self._fill()):
            await self._mended.wait()  # which may find that some of them are on the disk already
            await self._append(self._frames[: self._share])
            del self._frames[: self._share]
            self._share = self._share if self._frames else None
            self._backoff.succeeded()
            self._part.up()
            self.ring()
        await self._mended.wait()
        self._account(all_of_it=True)
        await self._write([], dict(self._kept))

    async def _append(self, frames: list[Frame]) -> None:
        """State goes with the last of what was taken: it knows of all of it."""
        kept = dict(self._kept) if len(frames) == len(self._frames) else {}
        self._trying, store = True, self.store
        taken = store.taken
        try:
            first = await self._write(frames, kept)
        except StoreError:
            self._trying = False
            raise
        self._trying = False
        self._part.frames += len(frames)
        self.latest.add(frames, first, Commit(store.epoch, time.time_ns()))
        self.meter.add(sum(len(frame.values) for frame in frames))
        self.inflow.add(store.taken - taken)

    async def _write(self, frames: list[Frame], kept: dict[str, bytes | None]) -> int:
        """The number of the first frame. Nothing waits between the look at `_kept` and the call, so that no older state
        comes after a newer one."""
        left_out, self._suppressed, began = self._suppressed, Counter(), time.monotonic()
        try:
            first = await self.call(_commit, self.store, frames, kept, left_out)
            self.commits.add(time.monotonic() - began)
        except StoreError:
            self._suppressed.update(left_out)  # none, if the store has taken it
            raise
        self._kept = {key: value for key, value in self._kept.items() if key not in kept or kept[key] is not value}
        return first

    def _stumbled(self) -> None:
        self._trying = False
        if self._share == 1 or len(self._frames) == 1:
            bad = self._frames.pop(0)
            error = StoreError("the store cannot hold it", hint="report this, with the traceback above")
            self._part.refused(f"a frame of {bad.schema.device}", error)
        self._share = 1 if self._frames else None

    async def tend(self, part: Part, every: float = TEND) -> None:
        """Keep house every second, for ever. Raises StoreError; called again, it goes on."""
        cramped = False
        while True:
            await asyncio.sleep(every)
            await self._quiet()
            await self.call(self.store.tend)
            part.up()
            before, cramped = cramped, await self.call(self.store.cramped)
            if cramped and not before:
                part.noticed("the disk is full: free some space; the store goes on within what it has")
            for seconds in await self.call(self.store.steps):
                self.steps, self.step = self.steps + 1, seconds
                part.noticed(f"the wall clock was set by {seconds:+,.1f} s", logging.WARNING)
            for reason, frames in (await self.call(self.store.lost)).items():
                if reason in LOST:
                    part.refused(f"{frames:,} frames", StoreError(LOST[reason]))

    async def _fill(self) -> bool:
        self._frames = await self._inlet.take(self._commit if self._begun else min(self._commit, FIRST))
        self._begun = True
        self._account()
        return bool(self._frames)

    async def _quiet(self) -> None:
        """When nothing is worth a frame for long, what was left out and what the steps know is kept all the same."""
        now = time.monotonic()
        if self._frames or len(self._inlet):
            self._last = now
        elif now - self._last >= QUIET and self._mended.is_set():
            self._last = now
            self._account()
            if self._suppressed or self._kept:
                await self._write([], dict(self._kept))

    def _account(self, *, all_of_it: bool = False) -> None:
        """What the steps know after the frames that were taken, and what they left out: right after taking them."""
        if self._steps is not None:
            self._kept |= self._steps.kept(time.monotonic_ns(), all_of_it=all_of_it)
            self._suppressed += self._steps.suppressed()


def _learnt(device: str) -> str:
    return f"learnt/{device}"


def _commit(store: Store, frames: Sequence[Frame], kept: Kept, left_out: Counter[LeftOut]) -> int:
    """The number of the first of these."""
    store.suppress(left_out)
    first, _ = store.append(frames, kept)
    return first
