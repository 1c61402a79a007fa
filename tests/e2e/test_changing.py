"""A running agent goes over to another configuration: by its file, by hand, on trial, and back."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from agent.cli import main
from agent.runtime.history import History
from tests.e2e.site import Agent, Platform
from tests.house import ROOT
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.ports import free_port

SITE = """\
gateway: {{id: gw-e2e}}
devices:
  - name: near
    driver: modbus
    endpoint: tcp://127.0.0.1:{near}
    interval: 100ms
    tags: [{{name: a, address: 0, type: uint16}}]
  - name: far
    driver: modbus
    endpoint: tcp://127.0.0.1:{far}
    interval: 100ms
    tags: [{{name: b, address: 1, type: uint16}}]
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}", username: me, password: "${{PW}}"}}
  - {{name: archive, type: file, path: "{folder}/archive.jsonl"}}
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
log: {{format: json}}
"""
MORE = "tags: [{name: a, address: 0, type: uint16}, {name: c, address: 2, type: uint16}]"
ONE = "tags: [{name: a, address: 0, type: uint16}]"


class Plant:
    """Two meters, a broker, a platform, and the agent between them."""

    def __init__(self, folder: Path, agent: Agent, platform: Platform, far: int) -> None:
        self.folder, self.agent, self.platform, self.far = folder, agent, platform, far
        self.text = agent.config.read_text()

    def edit(self, old: str, new: str) -> None:
        """As an editor saves: another file in its place."""
        assert old in self.text
        self.write(self.text.replace(old, new))

    def write(self, text: str) -> None:
        draft = self.agent.config.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.agent.config)

    def tags(self) -> set[str]:
        """All that have arrived since the last look, by DEVICE/TAG."""
        with self.platform._lock:
            found = {f"{frame['device']}/{tag}" for _, frame in self.platform.arrivals for tag in frame["values"]}
            self.platform.arrivals.clear()
        return found

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.agent.log.read_text().splitlines() if line.startswith("{")]

    def said(self, text: str) -> bool:
        return any(text in json.dumps(line) for line in self.log())

    def part(self) -> dict[str, Any]:
        (found,) = (part for part in self.agent.ask("/api/v1/health") if part["kind"] == "config")
        return dict(found)

    def told(self, *arguments: str) -> str:
        done = self.command(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    def command(self, *arguments: str) -> Result:
        """In this process, which spares the start of another one."""
        return CliRunner().invoke(main, [*arguments, "--data", str(self.agent.data)])

    def kill_when_there(self, tag: str) -> None:
        wait_until(lambda: tag in self.tags(), tag)
        self.agent.kill()

    def versions(self) -> list[tuple[int, str, str]]:
        return [(each.n, each.why, each.outcome) for each in History(self.agent.data).state().versions]


@contextmanager
def plant(folder: Path, *options: str) -> Iterator[Plant]:
    with (
        libmodbus_server() as near,
        libmodbus_server() as far,
        Mosquitto(folder / "broker") as broker,
        Platform(broker.port) as platform,
    ):
        site = SITE.format(near=near, far=far, broker=broker.port, folder=folder)
        with Agent(folder, site, options=options, PW="known to the agent alone") as agent:
            agent.ready()
            plant = Plant(folder, agent, platform, far)
            wait_until(lambda: {"near/a", "far/b"} <= plant.tags(), "the first values")
            yield plant
            assert '"level":"error"' not in agent.log.read_text()


def test_a_tag_that_is_added_arrives_and_nothing_else_is_touched(tmp_path: Path) -> None:
    with plant(tmp_path) as it:
        before = {part["name"]: part["scans"] for part in it.agent.ask("/api/v1/health") if part["kind"] == "device"}
        it.edit(ONE, MORE)
        wait_until(lambda: "near/c" in it.tags(), "the new tag", 20)
        line = next(line for line in it.log() if line["message"] == "applied")
        assert (line["lines_restarted"], line.get("sinks_restarted")) == (1, None)
        after = {part["name"]: part["scans"] for part in it.agent.ask("/api/v1/health") if part["kind"] == "device"}
        assert after["far"] > before["far"], "this one has counted on"
        assert it.versions() == [(1, "start", "good"), (2, "file", "good")]
        wait_until(lambda: "1 tag added (near/c)" in it.told("history"), "what changed")

        it.write("gateway: {id: gw-e2e\n")
        wait_until(lambda: it.part()["state"] == "down", "that it is told", 20)
        assert re.search(r"site.yaml:\d+:\d+: ", json.dumps(it.log()))
        it.tags()
        wait_until(lambda: {"near/c", "far/b"} <= it.tags(), "values all the same")
        failures = it.part()["failures"]
        os.kill(it.agent.pid, signal.SIGHUP)
        wait_until(lambda: it.part()["failures"] > failures, "that it looked again")
        it.edit(ONE, MORE)
        wait_until(lambda: it.part()["state"] == "up", "that it is as it was", 20)

        gone = it.told("rollback", "1", "--yes")
        assert "version 3 runs, which is version 1 again" in gone
        assert it.agent.config.read_text() == it.text
        wait_until(lambda: "near/a" in (found := it.tags()) and "near/c" not in found, "one tag less")
        assert it.part()["state"] == "up"
        assert it.agent.stop() == 0


def trial(it: Plant, seconds: str = "60s") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "agent", "apply", "-c", str(it.agent.config), "--confirm", seconds, "--yes"]
    command += ["--data", str(it.agent.data)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_trials_are_confirmed_or_go_back_by_themselves(tmp_path: Path) -> None:
    with plant(tmp_path, "--no-watch") as it:
        it.edit(ONE, MORE)
        assert "+ tag near/c" in it.told("plan", "-c", str(it.agent.config))
        with trial(it) as process:
            wait_until(lambda: "near/c" in it.tags(), "the new tag")
            refused = it.command("apply", "-c", str(it.agent.config), "--yes")
            assert "version 2 is on trial" in refused.stderr
            assert it.told("confirm") == "version 2 stays\n"
            out, _ = process.communicate(timeout=20)
            assert (process.returncode, "version 2 was confirmed and stays" in out) == (0, True), out

        it.write(it.agent.config.read_text().replace(str(it.far), str(free_port())))
        tried = it.command("apply", "-c", str(it.agent.config), "--confirm", "60s", "--yes")
        assert tried.exit_code == 1
        assert "version 3 was reverted: device far is not well; version 2 runs" in tried.output
        it.tags()
        wait_until(lambda: {"near/c", "far/b"} <= it.tags(), "the device as before")
        assert it.part()["state"] == "down"

        it.edit(ONE, MORE.replace("name: c", "name: d"))
        with trial(it, "10s") as process:
            assert process.stdout is not None
            assert any("Ctrl-C leaves it running" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            wait_until(lambda: it.versions()[-1] == (4, "apply", "reverted"), "that nobody confirmed it", 30)
            out, _ = process.communicate(timeout=20)
            assert "the trial of version 4 goes on (`floorgate confirm` keeps it" in out
        assert "nobody confirmed it in time" in it.told("history")
        assert it.versions() == [
            (1, "start", "good"),
            (2, "apply", "good"),
            (3, "apply", "reverted"),
            (4, "apply", "reverted"),
        ]


def test_a_kill_in_a_trial_ends_in_the_good_one(tmp_path: Path) -> None:
    with plant(tmp_path, "--no-watch") as it:
        it.edit(ONE, MORE)
        with ThreadPoolExecutor(1) as elsewhere:
            killed = elsewhere.submit(it.kill_when_there, "near/c")
            tried = it.command("apply", "-c", str(it.agent.config), "--confirm", "60s", "--yes")
            killed.result()
        assert tried.exit_code == 1 and "the agent has ended in the trial" in tried.output
        it.agent.start()
        it.agent.ready()
        wait_until(lambda: it.part()["state"] == "down", "that it says so")
        assert it.said("is version 2, which was reverted (the agent ended before it was confirmed); version 1 runs")
        wait_until(lambda: "near/a" in (found := it.tags()) and "near/c" not in found, "one tag less")
        assert "version 2 was" not in it.told("rollback", "--yes")
        assert it.agent.config.read_text() == it.text
        assert it.part()["state"] == "up"
