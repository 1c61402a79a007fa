"""OPC UA: the whole agent at 10,000 changing doubles a second, and the driver alone beside another server."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rig
import uvloop
from report import Row, at_least, at_most, shown

from agent import registry
from agent.model.frame import Frame
from drivers.api import Driver, LineConfig, Poller, Subscriber

NODES, SECONDS, SCANS = 500, 10.0, 40
MANY, WARM, WINDOW = 10_000, 5.0, 20.0


def rows() -> Iterator[Row]:
    yield from whole()
    yield from alone()


def whole() -> Iterator[Row]:
    """The agent follows a server that publishes ten thousand doubles each second, into its store."""
    name, port = f"{MANY:,} doubles/s", rig.free_port()
    with rig.folder() as place:
        server = rig.HERE.parent / "sim/opcua_canned.py"
        command = [sys.executable, str(server), "--port", str(port), "--values", str(MANY)]
        with rig.running(command, place / "plant.log") as plant:
            rig.await_port(port, plant, 60)
            _site(place, port)
            with rig.agent(place) as agent:
                time.sleep(WARM)
                cpu, began = agent.cpu(), time.time()
                time.sleep(WINDOW)
                cpu, ended, memory = agent.cpu() - cpu, time.time(), agent.memory()
                code = agent.stop()
        kept = _kept(place)
        connected = float((place / "plant.log").read_text("ascii").partition("connected ")[2].split()[0])
    samples = sum(values for at, values in kept if began <= at < ended)
    first = next(at for at, values in kept if values)
    yield at_most(f"{name}: connect to first value", first - connected, 2, "s")
    yield at_least(f"{name}: into the store", samples / (ended - began), 0.9 * MANY, "samples/s")
    yield at_most(f"{name}: CPU", cpu / max(samples, 1) * 1e6, 12, "s/Msample")
    yield at_most(f"{name}: RSS", memory, 100, "MB")
    yield at_most(f"{name}: exit code after SIGTERM", abs(code), 0)


def _kept(place: Path) -> list[tuple[float, int]]:
    """When each frame of the plant came, in seconds, and how many good values it has."""
    rows = rig.floorgate("store", "export", "-", "--device", "plant", "--data", str(place / "data"))
    frames = [frame for row in rows.splitlines() if "ts_ns" in (frame := json.loads(row))]
    return [(frame["ts_ns"] / 1e9, len(frame["values"])) for frame in frames]


def _site(place: Path, port: int) -> None:
    endpoint = f"opc.tcp://127.0.0.1:{port}"
    device = ["  - name: plant", "    driver: opcua", f"    endpoint: {endpoint}", "    security: none", "    tags:"]
    tags = [f"      - {{name: t{i:05d}, node: 'nsu=urn:floorgate:canned;s=Value{i}'}}" for i in range(MANY)]
    head = ["gateway: {id: bench, site: [bench]}", f"lines: [{{endpoint: '{endpoint}', timeout: 5s}}]", "devices:"]
    (place / "site.yaml").write_text("\n".join([*head, *device, *tags, "sinks: []", ""]), "utf-8")


def alone() -> Iterator[Row]:
    """The driver without an agent, beside asyncua's server: a change of a tag, and a value that is polled."""
    port = rig.free_port()
    with rig.folder() as place:
        server = rig.HERE.parent / "sim/opcua_server.py"
        command = [sys.executable, str(server), "--port", str(port), "--values", str(NODES), "--interval", "0.2"]
        with rig.running(command, place / "plant.log") as plant:
            rig.await_port(port, plant, 60)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                cost, rate = runner.run(_follow(_driver(port, "subscribe")))
                yield shown("changes received", rate, "changes/s")
                yield at_most("a change of a subscribed tag: CPU", cost, 8, "µs")
                yield at_most("a value of a polled tag: CPU", runner.run(_poll(_driver(port, "poll"))), 10, "µs")


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
