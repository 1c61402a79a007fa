"""What a session's subscriptions send, as frames: asked for all the time, held here until the consumer takes them.

There is no task here: each message of the server, when it arrives, puts its frames into the deque and asks for the next
message; the consumer's own wait looks every second whether the server and each subscription still live.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua

from agent.model.clock import Clock
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from drivers.opcua.events import Events
from drivers.opcua.group import Group, all_refused
from drivers.opcua.refusal import name
from drivers.opcua.session import Session

PUBLISHERS = 2  # publish requests that always wait at the server, so that it never has to wait for one
KEEP_ALIVE = 5.0  # seconds after which a subscription without changes says that it lives
QUIET = 2.0  # seconds without any message after which the server is asked whether it is there
TICK = 1.0  # seconds between two looks at all that
LIMIT = 100_000  # samples that may wait for the consumer


@dataclass(slots=True, eq=False)
class Stream:
    """One subscription: the group whose columns are its client handles, and how long it may be silent (seconds).

    Or, without a group, a subscription to events.
    """

    group: Group | None
    patience: float
    heard: float
    events: Events | None = None


class Feed:
    """An async iterator of frames; it subscribes with the first step, and `stop()` ends it.

    Raises Unreachable when the session is lost, or it or one of its subscriptions falls silent; Garbled; Refused when
    the server takes none of the tags. When the consumer is slow the oldest frames go, and `dropped` counts samples.
    """

    def __init__(
        self,
        session: Session,
        groups: Sequence[Group],
        clock: Clock,
        *,
        sampling: float | None = None,
        queue_size: int = 10,
        limit: int = LIMIT,
        events: Sequence[Events] = (),
        interval: float = 1.0,
    ) -> None:
        self.dropped = 0
        self._events, self._interval = events, interval
        self._session, self._groups, self._clock = session, groups, clock
        self._sampling, self._queue_size, self._limit = sampling, queue_size, limit
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[Frame] = deque()
        self._samples = self._asked = 0
        self._heard = self._look_at = 0.0
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
        while not self._waiting:
            await self._wait()
        frame = self._waiting.popleft()
        self._samples -= len(frame.values)
        return frame

    def stop(self) -> None:
        """No more asking; what waits here is given up."""
        self._stopped = True
        self._waiting.clear()
        self._fail(Unreachable(f"{self._session.endpoint}: closed"))

    async def _start(self) -> None:
        self._started = True
        taken = [await self._subscribe(group) for group in self._groups]
        told = [await self._listen(events) for events in self._events]
        if self._groups and not any(taken) and not any(told):
            raise all_refused(self._groups[0].plan.schema.device, self._groups)
        self._heard = self._now()
        for _ in range(PUBLISHERS):
            self._ask([])

    async def _subscribe(self, group: Group) -> int:
        """Make the group's subscription; how many of its tags the server took."""
        interval = group.plan.interval
        made = await self._session.subscribe(interval, KEEP_ALIVE)
        beat = made.RevisedPublishingInterval / 1000 * max(made.RevisedMaxKeepAliveCount, 1)
        sampling = interval if self._sampling is None else self._sampling
        bad = await group.monitor(made.SubscriptionId, sampling, self._queue_size)
        if bad:
            self._hold(group.plan.columns.refused(bad, self._clock.wall(), self._clock.mono()))
        self._streams[made.SubscriptionId] = Stream(group, 1.5 * beat + self._session.timeout, self._now())
        return len(group.nodes) - len(bad)

    async def _listen(self, events: Events) -> bool:
        """Make a subscription to events; whether the server tells them. The rest goes on without them."""
        made = await self._session.subscribe(self._interval, KEEP_ALIVE)
        beat = made.RevisedPublishingInterval / 1000 * max(made.RevisedMaxKeepAliveCount, 1)
        patience = 1.5 * beat + self._session.timeout
        self._streams[made.SubscriptionId] = Stream(None, patience, self._now(), events)
        try:
            await events.begin(made.SubscriptionId)
        except Refused as error:
            if not self._groups:
                raise
            events.refused[events.schema.group] = str(error)
            self._hold(bad_frame(events.schema, Quality.BAD_CONFIG, self._clock.wall(), self._clock.mono()))
            return False
        return True

    async def _wait(self) -> None:
        """Until there is something to hand out, or to raise."""
        if self._failure is not None:
            raise self._failure
        self._wake.clear()
        try:
            async with asyncio.timeout(TICK):
                await self._wake.wait()
        except TimeoutError:
            await self._look()

    async def _look(self) -> None:
        """Whether the server and every subscription still live."""
        self._look_at = self._now() + TICK
        await self._session.tend()
        for events in self._events:
            if events.stale:
                await events.refresh()
        now = self._now()
        if any(now - stream.heard > stream.patience for stream in self._streams.values()):
            raise Unreachable(f"{self._session.endpoint}: a subscription fell silent")
        if now - self._heard > QUIET:
            await self._session.probe()

    def _ask(self, acknowledge: Sequence[ua.SubscriptionAcknowledgement]) -> None:
        self._asked += 1
        self._session.publish(acknowledge, self._answered)

    def _answered(self, outcome: ua.PublishResult | DeviceError) -> None:
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

    def _take(self, result: ua.PublishResult) -> list[ua.SubscriptionAcknowledgement]:
        """Hold the frames of one message; what is to be acknowledged of it."""
        self._heard = self._now()
        message = result.NotificationMessage
        stream = self._streams.get(result.SubscriptionId)
        if stream is not None:
            stream.heard = self._heard
        if not message.NotificationData:
            return []
        for data in message.NotificationData:
            if isinstance(data, ua.StatusChangeNotification):
                ended = name(data.Status.value)
                raise Unreachable(f"{self._session.endpoint}: the server ended a subscription: {ended}")
            if isinstance(data, ua.EventNotificationList) and stream is not None and stream.events is not None:
                for frame in stream.events.take(data, self._clock.wall(), self._clock.mono()):
                    self._hold(frame)
            if isinstance(data, ua.DataChangeNotification) and stream is not None and stream.group is not None:
                self._changed(stream.group, data.MonitoredItems)
        return [ua.SubscriptionAcknowledgement(result.SubscriptionId, message.SequenceNumber)]

    def _changed(self, group: Group, items: Sequence[ua.MonitoredItemNotification]) -> None:
        columns = [item.ClientHandle for item in items]
        if columns and max(columns) >= len(group.nodes):
            raise Garbled(f"{self._session.endpoint}: a change of a tag that was not asked for")
        ts, mono = self._clock.wall(), self._clock.mono()
        for frame in group.plan.columns.frames(columns, [item.Value for item in items], ts, mono):
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
