"""Frames and sinks for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from agent.model.frame import Entry, Frame, Value
from agent.model.tag import DType, Schema, Tag
from agent.model.text import Referenced
from agent.northbound.api import Gateway, Sink
from agent.northbound.house import Alone, House
from agent.northbound.http.config import Config as HttpConfig
from agent.northbound.http.sink import HttpSink
from agent.northbound.http.sink import build as build_http
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.sink import MqttSink, build
from agent.northbound.thingsboard.config import Config as ThingsBoardConfig
from agent.northbound.thingsboard.sink import ThingsBoardSink
from agent.northbound.thingsboard.sink import build as build_thingsboard
from tests.sim.http_platform import HttpPlatform
from tests.sim.mosquitto import Mosquitto
from tests.sim.thingsboard import TOKEN
from tests.unit.northbound.fake_broker import FakeBroker

AnySink = TypeVar("AnySink", bound=Sink)
EPOCH = "9f2c00d1e5a7b384"
TS = 1_700_000_000_123_456_789


def schema(*names: str, device: str = "main-meter", group: str = "1s", dtype: DType = "float64") -> Schema:
    return Schema(device, group, tuple(Tag(name, dtype) for name in names))


METER = schema("voltage", "current")


def entry(values: Sequence[Value], quality: bytes = b"", *, of: Schema = METER, seq: int = 42, **more: Any) -> Entry:
    history, clock = more.pop("history", False), more.pop("clock", "")
    return Entry(EPOCH, seq, history, Frame(of, TS, values, quality or bytes(len(values)), **more), clock)


def entries(count: int, *, first: int = 1, of: Schema = METER) -> list[Entry]:
    return [entry([float(seq)] * len(of.tags), of=of, seq=seq) for seq in range(first, first + count)]


def mqtt(broker: Mosquitto, **options: Any) -> MqttSink:
    options = {"name": "platform", "type": "mqtt", "url": broker.url, "timeout": "2s", **options}
    return build(Config.model_validate(options), Gateway("gw-01", ("acme", "hangzhou")))


def http(platform: HttpPlatform, **options: Any) -> HttpSink:
    options = {"name": "platform", "type": "http", "url": platform.url, "timeout": "2s", **options}
    return build_http(HttpConfig.model_validate(options), Gateway("gw-01", ("acme", "hangzhou")))


def thingsboard(broker: Mosquitto | FakeBroker, house: House | None = None, **options: Any) -> ThingsBoardSink:
    token = Referenced(TOKEN)
    options = {"name": "tb", "type": "thingsboard", "url": broker.url, "timeout": "2s", "token": token, **options}
    gateway = Gateway("gw-01", ("acme", "hangzhou"), house or Alone())
    return build_thingsboard(ThingsBoardConfig.model_validate(options), gateway)


@asynccontextmanager
async def beside(sink: AnySink) -> AsyncIterator[AnySink]:
    """The sink, connected, in a loop in which others have their tasks."""
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def opened(sink: AnySink) -> AsyncIterator[AnySink]:
    """The sink, connected; nothing of it is left behind."""
    async with beside(sink):
        yield sink
    await no_tasks_left()


async def no_tasks_left() -> None:
    """aiomqtt's own task ends a moment after its socket is closed."""
    await asyncio.sleep(0.02)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others, f"left behind: {others}"
