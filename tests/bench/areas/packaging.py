"""What is shipped: how fast the command answers, and how big the wheel is."""

import subprocess
import sys
import time
from collections.abc import Iterator

import rig
from report import Row, at_most

ROOT = rig.HERE.parent.parent


def rows() -> Iterator[Row]:
    times = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([str(rig.FLOORGATE), "version"], check=True, capture_output=True)
        times.append(time.monotonic() - began)
    yield at_most("floorgate version: wall time", 1000 * min(times), 500, "ms")
    with rig.folder() as place:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
        (wheel,) = place.glob("*.whl")
        yield at_most("the wheel", wheel.stat().st_size / 1e6, 1, "MB")
