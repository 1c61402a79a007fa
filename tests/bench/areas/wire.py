"""The Modbus wire at its limit: a hundred connections that ask again as soon as they are answered, on one core."""

import asyncio
import os
import resource
import time
from collections.abc import Iterator

import rig
import uvloop
from report import Row, at_least, shown

from drivers.api import LineConfig
from drivers.modbus.config import Config
from drivers.modbus.driver import Device, build

CONNECTIONS, TAGS = 100, 50
SECONDS = 5.0


def rows() -> Iterator[Row]:
    with rig.folder() as place, rig.farm(place, CONNECTIONS, TAGS) as farm:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            reads, took, cpu = uvloop.run(_flat_out(farm.ports))
        finally:
            os.sched_setaffinity(0, cores)
    yield at_least(f"block reads over {CONNECTIONS} connections, one core, uvloop", reads / took, 6000, "reads/s")
    yield shown("the same: CPU of a read, decoded and framed", cpu / reads * 1e6, "µs")


def device(port: int) -> Device:
    endpoint = f"tcp://127.0.0.1:{port}"
    tags = [{"name": f"t{at}", "address": 2 * at, "type": "float32"} for at in range(TAGS)]
    config = Config.model_validate({"name": "d", "driver": "modbus", "endpoint": endpoint, "tags": tags})
    (made,) = build(LineConfig(endpoint=endpoint), [config])
    return made


async def _flat_out(ports: tuple[int, ...]) -> tuple[int, float, float]:
    """Reads, seconds of wall time, seconds of CPU."""
    devices = [device(port) for port in ports]
    for each in devices:
        await each.open()
    until = time.monotonic() + SECONDS

    async def ask(each: Device) -> int:
        reads, (schema,) = 0, each.schemas
        while time.monotonic() < until:
            await each.scan(schema)
            reads += 1
        return reads

    began, cpu = time.monotonic(), _cpu()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(each)) for each in devices]
    took, cpu = time.monotonic() - began, _cpu() - cpu
    for each in devices:
        await each.close()
    return sum(task.result() for task in tasks), took, cpu


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
