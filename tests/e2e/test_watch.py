"""`floorgate watch` at a terminal: it is drawn anew, outlives the agent, takes another size, and ends with Ctrl-C."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from agent.cli import main
from tests.e2e.site import Agent
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import wait_until

SITE = """\
gateway: {{id: gw}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    interval: 200ms
    tags: [{{name: voltage_l1, address: 1100, type: float32, unit: V}}, {{name: beyond, address: 3500}}]
sinks: [{{name: file, type: file, path: {folder}/out.jsonl}}]
buffer: {{keep: 1d, reserve: 1MB, max_size: 64MB, commit: 100ms}}
"""
ROOT = Path(__file__).parents[2]


class Terminal:
    """A program at a pseudo-terminal; `seen` is all that it has written."""

    def __init__(self, process: "subprocess.Popen[bytes]", ours: int) -> None:
        self.process, self._ours, self.seen = process, ours, b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shows(self, text: str, seconds: float = 20.0) -> None:
        """Wait until this comes, from now on."""
        start, end = len(self.seen), time.monotonic() + seconds
        while text.encode() not in self.seen[start:]:
            assert time.monotonic() < end, f"{text!r} did not come: {self.seen[start:][-2000:]!r}"
            if select.select([self._ours], [], [], 0.2)[0]:
                self.seen += os.read(self._ours, 65536)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    ours, theirs = os.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environ = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LANG": "C.UTF-8"}
    command = [sys.executable, "-W", "error", "-m", "agent", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        try:
            found = Terminal(process, ours)
            found.resize(24, 100)
            yield found
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)


def test_a_picture_outlives_the_agent_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with libmodbus_server() as port, Agent(tmp_path, SITE.format(port=port, folder=tmp_path)) as agent:
        agent.ready()
        with terminal("watch", "--data", str(agent.data)) as screen:
            screen.shows("meter/voltage_l1")
            screen.shows("3f00 0000")
            screen.resize(12, 40)
            screen.shows("…")
            assert agent.stop() == 0
            screen.shows("no agent answers: waiting for one")
            agent.start()
            agent.ready()
            screen.shows("0.5")
            screen.process.send_signal(signal.SIGINT)
            assert screen.process.wait(10) == 0
        once = CliRunner().invoke(main, ["watch", "meter/*", "--once", "--data", str(agent.data)])
        asked = ["explain", "meter", "beyond", "--data", str(agent.data)]
        wait_until(lambda: "illegal data address" in CliRunner().invoke(main, asked).stdout, "the first answer")
        why = CliRunner().invoke(main, asked)
    assert once.exit_code == why.exit_code == 0
    assert "meter/voltage_l1" in once.stdout and "meter/beyond" in once.stdout
    assert f"{agent.config}:7:" in why.stdout, "the agent says which file it goes by"
    assert "It fails at 3 exchange" in why.stdout and "illegal data address" in why.stdout
