"""A start: from the command to the first frame at the platform, and what an agent with little to do has in memory.

The checkout, its modules compiled as pip would; and the bundle that `make package` makes, where there is one.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import rig
from report import Row, at_most, shown
from subscriber import Subscriber

BUNDLE = rig.HERE.parent.parent / "build" / "onedir" / "floorgate" / "floorgate"
ROUNDS, TAGS, IDLE = 5, 100, 30.0
PATIENCE = 20.0


def rows() -> Iterator[Row]:
    with rig.folder() as place:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(place / "pyc")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        yield from _program("the checkout", str(rig.FLOORGATE), place, environ, version=None)
    if BUNDLE.exists():
        with rig.folder() as place:
            yield from _program("the bundle", str(BUNDLE), place, dict(os.environ), version=0.15)


def _program(name: str, program: str, place: Path, environ: dict[str, str], *, version: float | None) -> Iterator[Row]:
    """`version` is the bar of `--version`, in seconds."""
    took = min(_timed([program, "--version"], environ) for _ in range(ROUNDS + 1))
    what = f"{name}: --version: wall time"
    yield shown(what, took, "s") if version is None else at_most(what, took, version, "s")
    with rig.farm(place, 1, TAGS) as farm, rig.broker(place) as port:
        rig.write_site(place, farm.ports, TAGS, "1s", port)
        times, cpu = [], []
        for number in range(ROUNDS + 1):  # the first one compiles what is not compiled, and is not counted
            shutil.rmtree(place / "data", ignore_errors=True)
            platform = Subscriber(port, "floorgate/bench/+/+", farm.age, f"platform-{number}")
            time.sleep((number / ROUNDS - time.time()) % 1)  # at another fraction of the second each
            began = time.monotonic()
            with rig.agent(place, program=program, environ=environ) as agent:
                while not platform.came:
                    agent.check()
                    if time.monotonic() - began > PATIENCE:
                        raise RuntimeError(f"{name}: nothing arrived within {PATIENCE:g} s")
                    time.sleep(0.002)
                times.append(time.monotonic() - began)
                cpu.append(agent.cpu())
                if number == ROUNDS:
                    time.sleep(IDLE)
                    memory = agent.memory()
            platform.close()
        yield at_most(f"{name}: run to the first frame, the slowest of {ROUNDS}", max(times[1:]), 2.5, "s")
        yield shown(f"{name}: CPU until then, the least", min(cpu[1:]), "s")
        yield at_most(f"{name}: RSS after {IDLE:g} s, one Modbus device and MQTT", memory, 75, "MB")


def _timed(command: list[str], environ: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=environ)
    return time.monotonic() - began
