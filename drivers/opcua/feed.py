"""What a session's subscriptions send, as frames: asked for all the time, held here until the consumer takes them.

There is no task here: each message of the server, when it arrives, puts its frames into the deque and asks for the next
message; the consumer's own wait looks every second whether the server and each subscription still live, and whether
something that the server refused is to be tried again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from asyncua import ua

from agent.model.clock import Clock
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from drivers.opcua.columns import TICKS_1970
from drivers.opcua.events import Events
from drivers.opcua.gap import Gap
from drivers.opcua.group import Group, all_refused
from drivers.opcua.notify import Batch, Message
from drivers.opcua.refusal import name
from drivers.opcua.session import Session
from drivers.opcua.stream import Stream
from drivers.opcua.watch import ServerClock, look

PUBLISHERS = 2  # publish requests that always wait at the server, so that it never has to wait for one
QUIET = 2.0  # seconds without any message after which the server is asked whether it is there
CHECK = 5.0  # seconds between two looks at its clock
TICK = 1.0  # seconds between two looks at all that
LIMIT = 100_000  # samples that may wait for the consumer


class Feed:
    """An async iterator of frames; it subscribes with the first step, and `stop()` ends it.

    Raises Unreachable when the session is lost, or it or one of its subscriptions falls silent, or the server's clock
    stands or goes back; Garbled; Refused when the server takes none of the tags. When the consumer is slow the oldest
    frames go, and `dropped` counts samples. With `since` (ns UTC, the source's clock) it begins with what the server
    kept from then on. `newest` is the youngest time of a value, `heard` when the server last spoke (ns UTC, ours).
    `errand` gives something else to do with the server, while there is any, and that the groups that grew by it.
    """

    def __init__(
        self,
        session: Session,
        groups: Sequence[Group],
        clock: Clock,
        *,
        server: ServerClock | None = None,
        since: int = 0,
        limit: int = LIMIT,
        events: Sequence[Events] = (),
        errand: Callable[[], Awaitable[Sequence[Group]] | None] | None = None,
    ) -> None:
        self.dropped = self.newest = self.heard = 0
        self.gap: Gap | None = None
        self._session, self._groups, self._clock = session, groups, clock
        self._server, self._since, self._limit = server or ServerClock(), since, limit
        self._streams: dict[int, Stream] = {}
        self._events, self._ears, self._errand = events, dict[int, Events](), errand
        self._waiting: deque[Frame] = deque()
        self._history: AsyncIterator[list[Frame]] | None = None
        self._samples = self._asked = 0
        self._heard = self._look_at = self._check_at = 0.0
        self._wake = asyncio.Event()
        self._started = self._stopped = False
        self._failure: DeviceError | None = None

    def __aiter__(self) -> "Feed":
        return self

    async def __anext__(self) -> Frame:
        if not self._started:
            await self._start()
        if self._now() >= self._look_at:
            await self._look()
        if self._history is not None:
            await self._turn_page(self._history)
        while not self._waiting:
            await self._wait()
        frame = self._waiting.popleft()
        self._samples -= len(frame.values)
        return frame

    @property
    def streams(self) -> Sequence[Stream]:
        return list(self._streams.values())

    @property
    def _sources(self) -> list[Stream | Events]:
        return [*self._streams.values(), *self._ears.values()]

    def stop(self) -> None:
        """No more asking; what waits here is given up."""
        self._stopped = True
        self._waiting.clear()
        self._fail(Unreachable(f"{self._session.endpoint}: closed"))

    async def _start(self) -> None:
        self._started = True
        for group in self._groups:
            stream = Stream(group)
            self._tell(stream, await stream.open(self._now()))
            self._streams[stream.number] = stream
        told = [await self._listen(events) for events in self._events]
        empty = not any(told) and not any(stream.items for stream in self._streams.values())
        if self._groups and empty and self._errand is None:
            raise all_refused(self._groups[0].plan.schema.device, self._groups)
        self._heard = self._now()
        for source in self._sources:
            source.heard = self._heard
        if self._since:
            self.gap = Gap(self._since, self._clock.wall())
            self._history = self._past(self.gap)
        self._fill()

    def _fill(self) -> None:
        """Have the server hold as many requests as it is to, once there is a subscription that they may be for."""
        while self._sources and self._asked < PUBLISHERS:
            self._ask([])

    async def _adopt(self, group: Group) -> None:
        """A group that has grown, or that is new: a subscription goes on with it."""
        name = group.plan.schema.group
        stream = next((each for each in self._streams.values() if each.group.plan.schema.group == name), None)
        if stream is not None:
            stream.grow(group, self._now())
            self._tell(stream, await stream.retry(self._now()))
            return
        stream = Stream(group, heard=self._now())
        self._tell(stream, await stream.open(self._now()))
        self._streams[stream.number] = stream
        self._fill()

    async def _run_errand(self) -> bool:
        """A part of what else there is to be done; whether there was anything."""
        errand = self._errand() if self._errand is not None and self._history is None else None
        if errand is None:
            return False
        for group in await errand:
            await self._adopt(group)
        return True

    def _tell(self, stream: Stream, bad: dict[int, int]) -> None:
        if bad:
            self._hold(stream.group.plan.columns.refused(bad, self._clock.wall(), self._clock.mono()))

    async def _listen(self, events: Events) -> bool:
        """Whether the server tells these events; without them the rest goes on."""
        try:
            await events.open()
        except Refused as error:
            if not self._groups:
                raise
            events.refused[events.schema.group] = str(error)
            self._hold(bad_frame(events.schema, Quality.BAD_CONFIG, self._clock.wall(), self._clock.mono()))
            return False
        self._ears[events.number] = events
        return True

    async def _wait(self) -> None:
        """Until there is something to hand out, or to raise."""
        if self._failure is not None:
            raise self._failure
        if self._now() >= self._look_at:
            await self._look()
            return
        if await self._run_errand():
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(TICK):
                await self._wake.wait()
        except TimeoutError:
            await self._look()

    async def _look(self) -> None:
        """Whether the server and every subscription still live."""
        now = self._now()
        self._look_at = now + TICK
        await self._session.tend()
        if any(now - each.heard > each.patience for each in self._sources):
            raise Unreachable(f"{self._session.endpoint}: a subscription fell silent")
        if now - self._heard > QUIET or now >= self._check_at:
            await self._check()
        for stream in self._streams.values():
            await stream.retry(now)
        for events in self._ears.values():
            if events.stale:
                await events.refresh()
        await self._run_errand()

    async def _check(self) -> None:
        """Ask for the server's time, which says that it is there, too."""
        self._check_at = self._now() + CHECK
        wrong = await look(self._session, self._server, self._clock)
        if wrong:
            raise Unreachable(f"{self._session.endpoint}: {wrong}")

    async def _past(self, gap: Gap) -> AsyncIterator[list[Frame]]:
        """What the server kept from the gap's start until now, by its own clock."""
        said, _ = await self._session.status()
        gap.end = (said - TICKS_1970) * 100 if said else gap.end
        for group in self._groups:
            async for batch in gap.pages(self._session, group):
                yield group.plan.columns.frames(batch, self._clock.wall(), self._clock.mono())

    async def _turn_page(self, history: AsyncIterator[list[Frame]]) -> None:
        """One page of history, and then what came meanwhile: neither holds up the other."""
        try:
            for frame in await anext(history):
                self._hold(frame)
        except StopAsyncIteration:
            self._history = None

    def _ask(self, acknowledge: Sequence[ua.SubscriptionAcknowledgement]) -> None:
        self._asked += 1
        self._session.publish(acknowledge, self._answered)

    def _answered(self, outcome: Message | DeviceError) -> None:
        """One of the waiting publish requests is over: take what it brought, and send the next."""
        self._asked -= 1
        if self._stopped:
            return
        try:
            if isinstance(outcome, DeviceError):
                raise outcome
            self._ask(self._take(outcome))
        except Refused as error:
            if not self._asked:  # a server may let fewer requests wait than we send
                self._fail(error)
        except DeviceError as error:
            self._fail(error)

    def _take(self, message: Message) -> list[ua.SubscriptionAcknowledgement]:
        """Hold the frames of one message; what is to be acknowledged of it."""
        self._heard, self.heard = self._now(), self._clock.wall()
        stream = self._streams.get(message.subscription)
        if stream is not None:
            stream.heard = self._heard
        ear = self._ears.get(message.subscription)
        if ear is not None:
            ear.heard = self._heard
            for frame in ear.read(message, self.heard, self._clock.mono()):
                self._hold(frame)
        if message.ended is not None:
            raise Unreachable(f"{self._session.endpoint}: the server ended a subscription: {name(message.ended)}")
        if message.empty:
            return []
        for batch in message.changes:
            if stream is not None:
                self._changed(stream, batch)
        return [ua.SubscriptionAcknowledgement(ua.UInt32(message.subscription), ua.UInt32(message.sequence))]

    def _changed(self, stream: Stream, batch: Batch) -> None:
        if max(batch.handles, default=0) >= len(stream.group.nodes):
            raise Garbled(f"{self._session.endpoint}: a change of a tag that was not asked for")
        if self._history is not None and self.gap is not None:
            self.gap.meet(stream.group.plan.schema, batch)
        if batch.codes:
            stream.look(batch, self._heard)
        for frame in stream.group.plan.columns.frames(batch, self.heard, self._clock.mono()):
            self.newest = max(self.newest, *frame.stamps or ())
            self._hold(frame)

    def _hold(self, frame: Frame) -> None:
        self._waiting.append(frame)
        self._samples += len(frame.values)
        while self._samples > self._limit and len(self._waiting) > 1:
            oldest = len(self._waiting.popleft().values)
            self._samples -= oldest
            self.dropped += oldest
        self._wake.set()

    def _fail(self, error: DeviceError) -> None:
        self._failure = self._failure or error
        self._wake.set()

    def _now(self) -> float:
        return self._clock.mono() / 1e9
