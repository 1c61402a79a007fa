"""A disk that is full, on a small file system of its own: the store goes on, and gives up the oldest only."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.faults.table import ROOT, Seen, alone, row

_MOUNT = 'mount -t tmpfs -o size="$1" none "$2" && exec "$3" -W error "$4" "$2" "$5"'
_SIZES = ("40m", "48m", "64m")


def _on_a_small_disk(seen: Seen, run: int, when: str) -> dict[str, Any]:
    script, folder = ROOT / "tests/faults/programs/disk_full.py", seen.folder_of(run)
    size = _SIZES[run % len(_SIZES)]
    command = [*alone(), "sh", "-c", _MOUNT, "sh", size, str(folder), sys.executable, str(script), when]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def _full(seen: Seen, when: str) -> None:
    found = [_on_a_small_disk(seen, run, when) for run in range(seen.runs)]
    seen.none("commits refused", sum(each["refused"] for each in found))
    seen.none("samples neither in the store nor in the ledger", sum(abs(each["missing"]) for each in found))
    seen.none("wrong frames", sum(each["wrong"] for each in found))
    seen.none("ledgers that differ at rest or when opened again", sum(each["changed"] for each in found))
    if when != "we":
        seen.most("bytes left on the disk", max(each["free"] for each in found), 4096)
        seen.least("alarms", sum(each["cramped"] for each in found), seen.runs)
    seen.most("s to open it, the slowest", max(each["seconds"] for each in found), 5.0)


@row("11", "disk filled by others while running, sink down", runs=9, short=1, needs="mounts")
def disk_full_by_others(seen: Seen) -> None:
    _full(seen, "others")


@row("12", "disk full before start, sink down", runs=9, short=1, needs="mounts")
def disk_full_before_start(seen: Seen) -> None:
    _full(seen, "before")


@row("13", "disk filled by the store itself, sink down", runs=9, short=1, needs="mounts")
def disk_full_by_us(seen: Seen) -> None:
    _full(seen, "we")
