"""`floorgate demo` as a stranger would run it, and what it leaves behind: nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEMO = [sys.executable, "-W", "error", "-m", "agent", "demo"]
READY = "values of all devices arrive"


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A demo whose temporary files lie in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        [*DEMO, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def left_in(folder: Path) -> list[str]:
    """The command lines of processes that work in `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"the demo ended before {words!r}")


def gone(folder: Path, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while left_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not left_in(folder)


def test_it_ends_with_a_balanced_ledger(tmp_path: Path) -> None:
    """Ten seconds, a dead device, a cut uplink, and nothing lost."""
    with demo(tmp_path, "--seconds", "10") as process:
        said, _ = process.communicate(timeout=80)
    assert process.returncode == 0, said
    told = [said.find(words) for words in ("lost power", "has power again", "uplink is cut", "uplink is back")]
    assert -1 not in told, said
    assert told == sorted(told)
    line = re.search(
        r"read ([\d,]+) = delivered ([\d,]+) samples, nothing lost.* ([\d,]+) of the frames had waited", said
    )
    assert line, said
    assert line[1] == line[2]
    assert int(line[3]) > 0
    assert "Warning" not in said
    assert list(tmp_path.iterdir()) == []
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGTERM, READY), (signal.SIGINT, "starting the plant")])
def test_stopped_early_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    with demo(tmp_path, "--seconds", "60", "--json") as process:
        read_until(process, moment)
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 1
    assert left_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_a_working_directory_of_the_agent(tmp_path: Path) -> None:
    """The configuration, the store and a log of each part, in which none complains."""
    with demo(tmp_path, "--seconds", "60", "--keep") as process:
        read_until(process, READY)
        assert len(left_in(tmp_path)) == 5
        process.terminate()
        process.communicate(timeout=20)
    (folder,) = tmp_path.iterdir()
    assert {"floorgate.yaml", "data", "agent.log"} <= {path.name for path in folder.iterdir()}
    for part in ("main-meter", "compressor", "press", "broker"):
        assert (folder / f"{part}.log").read_text() == ""
    ledger = [sys.executable, "-m", "agent", "ledger", "--data", str(folder / "data"), "--json"]
    accounts = json.loads(subprocess.run(ledger, capture_output=True, timeout=20, check=True).stdout)
    assert {account["device"] for account in accounts} == {"main-meter", "compressor", "press"}


def test_killed_it_takes_its_processes_along(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "60") as process:
        read_until(process, READY)
        process.kill()
        process.wait(5)
    assert gone(tmp_path)


def test_too_short_a_time_is_refused() -> None:
    done = subprocess.run([*DEMO, "--seconds", "2"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "8" in done.stderr
