"""From the box to a trusted tag: an empty folder, the commands of the README as they stand there, and nothing else."""

import asyncio
import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from tests.e2e.site import Platform, until
from tests.house import ROOT
from tests.sim.faulty_line import line_on_pty
from tests.sim.mosquitto import Mosquitto
from tests.sim.opcua_certificates import made
from tests.sim.opcua_fixtures import node_opcua_server
from tests.sim.sdm630 import meter

HEADING = "## From the box to a trusted tag"
MOST = 6
SECURED: dict[str, Any] = {"policies": "Basic256Sha256", "modes": "SignAndEncrypt", "strict": True, "tags": 5}
TOLD = {"voltage_l1": 229.7, "energy_import_total": 10482.4}  # of what the meter has


def commands() -> list[str]:
    """Those of the README, without what stands behind a `#`."""
    section = (ROOT / "README.md").read_text("utf-8").split(HEADING)[1].split("\n## ")[0]
    lines = re.search(r"(?:^    floorgate .*\n)+", section.replace("\\\n", ""), re.MULTILINE)
    assert lines
    return [line.split("  #")[0].strip() for line in lines[0].splitlines()]


class Shell:
    """A person in an empty folder. What stands for something of the plant in the README is replaced by that."""

    def __init__(self, folder: Path) -> None:
        self.instead: dict[str, str] = {}
        self.data = folder / "data"

    async def start(self, typed: str) -> asyncio.subprocess.Process:
        """As a process of its own."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "agent", *self._arguments(typed)),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, typed: str) -> str:
        """In this process, which spares the start of another one."""
        done = await asyncio.to_thread(CliRunner().invoke, main, self._arguments(typed))
        assert done.exit_code == 0, f"{typed}\n{done.output}"
        return done.output

    def _arguments(self, typed: str) -> list[str]:
        for word, own in self.instead.items():
            typed = re.sub(word, own, typed)
        program, *arguments = shlex.split(typed)
        assert program == "floorgate"
        return [*arguments, "--data", str(self.data)]


async def test_six_commands_lead_from_an_empty_folder_to_values_on_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meter on a serial port, and a server that has to be trusted and has to trust us."""
    typed = commands()
    assert len(typed) <= MOST
    init, trust, pin, check, run, ledger = typed
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shell = Shell(folder)
    certificate = made().files(tmp_path / "certificate")
    async with line_on_pty(meter) as (_, port):
        with (
            Mosquitto(tmp_path) as broker,
            Platform(broker.port) as platform,
            node_opcua_server(home=tmp_path / "server", **SECURED, **certificate) as server,
        ):
            shell.instead = {
                r"/dev/ttyUSB0": port,
                r"opc\.tcp://[\d.]+:\d+": server.endpoint,
                r"mqtt://[\d.]+": f"mqtt://127.0.0.1:{broker.port}",
            }
            said = await shell.run(init)
            shown = re.search(r"floorgate pki trust ([0-9a-f]+)", said)
            assert shown, said
            shell.instead |= {r"(?<=trust )[0-9a-f]+": shown[1]}
            await shell.run(trust)
            server.trust(shell.data / "pki" / "own" / "cert.der")
            assert "found by its patterns" in await shell.run(pin)
            assert "online:" in await shell.run(check)
            accounts = await _while_it_runs(shell, run, f"{ledger} --json", platform)
    assert all(account["balanced"] and account["delivered"] for account in accounts)
    values = {each["device"]: each["values"] for each in _frames(platform)}
    assert {name: round(values["sdm630-1"][name], 1) for name in TOLD} == TOLD
    assert "Value0" in values["press"]


async def _while_it_runs(shell: Shell, run: str, ledger: str, platform: Platform) -> list[dict[str, Any]]:
    """The ledger of an agent from which values of both devices have come."""
    agent = await shell.start(run)
    try:
        await until(lambda: {"sdm630-1", "press"} <= {each["device"] for each in _frames(platform)}, "values")
        accounts: list[dict[str, Any]] = json.loads((await shell.run(ledger)).splitlines()[-1])
    finally:
        agent.send_signal(signal.SIGTERM)
        out, _ = await agent.communicate()
    assert agent.returncode == 0, out.decode()
    return accounts


def _frames(platform: Platform) -> list[dict[str, Any]]:
    return [each for each in list(platform.frames.values()) if each["values"]]
