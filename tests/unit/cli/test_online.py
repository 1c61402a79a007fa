"""`floorgate check --online`: everything is connected to, and each tag is read once."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from agent.cli import main
from tests.e2e.site import Agent
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.ports import free_port

SITE = """\
gateway: {{id: gw}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    tags:
      - {{name: a, register: input, address: 0}}
      - {{name: b, register: input, address: 1, limits: {{max: 1}}}}
      - {more}
  - {{name: gone, driver: modbus, endpoint: "tcp://127.0.0.1:{closed}", tags: [{{name: c, address: 0}}]}}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
  - {{name: nobody, type: mqtt, url: "mqtt://127.0.0.1:{closed}"}}
  - {{name: off, type: mqtt, url: "mqtt://127.0.0.1:{closed}", enabled: false}}
"""


def check(path: Path, data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["check", "--online", str(path), "--data", str(data), *options])


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(result.stdout)["files"][0]["online"]}


def test_each_device_and_sink_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    far = "{name: far, register: input, address: 60000, group: slow}"
    with libmodbus_server() as port, Mosquitto(tmp_path) as broker:
        text = SITE.format(port=port, broker=broker.port, closed=free_port(), more=far)
        path.write_text(text.replace(f"{port}\n", f"{port}\n    groups: {{slow: {{interval: 1m}}}}\n"))
        result = check(path, tmp_path / "data", "--json")
        said = check(path, tmp_path / "data")
    found = rows(result)
    assert list(found) == ["meter", "gone", "platform", "nobody"]
    meter = found["meter"]
    assert (meter["state"], meter["tags"], meter["good"]) == ("bad", 3, 1)
    assert meter["bad"] == {"b": "bad_range", "far": "bad_device"}
    assert "illegal data address" in meter["error"]
    assert [found[name]["state"] for name in ("gone", "platform", "nobody")] == ["down", "ok", "down"]
    assert "cannot connect" in found["gone"]["error"]
    assert (result.exit_code, said.exit_code) == (1, 1)
    assert "    far: bad_device" in said.stdout
    assert not (tmp_path / "data" / "store.db").exists()  # nothing is stored


def test_what_is_well_ends_with_0(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    with libmodbus_server() as port:
        tags = "tags: [{name: a, register: input, address: 0}]"
        device = f"{{name: meter, driver: modbus, endpoint: 'tcp://127.0.0.1:{port}', {tags}}}"
        sink = f"{{name: archive, type: file, path: {tmp_path}/a.jsonl}}"
        path.write_text(f"gateway: {{id: gw}}\ndevices: [{device}]\nsinks: [{sink}]\n")
        result = check(path, tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert "meter    device  ok    1 of 1 tags good" in result.stdout


def test_a_running_agent_is_asked_for_it_has_the_wires(tmp_path: Path) -> None:
    with libmodbus_server() as port, Mosquitto(tmp_path) as broker:
        text = SITE.format(port=port, broker=broker.port, closed=free_port(), more="{name: d, address: 0}")
        with Agent(tmp_path, text) as agent:
            agent.ready()
            wait_until(lambda: agent.ask("/api/v1/tags")["tags"][0]["quality"] == "good", "values")
            result = check(agent.config, agent.data, "--json")
            agent.config.write_text(text.replace("name: gone", "name: other"))
            other = check(agent.config, agent.data, "--json")
    assert result.exit_code == 1
    assert "was asked instead" in result.stderr
    found = rows(result)
    assert (found["meter"]["state"], found["meter"]["bad"]) == ("bad", {"b": "bad_range"})
    assert (found["gone"]["state"], found["platform"]["state"]) == ("down", "ok")
    assert "apply the file first" in rows(other)["other"]["error"]
