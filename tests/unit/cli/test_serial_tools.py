"""The tools for the cabinet on a serial line, against libmodbus; and a port that the running agent holds."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.status.server import FILE
from tests.sim.fixtures import libmodbus_line

SITE = """\
gateway: {{id: gw}}
devices:
  - name: drive
    driver: modbus
    endpoint: rtu://{port}
    interval: 100ms
    tags:
      - {{name: pressure, address: 384, type: float32, unit: bar}}
      - {{name: speed, address: 2500, type: float32, order: CDAB, unit: r/min, write: {{max: 3000, rate: 0s}}}}
      - {{name: ramp, address: 2502, write: {{rate: 0s}}}}
      - {{name: run, register: coil, address: 2500, write: {{rate: 0s}}}}
      - {{name: reset, address: 2503, bit: 7, write: {{rate: 0s}}}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with libmodbus_line(tmp_path) as port:
        path = tmp_path / "site.yaml"
        path.write_text(SITE.format(port=port))
        yield path


def floorgate(site: Path, command: str, *arguments: str) -> Result:
    config = [] if command in ("scan", "probe") else ["-c", str(site)]
    data = [] if command == "read" else ["--data", str(site.parent / "data")]
    return CliRunner().invoke(main, [command, *config, *arguments, *data])


@pytest.mark.parametrize(
    ("tag", "text", "value"), [("speed", "1480.5", 1480.5), ("ramp", "50", 50), ("run", "on", True)]
)
def test_a_value_is_written_and_read_back(site: Path, tag: str, text: str, value: Any) -> None:
    result = floorgate(site, "write", "drive", tag, text, "--yes", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["found"] == value
    (row,) = json.loads(floorgate(site, "read", "drive", tag, "--json").stdout)
    assert row["value"] == value


def test_one_bit_is_set_and_the_others_stay(site: Path) -> None:
    assert floorgate(site, "write", "drive", "reset", "on", "--yes").exit_code == 0
    (row,) = json.loads(floorgate(site, "read", "drive", "reset", "--json").stdout)
    assert (row["value"], row["raw"]) == (True, "0080")


def test_scan_finds_the_unit_and_probe_what_it_says(site: Path) -> None:
    """libmodbus takes the frame after a question to another unit for the answer of that unit, and drops it."""
    port = site.parent / "ours"
    found = floorgate(
        site, "scan", f"rtu://{port}", "--parities", "N", "--units", "2,1,3", "--timeout", "100ms", "--json"
    )
    (row,) = json.loads(found.stdout)
    assert (row["unit"], row["endpoint"]) == (1, f"rtu://{port}?baud=9600&parity=N")
    probed = floorgate(site, "probe", row["endpoint"], "--address", "384", "--again", "10ms", "--json")
    assert probed.exit_code == 0, probed.output
    assert json.loads(probed.stdout)[0]["value"] == pytest.approx(3.14159274)


async def test_a_port_that_the_running_agent_holds_is_said_to_be_held_by_it(site: Path) -> None:
    data = site.parent / "data"
    command = [sys.executable, "-m", "agent", "run", "-c", str(site), "--data", str(data)]
    pipe = asyncio.subprocess.PIPE
    agent = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(20):
            while not (data / FILE).exists():
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)  # the line opens its port after the status server
        for arguments in (("write", "drive", "ramp", "1", "--yes"), ("read", "drive", "ramp")):
            result = await asyncio.to_thread(floorgate, site, *arguments)
            assert result.exit_code == 1, result.output
            if arguments[0] == "write":
                assert "an agent is running and holds the port" in result.stderr
    finally:
        agent.terminate()
        await agent.communicate()
    assert await asyncio.to_thread(lambda: floorgate(site, "write", "drive", "ramp", "1", "--yes").exit_code) == 0
