"""Against asyncua's server in a process of its own: values, times, qualities, both modes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.model.errors import Refused, Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from drivers.api import Poller, Subscriber
from tests.sim.opcua_fixtures import NAMESPACE, OpcuaServer
from tests.unit.opcua.conftest import Connect, device

pytestmark = pytest.mark.xdist_group("opcua")

ALL: dict[str, Any] = {
    "temp": "Temp",
    "ratio": ("Ratio", "float32"),
    "count": ("Count", "int64"),
    "total": ("Total", "uint64"),
    "level": ("Level", "uint16"),
    "running": ("Running", "bool"),
    "name": ("Name", "string"),
    "row": "Row",
    "text": "Name",
    "gone": "Gone",
    "elsewhere": "nsu=urn:gone;s=Temp",
}
EXPECTED: dict[str, tuple[Value, int]] = {
    "temp": (21.5, 0),
    "ratio": (0.5, 0),
    "count": ((1 << 53) + 1, 0),
    "total": ((1 << 64) - 1, 0),
    "level": (42, 0),
    "running": (True, 0),
    "name": ("press 3", 0),
    "row": (None, Quality.BAD_DECODE),
    "text": (None, Quality.BAD_DECODE),
    "gone": (None, Quality.BAD_CONFIG),
    "elsewhere": (None, Quality.BAD_CONFIG),
}


async def until(frames: AsyncIterator[Frame], tag: str, wanted: Value, seconds: float = 5.0) -> Frame:
    """The first frame in which the tag has this value."""
    async with asyncio.timeout(seconds):
        async for frame in frames:
            if any(each.name == tag and value == wanted for each, value, _ in frame.rows()):
                return frame
    raise AssertionError(f"{tag} was never {wanted}")


def test_the_mode_decides_what_a_device_can(plant: OpcuaServer) -> None:
    """The runtime polls a device unless it is a Subscriber; `floorgate read` scans both."""
    polled, subscribed = (device(plant.endpoint, ALL, mode=mode) for mode in ("poll", "subscribe"))
    assert isinstance(polled, Poller)
    assert not isinstance(polled, Subscriber)
    assert isinstance(subscribed, Poller)
    assert isinstance(subscribed, Subscriber)
    assert polled.schemas[0].interval == 0.1
    assert subscribed.schemas[0].interval == 0.0


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
async def test_a_scan_has_each_tag_s_own_type_and_quality(plant: OpcuaServer, connect: Connect, mode: str) -> None:
    """A missing node, a missing namespace, an array and a text for a number spoil nobody else."""
    driver = await connect(plant.endpoint, ALL, mode=mode)
    frame = await driver.scan(driver.schemas[0])
    assert {tag.name: (value, quality) for tag, value, quality in frame.rows()} == EXPECTED
    assert driver.refused == {"gone": "BadNodeIdUnknown", "elsewhere": "the server has no namespace urn:gone"}


async def test_a_subscription_says_the_same(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, ALL)
    told: dict[str, tuple[Value, int]] = {}
    async with asyncio.timeout(5):
        async for frame in driver.frames():
            told.update((tag.name, (value, quality)) for tag, value, quality in frame.rows())
            if len(told) == len(ALL):
                break
    assert told == EXPECTED
    assert driver.refused == {"gone": "BadNodeIdUnknown", "elsewhere": "the server has no namespace urn:gone"}


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
async def test_a_device_of_which_nothing_is_there_says_so(plant: OpcuaServer, connect: Connect, mode: str) -> None:
    driver = await connect(plant.endpoint, {"a": "Gone", "b": "nsu=urn:gone;s=Temp"}, mode=mode)
    with pytest.raises(Refused, match=r"a: BadNodeIdUnknown|b: the server has no namespace urn:gone"):
        await (driver.scan(driver.schemas[0]) if mode == "poll" else anext(driver.frames()))


@pytest.mark.parametrize("mode", ["poll", "subscribe"])
async def test_times_are_the_source_s(plant: OpcuaServer, connect: Connect, mode: str) -> None:
    plant.set("Level", 43, stamp=1_700_000_000.25)
    driver = await connect(plant.endpoint, {"level": ("Level", "uint16")}, mode=mode)
    frame = await driver.scan(driver.schemas[0]) if mode == "poll" else await until(driver.frames(), "level", 43)
    assert frame.stamps == (1_700_000_000_250_000_000,)
    assert frame.ts > 1_700_000_001_000_000_000
    plant.set("Level", 42)


async def test_a_status_is_a_quality(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, {"temp": "Temp", "ratio": "Ratio"}, mode="poll")
    seen = []
    for code in (0x40900000, 0x80310000, 0):
        plant.set("Temp", 21.5, status=code)
        frame = await driver.scan(driver.schemas[0])
        seen.append((frame.values[0], frame.quality[0], frame.values[1]))
    assert seen == [(21.5, Quality.STALE, 0.5), (None, Quality.BAD_COMM, 0.5), (21.5, Quality.GOOD, 0.5)]


async def test_a_change_arrives_and_a_change_of_kind_is_seen(plant: OpcuaServer, connect: Connect) -> None:
    """A server that puts text where a number was: no value, and the tag recovers."""
    driver = await connect(plant.endpoint, {"loose": "Loose", "running": ("Running", "bool")})
    frames = driver.frames()
    await until(frames, "loose", 1.0)
    for value, kind, quality in (("half", "String", Quality.BAD_DECODE), (1.0, "Double", Quality.GOOD)):
        plant.set("Loose", 0.0, status=0x808C0000)
        assert (await until(frames, "loose", None)).quality == bytes((Quality.BAD_DEVICE,))
        plant.set("Loose", value, type=kind)
        told = await until(frames, "loose", None if quality else value)
        assert told.quality == bytes((quality,))


async def test_no_change_between_two_messages_is_lost(plant: OpcuaServer, connect: Connect) -> None:
    """The server counts every 50 ms and publishes every 500 ms: all numbers come, in order."""
    driver = await connect(plant.endpoint, {"tick": ("Tick", "int64")}, interval="500ms", sampling_interval="0ms")
    ticks: list[int] = []
    async with asyncio.timeout(10):
        async for frame in driver.frames():
            ticks += frame.values
            if len(ticks) > 30:
                break
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


async def test_groups_have_subscriptions_of_their_own(plant: OpcuaServer) -> None:
    """Two intervals on one device: two schemas, one session."""
    driver = device(
        plant.endpoint,
        {"tick": ("Tick", "int64"), "value": ("Value1", None, {"group": "slow"})},
        groups={"slow": {"interval": "400ms"}},
    )
    assert [(s.group, [t.name for t in s.tags]) for s in driver.schemas] == [("100ms", ["tick"]), ("slow", ["value"])]
    try:
        await driver.open()
        frames = driver.frames()
        async with asyncio.timeout(5):
            groups = [(await anext(frames)).schema.group for _ in range(12)]
        assert set(groups) == {"100ms", "slow"}
    finally:
        await driver.close()


async def test_open_returns_at_once_while_the_session_lives(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, {"temp": "Temp"}, mode="poll")
    session = driver._session
    await driver.open()
    assert driver._session is session


async def test_a_session_that_the_server_may_have_forgotten_is_made_anew(plant: OpcuaServer, connect: Connect) -> None:
    """A device that is read once an hour is not read with an error first."""
    driver = await connect(plant.endpoint, {"temp": "Temp"}, mode="poll")
    session = driver._session
    session._used -= 100_000
    assert list((await driver.scan(driver.schemas[0])).values) == [21.5]
    assert driver._session is not session


async def test_an_old_channel_is_renewed_under_the_subscription(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, {"tick": ("Tick", "int64")})
    frames = driver.frames()
    await anext(frames)
    driver._session._renew_at = 0.0
    async with asyncio.timeout(5):
        while not driver._session._renew_at:
            await anext(frames)
    assert len((await anext(frames)).values) == 1


async def test_a_closed_device_says_that_it_is_not_connected(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, {"temp": "Temp"})
    await driver.close()
    await driver.close()
    with pytest.raises(Unreachable, match="not connected"):
        await driver.scan(driver.schemas[0])
    with pytest.raises(Unreachable, match="not connected"):
        driver.frames()


async def test_nothing_is_left_behind(plant: OpcuaServer, connect: Connect) -> None:
    """No task after a close in mid-subscription, and no session on the server."""
    watcher = await connect(plant.endpoint, {"sessions": "i=2277"}, mode="poll")
    (before,) = (await watcher.scan(watcher.schemas[0])).values
    driver = await connect(plant.endpoint, {"tick": ("Tick", "int64")})
    await anext(driver.frames())
    await driver.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (await watcher.scan(watcher.schemas[0])).values == [before]


def test_the_sample_server_keeps_its_namespace(plant: OpcuaServer) -> None:
    assert NAMESPACE == "urn:floorgate:plant"
