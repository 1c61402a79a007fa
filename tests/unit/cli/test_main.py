"""The command itself: exit codes, hints, and what it does not load."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent import __version__
from agent.cli import COMMANDS, main
from agent.cli.options import default_data
from agent.model.host import data_dir


def test_the_version_is_told_in_three_ways() -> None:
    for arguments in (["version"], ["--version"]):
        assert __version__ in CliRunner().invoke(main, arguments).output
    assert json.loads(CliRunner().invoke(main, ["version", "--json"]).output) == {"version": __version__}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage: main" in result.output


def test_a_misspelt_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["chekc"]).exit_code == 2


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["run", "-c", str(tmp_path / "none.yaml"), "--data", str(tmp_path)])
    assert result.exit_code == 78
    assert "none.yaml" in result.output


def test_a_site_without_enabled_devices_does_not_start(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "gateway: {id: gw}\ndevices:\n  - {name: a, driver: sim, enabled: false, tags: [{name: t}]}\n", "utf-8"
    )
    result = CliRunner().invoke(main, ["run", "-c", str(site), "--data", str(tmp_path)])
    assert result.exit_code == 78


def test_a_ledger_without_a_store_says_where_it_looked(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["ledger", "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path / "store.db") in result.output
    assert "--data" in result.output


def test_data_lies_where_the_system_keeps_state() -> None:
    assert default_data() in {data_dir(os.environ, root=False), data_dir(os.environ, root=True)}


def test_the_version_loads_no_driver_and_no_network_library() -> None:
    look = "import sys; from agent.cli import main; main(['version'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncua", "pymodbus", "aiomqtt", "rich", "pydantic"} & set(loaded)


def test_the_agent_loads_no_library_before_it_needs_it() -> None:
    """Each takes 2 to 25 MB for as long as the agent runs."""
    look = "import sys, agent.cli.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    wanted = {"asyncua", "cryptography", "pymodbus", "aiomqtt", "aiohttp", "prometheus_client", "sqlite_utils", "rich"}
    assert not wanted & set(loaded)
