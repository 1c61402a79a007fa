"""A serial line in virtual time: every byte takes as long as its baud says, every unit as long as it needs to answer.

A `Party` makes the devices of a bus. `scripted` are devices of which a scan takes what its frames would; `driven` are
those of the Modbus driver itself, on a stream of bytes that arrive at the pace of the line.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pymodbus.transport import CommParams, CommType
from virtual import running

from agent.health import Health
from agent.model.errors import Unreachable
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from drivers.api import Poller
from drivers.modbus.config import PORTS, Config
from drivers.modbus.dial import framing
from drivers.modbus.driver import Device
from drivers.modbus.link import Link
from drivers.modbus.stream import StreamLink
from drivers.modbus.timing import Timing, timing
from drivers.modbus.wire import Wire
from drivers.transport import Endpoint, parse_endpoint

CHUNK = 8  # bytes that a serial driver hands over at a time


@dataclass(frozen=True, slots=True)
class Bus:
    """What is on the line: `units` of which the last `dead` do not answer; each is asked for `count` registers."""

    units: int = 30
    dead: int = 2
    baud: int = 9600
    count: int = 10
    response: float = 0.02  # seconds from the end of the request to the begin of the answer, silence not included
    timeout: float = 1.0
    interval: float = 1.0

    @property
    def endpoint(self) -> Endpoint:
        return parse_endpoint(f"rtu:///dev/ttyS0?baud={self.baud}", PORTS)

    @property
    def pace(self) -> Timing:
        return timing(self.endpoint)

    @property
    def scan(self) -> float:
        """Seconds that a unit which answers has the wire, at least."""
        return self.pace.request(2 * self.count) + self.response

    @property
    def least(self) -> float:
        """Seconds of a cycle in which all units that answer are read once and nothing else happens."""
        return (self.units - self.dead) * self.scan

    def answers(self, unit: int) -> bool:
        """Units count from 1."""
        return 0 < unit <= self.units - self.dead


Party = Callable[[Bus], Sequence[Poller]]


class Scripted:
    """A device of which a scan takes as long as its frames and its answer do."""

    def __init__(self, bus: Bus, unit: int) -> None:
        self.device, self.endpoint, self.line = f"unit-{unit:02}", str(bus.endpoint), str(bus.endpoint)
        self.schemas = (Schema(self.device, "g", (Tag("a", "int16"),), bus.interval),)
        self._takes, self._answers = bus.scan if bus.answers(unit) else bus.timeout, bus.answers(unit)

    async def open(self) -> None:
        """The port is open."""

    async def close(self) -> None:
        """As above."""

    async def scan(self, schema: Schema) -> Frame:
        await asyncio.sleep(self._takes)
        if not self._answers:
            raise Unreachable(f"{self.device}: no answer")
        return Frame(schema, running().mono(), (1,), b"\0")


def scripted(bus: Bus) -> Sequence[Poller]:
    return [Scripted(bus, unit) for unit in range(1, bus.units + 1)]


class Stream(asyncio.Transport):
    """The port: what is written comes to the units byte by byte, and so does what they answer."""

    def __init__(self, bus: Bus, link: Link) -> None:
        super().__init__()
        self._bus, self._link, self._frames = bus, link, framing(bus.endpoint)
        self._free = 0.0  # loop time at which the wire has carried what was written
        self._closed = False

    def get_write_buffer_size(self) -> int:
        return 0  # the kernel has taken it

    def write(self, data: bytes | bytearray | memoryview) -> None:
        request, pace, loop = bytes(data), self._bus.pace, running()
        sent = max(loop.time(), self._free) + len(request) * pace.char
        self._free = sent
        if self._bus.answers(request[0]):
            assert self._frames is not None
            words = bytes(2 * int.from_bytes(request[4:6], "big"))
            answer = self._frames.build(request[0], bytes((request[1], len(words))) + words)
            begin = sent + pace.silence + self._bus.response
            for at in range(0, len(answer), CHUNK):
                chunk = answer[at : at + CHUNK]
                loop.call_at(begin + (at + len(chunk)) * pace.char, self._deliver, chunk)

    def _deliver(self, chunk: bytes) -> None:
        if not self._closed:
            self._link.data_received(chunk)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    def abort(self) -> None:
        self._closed = True


class Dialled:
    """Opens the port."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, timeout: float) -> Link:
        endpoint = self._bus.endpoint
        params = CommParams(comm_type=CommType.SERIAL, comm_name=str(endpoint), reconnect_delay=0)
        frames = framing(endpoint)
        assert frames is not None
        link = StreamLink(endpoint, params, frames)
        link.connection_made(Stream(self._bus, link))
        return link

    def close(self) -> None:
        """Nothing is kept."""


def driven(bus: Bus) -> Sequence[Poller]:
    """Inside a running loop."""
    wire = Wire(bus.endpoint, bus.timeout, Dialled(bus), timing=bus.pace)
    clock = running().clock()
    tags = [{"name": f"t{address}", "address": address} for address in range(bus.count)]
    common = {"driver": "modbus", "endpoint": str(bus.endpoint), "interval": f"{round(bus.interval * 1000)}ms"}
    configs = [
        Config.model_validate({"name": f"unit-{unit:02}", "unit": unit, "tags": tags, **common})
        for unit in range(1, bus.units + 1)
    ]
    return [Device(config, wire, clock=clock) for config in configs]


class Sieve(Inlet):
    """Counts the good frames and remembers when each device had its last one."""

    def __init__(self) -> None:
        super().__init__()
        self.good, self.longest = 0, 0.0
        self.last: dict[str, float] = {}

    def offer(self, frame: Frame) -> bool:
        if not any(frame.quality):
            device, now = frame.schema.device, running().time()
            self.longest = max(self.longest, now - self.last.get(device, now))
            self.last[device] = now
            self.good += 1
        return True

    def forget(self) -> None:
        self.good, self.longest = 0, 0.0


@dataclass(slots=True)
class Seen:
    """What a bus did in some time: seconds of a cycle in the mean, and the longest that a living unit went unread."""

    cycle: float
    longest: float
    probes: int
    health: Health = field(repr=False)


async def watched(bus: Bus, party: Party, *, settle: float, cycles: int) -> Seen:
    """The bus under a line, after it has settled."""
    inlet, health, loop = Sieve(), Health(), running()
    devices = party(bus)
    steps = {schema: lambda frame: (frame,) for device in devices for schema in device.schemas}
    part = health.part("line", str(bus.endpoint))
    line = Line(devices, part, steps, inlet, health, loop.clock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.run(), name="line")
        await asyncio.sleep(settle)
        inlet.forget()
        began, probed, wanted = loop.time(), _failures(health), cycles * (bus.units - bus.dead)
        while inlet.good < wanted:
            await asyncio.sleep(bus.scan)
        took, cycle = loop.time() - began, (bus.units - bus.dead) / inlet.good
        seen = Seen(took * cycle, inlet.longest, _failures(health) - probed, health)
        task.cancel()
    return seen


def _failures(health: Health) -> int:
    return sum(part.failures for (kind, _), part in health.parts.items() if kind == "device")
