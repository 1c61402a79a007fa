"""The OPC UA driver alone: 500 nodes that change five times a second, subscribed to and polled."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import rig
import uvloop
from report import Row, at_most, shown

from agent import registry
from agent.model.frame import Frame
from drivers.api import Driver, LineConfig, Poller, Subscriber

NODES, SECONDS, SCANS = 500, 10.0, 40


def rows() -> Iterator[Row]:
    port = rig.free_port()
    with rig.folder() as place:
        server = rig.HERE.parent / "sim/opcua_server.py"
        command = [sys.executable, str(server), "--port", str(port), "--values", str(NODES), "--interval", "0.2"]
        with rig.running(command, place / "plant.log") as plant:
            rig.await_port(port, plant, 60)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                cost, rate = runner.run(_follow(_driver(port, "subscribe")))
                yield shown("changes received", rate, "changes/s")
                yield at_most("a change of a subscribed tag: CPU", cost, 30, "µs")
                yield at_most("a value of a polled tag: CPU", runner.run(_poll(_driver(port, "poll"))), 35, "µs")


def _driver(port: int, mode: str) -> Driver:
    endpoint = f"opc.tcp://127.0.0.1:{port}/floorgate"
    tags: list[dict[str, Any]] = [
        {"name": f"t{i:03d}", "node": f"nsu=urn:floorgate:plant;s=Value{i}", "type": "float64"} for i in range(NODES)
    ]
    site = {"name": "p", "driver": "opcua", "endpoint": endpoint, "security": "none", "mode": mode, "tags": tags}
    config = registry.driver_config("opcua").model_validate({**site, "interval": "200ms"})
    (driver,) = registry.driver_builder("opcua")(LineConfig(endpoint=endpoint, timeout="5s"), [config])
    return driver


async def _follow(driver: Driver) -> tuple[float, float]:
    """µs of processor time per change, and changes per second."""
    assert isinstance(driver, Subscriber)
    await driver.open()
    stream, changes, end, began, cpu = driver.frames(), 0, None, 0.0, 0.0
    async for frame in stream:
        if end is None:  # the first message holds every tag as it stands
            began, cpu = time.monotonic(), time.process_time()
            end = began + SECONDS
            continue
        changes += _usable(frame)
        if time.monotonic() > end:
            break
    used, took = time.process_time() - cpu, time.monotonic() - began
    await driver.close()
    return used / max(changes, 1) * 1e6, changes / took


async def _poll(driver: Driver) -> float:
    assert isinstance(driver, Poller)
    await driver.open()
    (schema,) = driver.schemas
    values, began = 0, time.process_time()
    for _ in range(SCANS):
        values += _usable(await driver.scan(schema))
    cost = (time.process_time() - began) / values * 1e6
    await driver.close()
    return cost


def _usable(frame: Frame) -> int:
    return frame.quality.count(0)
