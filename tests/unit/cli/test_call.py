"""`floorgate call`: only what is listed, within its limits, asked first, on record."""

import json
from pathlib import Path
from typing import Any

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
    tags: [{{name: temp, node: "nsu={uri};s=Temp"}}]
    methods:
      - name: add
        object: "nsu={uri};s=Machine"
        node: "nsu={uri};s=Add"
        arguments: [{{name: a, max: 10}}, {{name: b, min: -5, max: 5}}]
        rate: 0s
      - {{name: rarely, object: "nsu={uri};s=Machine", node: "nsu={uri};s=Add", rate: 1h,
          arguments: [{{name: a}}, {{name: b}}]}}
      - {{name: less, object: "nsu={uri};s=Machine", node: "nsu={uri};s=Add", arguments: [{{name: a}}]}}
  - {{name: wave, driver: sim, tags: [{{name: t, wave: constant}}]}}
"""


@pytest.fixture
def site(tmp_path: Path, machine: OpcuaServer) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(endpoint=machine.endpoint, uri=MACHINE))
    return path


def call(site: Path, *arguments: str, answer: str | None = None) -> Result:
    base = ["call", "-c", str(site), "--data", str(site.parent / "data")]
    return CliRunner().invoke(main, [*base, *arguments], input=answer)


def audit(site: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["audit", "--data", str(site.parent / "data"), "--json"])
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_call_is_asked_for_done_and_on_record(site: Path) -> None:
    result = call(site, "machine", "add", "1.5", "-2", answer="y\n")
    assert result.exit_code == 0, result.output
    assert "machine: add(1.5, -2)\nCall? [y/N]" in result.stderr
    assert result.stdout == "machine: add(1.5, -2): done, gave -0.5\n"
    (row,) = audit(site)
    assert (row["tag"], row["new"], row["outcome"], row["found"]) == ("add()", "add(1.5, -2)", "done", "[-0.5]")


def test_without_a_yes_nothing_is_called(site: Path) -> None:
    assert call(site, "machine", "add", "1", "2", answer="n\n").exit_code == 1
    assert "no audit" in CliRunner().invoke(main, ["audit", "--data", str(site.parent / "data")]).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["machine", "add", "11", "1"], "a: 11 is more than 10"),
        (["machine", "add", "1", "1.5"], "b: 1.5 is not whole"),
        (["machine", "add", "1"], "it takes a (Float), b (Int16)"),
        (["machine", "less", "1"], "takes 2 arguments, the file lists 1"),
        (["wave", "add", "1"], "does not let a method be called"),
    ],
)
def test_what_the_guard_does_not_let_pass(arguments: list[str], said: str, site: Path) -> None:
    result = call(site, "--yes", *arguments)
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert not (site.parent / "data" / "audit.db").exists()


def test_a_method_that_is_not_listed(site: Path) -> None:
    result = call(site, "--yes", "machine", "ad")
    assert (result.exit_code, "did you mean 'add'" in result.stderr) == (78, True), result.output


def test_what_the_server_refuses_is_on_record(site: Path) -> None:
    result = call(site, "--yes", "machine", "add", "-1", "1")
    assert (result.exit_code, "BadOutOfRange" in result.stderr) == (1, True), result.output
    assert [row["outcome"] for row in audit(site)] == ["refused"]


def test_not_more_often_than_the_file_says(site: Path) -> None:
    assert json.loads(call(site, "--yes", "--json", "machine", "rarely", "1", "1").stdout)["found"] == [2.0]
    again = call(site, "--yes", "machine", "rarely", "1", "1")
    assert (again.exit_code, "3600 s between two" in again.stderr) == (1, True), again.output
    assert len(audit(site)) == 1
