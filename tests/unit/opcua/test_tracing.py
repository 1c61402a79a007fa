"""What an OPC UA device tells of the last thing that the server said of a tag."""

import asyncio
from typing import Any

import pytest

from agent.model.quality import Quality
from drivers.opcua.driver import OpcuaSubscriber
from drivers.opcua.notify import OTHER, Batch
from drivers.opcua.recent import MOST, Recent
from drivers.tracing import Trace, Traced
from tests.sim.opcua_fixtures import OpcuaServer
from tests.unit.opcua.conftest import Connect, device

pytestmark = pytest.mark.xdist_group("opcua")
TAGS: dict[str, Any] = {"temp": "Temp", "count": ("Count", "int64"), "text": "Name", "gone": "Gone"}


def known(trace: Trace | None) -> dict[str, str]:
    assert trace is not None
    return dict(trace.about)


async def test_what_was_read_has_its_node_its_status_and_its_times(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, TAGS, mode="poll")
    assert isinstance(driver, Traced)
    await driver.scan(driver.schemas[0])
    trace = driver.trace("temp")
    told = known(trace)
    assert trace is not None and trace.exchange is not None
    assert (trace.value, trace.raw, trace.quality, trace.wrong) == (21.5, "21.5", 0, "")
    assert (trace.exchange.sent, trace.exchange.received, trace.exchange.error) == (b"", b"", "")
    assert told["node id"].endswith("s=Temp") and told["status"] == "Good (0x00000000)"
    assert told["source time"].startswith("20")
    assert told["server time"].startswith("20") or told["server time"] == "none"  # it need not give any
    assert "monitored item" not in told


async def test_a_node_that_is_not_there_is_a_status_code_in_words(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, TAGS, mode="poll")
    await driver.scan(driver.schemas[0])
    trace = driver.trace("gone")
    assert trace is not None and trace.exchange is not None
    assert (trace.quality, trace.value) == (Quality.BAD_CONFIG, None)
    assert "BadNodeIdUnknown" in trace.exchange.error
    assert "floorgate browse" in trace.exchange.hint


async def test_a_value_of_another_type_says_which_it_is(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, TAGS, mode="poll")
    await driver.scan(driver.schemas[0])
    trace = driver.trace("text")
    assert trace is not None
    assert (trace.quality, trace.exchange and trace.exchange.error) == (Quality.BAD_DECODE, "")
    assert trace.wrong == "the server gives press 3, which is no float64"


async def test_what_a_subscription_said_has_its_monitored_item(plant: OpcuaServer, connect: Connect) -> None:
    driver: OpcuaSubscriber = await connect(plant.endpoint, TAGS, mode="subscribe")
    assert known(driver.trace("temp"))["node id"].endswith("s=Temp")
    async with asyncio.timeout(10):
        async for frame in driver.frames():
            if any(tag.name == "temp" and value == 21.5 for tag, value, _ in frame.rows()):
                break
    trace = driver.trace("temp")
    assert trace is not None and trace.exchange is not None
    assert "of subscription" in known(trace)["monitored item"]
    assert (trace.value, trace.raw, trace.exchange.mono > 0) == (21.5, "21.5", True)
    gone = driver.trace("gone")
    assert gone is not None and gone.exchange is not None
    assert (gone.exchange.mono, "BadNodeIdUnknown" in gone.wrong) == (0, True)


async def test_without_a_session_it_says_so() -> None:
    driver = device("opc.tcp://127.0.0.1:1", TAGS)
    trace = driver.trace("temp")
    assert trace is not None and trace.exchange is None
    assert trace.wrong == "there is no session with the server"
    assert driver.trace("temperature") is None


def batch(handles: list[int], values: list[object], kind: int = 11) -> Batch:
    n = len(handles)
    return Batch(handles, values, [], [0] * n, [0] * n, {kind})


def test_of_the_last_messages_the_newest_value_counts_and_old_ones_go() -> None:
    recent = Recent()
    recent.add(batch([1, 2, 1], [1.0, 2.0, 3.0]), 10)
    recent.add(batch([2], ["x"], OTHER), 20)
    recent.add(batch([3], [4.0]), 30)
    found = {handle: recent.find(handle) for handle in (1, 2, 3, 4)}
    assert [each and (each.value, each.mono) for each in found.values()] == [(3.0, 10), (None, 20), (4.0, 30), None]
    for start in range(0, 2 * MOST, 1000):
        recent.add(batch(list(range(100, 1100)), [float(start)] * 1000), 40 + start)
    assert recent.find(1) is None
    held = recent.find(100)
    assert held is not None and held.value == 2.0 * MOST - 1000
