"""One wire and those who share it: what two dead units cost thirty, and what the line itself costs."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import bus
from report import Row, at_least, at_most, shown
from virtual import running, virtually

from agent.health import Health
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from drivers.api import Poller

SETTLE, CYCLES = 600.0, 100
SCANS, ROUNDS = 60_000, 5
MANY = 1_000_000


def rows() -> Iterator[Row]:
    logging.getLogger("floorgate").addHandler(logging.NullHandler())  # that a full line is full is no news here
    yield from cycle("the Modbus driver", bus.driven)
    yield from cycle("scripted devices", bus.scripted)
    yield at_most("a scan, 30 devices on one line: CPU", cost(30, 1, 1.0), 10, "µs")
    yield at_most("a scan, 100 lines of one device: CPU", cost(100, 100, 0.1), 25, "µs")
    yield from memory()


def cycle(name: str, party: bus.Party) -> Iterator[Row]:
    """A bus that has more to do than it has time for, so that a cycle is as short as the line makes it."""
    of = bus.Bus()
    seen = virtually(bus.watched(of, party, settle=SETTLE, cycles=CYCLES))
    what = f"30 units at 9600 baud, 2 dead, {name}"
    yield shown(f"{what}: a cycle at least", 1000 * of.least, "ms")
    yield at_most(f"{what}: a cycle, mean of {CYCLES}", seen.cycle / of.least, 1.10, "times that")
    yield at_most(f"{what}: the longest that a living unit went unread", seen.longest, 2 * of.least + of.timeout, "s")
    yield at_least(f"{what}: questions to dead units meanwhile", seen.probes, 1)


class Instant:
    """A device that answers at once."""

    def __init__(self, name: str, interval: float) -> None:
        self.device, self.endpoint, self.line = name, "l", "l"
        self.schemas = (Schema(name, "g", (Tag("a", "int16"),), interval),)
        self.scans = 0

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """As above."""

    async def scan(self, schema: Schema) -> Frame:
        self.scans += 1
        return Frame(schema, 0, (1,), b"\0")


class Drain(Inlet):
    def offer(self, frame: Frame) -> bool:
        return True


def cost(devices: int, lines: int, interval: float) -> float:
    """µs of processor time per scan, the loop's own included."""
    return min(virtually(_cost(devices, lines, interval, SCANS)) for _ in range(ROUNDS))


async def _cost(devices: int, lines: int, interval: float, scans: int) -> float:
    made = [Instant(f"d{number}", interval) for number in range(devices)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(line.run(), name="line") for line in _lines(made, lines)]
        await asyncio.sleep(2 * interval)
        began, before = time.process_time(), sum(device.scans for device in made)
        await asyncio.sleep(scans / devices * interval)
        took, done = time.process_time() - began, sum(device.scans for device in made) - before
        for task in tasks:
            task.cancel()
    return took / done * 1e6


def _lines(devices: list[Instant], count: int) -> Iterator[Line]:
    health, steps = Health(), {schema: lambda frame: (frame,) for device in devices for schema in device.schemas}
    for place in range(count):
        part, members = health.part("line", f"l{place}"), [*devices[place::count]]
        yield Line(_pollers(members), part, steps, Drain(), health, running().clock(), place=place, of=count)


def _pollers(devices: list[Instant]) -> list[Poller]:
    return [*devices]


def memory() -> Iterator[Row]:
    """After a tenth of the scans everything has the size that it keeps."""
    grown, scans = virtually(_memory())
    yield at_least("scans through a line while its memory is watched", scans, MANY)
    yield at_most("memory that it took meanwhile", grown / 1e6, 1, "MB")


async def _memory() -> tuple[float, int]:
    """Bytes that the process grew by, and scans: two of thirty devices are dead, as on the bus."""
    of = bus.Bus(interval=0.1, baud=115_200, count=1, response=0.0)
    inlet, health = bus.Sieve(), Health()
    devices = bus.scripted(of)
    steps = {schema: lambda frame: (frame,) for device in devices for schema in device.schemas}
    line = Line(devices, health.part("line", "l"), steps, inlet, health, running().clock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.run(), name="line")
        while inlet.good < MANY // 10:
            await asyncio.sleep(10)
        before, first = _resident(), inlet.good
        while inlet.good < first + MANY:
            await asyncio.sleep(10)
        grown, scans = _resident() - before, inlet.good - first
        task.cancel()
    return grown, scans


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
