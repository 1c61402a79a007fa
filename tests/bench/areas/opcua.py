"""OPC UA: the whole agent at 10,000 changing doubles a second, and the driver alone beside another server."""

import asyncio
import sys
import time
from collections.abc import Iterator
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
    port = rig.free_port()
    with rig.folder() as place:
        server = rig.HERE.parent / "sim/opcua_canned.py"
        command = [sys.executable, str(server), "--port", str(port), "--values", str(MANY)]
        with rig.running(command, place / "plant.log") as plant:
            rig.await_port(port, plant, 60)
            _site(place, port)
            with rig.agent(place) as agent:
                yield from _measured(agent)
                code = agent.stop()
        stats = rig.floorgate("store", "stats", "--data", str(place / "data"), "--json")
        yield shown(f"{MANY:,} doubles/s: frames in the store", _frames(stats))
        yield at_most(f"{MANY:,} doubles/s: exit code after SIGTERM", abs(code), 0)


def _measured(agent: rig.Agent) -> Iterator[Row]:
    name = f"{MANY:,} doubles/s"
    first = _until_samples(agent)
    yield at_most(f"{name}: connect to first value", first, 2, "s")
    time.sleep(WARM)
    cpu, samples, began = agent.cpu(), agent.samples(), time.monotonic()
    time.sleep(WINDOW)
    cpu, samples, took = agent.cpu() - cpu, agent.samples() - samples, time.monotonic() - began
    yield at_least(f"{name}: into the store", samples / took, 0.9 * MANY, "samples/s")
    yield at_most(f"{name}: CPU", cpu / max(samples, 1) * 1e6, 12, "s/Msample")
    yield at_most(f"{name}: RSS", agent.memory(), 100, "MB")
