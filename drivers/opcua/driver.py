"""An OPC UA device: one session, whose nodes are read in few requests or subscribed to."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from asyncua import ua

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Refused, Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import Argument, Driver, DriverConfig, Encoded, LineConfig, nothing
from drivers.browsing import Place
from drivers.finding import Search
from drivers.opcua import methods, writes
from drivers.opcua.browse import browse, peek
from drivers.opcua.calling import Method
from drivers.opcua.config import Config, Tag
from drivers.opcua.dial import Dial
from drivers.opcua.encodings import Dictionaries
from drivers.opcua.events import Events, event_plan
from drivers.opcua.feed import Feed
from drivers.opcua.gap import Gap, Times
from drivers.opcua.group import Answers, Group, all_refused, bind
from drivers.opcua.naming import shown
from drivers.opcua.pins import Pins
from drivers.opcua.plan import Plan, move, plans
from drivers.opcua.refusal import name
from drivers.opcua.remarks import Remarks
from drivers.opcua.search import Seeker
from drivers.opcua.session import Session
from drivers.opcua.status import quality
from drivers.opcua.stream import Stream
from drivers.opcua.tally import Tally
from drivers.opcua.tape import Reel, watch_plans
from drivers.opcua.tracing import columns_of, trace
from drivers.opcua.watch import ServerClock, look
from drivers.tapping import Tap
from drivers.tracing import Trace

MINUTE, SECOND = 60.0, 1e9
TRIES = 3  # sessions in a row that end for the numbers of a server's messages, until these count as meaningless
SPACING = 5.0  # seconds between two connects: small controllers run out of sessions
WALK = 0.25  # share of a polled device's time that a walk through it may take,
BARREN = 5.0  # and seconds of a scan that has nothing to read
log = logging.getLogger("floorgate")


def build(line: LineConfig, devices: Sequence[DriverConfig], data: Path | None = None) -> Sequence[Driver]:
    """One driver per device, each with a session of its own."""
    return [
        (OpcuaPoller if device.mode == "poll" else OpcuaSubscriber)(device, line.timeout, data)
        for device in devices
        if isinstance(device, Config)
    ]


class OpcuaPoller:
    """Implements `drivers.api.Poller`, which reads on request, `Browser`, `Finder`, `Tapped`,
    `Traced`, `Writer` and `Caller`.

    Its schemas grow, each at its end, when a pattern of the device finds nodes; a frame has the one of its time.
    """

    spacing = SPACING

    def __init__(self, config: Config, timeout: float, data: Path | None = None, clock: Clock = SYSTEM) -> None:
        self.device, self.endpoint, self.line = config.name, config.endpoint, config.endpoint
        self._pins = Pins(config, data)
        self._plans = plans(config, self._pins.tags)
        self._writable = [tag for tag in config.tags if tag.write is not None and not tag.match]
        self.tags: Sequence[Tag] = (*self._writable, *self._pins.tags)
        if not self._pins.patterns:  # the plans have all of it: as the file has them tags take 0.8 KB each
            config = config.model_copy(update={"tags": []})
        self._config, self._clock = config, clock
        self._dial = Dial(config, timeout, data)
        self._told = tuple(event_plan(config.name, each) for each in config.events)
        self._events: list[Events] = []
        self._session: Session | None = None
        self._groups: dict[str, Group] = {}
        self._known = Dictionaries()
        self._server, self._remarks = ServerClock(), Remarks()
        self._reel: Reel | None = None
        self._check_at = self._walk_at = 0.0
        alone = not self._pins.named and not config.events
        self._seeker = Seeker(self._pins, config.name, clock, alone=alone) if self._pins.patterns else None

    @property
    def schemas(self) -> tuple[Schema, ...]:
        return (*(plan.schema for plan in self._plans), *(plan.schema for plan in self._told))

    @property
    def asked(self) -> int:
        return self._session.asked if self._session else 0

    @property
    def refused(self) -> dict[str, str]:
        """For each tag and field of an event that the server does not have, why; as far as this session has asked."""
        sources: list[Group | Events] = [*self._groups.values(), *self._events]
        return {tag: why for source in sources for tag, why in source.refused.items()}

    def remarks(self) -> Sequence[str]:
        """What a person should hear of, once each: tags that the server refuses, filters that it does not take."""
        return self._remarks.fresh(list(self._groups.values()), None)

    @property
    def skew(self) -> float | None:
        """How many seconds the server's clock is ahead of ours, give or take half a round trip."""
        return self._server.skew

    @property
    def expiries(self) -> Mapping[str, float]:
        """Until when our certificate and the server's are good, once there was a session with them."""
        return self._dial.expiries

    @property
    def overflows(self) -> int:
        """Values that said that the server had thrown away older ones: `queue_size` is too small."""
        return sum(plan.columns.overflows for plan in self._plans) + sum(each.overflows for each in self._events)

    def tap(self, tap: Tap | None) -> None:
        """See `drivers.tapping.Tapped`."""
        self._reel = Reel(self.device, tap, whole=self._config.mode == "poll") if tap else None
        self._dial.failed = self._reel.failed if self._reel else None
        watch_plans(self._plans, self._reel)

    async def open(self) -> None:
        if self._session is not None and self._session.alive:
            return
        await self.close()
        self._say()
        self._replan()
        idle = 3 * max((plan.interval for plan in self._plans), default=0.0)
        try:
            session = self._session = await self._dial.session(idle)
        finally:
            skew = self._dial.skew
            self._server = ServerClock(self._server.skew if skew is None else skew)
        self._known = Dictionaries()
        self._groups = {plan.schema.group: await self._bound(plan, session) for plan in self._plans}
        self._walk_at = 0.0
        if self._seeker is not None:
            self._seeker.opened()

    async def _bound(self, plan: Plan, session: Session) -> Group:
        group = await bind(plan, session, self._known)
        if self._config.mode == "poll":
            await group.register()
        return group

    async def close(self) -> None:
        if self._seeker is not None:
            await self._seeker.rest()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def scan(self, schema: Schema) -> Frame:
        """Read one group now, whatever the mode. Raises Refused when the server has none of its tags."""
        if self._live().expired:
            await self.close()
            await self.open()
        await self._tend()
        if schema in (plan.schema for plan in self._told):
            return Frame(schema, self._clock.wall(), (), b"", self._clock.mono(), ())  # events come, they are not read
        if self._seeker is not None:
            await self._walk(self._seeker, schema.interval)
        group = self._groups[schema.group]
        answers, missing = await group.read()
        mono = self._clock.mono()
        group.last = answers, mono
        frame = group.plan.columns.whole(answers, missing, self._clock.wall(), mono)
        for _, batch in answers if group.deep else ():
            batch.values = []  # whole arrays and structures are not kept for who may ask
        wrong = frame.quality.count(Quality.BAD_CONFIG)
        if wrong or group.refused:
            _note_refused(group, answers)
        if wrong and wrong == len(frame.quality):
            raise all_refused(self.device, [group])
        return frame

    async def _tend(self) -> None:
        """Once a minute: the server's clock, and nodes that were not to be found. What is wrong with the clock is no
        fault of a scan, which asks anew each time."""
        if self._now() >= self._check_at:
            self._check_at = self._now() + MINUTE
            await look(self._live(), self._server, self._clock)
            for group in self._groups.values():
                await group.search()

    async def _walk(self, seeker: Seeker, interval: float) -> None:
        """Some of the search, at most a quarter of the time. The first scan of a session brings values and no more.

        Raises Refused for a device that has nothing but patterns, and no tag of them.
        """
        barren, now = not any(plan.nodes for plan in self._plans), self._now()
        if self._walk_at or barren:
            longest = max(WALK * interval, BARREN) if barren else WALK * interval
            while now >= self._walk_at and seeker.due() and self._now() - now <= longest:
                await self.seek()
            self._walk_at = now + (self._now() - now) / WALK
        self._walk_at = self._walk_at or now
        if seeker.barren:
            raise Refused(seeker.barren)

    async def seek(self) -> Sequence[Group]:
        """One step of the search; the groups of this session that have grown by it."""
        assert self._seeker is not None
        try:
            found = await self._seeker.step(self._live(), self._listed)
        finally:
            self._say()
        if not found:
            return ()
        names = shown([tag.name for tag in found])
        log.info("device %s: found by its patterns: %s", self.device, names, extra={"tags": len(found)})
        return [await self._grown(plan) for plan in self._replan()]

    def _replan(self) -> list[Plan]:
        """Have the plans take up what has been found; those that did."""
        before = {plan.schema.group: plan for plan in self._plans}
        grown: list[Plan] = []
        for plan in plans(self._config, self._pins.tags):
            old = before.get(plan.schema.group)
            if old is None or len(old.nodes) < len(plan.nodes):
                plan.columns.overflows = old.columns.overflows if old else 0
                before[plan.schema.group] = plan
                grown.append(plan)
        self._plans = tuple(before.values())
        if grown:
            self.tags = (*self._writable, *self._pins.tags)
            watch_plans(grown, self._reel)
        return grown

    async def _grown(self, plan: Plan) -> Group:
        group, old = await self._bound(plan, self._live()), self._groups.get(plan.schema.group)
        if old is not None:
            group.follow(old)
        self._groups[plan.schema.group] = group
        return group

    def _listed(self) -> set[ua.NodeId]:
        """The nodes that have a tag in this session, each as a whole."""
        return {
            node
            for group in self._groups.values()
            for column, node in enumerate(group.nodes)
            if node is not None and column not in group.within
        }

    def _say(self) -> None:
        for remark in self._seeker.news() if self._seeker else ():
            log.warning("device %s: %s", self.device, remark)

    def browse(
        self, found: list[Place], expanded: int, *, start: str = "", wanted: Callable[[int], bool], most: int
    ) -> AsyncIterator[int]:
        return browse(self._live(), found, expanded, start=start, wanted=wanted, most=most)

    async def find(self, done: Callable[[int], None], *, most: int, seconds: float) -> Search:
        """See `drivers.finding.Finder.find`."""
        if not self._pins.patterns:
            raise ValueError(f"device {self.device!r} has no tag with `match`")
        seeker = Seeker(self._pins, self.device, self._clock, alone=True, most=most, seconds=seconds)
        before = len(self._pins.tags)
        seeker.opened()
        try:
            while seeker.pending:
                await seeker.step(self._live(), self._listed)
                done(seeker.seen)
        finally:
            await seeker.rest()
        return Search(self._pins.tags[before:], len(self._pins.tags), tuple(seeker.news()), seeker.cut)

    async def peek(self, addresses: Sequence[str]) -> Sequence[str]:
        return await peek(self._live(), addresses)

    def trace(self, tag: str) -> Trace | None:
        """See `drivers.tracing.Traced`."""
        if (found := columns_of(self._plans, tag)) is None:
            return None
        return trace(*found, self._groups.get(found[0].schema.group), self._watching(found[0]))

    def _watching(self, plan: Plan) -> Stream | None:
        """The subscription that watches a group; None where it is read."""
        return None

    def encode(self, tag: str, value: Value) -> Encoded:
        return writes.encode(self._named(tag), value)

    async def look(self, tag: str, leaving: Callable[[], None] = nothing) -> Value:
        leaving()
        return await writes.look(self._live(), self._named(tag))

    async def write(self, tag: str, value: Value, leaving: Callable[[], None] = nothing) -> Value:
        return await writes.write(self._live(), self._named(tag), value, leaving)

    async def signature(self, method: str) -> Sequence[Argument]:
        return (await methods.signature(self._live(), self._method(method))).arguments

    async def call(self, method: str, arguments: Sequence[Value]) -> Sequence[Value]:
        return await methods.call(self._live(), self._method(method), arguments)

    def _method(self, name: str) -> Method:
        return next(method for method in self._config.methods if method.name == name)

    def _named(self, name: str) -> Tag:
        return next(tag for tag in self.tags if tag.name == name)

    def _now(self) -> float:
        return self._clock.mono() / SECOND

    def _live(self) -> Session:
        if self._session is None or not self._session.alive:
            raise Unreachable(f"{self.endpoint}: not connected")
        return self._session


class OpcuaSubscriber(OpcuaPoller):
    """Implements `drivers.api.Subscriber` too: the server sends what changed."""

    def __init__(self, config: Config, timeout: float, data: Path | None = None, clock: Clock = SYSTEM) -> None:
        super().__init__(config, timeout, data, clock)
        self._feed: Feed | None = None
        self._tally = Tally()
        self._dropped = 0
        self._newest: dict[Schema, Times] = {}
        self._skips = 0  # sessions in a row that ended for a message that never came
        self._heard: dict[Schema, int] = {}

    @property
    def dropped(self) -> int:
        """Samples that were given up because nobody took them in time."""
        return self._dropped + (self._feed.dropped if self._feed else 0)

    def remarks(self) -> Sequence[str]:
        gap = self._feed.gap if self._feed else None
        return self._remarks.fresh(list(self._groups.values()), gap, self._events, self._tally)

    @property
    def heard(self) -> Mapping[Schema, int]:
        """Until when nothing of a group was missed: its last message (ns UTC), by the server's clock."""
        return {**self._heard, **(self._feed.heard if self._feed else {})}

    def frames(self) -> AsyncIterator[Frame]:
        """What changed, one frame per message of the server; see `Feed`. To be called once per `open()`."""
        config, heard = self._config, self.heard
        backfill = config.gap == "history"
        newest = {schema: dict(each) for schema, each in self._newest.items()}
        self._events = [Events(plan, self._live(), config.interval) for plan in self._told]
        self._feed = Feed(
            self._live(),
            [group for group in self._groups.values() if group.plan.nodes],
            self._clock,
            server=self._server,
            events=self._events,
            tally=self._tally,
            gap=Gap(heard, newest) if backfill and heard else None,
            newest=self._newest if backfill else None,
            strict=self._skips < TRIES,
            errand=self._errand if self._seeker else None,
        )
        return self._feed

    def _watching(self, plan: Plan) -> Stream | None:
        streams = self._feed.streams if self._feed else ()
        return next((each for each in streams if each.schema.group == plan.schema.group), None)

    def _replan(self) -> list[Plan]:
        before = {plan.schema.group: plan.schema for plan in self._plans}
        grown = super()._replan()
        for plan in grown:
            old = before.get(plan.schema.group, plan.schema)
            move(self._heard, old, plan.schema)
            if self._feed is None:  # otherwise it does so when the values come with the new one
                move(self._newest, old, plan.schema)
        return grown

    def _errand(self) -> Awaitable[Sequence[Group]] | None:
        return self.seek() if self._seeker and self._seeker.due() else None

    async def close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._dropped += feed.dropped
            self._heard |= feed.heard
            self._skips = self._skips + 1 if feed.skipped else 0
            feed.stop()
        await super().close()


def _note_refused(group: Group, answers: Answers) -> None:
    for columns, data in answers:
        for column, code in zip(columns, data.codes or bytes(len(columns)), strict=True):
            if quality(code) == Quality.BAD_CONFIG:
                group.note(column, name(code))
            else:
                group.taken(column)
