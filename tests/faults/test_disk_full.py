"""A disk that is full, on a small file system of its own: the agent's store goes on, and gives up the oldest only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOUNT = 'mount -t tmpfs -o size="$1" none "$2" && exec "$3" -W error "$4" "$2" "$5"'
WIDE = 100


def use_a_full_disk(folder: Path, size: str, who: str) -> dict[str, list[int]]:
    """In a mount namespace of its own, which ends with the process; works for root and where users may have one."""
    folder.mkdir()
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    script = str(Path(__file__).with_name("disk_full.py"))
    command = [*alone, "sh", "-c", MOUNT, "sh", size, str(folder), sys.executable, script, who]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", ["7m", "9m", "12m"])
@pytest.mark.parametrize("who", ["we", "others"])
def test_a_full_disk_never_stops_the_store(tmp_path: Path, size: str, who: str) -> None:
    """Filled by the store itself, or by another program down to the last byte: each append is accepted."""
    found = use_a_full_disk(tmp_path / "disk", size, who)
    assert found["refused"] == [0]
    (read, buffered, dropped), (frames,) = found["account"], found["frames"]
    assert read == 20_000 * WIDE == buffered + dropped
    assert dropped > 0
    assert buffered == frames * WIDE
    assert found["seqs"] == [20_000 - frames + 1, 20_000], "the newest, without a gap"
    assert found["at_rest"] == found["again"] == found["account"]
