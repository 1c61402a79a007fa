"""Everything northbound: the pumps of sinks that are sent to, and the taps of those that ask."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial

from agent import registry
from agent.config import Site
from agent.health import Health, Part, Pulse
from agent.model.clock import Clock
from agent.northbound.api import Gateway, Mindful, Sink, SinkConfig, commands_of, pulled_of
from agent.runtime.catalogue import Catalogue
from agent.runtime.commands import KIND, Clerk, Control
from agent.runtime.house import Room
from agent.runtime.pump import Pump
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, keep
from agent.runtime.tap import Tap
from agent.runtime.tasks import Named, Start, finish
from agent.runtime.watchdog import FLOOR, TIMEOUTS

SINK_CAP = 5.0  # seconds: a sink is tried again at least about this often
FAREWELL = 1.0  # seconds for a sink that is taken out or set otherwise to send what it can
PARTING = 6.0  # seconds, after that, for it to say goodbye


@dataclass(frozen=True, slots=True)
class Draft:
    """A sink that is built and not yet known to anybody; `sink` is None for one that asks."""

    config: SinkConfig
    room: Room
    part: Part
    clerk: Clerk | None
    sink: Sink | None


@dataclass(slots=True)
class Outlet:
    """A sink that runs. After `stop` it is not connected anew; after `over` nothing more comes, and its pump ends with
    what there is."""

    draft: Draft
    pump: Pump | None = None
    tap: Tap | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class North:
    """The enabled sinks of a site as they run now."""

    def __init__(self, catalogue: Catalogue, storage: Storage, health: Health, clock: Clock, control: Control) -> None:
        self._catalogue, self._storage, self._health = catalogue, storage, health
        self._clock, self._control = clock, control
        self._outlets: dict[str, Outlet] = {}
        self._places: dict[str, tuple[str, ...]] = {}  # of devices; every sink has this very table

    @property
    def taps(self) -> list[Tap]:
        return [outlet.tap for outlet in self._outlets.values() if outlet.tap]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [task for outlet in self._outlets.values() for task in outlet.tasks]

    async def drafted(self, site: Site, names: Collection[str]) -> list[Draft]:
        """As `build`; what has to be imported first is, beside the loop."""
        types = {each.type for each in site.sinks if each.enabled and each.name in names and not pulled_of(each)}
        await asyncio.to_thread(lambda: [registry.sink_builder(each) for each in types])
        return self.build(site, names)

    def build(self, site: Site, names: Collection[str]) -> list[Draft]:
        """Those of these sinks that are enabled. Raises ConfigError; nothing runs and nobody knows of them yet."""
        return [self._draft(site, config) for config in site.sinks if config.enabled and config.name in names]

    def _draft(self, site: Site, config: SinkConfig) -> Draft:
        part, commands = Part("sink", config.name), commands_of(config)
        clerk = Clerk(self._control, config.name, commands, Part(KIND, config.name)) if commands else None
        room = Room(config.name, self._catalogue, self._storage, part, clerk)
        if pulled_of(config):
            return Draft(config, room, part, clerk, None)
        gateway = Gateway(site.gateway.id, tuple(site.gateway.site), room, self._places)
        return Draft(config, room, part, clerk, registry.sink_builder(config.type)(config, gateway))

    def place(self, site: Site) -> None:
        """Where the devices are from now on."""
        self._places.clear()
        self._places |= {device.name: tuple(device.place) for device in site.devices if device.place}
        self._places |= {device.name: tuple(device.place) for device in site.virtual if device.place}

    def take(self, gateway: str, drafts: Iterable[Draft]) -> None:
        """Those that ask are there at once; the others are to be started."""
        for draft in drafts:
            name, config = draft.config.name, draft.config
            outlet = self._outlets[name] = Outlet(draft)
            self._health.put(draft.part)
            if draft.clerk is not None:
                self._health.put(draft.clerk.part)
                self._control.admit(draft.clerk)
            pulled = pulled_of(config)
            if pulled is not None:
                outlet.tap = Tap(name, pulled, gateway, draft.room, self._storage, draft.part, self._clock)

    def start(self, names: Iterable[str], start: Start) -> None:
        for outlet in (self._outlets[name] for name in names if name in self._outlets):
            if outlet.draft.sink is not None:
                outlet.tasks = start([self._works(outlet, outlet.draft.sink)])

    def _works(self, outlet: Outlet, sink: Sink) -> Named:
        config, part, backoff = outlet.draft.config, outlet.draft.part, Backoff(SINK_CAP)
        pump = outlet.pump = Pump(config.name, sink, self._storage, part, backoff, outlet.over, config.backfill)
        self._health.flights[config.name] = pump.flight
        patience = max(FLOOR, TIMEOUTS * float(getattr(config, "timeout", 0)))
        self._health.pulses["sink", config.name] = Pulse(patience, pump.beat, pump.doing)
        return f"pump:{config.name}", partial(keep, pump.run, part, backoff, outlet.stop)

    async def end(self, names: Collection[str]) -> None:
        """These sinks go; what they are owed stays on the disk. Their parts of health are gone."""
        gone = {name: self._outlets[name] for name in names if name in self._outlets}
        for name, outlet in gone.items():
            if outlet.draft.clerk is not None:
                self._control.dismiss(name)
            self._leave(outlet)
        tasks = [task for outlet in gone.values() for task in outlet.tasks]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=FAREWELL)
            await finish(list(late), PARTING, cancel=True)
        for name, outlet in gone.items():
            if outlet.pump is not None:
                outlet.pump.forget()
            del self._outlets[name]
            self._health.drop(others=[("sink", name), (KIND, name)])

    def stopping(self) -> None:
        """The last frames are still on their way to the disk; a pump that fails from now on is not started again."""
        for outlet in self._outlets.values():
            outlet.stop.set()

    def wake(self) -> None:
        """There is nothing more to come: every pump ends when it has sent what there is."""
        for outlet in self._outlets.values():
            self._leave(outlet)

    def renewed(self) -> None:
        """The groups that there are have changed."""
        for outlet in self._outlets.values():
            if isinstance(outlet.draft.sink, Mindful):
                outlet.draft.sink.renewed()

    def _leave(self, outlet: Outlet) -> None:
        outlet.stop.set()
        outlet.over.set()
        if outlet.tap is not None:
            outlet.tap.stop()
        if outlet.pump is not None:
            outlet.pump.wake()


def owed(site: Site) -> tuple[list[str], list[str]]:
    """All sinks that are owed frames, and those that start with the oldest there is."""
    found = [sink for sink in site.sinks if not (pulled := pulled_of(sink)) or "frames" in pulled.scopes]
    return [sink.name for sink in found], [sink.name for sink in found if sink.start == "oldest"]
