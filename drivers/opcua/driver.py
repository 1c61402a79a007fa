"""An OPC UA device: one session, whose nodes are read in few requests or subscribed to."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import Driver, DriverConfig, LineConfig
from drivers.opcua.config import Config
from drivers.opcua.feed import Feed
from drivers.opcua.group import Answers, Group, all_refused, bind
from drivers.opcua.plan import plans
from drivers.opcua.refusal import name
from drivers.opcua.remarks import Remarks
from drivers.opcua.session import Session
from drivers.opcua.status import quality
from drivers.opcua.watch import ServerClock, look

MINUTE, SECOND = 60.0, 1e9


def build(line: LineConfig, devices: Sequence[DriverConfig], data: Path | None = None) -> Sequence[Driver]:
    """One driver per device, each with a session of its own."""
    return [
        (OpcuaPoller if device.mode == "poll" else OpcuaSubscriber)(device, line.timeout)
        for device in devices
        if isinstance(device, Config)
    ]


class OpcuaPoller:
    """Implements `drivers.api.Poller`: reads on request."""

    def __init__(self, config: Config, timeout: float, clock: Clock = SYSTEM) -> None:
        self.device, self.endpoint, self.line = config.name, config.endpoint, config.endpoint
        self._config, self._timeout, self._clock = config, timeout, clock
        self._plans = plans(config)
        self.schemas = tuple(plan.schema for plan in self._plans)
        self._session: Session | None = None
        self._groups: dict[Schema, Group] = {}
        self._server, self._remarks = ServerClock(), Remarks()
        self._check_at = 0.0

    @property
    def refused(self) -> dict[str, str]:
        """For each tag that the server does not have, why; as far as this session has asked."""
        return {tag: why for group in self._groups.values() for tag, why in group.refused.items()}

    def remarks(self) -> Sequence[str]:
        """What a person should hear of, once each: tags that the server refuses, filters that it does not take."""
        return self._remarks.fresh(list(self._groups.values()), None)

    @property
    def skew(self) -> float | None:
        """How many seconds the server's clock is ahead of ours, give or take half a round trip."""
        return self._server.skew

    @property
    def overflows(self) -> int:
        """Values that said that the server had thrown away older ones: `queue_size` is too small."""
        return sum(plan.columns.overflows for plan in self._plans)

    async def open(self) -> None:
        if self._session is not None and self._session.alive:
            return
        await self.close()
        idle = 3 * max((plan.interval for plan in self._plans), default=0.0)
        profile = self._config.profile
        session = self._session = Session(self.endpoint, self.device, self._timeout, idle, profile=profile)
        await session.open()
        self._server = ServerClock(self._server.skew)
        self._groups = {plan.schema: await bind(plan, session) for plan in self._plans}
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

    def _live(self) -> Session:
        if self._session is None or not self._session.alive:
            raise Unreachable(f"{self.endpoint}: not connected")
        return self._session


class OpcuaSubscriber(OpcuaPoller):
    """Implements `drivers.api.Subscriber` too: the server sends what changed."""

    def __init__(self, config: Config, timeout: float, clock: Clock = SYSTEM) -> None:
        super().__init__(config, timeout, clock)
        self._feed: Feed | None = None
        self._dropped = 0
        self._newest = self._heard = 0

    @property
    def dropped(self) -> int:
        """Samples that were given up because nobody took them in time."""
        return self._dropped + (self._feed.dropped if self._feed else 0)

    def remarks(self) -> Sequence[str]:
        return self._remarks.fresh(list(self._groups.values()), self._feed.gap if self._feed else None)

    @property
    def heard(self) -> int:
        """Until when nothing was missed: the last message of the server (ns UTC); 0 before the first."""
        return (self._feed.heard if self._feed else 0) or self._heard

    def frames(self) -> AsyncIterator[Frame]:
        """What changed, one frame per message of the server; see `Feed`. To be called once per `open()`."""
        config = self._config
        self._feed = Feed(
            self._live(),
            list(self._groups.values()),
            self._clock,
            server=self._server,
            since=self._newest if config.gap == "history" else 0,
        )
        return self._feed

    async def close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._dropped += feed.dropped
            self._newest, self._heard = feed.newest or self._newest, feed.heard or self._heard
            feed.stop()
        await super().close()


def _note_refused(group: Group, answers: Answers) -> None:
    for columns, data in answers:
        for column, code in zip(columns, data.codes or bytes(len(columns)), strict=True):
            if quality(code) == Quality.BAD_CONFIG:
                group.note(column, name(code))
            else:
                group.taken(column)
