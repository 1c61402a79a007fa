"""Tags that patterns find on a real server: at the first session, later, and never less than before."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.health import Part
from agent.model.clock import Clock
from agent.model.errors import Refused, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.normalise import Steps
from agent.runtime.inlet import Inlet
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff
from drivers.api import LineConfig
from drivers.opcua.config import Config
from drivers.opcua.driver import OpcuaPoller, build
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer, machine_server

pytestmark = pytest.mark.xdist_group("opcua")
SPEED = {"name": "speed", "node": f"nsu={MACHINE};s=Speed"}


@pytest.fixture(scope="module")
def hall() -> Iterator[OpcuaServer]:
    """A server of our own, for its nodes come and go; each test has a row of presses to itself."""
    with machine_server(children=0) as server:
        for row in "ABCDE":
            for number in (1, 2):
                server.tell(add=f"Row{row}/Press{number}/Oil/Temp", type="Float", value=40.0 + number)
        yield server


def temps(row: str, **more: Any) -> dict[str, Any]:
    return {"match": f"Row{row}/Press*/**/Temp", "name": "press{1}_temp", "unit": "Cel", **more}


def made(endpoint: str, data: Path, *tags: dict[str, Any], **options: Any) -> Any:
    settings = {"name": "press-3", "driver": "opcua", "security": "none", "interval": "100ms", **options}
    config = Config.model_validate({**settings, "endpoint": endpoint, "tags": list(tags)})
    return build(LineConfig(endpoint=endpoint, timeout="2s"), [config], data)[0]


@asynccontextmanager
async def opened(endpoint: str, data: Path, *tags: dict[str, Any], **options: Any) -> AsyncIterator[Any]:
    driver = made(endpoint, data, *tags, **options)
    try:
        await driver.open()
        yield driver
    finally:
        await driver.close()


def columns(driver: OpcuaPoller) -> list[list[str]]:
    return [[tag.name for tag in schema.tags] for schema in driver.schemas]


async def until(frames: AsyncIterator[Frame], *names: str) -> list[Frame]:
    """Frames up to the one after which each of these has been told."""
    seen: list[Frame] = []
    left = set(names)
    async with asyncio.timeout(20):
        while left:
            seen.append(await anext(frames))
            left -= {tag.name for tag in seen[-1].tags()}
    return seen


async def test_values_come_first_and_what_is_found_joins_them(hall: OpcuaServer, tmp_path: Path) -> None:
    """In the same session and the same subscription, with a bigger schema from then on."""
    async with opened(hall.endpoint, tmp_path, temps("A"), SPEED) as driver:
        first, *_, last = await until(driver.frames(), "speed", "press1_temp", "press2_temp")
    assert [tag.name for tag in first.schema.tags] == ["speed"]
    assert [(tag.name, tag.dtype, tag.unit) for tag in last.schema.tags] == [
        ("speed", "float64", ""),
        ("press1_temp", "float32", "Cel"),
        ("press2_temp", "float32", "Cel"),
    ]
    assert (list(last.values), last.quality) == ([41.0, 42.0], bytes(2))
    assert len(driver.schemas) == 1


async def test_the_columns_stand_while_the_server_is_away(hall: OpcuaServer, tmp_path: Path) -> None:
    """And the gap is marked for all of them."""
    async with opened(hall.endpoint, tmp_path, temps("A"), SPEED) as driver:
        await until(driver.frames(), "press2_temp")
    away = made("opc.tcp://127.0.0.1:1", tmp_path, temps("A"), SPEED)
    assert columns(away) == [["speed", "press1_temp", "press2_temp"]]
    inlet, part = Inlet(), Part("device", "press-3")
    with pytest.raises(Unreachable):
        await Subscription(away, Steps(away.schemas), inlet, part, Clock(), Backoff(1)).run()
    (frame,) = await inlet.take(0)
    assert frame.quality == bytes([Quality.BAD_COMM]) * 3


async def test_a_node_that_comes_later_is_found_in_a_later_session(hall: OpcuaServer, tmp_path: Path) -> None:
    async with opened(hall.endpoint, tmp_path, temps("B")) as driver:
        await until(driver.frames(), "press1_temp", "press2_temp")
        before = driver.schemas
        await driver.close()
        hall.tell(add="RowB/Press0/Oil/Temp", type="Float", value=7.5)
        driver._seeker._next = 0.0  # ten seconds later
        await driver.open()
        frames = await until(driver.frames(), "press0_temp")
    assert [tag.name for tag in driver.schemas[0].tags] == ["press1_temp", "press2_temp", "press0_temp"]
    assert (frames[0].schema, frames[-1].schema) == (before[0], driver.schemas[0])
    assert columns(made(hall.endpoint, tmp_path, temps("B"))) == columns(driver)


async def test_a_node_that_is_gone_keeps_its_column_and_is_bad_config(hall: OpcuaServer, tmp_path: Path) -> None:
    async with opened(hall.endpoint, tmp_path, temps("C")) as driver:
        await until(driver.frames(), "press1_temp", "press2_temp")
    hall.tell(remove="RowC.Press1.Oil.Temp")
    async with opened(hall.endpoint, tmp_path, temps("C")) as driver:
        told = await until(driver.frames(), "press1_temp", "press2_temp")
    assert columns(driver) == [["press1_temp", "press2_temp"]]
    found = {tag.name: quality for frame in told for tag, _, quality in frame.rows()}
    assert found == {"press1_temp": Quality.BAD_CONFIG, "press2_temp": Quality.GOOD}
    assert list(driver.refused) == ["press1_temp"]


async def test_a_polled_device_grows_between_two_scans(hall: OpcuaServer, tmp_path: Path) -> None:
    """The first one brings values and does not search; `scan` takes the schema of before, too."""
    async with opened(hall.endpoint, tmp_path, temps("D"), SPEED, mode="poll") as driver:
        (schema,) = driver.schemas
        first = await driver.scan(schema)
        assert (first.schema, list(first.values)) == (schema, [1.5])
        async with asyncio.timeout(20):
            while (frame := await driver.scan(schema)).schema is schema:
                await asyncio.sleep(0.02)
    assert list(frame.values) == [1.5, 41.0, 42.0]
    assert columns(driver) == [["speed", "press1_temp", "press2_temp"]]


async def test_a_polled_device_of_patterns_alone(hall: OpcuaServer, tmp_path: Path) -> None:
    """It has a group to be asked for from the start, and is in error while nothing on the server is meant."""
    slow = {"groups": {"slow": {"interval": "10s"}}}
    async with opened(hall.endpoint, tmp_path, temps("D", group="slow"), mode="poll", **slow) as driver:
        assert columns(driver) == [[]]
        frame = await driver.scan(driver.schemas[0])
    assert (frame.schema.group, list(frame.values)) == ("slow", [41.0, 42.0])
    async with opened(hall.endpoint, tmp_path, temps("X"), mode="poll") as driver:
        for _ in range(2):
            with pytest.raises(Refused, match=r"nothing on the server is meant by RowX/Press\*/\*\*/Temp"):
                await driver.scan(driver.schemas[0])


async def test_a_subscribed_device_of_patterns_alone(hall: OpcuaServer, tmp_path: Path) -> None:
    async with opened(hall.endpoint, tmp_path, temps("D")) as driver:
        assert driver.schemas == ()
        frames = await until(driver.frames(), "press1_temp", "press2_temp")
    assert len(frames) == 1
    async with opened(hall.endpoint, tmp_path, temps("X")) as driver:
        with pytest.raises(Refused, match="nothing on the server is meant by"):
            await anext(driver.frames())


async def test_a_pattern_below_the_root_means_one_machine(hall: OpcuaServer, tmp_path: Path) -> None:
    """Wherever else there are nodes of those names."""
    root = f"/Objects/nsu={MACHINE};Machine/nsu={MACHINE};RowE"
    here = {"match": "./Press*/*/Temp", "name": "press{1}_{2}"}
    async with opened(hall.endpoint, tmp_path, here, root=root) as driver:
        await until(driver.frames(), "press1_Oil", "press2_Oil")
    assert [tag.node for tag in driver._pins.tags] == [f"nsu={MACHINE};s=RowE.Press{n}.Oil.Temp" for n in (1, 2)]
    async with opened(hall.endpoint, tmp_path, here, root=f"{root}X") as driver:
        with pytest.raises(Refused, match="its path leads nowhere"):
            await anext(driver.frames())


async def test_a_node_that_is_listed_by_its_way_is_not_found_again(hall: OpcuaServer, tmp_path: Path) -> None:
    way = "/".join(f"nsu={MACHINE};{name}" for name in ("Machine", "RowE", "Press1", "Oil", "Temp"))
    listed = {"name": "hot", "node": f"/Objects/{way}"}
    async with opened(hall.endpoint, tmp_path, temps("E"), listed) as driver:
        await until(driver.frames(), "hot", "press2_temp")
    assert columns(driver) == [["hot", "press2_temp"]]
