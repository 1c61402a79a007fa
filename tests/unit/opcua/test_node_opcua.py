"""Against node-opcua, which shares no code with asyncua, and allows 20 nodes a read and 10 monitored items a call."""

import asyncio
import itertools
from typing import cast

import pytest
from asyncua import ua

from agent.model.errors import Refused
from drivers.opcua.session import Session
from tests.sim.opcua_fixtures import PRESS, OpcuaServer
from tests.unit.opcua.conftest import Connect

pytestmark = pytest.mark.xdist_group("opcua")

TAGS = {f"v{number}": f"nsu={PRESS};s=Value{number}" for number in range(50)}


def item(node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
    request = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
    request.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
    return request


async def test_a_scan_of_more_nodes_than_a_read_may_have(press: OpcuaServer, connect: Connect) -> None:
    driver = await connect(press.endpoint, TAGS, mode="poll")
    assert driver._session.read_limit == 20
    frame = await driver.scan(driver.schemas[0])
    assert not any(frame.quality)
    moved = [value - number for number, value in enumerate(frame.values)]
    assert moved == sorted(moved)
    assert moved[-1] - moved[0] < 20, "the server counts on between the three reads, but not far"


async def test_a_subscription_of_more_nodes_than_a_call_may_have(press: OpcuaServer, connect: Connect) -> None:
    """Every tag's values come one after the other, none is left out: with an interval of 0 each change is a sample."""
    driver = await connect(press.endpoint, TAGS, sampling_interval="0ms")
    assert driver._session.limits.of("monitor") == 10
    told: dict[str, list[float]] = {name: [] for name in TAGS}
    async with asyncio.timeout(15):
        async for frame in driver.frames():
            for tag, value, quality in frame.rows():
                assert quality == 0
                told[tag.name].append(cast(float, value))
            if min(map(len, told.values())) >= 10:
                break
    for values in told.values():
        assert values == [values[0] + step for step in range(len(values))]


async def test_the_server_refuses_what_is_not_cut(press: OpcuaServer) -> None:
    """What the limits are for."""
    session = Session(press.endpoint, "press-3", 2.0)
    await session.open()
    try:
        index = session._namespaces[PRESS]
        nodes = [ua.NodeId(ua.String(f"Value{number}"), ua.Int16(index)) for number in range(50)]
        with pytest.raises(Refused, match="BadTooManyOperations"):
            await session.read(session.read_request(nodes))
        made = await session.subscribe(1.0, 5.0)
        with pytest.raises(Refused, match="BadTooManyOperations"):
            await session.monitor(made.SubscriptionId, [item(node) for node in nodes])
        assert session.alive
    finally:
        await session.close()


async def test_a_percent_deadband_without_a_range_is_left_out(press: OpcuaServer, connect: Connect) -> None:
    """Its nodes have no EURange, so it refuses the filter; the tags come without it, and it is said."""
    driver = await connect(press.endpoint, {"v": f"nsu={PRESS};s=Value3"}, deadband={"percent": 1})
    frame = await anext(driver.frames())
    assert (frame.quality, driver.refused) == (bytes(1), {})
    assert driver.remarks() == ["the server takes no such deadband or trigger: 1 tags (v: each change comes)"]


async def test_an_absolute_deadband_is_kept_by_the_server(press: OpcuaServer, connect: Connect) -> None:
    """A value that grows by one each 100 ms is told when it has grown by more than three."""
    driver = await connect(press.endpoint, {"v": f"nsu={PRESS};s=Value3"}, deadband={"absolute": 3.0})
    frames, told = driver.frames(), []
    async with asyncio.timeout(10):
        while len(told) < 4:
            told += (await anext(frames)).values
    steps = [after - before for before, after in itertools.pairwise(cast(list[float], told))]
    assert min(steps) > 3.0
    assert driver.remarks() == []


async def test_no_session_is_left_on_the_server(press: OpcuaServer, connect: Connect) -> None:
    watcher = await connect(press.endpoint, {"sessions": "i=2277"}, mode="poll")
    for _ in range(3):
        driver = await connect(press.endpoint, TAGS)
        await anext(driver.frames())
        await driver.close()
    assert list((await watcher.scan(watcher.schemas[0])).values) == [1.0]
