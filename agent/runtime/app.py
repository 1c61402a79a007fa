"""The object graph, the one TaskGroup, and the order in which things start, change and stop."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path

from agent import __version__
from agent.config import Site
from agent.health import Health, Part
from agent.model import rights
from agent.model.clock import SYSTEM, Clock, boot_id
from agent.model.errors import ConfigError, Forbidden, StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.normalise import Rules, Steps
from agent.runtime import heap
from agent.runtime.applied import Applied, compiled, fresh
from agent.runtime.catalogue import Catalogue
from agent.runtime.commands import ALL, KIND, Control
from agent.runtime.field import Built, Field, build_units, priority_of
from agent.runtime.front import Front
from agent.runtime.inlet import Inlet
from agent.runtime.inventory import Inventory
from agent.runtime.loading import beside
from agent.runtime.logs import Logs, TextLines
from agent.runtime.north import North, owed
from agent.runtime.notify import Notify
from agent.runtime.prints import Change, Prints, compared, prints
from agent.runtime.ring import Ring
from agent.runtime.selftest import selftest
from agent.runtime.storage import STORE, Storage
from agent.runtime.supervise import Backoff, attempt, keep
from agent.runtime.targets import targets
from agent.runtime.tasks import CLOSE, Named, Start, Work, finish, starter
from agent.runtime.ticker import tick
from agent.runtime.watchdog import FLOOR, Watchdog
from agent.runtime.wiring import build_drivers
from agent.status.about import About
from agent.status.routes import Route
from buffer.keeper import Keeper, Limits
from buffer.store import Store
from buffer.writer import Writer
from drivers.api import Driver

__all__ = ["STORE", "App", "build_drivers", "priority_of", "run", "store_keeper"]

STEPS = "store", "steps"  # the part of health that speaks of them
MAX_SIZE = 1 << 30  # bytes: the store's size where the file does not say, or a quarter of the disk if that is less
DRAIN = 10.0  # seconds for the last frames to reach the disk
GRACE = 5.0  # seconds for the pumps to send what they can
DISK_CAP = 5.0  # seconds: a disk that failed is tried again at least about this often
COMMANDS_CAP = 5.0  # seconds: who carries out commands is there again at least about this soon
SILENT = Notify()
MENDING = 3600.0  # seconds that a try to mend the store may take
STILL = 2.0  # seconds that a command under way has until its device is made anew

log = logging.getLogger("floorgate")
Steward = Callable[["App"], Awaitable[None]]


async def run(
    site: Site,
    data: Path,
    stop: asyncio.Event,
    clock: Clock = SYSTEM,
    *,
    steward: Steward | None = None,
    routes: Sequence[Route] = (),
    notify: Notify = SILENT,
    logs: Logs | None = None,
) -> None:
    """Run the site until `stop` is set, then stop in order. Raises StoreError when the store cannot be opened.

    `steward` is given the agent once everything runs, and may have it go over to another site; it is kept alive.
    `routes` are what the status server answers besides, `notify` tells systemd how things are, `logs` are to
    go on as another site says.
    """
    ring = Ring(TextLines())
    with ring.listening():
        keeper = store_keeper(site, data, clock)
        with notify.slow("opening the store"):
            owner = await asyncio.to_thread(Writer, keeper.open)
        try:
            with notify.slow("opening the store"):
                await asyncio.wrap_future(owner.attach(keeper, *owed(site)))
            log.info("started", extra=_facts(site, data, owner.store))
            app = App(site, data, owner, keeper, clock, steward, routes, notify=notify, logs=logs, ring=ring)
            del (
                site
            )  # its tags are to go: ten thousand take 8 MB as the file has them, and drivers have them in columns
            await app.run(stop)
        finally:
            heap.take_back()
            owner.close()
            log.info("stopped")


def store_keeper(site: Site, data: Path, clock: Clock) -> Keeper:
    """The keeper of the store in the data directory, which is made if need be. Raises StoreError."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except PermissionError as error:
        raise Forbidden(f"data directory {data}: {error.strerror}", hint=rights.owning(data)) from error
    except OSError as error:
        raise StoreError(f"data directory {data}: {error.strerror}", hint="name another one with --data") from error
    return Keeper(data / STORE, _limits(site, data), boot=boot_id(), clock=clock)


def _limits(site: Site, data: Path) -> Limits:
    """Raises StoreError."""
    try:
        disk = shutil.disk_usage(data).total
    except OSError as error:
        raise StoreError(f"data directory {data}: {error.strerror}", hint="name another one with --data") from error
    return Limits(site.buffer.keep, site.buffer.max_size or min(MAX_SIZE, disk // 4), site.buffer.reserve)


class App:
    """One run: the tasks by the order in which they stop, and the `site` that they serve, which may become another."""

    def __init__(
        self,
        site: Site,
        data: Path,
        owner: Writer,
        keeper: Keeper,
        clock: Clock,
        steward: Steward | None = None,
        routes: Sequence[Route] = (),
        *,
        notify: Notify = SILENT,
        logs: Logs | None = None,
        ring: Ring,
    ) -> None:
        self.site, self._data, self._clock, self._steward, self._notify = site, data, clock, steward, notify
        self._logs = logs or Logs()
        self.health, self._inlet, self._stopping = Health(phase="starting"), Inlet(), asyncio.Event()
        self._commits = self.health.part("store", STORE), Backoff(DISK_CAP)
        self._steps = Steps((), site.recipes, self._found)
        part, backoff = self._commits
        self._storage = Storage(owner, self._inlet, part, site.buffer.commit, backoff, keeper, self._steps)
        self._field = Field(self._steps, self._inlet, self._storage, self.health, clock, self._stopping)
        self._catalogue = Catalogue((), self._steps)
        self._control = Control({}, data, self.health, clock)
        self._north = North(self._catalogue, self._storage, self.health, clock, self._control)
        shown = self._catalogue, self._storage, self._steps
        inventory = Inventory(lambda: self.site, data, self._catalogue, self._storage, self.health, ring)
        more = [*routes, *About(inventory).routes()]
        self._front = Front(data, *shown, self.health, clock, self._stopping, more, inlet=self._inlet, ring=ring)
        self._commands: list[asyncio.Task[None]] = []
        self._changing: list[asyncio.Task[None]] = []
        self._turn, self._changes = asyncio.Lock(), 0
        self._start: Start

    async def run(self, stop: asyncio.Event) -> None:
        with closing(self._control):
            await self._build()
            async with asyncio.TaskGroup() as group:
                self._start = start = starter(group)
                house = start(self._house())
                self._front.start(self.site, start)
                writer = start([("writer", self._kept(self._storage.run, *self._commits))])
                self._north.start(self._prints.sinks, start)
                await self._field.recall(self._field.drivers)
                self._field.start(self._prints.units, start)
                self._serve_commands()
                self.health.phase = "running"
                house += start([("selftest", self._tested)])
                heap.set_aside()
                steward = start(self._advised())
                self._notify.ready()
                await stop.wait()
                self._notify.stopping()
                log.info("stopping")
                self.health.phase = "stopping"
                self._stopping.set()
                self._north.stopping()
                await finish(steward, CLOSE, cancel=True)
                await finish(self._changing, 2 * CLOSE)
                await self._stop(house, writer)

    async def _build(self) -> None:
        """Everything that the site names. Raises ConfigError."""
        site, self.site = self.site, self.site.bare()
        self._prints = prints(site)
        built = build_units(site, self._prints.units, self._data)
        drafts = self._north.build(site, self._prints.sinks)
        self._field.take(self.site, built)
        self._catalogue.take(self._field.drivers)
        steps = self.health.part(*STEPS)
        if await attempt(self._restore(), steps) is None:
            steps.up()
        self._control.known = targets(site.devices, self._field.drivers, self.health)
        self._north.place(site)
        self._north.take(site.gateway.id, drafts)
        self._front.show(site.gateway.id, self._north.taps)

    async def _stop(self, house: Sequence[asyncio.Task[None]], writer: Sequence[asyncio.Task[None]]) -> None:
        """Field, inlet, disk, sinks, each with its deadline."""
        tick, *others = house
        await finish(self._commands, CLOSE)
        await finish([tick, *self._field.tasks], CLOSE, cancel=True)
        await attempt(self._give_up(), self.health.part(*STEPS))
        self._inlet.close()
        await finish(writer, DRAIN)
        await finish(self._start([("rescue", self._rescue)]), CLOSE)
        self._storage.ring()
        self._north.wake()
        await finish(self._north.tasks, GRACE)
        await finish([*others, *self._front.tasks], CLOSE, cancel=True)

    def newest(self) -> Iterator[tuple[Schema, Frame | None]]:
        """The groups that leave the gateway, each with its newest values; None: it has given nothing yet."""
        return ((schema, self._storage.latest.get(schema)) for schema in self._catalogue.schemas)

    async def apply(self, site: Site) -> Applied:
        """Go over to another site: only what says something else than before restarts, and an identical site restarts
        nothing. Raises ConfigError or StoreError when that cannot be; then nothing has changed.

        Two that come at once are done one after the other. A caller that is cancelled does not take it with it.
        """
        self._refuse_stopping()
        done: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._changing = [task for task in self._changing if not task.done()]
        self._changing += self._start([("apply", partial(self._applied, site, done))])
        return await asyncio.shield(done)

    async def _applied(self, site: Site, done: asyncio.Future[Applied]) -> None:
        error: Exception | None = None
        try:
            async with self._turn:
                with heap.undisturbed():
                    error = await attempt(self._go_over(site, done), Part("site", "apply"))
                heap.set_aside(self._changes)
        finally:
            if not done.done():
                done.set_exception(error or _too_late())

    async def _go_over(self, site: Site, done: asyncio.Future[Applied]) -> None:
        began = self._clock.mono()
        self._refuse_stopping()
        new = await beside(partial(prints, site))
        change = compared(self._prints, new)
        if change:
            self._notify.reloading()
            try:
                await self._change(site, new, change)
            finally:
                self._notify.ready()
        applied = Applied(change, (self._clock.mono() - began) / 1e9)
        log.info("applied" if change else "applied: nothing has changed", extra=applied.facts())
        done.set_result(applied)

    def _refuse_stopping(self) -> None:
        if self._stopping.is_set():
            raise _too_late()

    async def _change(self, site: Site, new: Prints, change: Change) -> None:
        """What can raise comes first; nothing is stopped before that."""
        limits, units = _limits(site, self._data), change.units
        built = await beside(partial(build_units, site, units.begun, self._data))
        drafts = await self._north.drafted(site, change.sinks.begun)
        devices, ended = fresh(change, self._prints, new), self._prints.devices(units.ended)
        kept = [driver for driver in self._field.drivers if driver.device not in ended]
        await compiled(site.recipes, [*kept, *chain.from_iterable(built.values())], devices)
        if change.sinks:
            await self._storage.attach(*owed(site))
        self._refuse_stopping()
        self._prints = self._prints.without(change, devices)  # as long as nothing has taken its place
        await self._north.end(change.sinks.ended)
        async with self._control.still(ended, STILL):
            await self._field.end(units.ended)
            await self._field.recall(chain.from_iterable(built.values()))
            self._swap(site, built, devices, kept)
        self._prints, self._changes = new, self._changes + 1
        self._north.take(site.gateway.id, drafts)
        self._front.show(site.gateway.id, self._north.taps)
        if not self._stopping.is_set():
            self._field.start(built, self._start)
            self._north.start(change.sinks.begun, self._start)
            self._serve_commands()
            await self._settings(site, limits, {key.partition(".")[0] for key in change.sections})

    def _swap(self, site: Site, built: Built, devices: Collection[str], kept: Sequence[Driver]) -> None:
        """Drivers, steps and catalogue in one go: nobody sees one of them without the others."""
        before, self.site = self._control.known, site.bare()
        self._field.take(self.site, built)
        drivers = self._field.drivers
        schemas = [schema for driver in drivers if driver.device in devices for schema in driver.schemas]
        latest, now = self._storage.latest, (self._clock.wall(), self._clock.mono())
        for frame in self._steps.renew(site.recipes, schemas, devices, latest.get, *now):
            self._inlet.add(frame)
        self._catalogue.take(drivers)
        latest.keep_only(self._catalogue.schemas)
        new = targets(site.devices, list(chain.from_iterable(built.values())), self.health)
        self._control.known = {driver.device: before[driver.device] for driver in kept} | new
        self._north.place(site)
        self._north.renewed()

    async def _settings(self, site: Site, limits: Limits, sections: Collection[str]) -> None:
        """What is neither a line nor a sink. What fails is told, and keeps nothing else from it."""
        if "log" in sections:
            self._logs.setup(site.log.level, site.log.format)
        if "buffer" in sections:
            await attempt(self._storage.limit(limits, site.buffer.commit), self._commits[0])
        if "status" in sections:
            self._front.move(site, self._start)

    def _found(self, device: str) -> Mapping[str, Rules]:
        return self._field.found(device)

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
        await attempt(self._storage.rescue(), self.health.part("store", "disk"))

    async def _tested(self) -> None:
        tags = sum(len(schema.tags) for schema in self._catalogue.schemas)
        work = selftest(self.site, self._data, tags, self._clock, self.health, self._storage)
        await attempt(work, Part("agent", "selftest"))

    def _house(self) -> Iterator[Named]:
        steps, disk, part = self.health.part(*STEPS), self.health.part("store", "disk"), ("store", "housekeeping")
        ticks = partial(tick, self._steps, self._inlet, self._clock, steps)
        self.health.pulses["store", STORE] = self._storage.pulse(FLOOR)
        self.health.pulses["store", "disk"] = self._storage.mending(MENDING)
        self.health.pulses["store", "commits"] = self._storage.writing(FLOOR)
        yield "tick", self._kept(ticks, steps, Backoff(DISK_CAP))
        yield "mend", self._kept(partial(self._storage.mend, disk), disk, Backoff(DISK_CAP))
        tend = self.health.part(*part)
        yield "tend", self._kept(partial(self._storage.tend, tend), tend, Backoff(DISK_CAP))
        agent = Part("agent", "house")
        yield "log", self._kept(self._logs.account, agent, Backoff(DISK_CAP))
        watchdog = Watchdog(self.health, self._notify, self._clock, self._stopping)
        yield "watchdog", self._kept(watchdog.run, agent, Backoff(DISK_CAP))

    def _serve_commands(self) -> None:
        """From the first sink on that takes any."""
        if self._control.clerks and not self._commands:
            run, part = partial(self._control.run, self._stopping), self.health.part(KIND, ALL)
            self._commands = self._start([("commands", self._kept(run, part, Backoff(COMMANDS_CAP)))])

    def _advised(self) -> Iterator[Named]:
        if self._steward is not None:
            part, run = Part("site", "steward"), partial(self._steward, self)
            yield "steward", self._kept(run, part, Backoff(DISK_CAP))

    def _kept(self, work: Callable[[], Awaitable[object]], part: Part, backoff: Backoff) -> Work:
        return partial(keep, work, part, backoff, self._stopping)


def _too_late() -> ConfigError:
    return ConfigError("the agent is stopping", hint="the next start takes the new configuration")


def _facts(site: Site, data: Path, store: Store) -> dict[str, object]:
    return {
        "version": __version__,
        "gateway": site.gateway.id,
        "instance": store.instance,
        "epoch": store.epoch,
        "devices": len(site.devices),
        "sinks": len(site.sinks),
        "data": str(data),
    }
