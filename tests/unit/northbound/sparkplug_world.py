"""A plant for the tests of the sparkplug sink: devices whose newest values are known, a host that speaks up, and what
one sink said in the course of a whole working day."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agent.model.errors import Unavailable
from agent.model.frame import Entry, Frame, Value
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.northbound.api import Gateway
from agent.northbound.house import Alone, Answer, Answered, Command
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.config import Config
from agent.northbound.sparkplug.sink import SparkplugSink, build
from agent.runtime.latest import Latest
from tests.sim.mosquitto import Mosquitto
from tests.sim.mqtt_tap import DISCONNECT, Tap, tap
from tests.sim.sparkplug_host import Host
from tests.unit.northbound.fake_broker import suback

TYPES: dict[DType, Value] = {
    "int8": -8,
    "int16": -16,
    "int32": -32,
    "int64": -64,
    "uint8": 8,
    "uint16": 16,
    "uint32": 4_000_000_000,
    "uint64": 2**64 - 1,
    "float32": 1.5,
    "float64": 2.5,
    "bool": True,
    "str": "text",
}
METER = Schema("meter", "1s", (Tag("voltage", "float64", "V"), Tag("count", "int32")))
SLOW = Schema("meter", "10s", (Tag("energy", "float64", "kWh"), Tag("count", "int32")))
PRESS = Schema("press", "1s", tuple(Tag(f"t_{dtype}", dtype) for dtype in TYPES))
SCHEMAS = (METER, SLOW, PRESS)


class Plant(Alone):
    """A house whose devices have been read, and that lets commands through."""

    def __init__(self, schemas: tuple[Schema, ...] = SCHEMAS) -> None:
        super().__init__(schemas)
        self.newest = Latest()
        self.asked: list[Command] = []
        self.dropped = 0
        self.answers: Callable[[Command], Answer] = lambda command: Answer("done", value=command.value, audit=7)
        self._seq = 0
        self._last = 0

    def latest(self, schema: Schema) -> Frame | None:
        return self.newest.get(schema)

    def submit(self, command: Command, answered: Answered) -> None:
        self.asked.append(command)
        answered(self.answers(command))

    def drop(self) -> None:
        self.dropped += 1

    def read(self, of: Schema, *values: Value, quality: bytes = b"", history: bool = False, **more: Any) -> Entry:
        """A frame is read now; one of history an hour ago."""
        self._last = max(time.time_ns(), self._last + 1_000_000)
        self._seq += 1
        ts = self._last - 3600 * 10**9 if history else self._last
        frame = Frame(of, ts, values, quality or bytes(len(values)), **more)
        if not history:
            self.newest.add([frame])
        return Entry("ab" * 8, self._seq, history, frame)

    def meter(self, value: float = 230.0, **more: Any) -> Entry:
        return self.read(METER, value, round(value), **more)

    def press(self, **more: Any) -> Entry:
        return self.read(PRESS, *TYPES.values(), **more)

    def gone(self, of: Schema, **more: Any) -> Entry:
        return self.read(of, *[None] * len(of.tags), quality=bytes((Quality.BAD_COMM,)) * len(of.tags), **more)

    def read_all(self) -> None:
        self.meter()
        self.read(SLOW, 1000.5, 3)
        self.press()


def sparkplug(url: str, house: Alone, **keys: Any) -> SparkplugSink:
    options = {"name": "scada", "type": "sparkplug", "url": url, "timeout": "2s", "settle": "20ms", **keys}
    return build(Config.model_validate(options), Gateway("gw-01", ("acme", "hangzhou"), house))


def say(broker: Mosquitto, topic: str, payload: bytes | str, *options: str) -> None:
    """As a host application."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    command = ["mosquitto_pub", "-p", str(broker.port), "-t", topic, "-q", "1", "-s" if data else "-n", *options]
    subprocess.run(command, input=data, check=True, timeout=10)


def state(broker: Mosquitto, online: bool, timestamp: int, name: str = "scada") -> None:
    say(broker, f"spBv1.0/STATE/{name}", json.dumps({"online": online, "timestamp": timestamp}), "-r")


def command(**metric: Any) -> bytes:
    """An NCMD or DCMD with one metric: name, alias, timestamp, field, value."""
    body = codec.text(1, metric["name"]) if "name" in metric else b""
    body += codec.number(2, metric["alias"]) if "alias" in metric else b""
    body += codec.number(3, metric["timestamp"]) if "timestamp" in metric else b""
    body += codec.value(metric["field"], metric["value"]) if "field" in metric else b""
    return codec.encode(time.time_ns() // 10**6, [codec.metric(body)], None)


REBIRTH = command(name="Node Control/Rebirth", field=codec.TRUTH, value=True)


def denying(part: bytes) -> Callable[[bytes], bytes]:
    """For `fake_broker`: no right to subscribe to filters with `part` in them."""

    def subscribed(body: bytes) -> bytes:
        codes, at = [], 3  # the packet id, and no properties
        while at < len(body):
            end = at + 2 + int.from_bytes(body[at : at + 2], "big")
            codes.append(0x87 if part in body[at:end] else 1)
            at = end + 1
        return suback(body, *codes)

    return subscribed


async def until(condition: Callable[[], object], what: str, seconds: float = 5.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds:g} s") from None


@asynccontextmanager
async def running(sink: SparkplugSink) -> AsyncIterator[SparkplugSink]:
    """Open and born, as a pump has it."""
    await sink.open()
    try:
        await sink.ready()
        yield sink
    finally:
        await sink.close()


def heard(wire: Tap, edge: str = "gw-01", group: str = "acme") -> Host:
    """What a host makes of all that went over the wire."""
    host = Host(group, edge)
    for packet in wire.published():
        host.hear(packet.topic, packet.payload)
    return host


@dataclass
class Day:
    """What a sink said, phase by phase, and what the host makes of it."""

    version: str
    wire: Tap
    host: Host
    plant: Plant
    witnessed: list[tuple[str, bytes]] = field(default_factory=list)  # what the broker passed on


@cache
def day(version: str) -> Day:
    """A whole one, once for all tests of this process."""
    with TemporaryDirectory() as folder, Mosquitto(Path(folder)) as broker, broker.subscriber("spBv1.0/#") as witness:
        found = asyncio.run(_day(broker, version))
        witness.payloads(
            "spBv1.0/+/NDEATH/#", 4 if version == "5" else 2
        )  # MQTT 5: each is said, and the last will too
        found.witnessed = witness.payloads()
    return found


async def _day(broker: Mosquitto, version: str) -> Day:
    plant = Plant()
    plant.read_all()
    async with tap(broker.port) as wire:
        options = {"primary_host": "scada", "protocol": version, "statistics": "1ms"}
        sink = sparkplug(wire.url, plant, commands={"allow": ["*/*"]}, **options)
        await _morning(broker, wire, sink, plant)
        await _afternoon(broker, wire, sink, plant)
        return Day(version, wire, heard(wire), plant)


async def _morning(broker: Mosquitto, wire: Tap, sink: SparkplugSink, plant: Plant) -> None:
    """Births and data."""
    wire.phase = "alone"
    state(broker, False, 1000)
    state(broker, True, 5000, "another")
    await sink.open()
    ready = asyncio.create_task(sink.ready())
    await asyncio.sleep(0.15)

    wire.phase = "births"
    state(broker, True, 2000)
    await ready
    await until(lambda: heard(wire).heard("DBIRTH", "press") == 1, "births")

    wire.phase = "data"
    doubt = bytes((Quality.STALE, Quality.BAD_DECODE))
    for batch in (
        [plant.meter(231.0), plant.press(), plant.read(SLOW, 1000.75, 4)],
        [plant.meter(229.0, history=True), plant.meter(232.0)],
        [plant.read(METER, 233.0, None, quality=doubt), plant.meter(234.0)],
    ):
        await sink.send(batch)
        await asyncio.sleep(0.005)  # so that there are statistics with the next

    wire.phase = "device"
    await sink.send([plant.gone(PRESS)])
    await sink.send([plant.press()])


async def _afternoon(broker: Mosquitto, wire: Tap, sink: SparkplugSink, plant: Plant) -> None:
    """What a host asks for, that it goes and comes back, and the end."""
    wire.phase = "outdated"
    state(broker, False, 1999)
    await sink.send([plant.meter(235.0)])

    wire.phase = "rebirth"
    say(broker, "spBv1.0/acme/NCMD/gw-01", REBIRTH)
    await until(lambda: heard(wire).heard("NBIRTH") == 2, "a rebirth")
    wire.phase = "after"
    await sink.send([plant.meter(236.0)])

    wire.phase = "command"
    say(broker, "spBv1.0/acme/DCMD/gw-01/press", command(name="t_int16", field=codec.INT, value=2**32 - 5))
    await until(lambda: plant.asked, "a command")

    wire.phase = "offline"
    state(broker, False, 2000)
    try:
        await asyncio.wait_for(sink.lost(), 5)
    except Unavailable:
        await sink.close()

    wire.phase = "again"
    await sink.open()
    ready = asyncio.create_task(sink.ready())
    state(broker, True, 1500)
    await asyncio.sleep(0.15)
    wire.phase = "online"
    state(broker, True, 3000)
    await ready
    await sink.send([plant.meter(237.0)])

    wire.phase = "stop"
    await sink.close()
    await until(lambda: wire.packets[-1].kind == DISCONNECT, "a DISCONNECT")
