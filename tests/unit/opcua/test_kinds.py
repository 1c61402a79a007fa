"""Values of every kind, places within nodes, and ways to nodes, as two independent servers have them."""

import asyncio
import time
from typing import Any

import pytest

from agent.model.frame import Value
from agent.model.quality import Quality
from drivers.opcua.driver import OpcuaSubscriber
from tests.sim.opcua_fixtures import NAMESPACE, PRESS, OpcuaServer
from tests.unit.opcua.conftest import Connect

pytestmark = pytest.mark.xdist_group("opcua")

# name: (node, type, what is told of it)
TEXTS: dict[str, tuple[str, str, Value]] = {
    "moment": ("Moment", "str", "2024-02-29T12:30:00.250000Z"),
    "blob": ("Blob", "str", "dead"),
    "guid": ("Guid", "str", "09087e75-8e5e-499b-954f-f2a9603db28a"),
    "code": ("Code", "str", "BadOutOfRange"),
    "code_number": ("Code", "uint32", 0x803C0000),
    "label": ("Label", "str", "Presse"),
    "qualified": ("Qualified", "str", "2:Temp"),
    "zone": ("Zones[1]", "float64", 11.5),
    "named_like_a_zone": ("Zones[7]", "float64", 99.0),
    "right": ("Names[1]", "str", "right"),
    "mode": ("Mode", "enum", "Automatic"),
    "mode_number": ("Mode", "int32", 2),
    "state": ("i=2259", "enum", "Running"),
}
WRONG = {"beyond": ("Zones[9]", "float64"), "no_array": ("Label[0]", "str"), "moment_number": ("Moment", "float64")}
PLANT: dict[str, tuple[str, str, Value]] = {
    "where": ("Where", "str", "ns=3;s=Temp"),
    "x": ("Pose.at.x", "float64", 1.5),
    "y": ("Pose.at.y", "float64", 2.5),
    "speed": ("Pose.speeds[1]", "int32", 8),
    "pose_name": ("Pose.name", "str", "home"),
    "pose_mode": ("Pose.mode", "int32", 1),
    "by_path": (f"/Objects/nsu={NAMESPACE};Plant/Temp", "float64", 21.5),
    "zone_by_path": (f"/Objects/nsu={NAMESPACE};Plant/Zones[2]", "float64", 12.5),
    "axis": ("Axis.position", "float64", 12.5),
    "axis_name": ("Axis.name", "str", "left"),
    "axis_limit": ("Axis.limits[0]", "int16", -7),
    "drive_mode": ("Drive.mode", "int32", 2),
    "drive_load": ("Drive.load", "float32", 0.5),
    "drive_tool": ("Drive.tools[1].number", "uint16", 7),
    "drive_wear": ("Drive.tools[0].wear.High", "float64", 0.75),
    "drive_at": ("Drive.target.at", "int32", -40),
    "drive_ready": ("Drive.ready", "bool", True),
    "drive_step": ("Drive.step", "uint8", 5),
}
PRESSED: dict[str, tuple[str, str, Value]] = {
    "yes": ("Yes", "bool", True),
    "tiny": ("Tiny", "int8", -128),
    "small": ("Small", "int16", -32768),
    "whole": ("Whole", "uint32", (1 << 32) - 1),
    "long": ("Long", "int64", (1 << 53) + 1),
    "huge": ("Huge", "uint64", (1 << 64) - 1),
    "half": ("Half", "float32", 0.5),
    "text": ("Text", "str", "压机 3"),
    "where": ("Where", "str", "ns=1;s=Value0"),
    "by_path": (f"/Objects/nsu={PRESS};Press/nsu={PRESS};Half", "float64", 0.5),
    "zone_by_path": (f"/Objects/nsu={PRESS};Press/nsu={PRESS};Zones[2]", "float64", 12.5),
    "field": ("i=2260.ProductName", "str", "NodeOPCUA-Server"),
    "field_of_field": ("i=2256.BuildInfo.ProductName", "str", "NodeOPCUA-Server"),
    "number_in_field": ("i=2256.State", "int32", 0),
}


async def check(
    endpoint: str, connect: Connect, mode: str, uri: str, nodes: dict[str, tuple[str, str, Value]]
) -> OpcuaSubscriber:
    """Every tag says what it should, in a scan or by subscription."""

    def where(node: str) -> str:
        return node if node.startswith(("/", "i=")) else f"nsu={uri};s={node}"

    tags: dict[str, Any] = {name: (where(node), kind) for name, (node, kind, _) in {**TEXTS, **nodes}.items()}
    tags |= {name: (where(node), kind) for name, (node, kind) in WRONG.items()}
    driver = await connect(endpoint, tags, mode=mode)
    told: dict[str, tuple[Value, int]] = {}
    if mode == "poll":
        frame = await driver.scan(driver.schemas[0])
        told = {tag.name: (value, quality) for tag, value, quality in frame.rows()}
    else:
        async with asyncio.timeout(5):
            async for frame in driver.frames():
                told |= {tag.name: (value, quality) for tag, value, quality in frame.rows()}
                if len(told) == len(tags):
                    break
    assert told == {
        **{name: (value, Quality.GOOD) for name, (_, _, value) in {**TEXTS, **nodes}.items()},
        **dict.fromkeys(WRONG, (None, Quality.BAD_DECODE)),
    }
    assert driver.refused == {}
    return driver  # type: ignore[no-any-return]  # the fixture makes both kinds of driver


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
async def test_asyncua_s_nodes(plant: OpcuaServer, connect: Connect, mode: str) -> None:
    await check(plant.endpoint, connect, mode, NAMESPACE, PLANT)


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
async def test_node_opcua_s_nodes(press: OpcuaServer, connect: Connect, mode: str) -> None:
    """Which names no limit but 20 nodes a read: what is looked up is cut, too."""
    await check(press.endpoint, connect, mode, PRESS, PRESSED)


async def test_a_way_that_leads_nowhere_is_named(plant: OpcuaServer, connect: Connect) -> None:
    lost = {"a": f"/Objects/nsu={NAMESPACE};Nothing", "b": "/Objects/nsu=urn:gone;Plant", "temp": "Temp"}
    driver = await connect(plant.endpoint, lost, mode="poll")
    assert (await driver.scan(driver.schemas[0])).quality == bytes((Quality.BAD_CONFIG, Quality.BAD_CONFIG, 0))
    assert driver.refused == {
        "a": "its path leads nowhere: BadNoMatch",
        "b": "the server has no namespace urn:gone",
    }


async def test_a_gap_is_filled_from_the_history_of_a_foreign_server(press: OpcuaServer, connect: Connect) -> None:
    """A second without us, in which it counted on: no number is missing, none comes twice within the gap."""
    driver = await connect(press.endpoint, {"kept": f"nsu={PRESS};s=Kept"}, gap="history", sampling_interval="0ms")
    frames = driver.frames()
    values: list[tuple[int, Value]] = []

    async def take(count: int) -> None:
        async with asyncio.timeout(10):
            for _ in range(count):
                frame = await anext(frames)
                values.extend(zip(frame.stamps or (), frame.values, strict=True))

    await take(5)
    await driver.close()
    await asyncio.sleep(1.0)
    await driver.open()
    frames = driver.frames()
    await take(20)
    told = sorted(values)
    numbers = [value for _, value in told if value is not None]
    assert numbers == [numbers[0] + step for step in range(len(numbers))]  # type: ignore[operator]
    assert driver.remarks() == []
    assert abs(driver.skew or 9.0) < 1.0
    assert told[-1][0] == pytest.approx(time.time_ns(), abs=5 * 10**9)
