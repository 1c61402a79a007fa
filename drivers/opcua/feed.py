"""What a session's subscriptions send, as frames: asked for all the time, held here until the consumer takes them.

There is no task here: each message of the server, when it arrives, puts its frames into the deque and asks for the next
message; the consumer's own wait looks every second whether the server and each subscription still live, and whether
something that the server refused is to be tried again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.clock import Clock
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.opcua.columns import stamp
from drivers.opcua.events import Events
from drivers.opcua.gap import Gap, Times, times
from drivers.opcua.group import Group, all_refused
from drivers.opcua.notify import Batch, Message
from drivers.opcua.plan import move
from drivers.opcua.pulse import Numbers
from drivers.opcua.refusal import ServiceRefused, name
from drivers.opcua.session import Session
from drivers.opcua.stream import Stream
from drivers.opcua.tally import Tally
from drivers.opcua.watch import ServerClock, look

PUBLISHERS = 2  # publish requests that always wait at the server, so that it never has to wait for one
QUIET = 2.0  # seconds without any message after which the server is asked whether it is there
CHECK = 5.0  # seconds between two looks at its clock
TICK = 1.0  # seconds between two looks at all that
PATIENCE = 5.0  # seconds for which a group's live values wait for what the server kept of before them
_TOO_LARGE = (StatusCodes.BadResponseTooLarge, StatusCodes.BadEncodingLimitsExceeded)  # a message that is lost
LIMIT = 100_000  # samples that may wait for the consumer


class Feed:
    """An async iterator of frames; it subscribes with the first step, and `stop()` ends it.

    Raises Unreachable when the session is lost, or it or one of its subscriptions falls silent, or the server's clock
    stands or goes back; Garbled; Refused when the server takes none of the tags. When the consumer is slow the oldest
    frames go, and `dropped` counts samples. `heard` is until when all is known of a group: the last message of its
    subscription, by the server's clock where it says that (ns UTC). With a `gap`, what the server kept of it is fetched
    as soon as the live values have come. The times of the last values go into `newest`, for the gap after this session.
    When a message never came the session is lost, too, unless not `strict`, and `skipped` is set. `errand` gives
    something else to do with the server, while there is any, and that the groups that grew by it.
    """

    def __init__(
        self,
        session: Session,
        groups: Sequence[Group],
        clock: Clock,
        *,
        server: ServerClock | None = None,
        gap: Gap | None = None,
        newest: dict[Schema, Times] | None = None,
        limit: int = LIMIT,
        events: Sequence[Events] = (),
        tally: Tally | None = None,
        strict: bool = True,
        errand: Callable[[], Awaitable[Sequence[Group]] | None] | None = None,
    ) -> None:
        self.dropped = 0
        self.heard: dict[Schema, int] = {}
        self.gap, self._newest = gap, newest
        self._session, self._groups, self._clock = session, groups, clock
        self._server, self._limit = server or ServerClock(), limit
        self._streams: dict[int, Stream] = {}
        self._closed: list[Stream] = []  # those that the server has no room for
        self._events, self._ears, self._errand = events, dict[int, Events](), errand
        self._tally = tally
        self._numbers: dict[int, Numbers] = {}
        self._strict, self.skipped = strict, False
        self._waiting: deque[Frame] = deque()
        self._old: deque[Frame] = deque()  # a page of history
        self._history: AsyncIterator[list[Frame]] | None = None
        self._samples = self._asked = 0
        self._heard = self._look_at = self._check_at = self._live_at = 0.0
        self._wake = asyncio.Event()
        self._started = self._stopped = False
        self._failure: DeviceError | None = None

    def __aiter__(self) -> "Feed":
        return self

    async def __anext__(self) -> Frame:
        if not self._started:
            try:
                await self._start()
            except (Unreachable, Garbled) as error:
                self._fail(error)
        more = await self._tend()
        while not self._waiting and not self._old:
            if not more:
                await self._wait()
            more = await self._tend()
        if self._old:
            return self._old.popleft()
        frame = self._waiting.popleft()
        self._samples -= len(frame.values)
        return frame

    @property
    def streams(self) -> Sequence[Stream]:
        return list(self._streams.values())

    @property
    def looked(self) -> float:
        """Another number after each look at the server and its subscriptions."""
        return self._look_at

    @property
    def _sources(self) -> list[Stream | Events]:
        return [*self._streams.values(), *self._ears.values()]

    def stop(self) -> None:
        """No more asking; what waits here is given up."""
        self._stopped = True
        self._waiting.clear()
        self._old.clear()
        self._fail(Unreachable(f"{self._session.endpoint}: closed"))

    async def _start(self) -> None:
        self._started = True
        if self.gap is not None:
            self._history = self._past(self.gap)
        for group in self._groups:
            await self._open(Stream(group))
        told = [await self._listen(events) for events in self._events]
        empty = not any(told) and not any(stream.items for stream in self._streams.values())
        if empty and self._errand is None:
            if self._groups:
                raise all_refused(self._groups[0].plan.schema.device, self._groups)
            raise Refused("; ".join(why for events in self._events for why in events.refused.values()))
        self._heard = self._now()
        for source in self._sources:
            source.heard = self._heard

    async def _open(self, stream: Stream) -> None:
        """What it says is asked for before its items are made: that may take longer than a server waits for it."""
        again = stream.later is not None
        bad = await stream.open(self._now())
        if stream.later is None:
            self._register(stream.number)
            self._streams[stream.number] = stream
            bad = await stream.fill(self._now())
        elif not again:
            self._closed.append(stream)
        if not again:
            self._tell(stream, bad)

    def _register(self, number: int) -> None:
        if number in self._streams or number in self._ears:
            raise Garbled(f"{self._session.endpoint}: the server gives two subscriptions the number {number}")
        self._numbers[number] = Numbers()
        for _ in range(0 if len(self._numbers) > 1 else PUBLISHERS):
            self._ask([])

    def _tell(self, stream: Stream, bad: dict[int, int]) -> None:
        if bad:
            self._hold(stream.group.plan.columns.refused(bad, self._clock.wall(), self._clock.mono()))

    async def _listen(self, events: Events) -> bool:
        """Whether the server tells these events; without them the rest goes on, and they are tried again later."""
        known = events.refusal is not None
        try:
            await events.open()
        except Refused as error:
            events.refuse(str(error), self._now())
            if not known:
                self._tell_events(events, Quality.BAD_CONFIG)
            return False
        events.heard = self._now()
        self._register(events.number)
        self._ears[events.number] = events
        return True

    async def _wait(self) -> None:
        """Until there is something to hand out, or to raise."""
        if self._failure is not None:
            raise self._failure
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._wake.wait()

    async def _tend(self) -> bool:
        """Look around when it is time, and go on in the history or with the errand; whether there is more to do of
        that. What fails is raised after what has come."""
        if self._failure is not None:
            return False
        try:
            looks = self._now() >= self._look_at
            if looks:
                await self._look()
            if self._history is not None and not self._old:
                await self._turn_page(self._history)
            elif looks or not self._waiting:
                return await self._run_errand()
        except DeviceError as error:
            self._fail(error)
        return False

    async def _run_errand(self) -> bool:
        """A part of what else is to be done, once the first values are there."""
        if self._errand is None or any(each.schema not in self.heard for each in self._sources):
            return False
        errand = self._errand()
        if errand is None:
            return False
        for group in await errand:
            await self._adopt(group)
        return True

    async def _adopt(self, group: Group) -> None:
        """A group that has more columns at its end, or that is new."""
        schema = group.plan.schema
        known = (*self._streams.values(), *self._closed)
        stream = next((each for each in known if each.schema.group == schema.group), None)
        if stream is None:
            await self._open(Stream(group))
            return
        move(self.heard, stream.schema, schema)
        move(self._newest, stream.schema, schema)
        self._tell(stream, await stream.grow(group, self._now()))

    async def _look(self) -> None:
        """Whether the server and every subscription still live."""
        now = self._now()
        self._look_at = now + TICK
        await self._session.tend()
        if any(now - each.heard > each.patience for each in self._sources):
            raise Unreachable(f"{self._session.endpoint}: a subscription fell silent")
        if now - self._heard > QUIET or now >= self._check_at:
            await self._check()
        for stream in [each for each in self._closed if each.later and now >= each.later.due]:
            await self._open(stream)
        self._closed = [each for each in self._closed if each.later]
        for stream in list(self._streams.values()):
            await stream.retry(now)
            if self._tally is not None:
                await self._tally.compare(stream, now, partial(self._tell, stream))
        for events in self._events:
            await self._look_at_events(events, now)

    async def _look_at_events(self, events: Events, now: float) -> None:
        if events.refusal is not None:
            if now >= events.refusal.due:
                await self._listen(events)
            return
        if events.stale:
            await events.refresh()
        if self._tally is not None:
            await self._tally.revive(events, now, partial(self._tell_events, events, Quality.BAD_COMM))

    def _tell_events(self, events: Events, quality: Quality) -> None:
        self._hold(bad_frame(events.schema, quality, self._clock.wall(), self._clock.mono()))

    async def _check(self) -> None:
        """Ask for the server's time, which says that it is there, too."""
        self._check_at = self._now() + CHECK
        wrong = await look(self._session, self._server, self._clock)
        if wrong:
            raise Unreachable(f"{self._session.endpoint}: {wrong}")

    async def _past(self, gap: Gap) -> AsyncIterator[list[Frame]]:
        """What the server kept of each group, once its first values are there: nothing of before them comes live."""
        left = list(self._streams.values())
        while left:
            stream = next((each for each in left if each.schema in self.heard), None)
            if stream is None:
                yield []
                continue
            left.remove(stream)
            async for batch in gap.pages(self._session, stream.group, self.heard[stream.schema]):
                yield list(stream.group.plan.columns.frames(batch, self._clock.wall(), self._clock.mono()))

    async def _turn_page(self, history: AsyncIterator[list[Frame]]) -> None:
        """One page of history. It goes before what comes live, so that the youngest value comes last; but a long one
        goes on only when nothing waits."""
        if self._waiting and self._now() >= self._live_at:
            return
        try:
            self._old.extend(await anext(history))
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
            code = error.code if isinstance(error, ServiceRefused) else 0
            if not self._asked or code in _TOO_LARGE:  # a server may let fewer requests wait than we send
                self._fail(error)
        except DeviceError as error:
            self._fail(error)

    def _take(self, message: Message) -> list[ua.SubscriptionAcknowledgement]:
        """Hold the frames of one message; what is to be acknowledged of it."""
        self._heard, received = self._now(), self._clock.wall()
        source = self._streams.get(message.subscription) or self._ears.get(message.subscription)
        if source is not None:
            self._read(source, message, received)
        if message.ended is not None:
            raise Unreachable(f"{self._session.endpoint}: the server ended a subscription: {name(message.ended)}")
        if source is not None:
            source.heard = self._heard
            whole = isinstance(source, Events) or source.full
            if whole and not message.more:  # otherwise what it has not said yet is older than this message
                if source.schema not in self.heard:
                    self._live_at = self._heard + PATIENCE
                self.heard[source.schema] = stamp(message.published, 0, received)
        if message.empty:
            return []
        return [ua.SubscriptionAcknowledgement(ua.UInt32(message.subscription), ua.UInt32(message.sequence))]

    def _read(self, source: Stream | Events, message: Message, received: int) -> None:
        """A message that never came may have held the last change of a tag: only a new session tells that again."""
        missed = self._numbers[message.subscription].missed(message)
        if missed and self._strict:
            self.skipped = True
            raise Unreachable(f"{self._session.endpoint}: {missed} messages of a subscription never came")
        if isinstance(source, Events):
            for frame in source.read(message, received, self._clock.mono()):
                self._hold(frame)
            return
        for batch in message.changes:
            self._changed(source, batch, received)

    def _changed(self, stream: Stream, batch: Batch, received: int) -> None:
        if max(batch.handles, default=0) >= len(stream.group.nodes):
            raise Garbled(f"{self._session.endpoint}: a change of a tag that was not asked for")
        if self._history is not None and self.gap is not None:
            self.gap.meet(stream.schema, batch)
        if self._newest is not None:
            self._newest.setdefault(stream.schema, {}).update(zip(batch.handles, times(batch), strict=True))
        if batch.codes or stream.refused:
            stream.look(batch, self._heard)
        mono = self._clock.mono()
        stream.recent.add(batch, mono)
        for frame in stream.group.plan.columns.frames(batch, received, mono):
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
        tell = self._groups[0].plan.columns.lost if self._groups else None
        if tell is not None and self._failure is None and not self._stopped:
            tell(error)
        self._failure = self._failure or error
        self._wake.set()

    def _now(self) -> float:
        return self._clock.mono() / 1e9
