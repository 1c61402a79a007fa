"""What Windows lacks is asked for in one place only: without it, everything loads, and a site is read and forwarded."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.sim.mosquitto import wait_until

SITE = """
gateway: {{id: plant-7}}
devices:
  - name: press
    driver: sim
    endpoint: "sim:"
    interval: 100ms
    tags: [{{name: pressure, wave: sine}}]
sinks:
  - name: local
    type: file
    path: {path}
"""


def test_a_site_runs_without_what_windows_lacks(tmp_path: Path) -> None:
    """The loop is the one that asks select(2), and a signal comes through all the same."""
    config, found = tmp_path / "site.yaml", tmp_path / "found.jsonl"
    config.write_text(SITE.format(path=found))
    command = f"--help then check {config} then run -c {config} --data {tmp_path / 'data'}"
    environ = {**os.environ, "LOCALAPPDATA": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.sim.windows", *command.split()], stdout=log, stderr=log, env=environ
        )
    try:
        wait_until(lambda: child.poll() is not None or (found.exists() and found.stat().st_size > 0), "a frame")
        child.send_signal(signal.SIGTERM)
        child.wait(20)
    finally:
        child.kill()
        child.wait()
    said = (tmp_path / "log").read_text()
    assert child.returncode == 0, said
    assert said.count("ended with 0") == 3, said
