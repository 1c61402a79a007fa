"""At the office: a site is simulated, run, recorded and played, by the commands alone."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from tests.e2e.site import Agent
from tests.sim.mosquitto import wait_until

ROOT = Path(__file__).parents[2]
SITE = """\
# the plant
gateway: {{id: gw-01}}
devices:
  - name: meter       # in the cabinet
    driver: modbus
    endpoint: rtu:///dev/ttyUSB0?baud=115200&parity=E
    unit: 7
    map: eastron-sdm630
    interval: 200ms
{press}sinks: [{{name: archive, type: file, path: {archive}}}]
buffer: {{keep: 1d, reserve: 1MB, commit: 100ms}}
"""
PRESS = """\
  - name: press
    driver: opcua
    endpoint: opc.tcp://192.168.1.31:4840/UA
    security: none
    interval: 200ms
    tags: [{name: force, node: "nsu=urn:press;s=Force", unit: kN}, {name: recipe, node: "ns=2;s=R", type: str}]
"""


class Simulator:
    """`floorgate simulate` as a process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.told: dict[str, Any] = json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 30)[0], "the simulation said nothing"
        return self.process.stdout.readline()

    def stop(self) -> dict[str, int]:
        """Requests by device."""
        self.process.send_signal(signal.SIGTERM)
        asked = json.loads(self._line())["asked"]
        assert self.process.wait(20) == 0
        return {each["device"]: each["requests"] for each in asked}


@contextmanager
def simulated(site: Path, *options: str) -> Iterator[Simulator]:
    command = [sys.executable, "-W", "error", "-m", "agent", "simulate", "-c", str(site), "--json", *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield Simulator(process)
        finally:
            process.kill()


def floorgate(*arguments: str) -> Result:
    """In this process, which spares the start of another one."""
    return CliRunner().invoke(main, arguments)


def frames(archive: Path) -> list[dict[str, Any]]:
    lines = archive.read_text().splitlines() if archive.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def devices(archive: Path) -> set[str]:
    return {frame["device"] for frame in frames(archive)}


@pytest.mark.xdist_group("office")
def test_a_site_is_commissioned_at_the_office(tmp_path: Path) -> None:
    archive, site = tmp_path / "archive.jsonl", tmp_path / "plant.yaml"
    site.write_text(SITE.format(archive=archive, press=PRESS))
    with simulated(site, "--seed", "3") as plant:
        written = Path(plant.told["site"])
        assert written == tmp_path / "plant.simulated.yaml"
        assert [each["devices"] for each in plant.told["endpoints"]] == [["meter"], ["press"]]
        text = written.read_text()
        assert "# in the cabinet" in text
        assert "ttyUSB0" not in text
        with Agent(tmp_path, text) as agent:
            agent.ready()
            data = "--data", str(agent.data)
            wait_until(lambda: devices(archive) == {"meter", "press"}, "both devices", 30)
            done = floorgate("record", "-o", str(tmp_path / "r.fgr"), "--for", "1s", *data)
            assert done.exit_code == 0, done.stderr
            assert agent.ask("/api/v1/recording")["state"] == "ended"
            taken = floorgate("record", "-o", str(tmp_path / "again.fgr"), "--stop", *data)
            assert "has no recording" in taken.stderr
            assert agent.stop() == 0
        asked = plant.stop()
    assert min(asked.values()) > 1
    assert b"# in the cabinet" in (tmp_path / "r.fgr").read_bytes()  # the files that ran are in it
    live = {(f["device"], json.dumps(f["values"])) for f in frames(archive)}
    replay = "replay", str(tmp_path / "r.fgr"), "-c", str(tmp_path / "site.yaml")
    played = floorgate(*replay, "--json")
    assert played.exit_code == 0, played.stderr
    found = [json.loads(line) for line in played.stdout.splitlines() if '"schema"' not in line]
    meter = [(f["device"], json.dumps(f["values"])) for f in found if f["device"] == "meter" and f["values"]]
    assert meter
    assert set(meter) <= live
    assert {f["device"] for f in found} == {"meter", "press"}
    kept = floorgate(
        "replay", str(tmp_path / "r.fgr"), "-c", str(tmp_path / "site.yaml"), "--data", str(tmp_path / "desk")
    )
    assert kept.exit_code == 0, kept.stderr
    assert "voltage_l1" in kept.stdout
    accounts = json.loads(floorgate("ledger", "--json", "--data", str(tmp_path / "desk")).stdout)
    assert {account["device"]: account["balanced"] for account in accounts} == {"meter": True, "press": True}
    again = floorgate(
        "replay", str(tmp_path / "r.fgr"), "-c", str(tmp_path / "site.yaml"), "--data", str(tmp_path / "desk")
    )
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.xdist_group("office")
def test_recorded_without_an_agent(tmp_path: Path) -> None:
    """The command reads by itself, and stores nothing; a secret of the file is not in the recording."""
    site = tmp_path / "plant.yaml"
    sink = "sinks: [{name: up, type: mqtt, url: 'mqtt://10.0.0.1', username: u, password: '${SECRET}'}, "
    site.write_text(SITE.format(archive=tmp_path / "archive.jsonl", press="").replace("sinks: [", sink))
    script = tmp_path / "faults"
    script.write_text("t=0s meter exception:4  # from the start\n")
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("SECRET", "open-sesame")
        with simulated(site, "--script", str(script)) as plant:
            written, output, data = plant.told["site"], tmp_path / "r.fgr", tmp_path / "data"
            done = floorgate("record", "-c", written, "-o", str(output), "--for", "2s", "--data", str(data), "--json")
            assert done.exit_code == 0, done.stderr
            assert json.loads(done.stdout)["why"] == "time"
            assert plant.stop()["meter"] > 0
        held = output.read_bytes()
        assert b"open-sesame" not in held
        assert b"# in the cabinet" in held
        assert not (data / "store.db").exists()
        played = floorgate("replay", str(output), "-c", written)
        assert "bad_device" in played.stdout
        assert "device failure" in played.stderr
