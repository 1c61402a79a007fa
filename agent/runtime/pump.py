"""Carries what a sink is owed from the disk to the sink, several sends at a time, and clears what is confirmed."""

import asyncio
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate

from agent.health import Part
from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Rejected, SinkError, StoreError, Unavailable
from agent.model.frame import Entry
from agent.model.tag import Schema
from agent.normalise.rules import ENDED
from agent.northbound.api import Backfill, Sink, Watchful
from agent.runtime.backfill import Limiter, longest_jitter
from agent.runtime.bisect import Offer, sift
from agent.runtime.lanes import History, Stretch
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, attempt, waited

GOODBYE = 5.0  # seconds that a sink may take to close
IDLE = 5.0  # seconds after which an idle pump looks again, commit or not
TRIES = 3  # of a frame that is refused alone, before it is set aside
PAUSE = 1.0  # seconds between them
SAMPLES = 10_000  # of a send of several frames: more would fill the memory, and hold up the loop to be encoded
LAG = 10 * 10**9  # ns: a frame that has waited longer for the live lane is history
_KNOWN = (SinkError, StoreError, asyncio.CancelledError)  # how a send may end; anything else is a bug


class Pump:
    """Connects and sends until the link fails; the supervisor runs it again. Ends by itself when `stopping` is set and
    all is sent."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        storage: Storage,
        part: Part,
        backoff: Backoff,
        stopping: asyncio.Event,
        backfill: Backfill | None = None,
        *,
        clock: Clock = SYSTEM,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._name, self._sink, self._storage, self._part, self._backoff = name, sink, storage, part, backoff
        self._bell, self._stopping, self._clock, self._jitter = storage.bell(), stopping, clock, jitter
        backfill = backfill or Backfill()
        self._beside = backfill.order == "live_first" and not sink.ordered
        self._limiter = Limiter(backfill.rate, storage.meter.rate)
        self._flight: dict[int, Sequence[Entry]] = {}  # by their first seq; what is left here when a session begins
        self._limit = sink.limit  # fewer while a frame is looked for over which the sink stumbles
        self._few = {"live": 100, "history": 100}  # frames that have about `SAMPLES`, if they are as those before
        self._bugs: dict[int, int] = {}  # that a frame alone has caused
        self._began: dict[int, int] = {}  # when each took its last step, by its first seq; 0: the connecting

    async def run(self) -> None:
        """Connect, send until the link fails (raises) or the work is done, say goodbye.

        A sink is up when it has confirmed something or is owed nothing: a broker that lets us in and hangs up at the
        first frame, again and again, stays down and is not logged each time.
        """
        await self._stumbled()
        self._began = {0: self._clock.mono()}
        try:
            await self._sink.open()
            del self._began[0]
            if await self._wanted():
                while not await self._watched():
                    pass  # the store was mended: what is owed is to be asked anew
        finally:
            await attempt(self._goodbye(), self._part)
            self._began.clear()

    def wake(self) -> None:
        self._bell.set()

    def forget(self) -> None:
        """It has ended, and is not started again."""
        self._storage.silence(self._bell)

    def beat(self, now: int) -> object:
        """When that of what is under way took its last step which has waited longest, and how much has gone out; see
        `agent.runtime.watchdog`. A store that is mended lets all wait."""
        del now
        if not self._began or not self._storage.well:
            return None
        return min(self._began.values()), self._part.sent

    def doing(self) -> str:
        seq = min(self._began, key=lambda seq: self._began[seq], default=0)
        return f"sending frames from {seq} on" if seq else "connecting"

    @property
    def flight(self) -> Mapping[int, Sequence[Entry]]:
        """What is sent and not confirmed, by the first number of each send."""
        return self._flight

    async def _wanted(self) -> bool:
        """Wait until the other side wants something; False when the agent stops before."""
        if not isinstance(self._sink, Watchful):
            return True
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(self._sink.ready(), name=f"ready:{self._name}")
            stop = group.create_task(self._stopping.wait(), name=f"stop:{self._name}")
            await asyncio.wait([ready, stop], return_when=asyncio.FIRST_COMPLETED)
            wanted = ready.done()
            ready.cancel()
            stop.cancel()
        return wanted

    async def _watched(self) -> bool:
        """A session that ends when the other side goes, even when there is nothing to send."""
        if not isinstance(self._sink, Watchful):
            return await self._session()
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._sink.lost(), name=f"watch:{self._name}")
            done = await self._session()
            watch.cancel()
        return done

    async def _session(self) -> bool:
        """Both lanes through one store; True when the work is done."""
        generation = self._storage.generation
        last = await self._storage.call(self._storage.store.last)
        history = History(last, [Stretch(0, last)] if self._beside else [])
        slots = 1 if self._sink.ordered else max(1, self._sink.window)
        async with asyncio.TaskGroup() as group:
            if self._beside:
                group.create_task(self._history(group, history, slots, generation), name=f"history:{self._name}")
            await self._live(group, history, slots, generation)
            history.more.set()
        return generation == self._storage.generation

    async def _live(self, group: asyncio.TaskGroup, history: History, slots: int, generation: int) -> None:
        """Frames as they are committed; without a lane of its own, history comes first here."""
        window, cursor = asyncio.Semaphore(slots), history.boundary if self._beside else 0
        if not self._beside:
            await self._hold_back(history)
        while generation == self._storage.generation:
            if cursor < history.boundary and (delay := self._limiter.delay()):
                await asyncio.sleep(delay)
                continue
            self._bell.clear()
            stopping = self._stopping.is_set()
            await window.acquire()
            entries = await self._read(cursor, history)
            if entries and self._beside and self._lags(entries):
                window.release()
                last = await self._storage.call(self._storage.store.last)
                history.demote(cursor, last)
                cursor = last
                continue
            if entries:
                cursor = entries[-1].seq
                self._limiter.spend(sum(len(entry.frame.values) for entry in entries if entry.history))
                group.create_task(self._send(entries, window), name=f"send:{self._name}")
                continue
            window.release()
            if not self._flight and not history.stretches:
                self._part.up()
                if await self._read(0, history, cursor):  # the store has forgotten answers: see `MOST_RANGES`
                    cursor = 0
                    continue
            if stopping:
                return
            await waited(self._bell, IDLE)

    async def _history(self, group: asyncio.TaskGroup, history: History, slots: int, generation: int) -> None:
        """What waited, beside the live lane and at its own rate."""
        window = asyncio.Semaphore(slots)
        await self._hold_back(history)
        while generation == self._storage.generation:
            stretch = history.next
            if stretch is None:
                self._bell.set()
                if self._stopping.is_set():
                    return
                history.more.clear()
                await waited(history.more, IDLE)
                continue
            if delay := self._limiter.delay():
                await asyncio.sleep(delay)
                continue
            await window.acquire()
            entries = await self._read(stretch.after, history, stretch.until, "history")
            history.advance(entries)
            if entries:
                self._limiter.spend(sum(len(entry.frame.values) for entry in entries))
                group.create_task(self._send(entries, window), name=f"send:{self._name}")
            else:
                window.release()

    async def _hold_back(self, history: History) -> None:
        """Gateways that lost their platform together do not all bring their history in the same second."""
        store = self._storage.store
        oldest = await self._storage.call(store.read, self._name, 1, until=history.boundary)
        if oldest:
            age = (self._clock.wall() - oldest[0].frame.ts) / 1e9
            await waited(self._stopping, self._jitter(0.0, longest_jitter(age)))

    def _lags(self, entries: Sequence[Entry]) -> bool:
        """Whether the first has waited for too long. What was made of an interval that is over is no older for that."""
        mono = next((entry.frame.mono for entry in entries if not _has_ended(entry.frame.schema)), 0)
        return bool(mono) and self._clock.mono() - mono > LAG

    async def _read(self, after: int, history: History, until: int = 2**63 - 1, lane: str = "live") -> list[Entry]:
        store, limit = self._storage.store, min(self._limit, self._few[lane])
        read = await self._storage.call(
            store.read, self._name, limit, after=after, until=until, history_until=history.boundary
        )
        samples = list(accumulate(len(entry.frame.values) for entry in read))
        if samples:
            self._few[lane] = max(1, SAMPLES * len(read) // max(samples[-1], 1))
        return read[: max(1, bisect_right(samples, SAMPLES))]

    async def _owes(self, seq: int) -> bool:
        return bool(await self._storage.call(self._storage.store.read, self._name, 1, after=seq - 1, until=seq))

    async def _send(self, entries: Sequence[Entry], window: asyncio.Semaphore) -> None:
        self._flight[entries[0].seq] = entries
        self._began[entries[0].seq] = self._clock.mono()
        try:
            await self._deliver(entries, partial(self._offer, entries[0].seq))
        except _KNOWN:
            del self._flight[entries[0].seq]
            raise
        finally:
            self._began.pop(entries[0].seq, None)
            window.release()
        del self._flight[entries[0].seq]
        self._bugs = {seq: bugs for seq, bugs in self._bugs.items() if await self._owes(seq)}
        if self._limit < self._sink.limit and not self._bugs:
            self._limit = min(self._sink.limit, 2 * self._limit)

    async def _deliver(self, entries: Sequence[Entry], offer: Offer) -> None:
        """What is refused is tried again alone, twice, and then set aside."""
        refused = await sift(entries, offer)
        for _ in range(TRIES - 1):
            if refused:
                await waited(self._stopping, PAUSE)
                refused = [again for entry, _ in refused for again in await sift([entry], offer)]
        for each in refused:
            await self._set_aside(*each)

    async def _offer(self, first: int, entries: Sequence[Entry]) -> Rejected | None:
        """A part of the send that began with frame `first`."""
        self._began[first] = self._clock.mono()
        try:
            await self._sink.send(entries)
        except Rejected as error:
            await self._clear(_confirmed(entries, error))
            return error
        except SinkError as error:
            await self._clear(_confirmed(entries, error))
            raise
        await self._clear(entries)
        return None

    async def _set_aside(self, entry: Entry, error: Exception, tries: int = TRIES) -> None:
        self._part.set_aside(f"frame {entry.epoch}/{entry.seq} of {entry.frame.schema.device}", error)
        await self._storage.call(self._storage.store.set_aside, self._name, [entry], str(error), tries)

    async def _clear(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._backoff.succeeded()
            self._part.up()
            await self._storage.call(self._storage.store.ack, self._name, entries)
            self._part.frames += len(entries)
            self._part.confirmed = time.monotonic()

    async def _stumbled(self) -> None:
        """The last session ended over a bug: narrow down which frame it is, and set that one aside."""
        flight = list(self._flight.values())
        self._flight.clear()
        for entries in flight:
            if len(entries) > 1:
                self._limit = max(1, len(entries) // 2)
                continue
            (entry,) = entries
            self._bugs[entry.seq] = self._bugs.get(entry.seq, 0) + 1
            if self._bugs[entry.seq] >= TRIES:
                del self._bugs[entry.seq]
                await self._set_aside(entry, StoreError(f"the sink stumbles over it: {self._part.error}"))

    async def _goodbye(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE):
                await self._sink.close()
        except TimeoutError:
            raise Unavailable(f"{self._name}: did not close within {GOODBYE:g} s") from None


def _has_ended(schema: Schema) -> bool:
    return schema.made and ENDED.fullmatch(schema.group) is not None


def _confirmed(entries: Sequence[Entry], error: SinkError) -> list[Entry]:
    return [entry for entry in entries if any(first <= entry.seq <= last for first, last in error.done)]
