"""Everything southbound: the drivers of each unit, and the tasks that own its wires and sessions."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from agent.config import Site, rules_of, shared
from agent.health import Health
from agent.model.clock import Clock
from agent.model.tag import Schema
from agent.normalise import Rules, Steps
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.sleepers import Sleepers
from agent.runtime.storage import Storage
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, attempt, keep
from agent.runtime.tasks import CLOSE, Named, Start, finish
from agent.runtime.watchdog import FLOOR, TIMEOUTS
from agent.runtime.wiring import Unit, build_drivers, units_of
from drivers.api import Driver, DriverConfig, Learner, LineConfig, Poller, Priority, Spaced, Subscriber
from drivers.finding import Finder

SESSION_CAP = 5.0  # seconds, for a session that is spaced besides: back within ten seconds, all in all
FIELD_CAP = 10.0  # seconds: a line or a session is tried again at least about this often
SESSION_PATIENCE = 900.0  # seconds: to find thousands of nodes on a small server takes minutes
UNSAID = LineConfig(endpoint="")  # of a wire of which the file says nothing
Built = Mapping[Unit, Sequence[Driver]]


def priority_of(devices: Mapping[str, DriverConfig], schema: Schema) -> Priority:
    """Who goes first when several groups of a line are due: what the group says, or else its device."""
    config = devices[schema.device]
    group = config.groups.get(schema.group)
    return (group and group.priority) or config.priority


def build_units(site: Site, units: Collection[Unit], data: Path) -> Built:
    """The drivers of these units. Raises ConfigError; may take a while, and needs no event loop."""
    found = units_of(site.devices)
    return {unit: build_drivers(site, found[unit], data) for unit in found if unit in units}


@dataclass(slots=True)
class Crew:
    """A unit that runs: its drivers, their lines and tasks, and its parts of health."""

    drivers: Sequence[Driver]
    lines: tuple[str, ...] = ()
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Field:
    """The devices of a site as they are read now. `stop` ends all of it."""

    def __init__(
        self, steps: Steps, inlet: Inlet, storage: Storage, health: Health, clock: Clock, stop: asyncio.Event
    ) -> None:
        self._steps, self._inlet, self._storage, self._health = steps, inlet, storage, health
        self._clock, self._stop = clock, stop
        self._sleepers = Sleepers(clock.mono)
        self._crews: dict[Unit, Crew] = {}
        self._by_device: dict[str, Driver] = {}
        self._places: dict[str, int] = {}  # of lines: which of the phases of the schedule they have
        self._devices: Mapping[str, DriverConfig] = {}
        self._wires: Mapping[str, LineConfig] = {}

    @property
    def drivers(self) -> list[Driver]:
        """In the order of the file."""
        order = {device: place for place, device in enumerate(self._devices)}
        found = [driver for crew in self._crews.values() for driver in crew.drivers]
        return sorted(found, key=lambda driver: order.get(driver.device, len(order)))

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [task for crew in self._crews.values() for task in crew.tasks]

    def found(self, device: str) -> Mapping[str, Rules]:
        """What is asked of the tags that a device was found to have."""
        driver = self._by_device.get(device)
        tags = driver.tags if isinstance(driver, Finder) else ()
        return {tag.name: rules_of(tag, self._devices[device]) for tag in tags}

    def take(self, site: Site, built: Built) -> None:
        """Its devices are those of now, and these drivers are new; they are not started yet. Waits for nothing."""
        self._devices = {device.name: device for device in site.devices}
        self._wires = {shared(line.endpoint): line for line in site.lines}
        self._crews |= {unit: Crew(drivers) for unit, drivers in built.items()}
        self._by_device |= {driver.device: driver for drivers in built.values() for driver in drivers}

    async def recall(self, drivers: Iterable[Driver]) -> None:
        """Tell new drivers what was learnt of their devices."""
        for driver in drivers:
            if isinstance(driver, Learner):
                await attempt(self._recall(driver), self._health.part("device", driver.device))

    async def _recall(self, driver: Learner) -> None:
        kept = await self._storage.recall(driver.device)
        if kept is not None:
            driver.recall(kept)

    def start(self, units: Iterable[Unit], start: Start) -> None:
        """Begin the tasks of units that were taken."""
        waiting = [(unit, self._crews[unit]) for unit in units]
        lines = [_lines(crew.drivers) for _, crew in waiting]
        taken = set(self._places.values())
        free = (place for place in count() if place not in taken)
        for (_, crew), members in zip(waiting, lines, strict=True):
            crew.lines = tuple(members)
            self._places |= zip(members, free, strict=False)
        for (unit, crew), members in zip(waiting, lines, strict=True):
            crew.tasks = start(self._works(crew.drivers, members, self._wires.get(unit.endpoint, UNSAID)))

    async def end(self, units: Collection[Unit]) -> None:
        """Stop these units and let go of their devices; what they have read is in the inlet then. Their parts of health
        are gone."""
        await finish([task for unit in units for task in self._crews[unit].tasks], CLOSE, cancel=True)
        for unit in units:
            crew = self._crews.pop(unit)
            for driver in crew.drivers:
                del self._by_device[driver.device]
            for name in crew.lines:
                self._places.pop(name, None)
            self._health.drop(lines=crew.lines, devices=[driver.device for driver in crew.drivers])

    def _works(
        self, drivers: Sequence[Driver], lines: Mapping[str, Sequence[Poller]], wire: LineConfig
    ) -> Iterator[Named]:
        for driver in drivers:
            if isinstance(driver, Subscriber):
                yield self._session(driver, wire)
        for name, members in lines.items():
            yield self._line(name, members, wire)

    def _session(self, driver: Subscriber, wire: LineConfig) -> Named:
        spacing = driver.spacing if isinstance(driver, Spaced) else 0.0
        backoff = Backoff(SESSION_CAP if spacing else FIELD_CAP, spacing=spacing)
        part = self._health.part("device", driver.device)
        patience = max(SESSION_PATIENCE, self._patience([driver], wire))
        session = Subscription(
            driver, self._steps, self._inlet, part, self._clock, backoff, health=self._health, patience=patience
        )
        return f"sub:{driver.device}", partial(keep, session.run, part, backoff, self._stop)

    def _line(self, name: str, members: Sequence[Poller], wire: LineConfig) -> Named:
        part = self._health.part("line", name)
        line = Line(
            members,
            part,
            self._steps,
            self._inlet,
            self._health,
            self._clock,
            place=self._places[name],
            of=len(self._places),
            priority=partial(priority_of, self._devices),
            learn=self._storage.learn,
            sleepers=self._sleepers,
            patience=self._patience(members, wire),
        )
        return f"line:{name}", partial(keep, line.run, part, Backoff(FIELD_CAP), self._stop)

    def _patience(self, drivers: Sequence[Driver], wire: LineConfig) -> float:
        """Seconds after which one of them hangs that has made no request, or not connected or let go."""
        devices = [self._devices[driver.device] for driver in drivers]
        longest = max([wire.timeout, *(float(getattr(each, "timeout", None) or 0) for each in devices)])
        pause = max([wire.pause, *(float(getattr(each, "pause", 0)) for each in devices)])
        return max(FLOOR, TIMEOUTS * (longest + pause) + wire.connect_delay)


def _lines(drivers: Sequence[Driver]) -> dict[str, list[Poller]]:
    lines: dict[str, list[Poller]] = {}
    for driver in drivers:
        if isinstance(driver, Poller) and not isinstance(driver, Subscriber):
            lines.setdefault(driver.line, []).append(driver)
    return lines
