"""An OPC UA device: one session, whose nodes are read in few requests or subscribed to."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import Argument, Driver, DriverConfig, Encoded, LineConfig, Place, nothing
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
from drivers.opcua.plan import plans
from drivers.opcua.refusal import name
from drivers.opcua.remarks import Remarks
from drivers.opcua.session import Session
from drivers.opcua.status import quality
from drivers.opcua.tally import Tally
from drivers.opcua.watch import ServerClock, look

MINUTE, SECOND = 60.0, 1e9

TRIES = 3  # sessions in a row that end for the numbers of a server's messages, until these count as meaningless
SPACING = 5.0  # seconds between two connects: small controllers run out of sessions


def build(line: LineConfig, devices: Sequence[DriverConfig], data: Path | None = None) -> Sequence[Driver]:
    """One driver per device, each with a session of its own."""
    return [
        (OpcuaPoller if device.mode == "poll" else OpcuaSubscriber)(device, line.timeout, data)
        for device in devices
        if isinstance(device, Config)
    ]


class OpcuaPoller:
    """Implements `drivers.api.Poller`, which reads on request, `Browser`, `Writer` and `Caller`."""

    spacing = SPACING

    def __init__(self, config: Config, timeout: float, data: Path | None = None, clock: Clock = SYSTEM) -> None:
        self.device, self.endpoint, self.line = config.name, config.endpoint, config.endpoint
        self._config, self._clock = config, clock
        self._dial = Dial(config, timeout, data)
        self._plans = plans(config)
        self._told = tuple(event_plan(config.name, each) for each in config.events)
        self.schemas = (*(plan.schema for plan in self._plans), *(plan.schema for plan in self._told))
        self._events: list[Events] = []
        self._session: Session | None = None
        self._groups: dict[Schema, Group] = {}
        self._server, self._remarks = ServerClock(), Remarks()
        self._check_at = 0.0

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

    async def open(self) -> None:
        if self._session is not None and self._session.alive:
            return
        await self.close()
        idle = 3 * max((plan.interval for plan in self._plans), default=0.0)
        try:
            session = self._session = await self._dial.session(idle)
        finally:
            skew = self._dial.skew
            self._server = ServerClock(self._server.skew if skew is None else skew)
        known = Dictionaries()
        self._groups = {plan.schema: await bind(plan, session, known) for plan in self._plans}
        if self._config.mode == "poll":
            for group in self._groups.values():
                await group.register()

    async def close(self) -> None:
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
        group = self._groups[schema]
        answers, missing = await group.read()
        frame = group.plan.columns.whole(answers, missing, self._clock.wall(), self._clock.mono())
        wrong = frame.quality.count(Quality.BAD_CONFIG)
        if wrong or group.refused:
            _note_refused(group, answers)
        if wrong and wrong == len(frame.quality):
            raise all_refused(self.device, [group])
        return frame

    async def _tend(self) -> None:
        """Once a minute: the server's clock, and nodes that were not to be found. What is wrong with the clock is no
        fault of a scan, which asks anew each time."""
        if self._clock.mono() / SECOND >= self._check_at:
            self._check_at = self._clock.mono() / SECOND + MINUTE
            await look(self._live(), self._server, self._clock)
            for group in self._groups.values():
                await group.search()

    def browse(
        self, found: list[Place], expanded: int, *, start: str = "", wanted: Callable[[int], bool], most: int
    ) -> AsyncIterator[int]:
        return browse(self._live(), found, expanded, start=start, wanted=wanted, most=most)

    async def peek(self, addresses: Sequence[str]) -> Sequence[str]:
        return await peek(self._live(), addresses)

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
        return next(tag for tag in self._config.tags if tag.name == name)

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
        self._events = [Events(plan, self._live(), config.interval) for plan in self._told]
        self._feed = Feed(
            self._live(),
            list(self._groups.values()),
            self._clock,
            server=self._server,
            events=self._events,
            tally=self._tally,
            gap=Gap(heard, {schema: dict(each) for schema, each in self._newest.items()})
            if backfill and heard
            else None,
            newest=self._newest if backfill else None,
            strict=self._skips < TRIES,
        )
        return self._feed

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
