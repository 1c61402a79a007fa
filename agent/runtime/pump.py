"""Carries what a sink is owed from the disk to the sink, several sends at a time, and clears what is confirmed."""

import asyncio
from collections.abc import Sequence

from agent.health import Part
from agent.model.errors import Rejected, SinkError, Unavailable
from agent.model.frame import Entry
from agent.northbound.api import Sink
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, attempt, waited

GOODBYE = 5.0  # seconds that a sink may take to close
IDLE = 5.0  # seconds after which an idle pump looks again, commit or not


class Pump:
    """One connection's life; the supervisor starts the next. Ends by itself when `stopping` is set and all is sent."""

    def __init__(
        self, name: str, sink: Sink, storage: Storage, part: Part, backoff: Backoff, stopping: asyncio.Event
    ) -> None:
        self._name, self._sink, self._storage, self._part, self._backoff = name, sink, storage, part, backoff
        self._bell, self._stopping = storage.bell(), stopping

    async def run(self) -> None:
        """Connect, send until the link fails (raises) or the work is done, say goodbye.

        A sink is up when it has confirmed something or is owed nothing: a broker that lets us in and hangs up at the
        first frame, again and again, stays down and is not logged each time.
        """
        try:
            await self._sink.open()
            stats = await self._storage.call(self._storage.store.stats)
            await self._session(history_until=stats.last_seq)
        finally:
            await attempt(self._goodbye(), self._part)

    def wake(self) -> None:
        self._bell.set()

    async def _session(self, history_until: int) -> None:
        cursor = 0
        window = asyncio.Semaphore(1 if self._sink.ordered else max(1, self._sink.window))
        async with asyncio.TaskGroup() as sends:
            while True:
                self._bell.clear()
                stopping = self._stopping.is_set()
                await window.acquire()
                entries = await self._read(cursor, history_until)
                if entries:
                    cursor = entries[-1].seq
                    sends.create_task(self._send_and_release(entries, window), name=f"send:{self._name}")
                    continue
                window.release()
                if not cursor:
                    self._part.up()
                if stopping:
                    return
                await waited(self._bell, IDLE)

    async def _read(self, cursor: int, history_until: int) -> list[Entry]:
        store = self._storage.store
        return await self._storage.call(
            store.read, self._name, self._sink.limit, after=cursor, history_until=history_until
        )

    async def _send_and_release(self, entries: Sequence[Entry], window: asyncio.Semaphore) -> None:
        try:
            await self._deliver(entries)
        finally:
            window.release()

    async def _deliver(self, entries: Sequence[Entry]) -> None:
        try:
            await self._sink.send(entries)
        except Rejected as error:
            await self._clear(_confirmed(entries, error))
            await self._divide(_unconfirmed(entries, error), error)
        except SinkError as error:
            await self._clear(_confirmed(entries, error))
            raise
        else:
            await self._clear(entries)

    async def _divide(self, entries: Sequence[Entry], error: Rejected) -> None:
        """Halve a rejected batch until the entry that is refused stands alone; that one is given up and counted."""
        if len(entries) == 1:
            self._part.refused(f"frame {entries[0].epoch}/{entries[0].seq}", error)
            await self._storage.call(self._storage.store.drop, self._name, entries, "rejected")
            return
        middle = len(entries) // 2
        for half in (entries[:middle], entries[middle:]):
            if half:
                await self._deliver(half)

    async def _clear(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._backoff.succeeded()
            self._part.up()
            await self._storage.call(self._storage.store.ack, self._name, entries)
            self._part.frames += len(entries)

    async def _goodbye(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE):
                await self._sink.close()
        except TimeoutError:
            raise Unavailable(f"{self._name}: did not close within {GOODBYE:g} s") from None


def _confirmed(entries: Sequence[Entry], error: SinkError) -> list[Entry]:
    return [entry for entry in entries if any(first <= entry.seq <= last for first, last in error.done)]


def _unconfirmed(entries: Sequence[Entry], error: SinkError) -> list[Entry]:
    confirmed = {entry.seq for entry in _confirmed(entries, error)}
    return [entry for entry in entries if entry.seq not in confirmed]
