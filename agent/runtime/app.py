"""The object graph, the one TaskGroup, and the order in which things start and stop."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from agent import __version__, registry
from agent.config import Site, rules_of
from agent.config.sections import MAX_SIZE
from agent.health import Health, Part
from agent.model.clock import SYSTEM, Clock, boot_id
from agent.model.errors import StoreError
from agent.model.tag import Schema
from agent.normalise import Rules, Steps
from agent.northbound.api import Gateway, SinkConfig, commands_of, pulled_of
from agent.runtime.alarms import Annunciator
from agent.runtime.catalogue import Catalogue
from agent.runtime.commands import ALL, KIND, Control
from agent.runtime.desk import Desk
from agent.runtime.expiry import watch
from agent.runtime.house import Room
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.pump import Pump
from agent.runtime.sleepers import Sleepers
from agent.runtime.storage import Storage
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, attempt, keep
from agent.runtime.tap import Tap
from agent.runtime.targets import targets
from agent.runtime.ticker import tick
from agent.runtime.watching import Watcher
from agent.runtime.why.explainer import Explainer
from agent.runtime.window import Window
from agent.runtime.wiring import lines_of
from agent.status.people import People
from agent.status.pull import Pull
from agent.status.server import Place, serve
from buffer.keeper import Keeper, Limits
from buffer.store import Store
from buffer.writer import Writer
from drivers.api import Driver, DriverConfig, Learner, Poller, Priority, Spaced, Subscriber
from drivers.finding import Finder

STORE = "store.db"
STEPS = "store", "steps"  # the part of health that speaks of them
CLOSE = 5.0  # seconds for devices to be let go
DRAIN = 10.0  # seconds for the last frames to reach the disk
GRACE = 5.0  # seconds for the pumps to send what they can
DISK_CAP = 5.0  # seconds: a disk that failed is tried again at least about this often
SINK_CAP = 5.0  # seconds: a sink is tried again at least about this often
SESSION_CAP = 5.0  # seconds, for a session that is spaced besides: back within ten seconds, all in all
FIELD_CAP = 10.0  # seconds: a line, a session or the status server is tried again at least about this often

Work = Callable[[], Coroutine[Any, Any, None]]
log = logging.getLogger("floorgate")


def build_drivers(site: Site, devices: Sequence[DriverConfig], data: Path) -> list[Driver]:
    """The drivers of these devices; those on the same endpoint are built together and share its wire."""
    built: list[Driver] = []
    for (name, _), members in lines_of(devices).items():
        built.extend(registry.driver_builder(name)(site.line(members[0].endpoint), members, data))
    return built


def priority_of(devices: Mapping[str, DriverConfig], schema: Schema) -> Priority:
    """Who goes first when several groups of a line are due: what the group says, or else its device."""
    config = devices[schema.device]
    group = config.groups.get(schema.group)
    return (group and group.priority) or config.priority


async def run(site: Site, data: Path, stop: asyncio.Event, clock: Clock = SYSTEM) -> None:
    """Run the site until `stop` is set, then stop in order. Raises StoreError when the store cannot be opened."""
    keeper = store_keeper(site, data, clock)
    owner = Writer(keeper.open)
    try:
        await asyncio.wrap_future(owner.call(keeper.attach, *_names(site)))
        log.info("started", extra=_facts(site, data, owner.store))
        app = App(site, data, owner, keeper, clock)
        del site  # its tags are to go: as the file has them ten thousand take 8 MB, and drivers have them in columns
        await app.run(stop)
    finally:
        owner.close()
        log.info("stopped")


def store_keeper(site: Site, data: Path, clock: Clock) -> Keeper:
    """The keeper of the store in the data directory, which is made if need be. Raises StoreError."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk = shutil.disk_usage(data).total
    except OSError as error:
        raise StoreError(f"data directory {data}: {error.strerror}", hint="name another one with --data") from error
    size = site.buffer.max_size or min(MAX_SIZE, disk // 4)
    limits = Limits(site.buffer.keep, size, site.buffer.reserve)
    return Keeper(data / STORE, limits, boot=boot_id(), clock=clock)


class App:
    """One run of one site: the tasks by the order in which they stop."""

    def __init__(self, site: Site, data: Path, owner: Writer, keeper: Keeper, clock: Clock) -> None:
        self._site, self._data, self._clock = site, data, clock
        self._health, self._inlet, self._stopping = Health(), Inlet(), asyncio.Event()
        self._commits = self._health.part("store", STORE), Backoff(DISK_CAP)
        self._drivers: Sequence[Driver] = ()
        self._devices = {device.name: device for device in site.bare().devices}
        self._steps = Steps((), site.recipes, self._found)
        self._catalogue = Catalogue((), self._steps)
        self._storage = Storage(
            owner, self._inlet, self._commits[0], site.buffer.commit, self._commits[1], keeper, self._steps
        )
        self._pumps: list[Pump] = []
        self._taps: list[Tap] = []

    async def run(self, stop: asyncio.Event) -> None:
        self._drivers = drivers = build_drivers(self._site, self._site.devices, self._data)
        self._catalogue = Catalogue(drivers, self._steps)
        steps = self._health.part(*STEPS)
        if await attempt(self._restore(), steps) is None:
            steps.up()
        known = targets(self._site.devices, drivers, self._health)
        self._site = self._site.bare()
        with closing(Control(known, self._data, self._health, self._clock)) as control:
            await self._run(control, stop)

    async def _run(self, control: Control, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:

            def start(works: Iterator[tuple[str, Work]]) -> list[asyncio.Task[None]]:
                return [group.create_task(work(), name=name) for name, work in works]

            self._taps = list(self._consumers(control))
            house = start(self._house())
            writer = start(iter([("writer", self._kept(self._storage.run, *self._commits))]))
            pumps = start(self._pump_works(control))
            for driver in self._drivers:
                if isinstance(driver, Learner):
                    await attempt(self._recall(driver), self._health.part("device", driver.device))
            field = start(self._field_works())
            commands = start(self._command_works(control))
            await stop.wait()
            log.info("stopping")
            self._stopping.set()
            await _finish(commands, CLOSE)
            await _finish(field, CLOSE, cancel=True)
            await attempt(self._give_up(), self._health.part(*STEPS))
            self._inlet.close()
            await _finish(writer, DRAIN)
            await _finish(start(iter([("rescue", self._rescue)])), CLOSE)
            for tap in self._taps:
                tap.stop()
            self._storage.ring()
            for pump in self._pumps:
                pump.wake()
            await _finish(pumps, GRACE)
            await _finish(house, CLOSE, cancel=True)

    def _found(self, device: str) -> Mapping[str, Rules]:
        """What is asked of the tags that a device was found to have."""
        found = (driver.tags for driver in self._drivers if driver.device == device and isinstance(driver, Finder))
        return {tag.name: rules_of(tag, self._devices[device]) for tags in found for tag in tags}

    async def _restore(self) -> None:
        """What the steps knew when the last run ended; then all of them are compiled."""
        try:
            self._steps.restore(await self._storage.recall_all())
        finally:
            log.debug("steps", extra={"groups": len(self._catalogue.schemas)})

    async def _give_up(self) -> None:
        """What the steps have held back goes with the last commit."""
        for frame in self._steps.finish(self._clock.wall(), self._clock.mono()):
            self._inlet.add(frame)

    async def _rescue(self) -> None:
        await attempt(self._storage.rescue(), self._health.part("store", "disk"))

    async def _recall(self, driver: Learner) -> None:
        kept = await self._storage.recall(driver.device)
        if kept is not None:
            driver.recall(kept)

    def _house(self) -> Iterator[tuple[str, Work]]:
        part = self._health.part("store", "housekeeping")
        disk = self._health.part("store", "disk")
        yield "mend", self._kept(partial(self._storage.mend, disk), disk, Backoff(DISK_CAP))
        yield "tend", self._kept(partial(self._storage.tend, part), part, Backoff(DISK_CAP))
        said = self._site.status
        place = Place(said.listen, tuple(said.hosts), *((said.tls.cert, said.tls.key) if said.tls else ()))
        window = Window(self._site.gateway.id, self._catalogue, self._storage, self._health)
        pull = Pull(self._taps, window)
        alarms = Annunciator(self._steps, self._clock)
        people = self._people()
        status = partial(serve, place, self._data, self._health, Desk(self._storage), pull, alarms, people)
        part = self._health.part("status", place.listen)
        yield "status", self._kept(status, part, Backoff(FIELD_CAP))
        if place.cert:
            yield "expiry", self._kept(partial(watch, place.cert, part), part, Backoff(FIELD_CAP))

    def _people(self) -> People:
        """Who answers a person that looks over the agent's shoulder."""
        explainer = Explainer(self._catalogue, self._steps, self._storage, self._health, self._clock)
        watcher = Watcher(self._site.gateway.id, self._catalogue, self._storage, self._health, self._clock)
        return People(explainer, watcher)

    def _consumers(self, control: Control) -> Iterator[Tap]:
        """The sinks that are asked; a token of one that is not enabled is not known."""
        for config in (each for each in self._site.sinks if each.enabled):
            pulled = pulled_of(config)
            if pulled is not None:
                part = self._health.part("sink", config.name)
                room = self._room(config, control, part)
                yield Tap(config.name, pulled, self._site.gateway.id, room, self._storage, part, self._clock)

    def _room(self, config: SinkConfig, control: Control, part: Part) -> Room:
        commands = commands_of(config)
        clerk = control.clerk(config.name, commands) if commands else None
        return Room(config.name, self._catalogue, self._storage, part, clerk)

    def _command_works(self, control: Control) -> Iterator[tuple[str, Work]]:
        if control.clerks:
            part = self._health.part(KIND, ALL)
            run = partial(control.run, self._stopping)
            yield "commands", self._kept(run, part, Backoff(SINK_CAP))

    def _pump_works(self, control: Control) -> Iterator[tuple[str, Work]]:
        who = self._site.gateway
        places = {device.name: tuple(device.place) for device in self._devices.values() if device.place}
        places |= {device.name: tuple(device.place) for device in self._site.virtual if device.place}
        for config in (each for each in self._site.sinks if each.enabled and not pulled_of(each)):
            part, backoff = self._health.part("sink", config.name), Backoff(SINK_CAP)
            gateway = Gateway(who.id, tuple(who.site), self._room(config, control, part), places)
            sink = registry.sink_builder(config.type)(config, gateway)
            pump = Pump(config.name, sink, self._storage, part, backoff, self._stopping, config.backfill)
            self._pumps.append(pump)
            self._health.flights[config.name] = pump.flight
            yield f"pump:{config.name}", self._kept(pump.run, part, backoff)

    def _field_works(self) -> Iterator[tuple[str, Work]]:
        part = self._health.part(*STEPS)
        yield "tick", self._kept(partial(tick, self._steps, self._inlet, self._clock, part), part, Backoff(DISK_CAP))
        lines: dict[str, list[Poller]] = {}
        priority = partial(priority_of, self._devices)
        for driver in self._drivers:
            if isinstance(driver, Subscriber):
                spacing = driver.spacing if isinstance(driver, Spaced) else 0.0
                backoff = Backoff(SESSION_CAP if spacing else FIELD_CAP, spacing=spacing)
                part = self._health.part("device", driver.device)
                session = Subscription(driver, self._steps, self._inlet, part, self._clock, backoff)
                yield f"sub:{driver.device}", self._kept(session.run, part, backoff)
            elif isinstance(driver, Poller):
                lines.setdefault(driver.line, []).append(driver)
        sleepers = Sleepers(self._clock.mono)
        for place, (name, members) in enumerate(lines.items()):
            part = self._health.part("line", name)
            line = Line(
                members,
                part,
                self._steps,
                self._inlet,
                self._health,
                self._clock,
                place=place,
                of=len(lines),
                priority=priority,
                learn=self._storage.learn,
                sleepers=sleepers,
            )
            yield f"line:{name}", self._kept(line.run, part, Backoff(FIELD_CAP))

    def _kept(self, work: Work, part: Part, backoff: Backoff) -> Work:
        return partial(keep, work, part, backoff, self._stopping)


def _names(site: Site) -> tuple[list[str], list[str]]:
    """All sinks that are owed frames, and those that start with the oldest there is."""
    owed = [sink for sink in site.sinks if not (pulled := pulled_of(sink)) or "frames" in pulled.scopes]
    return [sink.name for sink in owed], [sink.name for sink in owed if sink.start == "oldest"]


async def _finish(tasks: Sequence[asyncio.Task[None]], within: float, *, cancel: bool = False) -> None:
    """Wait for tasks to end; those that are not done in time, or are not meant to end by themselves, are cancelled."""
    if cancel:
        for task in tasks:
            task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=within)
        for task in late:
            log.warning("%s did not finish within %g s", task.get_name(), within)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSE)


def _facts(site: Site, data: Path, store: Store) -> dict[str, object]:
    return {
        "version": __version__,
        "gateway": site.gateway.id,
        "epoch": store.epoch,
        "devices": len(site.devices),
        "sinks": len(site.sinks),
        "data": str(data),
    }
