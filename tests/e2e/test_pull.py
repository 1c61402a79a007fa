"""A running agent and an application that fetches: nothing is lost, and the API is what its document says."""

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.status.about import About
from agent.status.alarms import Board
from agent.status.config import Pages
from agent.status.log import Volume
from agent.status.openapi import document
from agent.status.pull import Pull
from agent.status.recording import Reel
from agent.status.server import _routes
from tests.e2e.site import Agent, floorgate

TOKEN = "0123456789abcdef0123"
SITE = """\
gateway: {id: gw-01}
devices:
  - name: press
    driver: sim
    endpoint: "sim:"
    interval: 100ms
    tags: [{name: level, wave: sine, period: 10s, unit: mm}, {name: fixed, wave: constant, low: 7}]
sinks:
  - name: apps
    type: pull
    token: ${APPS_TOKEN}
    scopes: [frames, values, history, metrics]
buffer: {commit: 100ms}
"""


class Client:
    """An application: takes each frame once, and acknowledges what it has."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.frames: dict[tuple[str, int], dict[str, Any]] = {}
        self.again = 0

    def ask(self, path: str, body: object = None) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self._agent.facts["port"], timeout=10)) as connection:
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, data, headers)
            response = connection.getresponse()
            found = response.read()
            assert response.status == 200, found
            return json.loads(found)

    def take(self, *, acknowledge: bool = True) -> int:
        page = self.ask("/api/v1/frames?wait=5")
        for frame in page["frames"]:
            key = frame["epoch"], frame["seq"]
            self.again += key in self.frames
            assert self.frames.setdefault(key, frame)["values"] == frame["values"]
        if acknowledge and page["cursor"]:
            self.ask("/api/v1/consumers/apps/ack", {"upto": page["cursor"]})
        return len(page["frames"])


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path, SITE, APPS_TOKEN=TOKEN) as found:
        found.ready()
        yield found


def test_nothing_is_lost_over_crashes_on_either_side(agent: Agent) -> None:
    """The consumer forgets to acknowledge, the agent is killed: what was handed out comes again, and all of it once."""
    client = Client(agent)
    for _ in range(3):
        client.take()
        client.take(acknowledge=False)
        agent.kill()
        agent.start()
        agent.ready()
    while client.take() > 5:
        pass
    time.sleep(1.2)  # until what was acknowledged is settled
    (account,) = agent.ledger()
    assert client.again >= 3
    assert account["balanced"]
    assert account["delivered"] + account["buffered"] == account["read"]
    assert 2 * len(client.frames) == account["delivered"]
    assert agent.stop() == 0
    seqs = sorted(seq for _, seq in client.frames)
    assert seqs == list(range(1, len(seqs) + 1))


def test_history_and_values_are_told(agent: Agent) -> None:
    client = Client(agent)
    while client.take(acknowledge=False) < 5:
        time.sleep(0.2)
    values = client.ask("/api/v1/values?tag=level")
    assert [(row["device"], row["tag"], row["quality"], row["unit"]) for row in values["tags"]] == [
        ("press", "level", "good", "mm")
    ]
    first, *_, last = client.frames.values()
    past = client.ask(f"/api/v1/history?device=press&tag=fixed&from={first['ts']}&to={last['ts']}")
    assert len(past["frames"]) == len(client.frames)
    assert {json.dumps(frame["values"]) for frame in past["frames"]} == {'{"fixed": 7.0}'}
    assert client.ask("/api/v1/devices")["devices"][0]["state"] == "up"


def test_a_command_goes_through_the_guard(tmp_path: Path) -> None:
    """The device is away: what may be written is refused, what may not is forbidden, and each id is taken once."""
    tags = "[{name: setpoint, address: 0, write: {min: 0, max: 10}}, {name: other, address: 1}]"
    device = f"{{name: plc, driver: modbus, endpoint: 'tcp://127.0.0.1:9', tags: {tags}}}"
    sink = "scopes: [commands], commands: {allow: [plc/setpoint]}"
    sink = f"{{name: apps, type: pull, token: '${{APPS_TOKEN}}', {sink}}}"
    site = f"gateway: {{id: g}}\ndevices: [{device}]\nsinks: [{sink}]"
    with Agent(tmp_path, site, APPS_TOKEN=TOKEN) as agent:
        agent.ready()
        client = Client(agent)

        def given(id_: str, tag: str, value: float) -> str:
            command = {"id": id_, "device": "plc", "tag": tag, "value": value, "issued_at": int(time.time() * 1000)}
            return str(client.ask("/api/v1/commands", command)["outcome"])

        assert [given("1", "setpoint", 5), given("1", "setpoint", 5)] == ["refused", "repeated"]
        assert [given("2", "setpoint", 50), given("3", "other", 5)] == ["forbidden", "forbidden"]
        assert agent.ledger() == []


def test_s1_another_address_without_tls_and_a_token_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(SITE.partition("sinks:")[0] + "status: {listen: '0.0.0.0:0'}\n")
    for command in ("check", "run"):
        arguments = (
            ["check", str(config)] if command == "check" else ["run", "-c", str(config), "--data", str(tmp_path)]
        )
        done = floorgate(*arguments)
        assert done.returncode == 78
        assert "site.yaml:8:18: status: listen: beyond this machine" in done.stdout + done.stderr
    assert not (tmp_path / "agent.json").exists()


def test_one_that_waits_does_not_keep_the_agent_from_stopping(agent: Agent) -> None:
    client = Client(agent)
    client.take()

    async def both() -> float:
        waits = asyncio.create_task(asyncio.to_thread(client.take))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert await asyncio.to_thread(agent.stop) == 0
        await asyncio.wait([waits])
        waits.exception()
        return time.monotonic() - began

    assert asyncio.run(both()) < 10


def test_the_document_has_all_routes_of_consumers_and_no_other(tmp_path: Path) -> None:
    class Nothing:
        """Never asked."""

    routes = [*_routes(Nothing(), Nothing()), *Pull([], Nothing()).routes()]  # type: ignore[arg-type]
    for owners in (Board, Pages, Reel, About, Volume):
        routes += owners(Nothing()).routes()  # type: ignore[arg-type]
    ours = {(route.method.lower(), route.path) for route in routes if route.path != "/api/v1/health"}
    assert {(method, path) for path, methods in document()["paths"].items() for method in methods} == ours


def test_the_api_does_what_its_document_says(agent: Agent, tmp_path: Path) -> None:
    """schemathesis, in a process of its own: it asks for all that the document allows, and for what it does not."""
    url = f"http://127.0.0.1:{agent.facts['port']}"
    told = document()
    told["paths"]["/api/v1/consumers/{name}/ack"]["post"]["parameters"][0]["schema"] = {"const": "apps"}
    (tmp_path / "openapi.json").write_text(json.dumps(told))
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", "openapi.json", "--url", url, "--seed", "1"),
        *("--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "5", "--phases", "examples,coverage,fuzzing"),
        *("--request-timeout", "10", "--rate-limit", "45/s", "--suppress-health-check", "all"),
        *("--exclude-path", "/api/v1/tags", "--exclude-path", "/metrics"),
        *("--exclude-checks", "positive_data_acceptance"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert agent.alive()
    assert '"level":"error"' not in agent.log.read_text()
