"""Drivers with the devices that they talk to: a driver joins the contract with one more `Rig` in `RIGS`.

Each situation is a context manager that starts a device and yields a driver for it, not yet open. A driver that cannot
get into a situation (a simulation is never silent) leaves it out, and the tests of that situation do not ask for it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agent import registry
from agent.model.frame import Frame, Value
from drivers.api import LineConfig, Poller
from tests.contract import opcua_rig as opcua
from tests.sim import faulty_line as serial
from tests.sim import faulty_modbus as modbus

TIMEOUT = 0.3  # seconds
Switch = Callable[[], None]
Situation = Callable[[], AbstractAsyncContextManager[Poller]]


@dataclass(frozen=True, slots=True)
class Rig:
    """`right` tells true values from others. `recovering` yields a driver for a device out of order, and its cure."""

    name: str
    right: Callable[[list[Value]], bool]
    healthy: Situation
    silent: Situation | None = None
    garbled: Situation | None = None
    absent: Situation | None = None
    slow: Situation | None = None
    recovering: Callable[[], AbstractAsyncContextManager[tuple[Poller, Switch]]] | None = None

    def __str__(self) -> str:
        return self.name


def driver(kind: str, endpoint: str, tags: list[dict[str, Any]], **keys: Any) -> Poller:
    section = {"name": "device", "driver": kind, "endpoint": endpoint, "tags": tags, **keys}
    config = registry.driver_config(kind).model_validate(section)
    line = LineConfig.model_validate({"endpoint": endpoint, "timeout": f"{TIMEOUT}s"})
    (made,) = registry.driver_builder(kind)(line, [config])
    assert isinstance(made, Poller)
    return made


def frame_values(frame: Frame) -> list[Value]:
    return [value for _, value, quality in frame.rows() if quality == 0]


MODBUS_TAGS = [{"name": f"t{address}", "address": address} for address in (0, 1, 500, 501)]


def modbus_device(behave: modbus.Behaviour) -> Situation:
    @asynccontextmanager
    async def situation() -> AsyncIterator[Poller]:
        async with modbus.faulty_device(behave) as device:
            yield driver("modbus", device.endpoint, MODBUS_TAGS)

    return situation


@asynccontextmanager
async def absent_modbus() -> AsyncIterator[Poller]:
    async with modbus.faulty_device() as device:
        endpoint = device.endpoint
    yield driver("modbus", endpoint, MODBUS_TAGS)


@asynccontextmanager
async def recovering_modbus() -> AsyncIterator[tuple[Poller, Switch]]:
    async with modbus.faulty_device(modbus.close_at_once) as device:

        def cure() -> None:
            device.behave = modbus.good

        yield driver("modbus", device.endpoint, MODBUS_TAGS), cure


def serial_line(behave: serial.Behaviour, *, text: bool = False) -> Situation:
    @asynccontextmanager
    async def situation() -> AsyncIterator[Poller]:
        async with serial.line_over_tcp(behave, text=text) as line:
            yield driver("modbus", line.endpoint, MODBUS_TAGS)

    return situation


def serial_port(behave: serial.Behaviour) -> Situation:
    @asynccontextmanager
    async def situation() -> AsyncIterator[Poller]:
        async with serial.line_on_pty(behave) as (_, path):
            yield driver("modbus", f"rtu://{path}?baud=115200", MODBUS_TAGS)

    return situation


@asynccontextmanager
async def absent_port() -> AsyncIterator[Poller]:
    yield driver("modbus", "rtu:///dev/ttyNotThere", MODBUS_TAGS)


@asynccontextmanager
async def recovering_port() -> AsyncIterator[tuple[Poller, Switch]]:
    async with serial.line_on_pty(serial.garbled) as (line, path):

        def cure() -> None:
            line.behave = serial.good

        yield driver("modbus", f"rtu://{path}?baud=115200", MODBUS_TAGS), cure


@asynccontextmanager
async def simulation() -> AsyncIterator[Poller]:
    yield driver("sim", "sim:", [{"name": "level", "wave": "constant", "low": 7}])


@asynccontextmanager
async def healthy_opcua() -> AsyncIterator[Poller]:
    yield driver("opcua", opcua.server().endpoint, opcua.TAGS, **opcua.KEYS)


@asynccontextmanager
async def slow_opcua() -> AsyncIterator[Poller]:
    async with opcua.wire(delay=0.02) as wire:
        yield driver("opcua", wire.endpoint, opcua.TAGS, **opcua.KEYS)


@asynccontextmanager
async def silent_opcua() -> AsyncIterator[Poller]:
    async with opcua.listening(opcua.deaf) as port:
        yield driver("opcua", f"opc.tcp://127.0.0.1:{port}", opcua.TAGS, **opcua.KEYS)


@asynccontextmanager
async def absent_opcua() -> AsyncIterator[Poller]:
    async with opcua.listening(opcua.deaf) as port:
        endpoint = f"opc.tcp://127.0.0.1:{port}"
    yield driver("opcua", endpoint, opcua.TAGS, **opcua.KEYS)


@asynccontextmanager
async def recovering_opcua() -> AsyncIterator[tuple[Poller, Switch]]:
    async with opcua.wire(open_=False) as wire:

        def cure() -> None:
            wire.open = True

        yield driver("opcua", wire.endpoint, opcua.TAGS, **opcua.KEYS), cure


RIGS = [
    Rig(
        "modbus",
        right=lambda values: values == [0, 1, 500, 501],
        healthy=modbus_device(modbus.good),
        silent=modbus_device(modbus.silent),
        garbled=modbus_device(modbus.garbage),
        absent=absent_modbus,
        slow=modbus_device(lambda adu: [0.02, modbus.reply(adu)]),
        recovering=recovering_modbus,
    ),
    Rig(
        "modbus-rtu",
        right=lambda values: values == [256, 257, 756, 757],
        healthy=serial_port(serial.good),
        silent=serial_port(serial.silent),
        garbled=serial_port(serial.garbled),
        absent=absent_port,
        slow=serial_port(serial.late(0.02)),
        recovering=recovering_port,
    ),
    Rig(
        "modbus-ascii",
        right=lambda values: values == [256, 257, 756, 757],
        healthy=serial_line(serial.ascii_good, text=True),
        silent=serial_line(serial.silent, text=True),
        garbled=serial_line(lambda request: [b":0103\xff\r\n"], text=True),
        slow=serial_line(lambda request: [0.02, *serial.ascii_good(request)], text=True),
    ),
    Rig("sim", right=lambda values: values == [7.0], healthy=simulation),
    Rig(
        "opcua",
        right=lambda values: values == opcua.VALUES,
        healthy=healthy_opcua,
        silent=silent_opcua,
        absent=absent_opcua,
        slow=slow_opcua,
        recovering=recovering_opcua,
    ),
]
