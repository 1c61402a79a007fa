"""The Modbus driver alone: one device, 50 float32 in 100 registers, read and decoded, beside pymodbus' own client."""

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import rig
import uvloop
from pymodbus.client import AsyncModbusTcpClient
from report import Row, at_most, shown

from agent import registry
from drivers.api import LineConfig, Poller

TAGS, READS, ROUNDS = 50, 500, 8
FLOATS = struct.Struct(f">{TAGS}f").unpack
WORDS = struct.Struct(f">{2 * TAGS}H").pack


def rows() -> Iterator[Row]:
    for name, loop in (("uvloop", uvloop.new_event_loop), ("asyncio", asyncio.new_event_loop)):
        with rig.folder() as place, rig.farm(place, 1, TAGS) as farm, asyncio.Runner(loop_factory=loop) as runner:
            ours, bare = runner.run(_costs(farm.ports[0]))
        yield shown(f"a read of 100 registers, decoded, on {name}: CPU", ours, "µs")
        yield shown(f"the same with pymodbus' client and a struct, on {name}: CPU", bare, "µs")
        yield at_most(f"ours against that, on {name}: CPU", ours / bare, 1.0, "times")


async def _costs(port: int) -> tuple[float, float]:
    """µs of processor time per read, ours and bare: rounds in turn, the best of each, because other work only adds."""
    endpoint = f"tcp://127.0.0.1:{port}"
    tags: list[dict[str, Any]] = [{"name": f"t{i}", "address": 2 * i, "type": "float32"} for i in range(TAGS)]
    config = registry.driver_config("modbus").model_validate(
        {"name": "d", "driver": "modbus", "endpoint": endpoint, "tags": tags}
    )
    (driver,) = registry.driver_builder("modbus")(LineConfig(endpoint=endpoint), [config])
    assert isinstance(driver, Poller)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0)
    await driver.open()
    assert await client.connect()
    (schema,) = driver.schemas

    async def ours() -> None:
        assert not any((await driver.scan(schema)).quality)

    async def bare() -> None:
        answer = await client.read_holding_registers(0, count=2 * TAGS, device_id=1)
        FLOATS(WORDS(*answer.registers))

    costs = [(await _cost(ours), await _cost(bare)) for _ in range(ROUNDS)]
    client.close()
    await driver.close()
    return min(cost[0] for cost in costs), min(cost[1] for cost in costs)


async def _cost(read: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(READS):
        await read()
    return (time.process_time() - began) / READS * 1e6
