"""What it costs a running agent to go over to another configuration: how long it takes, and whether scans are late."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

import rig
from report import Row, at_most

DEVICES, TAGS, CHANGES = 100, 100, 7
SETTLED = 4.0  # seconds in which also what nobody waits for is done


LINES = 2000  # each with a device of its own


def rows() -> Iterator[Row]:
    yield at_most(f"start and stop of an agent with {LINES:,} lines: CPU", _start(), 4, "s")
    took, late = _changes()
    what = f"one tag more of one in {DEVICES} devices with {TAGS} tags"
    yield at_most(f"{what}: until it runs, median of {CHANGES}", median(took), 1, "s")
    yield at_most(f"{what}: scans of the others that were late, most of {CHANGES}", max(late), 0)


def _start() -> float:
    """Loading the file and the interpreter's own start included."""
    with rig.folder() as place:
        device = "  - {{name: d{n}, driver: sim, endpoint: 'sim://d{n}', interval: 10s, tags: [{{name: a}}]}}\n"
        devices = "".join(device.format(n=n) for n in range(LINES))
        (place / "site.yaml").write_text(f"gateway: {{id: bench}}\ndevices:\n{devices}", "utf-8")
        log = (place / "agent.log").open("wb")
        command = [str(rig.FLOORGATE), "run", "-c", str(place / "site.yaml"), "--data", str(place / "data")]
        child = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while not (place / "data" / "agent.json").exists() and time.monotonic() < until:
                time.sleep(0.05)
            child.send_signal(signal.SIGTERM)
            _, _, used = os.wait4(child.pid, 0)
        finally:
            log.close()
        return used.ru_utime + used.ru_stime


def _changes() -> tuple[list[float], list[int]]:
    took, late = [], []
    with rig.folder() as place, rig.broker(place) as broker, rig.farm(place, DEVICES, TAGS + CHANGES) as farm:
        rig.write_site(place, farm.ports, TAGS, "1s", broker)
        site = place / "site.yaml"
        site.write_text(site.read_text("utf-8").replace("map: ./farm.yaml", "map: ./own.yaml", 1), "utf-8")
        shutil.copy(place / "farm.yaml", place / "own.yaml")
        with rig.agent(place, "--no-watch") as agent:
            time.sleep(10)
            for change in range(CHANGES):
                agent.check()
                before = _late(place)
                tag = f"{{name: more{change}, register: holding, address: {2 * (TAGS + change)}, type: float32}}"
                with (place / "own.yaml").open("a", encoding="utf-8") as own:
                    own.write(f"  - {tag}\n")
                began = time.monotonic()
                assert _ask(place, "/api/v1/config/apply", {"confirm": None, "who": "bench"})["changed"]
                took.append(time.monotonic() - began)
                time.sleep(SETTLED)
                late.append(_late(place) - before)
    return took, late


def _late(place: Path) -> int:
    """Of all devices but the one that is changed."""
    parts = _ask(place, "/api/v1/health")
    return sum(part["late"] for part in parts if part["kind"] == "device" and part["name"] != "d000")


def _ask(place: Path, path: str, body: dict[str, object] | None = None) -> Any:
    facts = json.loads((place / "data" / "agent.json").read_text("utf-8"))
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"http://{facts['host']}:{facts['port']}{path}", data, {"Content-Type": "application/json"})
    request.add_header("Authorization", f"Bearer {facts['token']}")
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())
