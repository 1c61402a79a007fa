"""The Modbus driver alone: one device, 50 float32 in 100 registers, read and decoded, beside pymodbus' own client."""

import asyncio
import random
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import rig
import stopwatch
import uvloop
from pymodbus.client import AsyncModbusTcpClient
from report import Row, at_most, shown

from agent import registry
from agent.model.frame import Value
from drivers.api import LineConfig, Poller
from drivers.modbus.config import Tag
from drivers.modbus.plan import plan

TAGS, READS, ROUNDS = 50, 500, 8
SCAN = 200  # tags of the scan that is only decoded
FLOATS = struct.Struct(f">{TAGS}f").unpack
WORDS = struct.Struct(f">{2 * TAGS}H").pack


def rows() -> Iterator[Row]:
    for what, mixed in (("one type after the other", False), ("types in turn", True)):
        yield at_most(f"a scan of {SCAN} tags decoded, {what}: CPU per tag", 1000 * _decoding(mixed), 120, "ns")
    for name, loop in (("uvloop", uvloop.new_event_loop), ("asyncio", asyncio.new_event_loop)):
        with rig.folder() as place, rig.farm(place, 1, TAGS) as farm, asyncio.Runner(loop_factory=loop) as runner:
            ours, bare = runner.run(_costs(farm.ports[0]))
        yield shown(f"a read of 100 registers, decoded, on {name}: CPU", ours, "µs")
        yield shown(f"the same with pymodbus' client and a struct, on {name}: CPU", bare, "µs")
        yield at_most(f"ours against that, on {name}: CPU", ours / bare, 1.0, "times")


def _decoding(mixed: bool) -> float:
    """µs per tag: float32, scaled uint16, plain uint16 and scaled int32, from answers to the columns of a frame."""
    kinds: list[dict[str, Any]] = [{"type": "float32"}, {"type": "uint16", "scale": 0.1}]
    kinds += [{"type": "uint16"}, {"type": "int32", "scale": 0.01, "offset": -40}]
    tags, address = [], 0
    for at in range(SCAN):
        tag = Tag.model_validate({"name": f"t{at}", "address": address, **kinds[at % 4 if mixed else at * 4 // SCAN]})
        tags.append(tag)
        address += tag.words
    blocks = plan(tags, order="ABCD", max_registers=125)
    answers = [bytes((3, block.size)) + random.randbytes(block.size) for block in blocks]
    pairs = list(zip(blocks, answers, strict=True))

    def scan() -> None:
        values: list[Value] = []
        quality = b""
        for block, answer in pairs:
            columns = block.decode(answer)
            values += columns
            quality += block.quality(columns)
        assert len(values) == len(quality) == SCAN

    return stopwatch.cpu_us(scan, 5000) / SCAN


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
