"""Tags that patterns of the file find, on the command line: pinned at once, then read, written and counted."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer

pytestmark = pytest.mark.xdist_group("opcua")
SITE = """\
gateway: {{id: gw}}
devices:
  - name: machine
    driver: opcua
    endpoint: {endpoint}
    security: none
    mode: {mode}
    tags:
      - {{match: "Machine/{names}", name: "m_{{1}}", unit: m, write: {{min: 0, max: 20, rate: 0s}}}}
"""


def site(folder: Path, machine: OpcuaServer, names: str = "Sp?ed", mode: str = "subscribe", endpoint: str = "") -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.format(endpoint=endpoint or machine.endpoint, names=names, mode=mode))
    return path


def run(command: str, site: Path, *arguments: str) -> Result:
    files = [str(site)] if command == "check" else ["-c", str(site)]
    return CliRunner().invoke(main, [command, *files, "--data", str(site.parent / "data"), *arguments])


def test_what_is_pinned_is_shown_kept_and_counted(machine: OpcuaServer, tmp_path: Path) -> None:
    path = site(tmp_path, machine)
    assert "  machine      0 tags  " in run("check", path).stdout
    assert "(1 pattern, nothing found yet)" in run("check", path).stdout
    result = run("browse", path, "machine", "--pin")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.splitlines() == [
        "machine: found by its patterns: 1, of which 1 new",
        f"  m_e  nsu={MACHINE};s=Speed  float32  m",
    ]
    assert "found by its patterns: 1, of which 0 new" in run("browse", path, "machine", "--pin").stdout
    assert "(1 found by 1 pattern)" in run("check", path).stdout
    (device,) = json.loads(run("check", path, "--json").stdout)["files"][0]["devices"]
    assert (device["tags"], device["patterns"], device["found"], device["remarks"]) == (1, 1, 1, [])


def test_a_device_of_which_nothing_was_found_yet_is_not_well_and_not_signed_for(
    machine: OpcuaServer, tmp_path: Path
) -> None:
    path = site(tmp_path, machine)
    early = run("check", path, "--online", "--json")
    (row,) = json.loads(early.stdout)["files"][0]["online"]
    assert (early.exit_code, row["state"], "it has no tag yet (what a pattern" in row["error"]) == (1, "bad", True)
    refused = run("commission", path)
    assert (refused.exit_code, "device 'machine' has no tag yet" in refused.stderr) == (78, True)
    run("browse", path, "machine", "--pin")
    assert run("check", path, "--online").exit_code == 0
    assert "[1/1] machine  m_e" in run("commission", path).stdout


def test_what_was_found_is_read_and_written_like_any_other(machine: OpcuaServer, tmp_path: Path) -> None:
    path = site(tmp_path, machine)
    early = run("read", path, "machine")
    assert (early.exit_code, "has no tag yet (what a pattern means is found when" in early.stderr) == (78, True)
    assert "has no tag 'm_e' (what a pattern" in run("write", path, "machine", "m_e", "1").stderr
    run("browse", path, "machine", "--pin")
    assert "did you mean 'm_e'?" in run("read", path, "machine", "m_f").stderr
    written = run("write", path, "machine", "m_e", "2.5", "--yes")
    assert (written.exit_code, written.stdout) == (0, "machine, m_e: 2.5 m, read back\n"), written.output
    assert run("write", path, "machine", "m_e", "21", "--yes").exit_code == 1
    for mode in ("subscribe", "poll"):
        (row,) = json.loads(run("read", site(tmp_path, machine, mode=mode), "machine", "m_e", "--json").stdout)
        assert (row["value"], row["unit"], row["quality"]) == (2.5, "m", "good")
    assert run("write", path, "machine", "m_e", "1.5", "--yes").exit_code == 0


def test_rows_for_scripts(machine: OpcuaServer, tmp_path: Path) -> None:
    found = json.loads(run("browse", site(tmp_path, machine, "T*"), "machine", "--pin", "--json").stdout)
    assert (found["device"], found["found"], found["cut"], found["remarks"]) == ("machine", 2, "", [])
    assert found["new"][0] == {"name": "m_otal", "node": f"nsu={MACHINE};s=Total", "type": "uint64", "unit": "m"}


def test_a_search_that_is_broken_off_keeps_what_it_found(machine: OpcuaServer, tmp_path: Path) -> None:
    result = run("browse", site(tmp_path, machine, "*"), "machine", "--pin", "--max-nodes", "20")
    assert (result.exit_code, "broken off after 20 nodes" in result.stderr) == (1, True), result.output
    assert result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["machine", "--pin", "--match", "x"], 2, "goes by the tags of the device with `match`"),
        (["machine", "--pin", "--depth", "0"], 2, "goes by the tags of the device with `match`"),
        (["nobody", "--pin"], 78, "no device 'nobody'"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    arguments: list[str], code: int, said: str, machine: OpcuaServer, tmp_path: Path
) -> None:
    result = run("browse", site(tmp_path, machine), *arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_nothing_to_pin(machine: OpcuaServer, tmp_path: Path) -> None:
    result = run("browse", site(tmp_path, machine, "Nobody?"), "machine", "--pin")
    assert (result.exit_code, "nothing on the server is meant by Machine/Nobody?" in result.stderr) == (1, True)
    bare = "gateway: {id: gw}\ndevices: [{name: m, driver: sim, tags: [{name: a}]}]\n"
    path = tmp_path / "site.yaml"
    path.write_text(bare)
    result = run("browse", path, "m", "--pin")
    assert (result.exit_code, "knows no patterns" in result.stderr) == (2, True), result.output


def test_a_damaged_file_is_told_by_a_check(machine: OpcuaServer, tmp_path: Path) -> None:
    path = site(tmp_path, machine)
    run("browse", path, "machine", "--pin")
    (tmp_path / "data/browse/machine.found.jsonl").write_bytes(b"\x00\x01")
    assert "  machine: " in run("check", path).stdout
    assert "1 of 1 lines make no sense" in run("check", path).stdout
    result = run("browse", path, "machine", "--pin")
    assert "of which 1 new" in result.stdout
    assert "make no sense" not in run("check", path).stdout
