"""The agent as a service of systemd: what it says to it, how it logs, and how much."""

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.runtime.journal import SOCKET
from tests.e2e.site import Agent
from tests.sim.mosquitto import wait_until
from tests.sim.service_manager import Manager

SITE = """\
gateway: {{id: gw}}
devices: [{{name: press, driver: sim, interval: 100ms, tags: [{{name: a}}]}}]
sinks: [{{name: archive, type: file, path: "{folder}/archive.jsonl"}}]
buffer: {{reserve: 1MB}}
log: {{level: warning}}
"""


def log(agent: Agent, *arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(main, ["log", *arguments, "--json", "--data", str(agent.data)])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_a_service_says_how_it_is_and_logs_to_the_journal(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    heard: list[str] = []

    def hears(what: str) -> bool:
        heard.extend(manager.heard())
        return any(each.startswith(what) for each in heard)

    (tmp_path / "agent.log").touch()
    stream = (tmp_path / "agent.log").stat()
    environ = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "600000",
        "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}",
    }
    with Agent(tmp_path, SITE.format(folder=tmp_path), **environ) as agent:
        wait_until(lambda: hears("READY=1") and hears("WATCHDOG=1") and hears("STATUS=1 device"), "it serves")
        agent.ready()
        assert not hears("RELOADING=1")
        assert log(agent) == {"level": "warning", "file": "warning", "seconds": 0.0}
        assert log(agent, "debug", "--for", "1h")["level"] == "debug"
        agent.config.write_text(agent.config.read_text().replace("100ms", "50ms"))
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: hears("RELOADING=1"), "it goes over to another configuration")
        assert log(agent, "file") == {"level": "warning", "file": "warning", "seconds": 0.0}
        heard.clear()
        agent.stop()
    assert hears("STOPPING=1")
    manager.close()
    lines = agent.log.read_text().splitlines()
    if not Path(SOCKET).exists():
        assert [line for line in lines if line.startswith("<6>log level level=debug")]
        assert [line for line in lines if line.startswith("<6>applied")]


def test_the_level_is_asked_of_an_agent_that_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["log", "debug", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "no agent runs" in done.stderr


@pytest.mark.parametrize("given", [["loud"], ["debug", "--for", "0s"], ["debug", "--for", "8d"]])
def test_a_level_that_makes_no_sense_is_refused(given: list[str]) -> None:
    assert CliRunner().invoke(main, ["log", *given]).exit_code == 2
