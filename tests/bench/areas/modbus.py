"""The Modbus driver alone: one device, 50 float32 in 100 registers, read and decoded."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import rig
import uvloop
from report import Row, at_most

from agent import registry
from drivers.api import LineConfig, Poller

TAGS, SCANS = 50, 3000


def rows() -> Iterator[Row]:
    for name, loop, bar in (("uvloop", uvloop.new_event_loop, 75), ("asyncio", asyncio.new_event_loop, 100)):
        yield at_most(f"a read of 100 registers, decoded, on {name}: CPU", _cost(loop), bar, "µs")


def _cost(loop: Callable[[], asyncio.AbstractEventLoop]) -> float:
    with rig.folder() as place, rig.farm(place, 1, TAGS) as farm, asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(_scan(farm))


async def _scan(farm: rig.Farm) -> float:
    endpoint = f"tcp://127.0.0.1:{farm.ports[0]}"
    tags: list[dict[str, Any]] = [{"name": f"t{i}", "address": 2 * i, "type": "float32"} for i in range(TAGS)]
    config = registry.driver_config("modbus").model_validate(
        {"name": "d", "driver": "modbus", "endpoint": endpoint, "tags": tags}
    )
    (driver,) = registry.driver_builder("modbus")(LineConfig(endpoint=endpoint), [config])
    assert isinstance(driver, Poller)
    await driver.open()
    (schema,) = driver.schemas
    before, began = farm.requests, time.process_time()
    for _ in range(SCANS):
        frame = await driver.scan(schema)
        assert not any(frame.quality)
    cost = (time.process_time() - began) / (farm.requests - before) * 1e6
    await driver.close()
    return cost
