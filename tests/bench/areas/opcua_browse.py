"""`floorgate browse` of a server with 100,000 variables: whole, as a map, and what the command costs."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import rig
from report import Row, at_least, at_most, shown

FOLDERS, EACH = 1000, 100


def rows() -> Iterator[Row]:
    port = rig.free_port()
    with rig.folder() as place:
        server = rig.HERE.parent / "sim/opcua_tree.py"
        command = [sys.executable, str(server), "--port", str(port), "--folders", str(FOLDERS)]
        with rig.running(command, place / "tree.log") as tree:
            rig.await_port(port, tree, 180)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            found = _browse(port, place)
            took = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            yield at_least("nodes found", found, FOLDERS * (EACH + 1), "nodes")
            yield at_most("browsed, from start to end", took, 60, "s")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            yield shown("CPU of the command", cpu, "s")
            yield at_most("peak RSS of the command", after.ru_maxrss / 1000, 300, "MB")


def _browse(port: int, place: Path) -> int:
    endpoint = f"opc.tcp://127.0.0.1:{port}/floorgate"
    command = [str(rig.FLOORGATE), "browse", endpoint, "--security", "none", "--data", str(place), "--json"]
    done = subprocess.run([*command, "--timeout", "10s"], check=True, capture_output=True)
    return len(json.loads(done.stdout))
