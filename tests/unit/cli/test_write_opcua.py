"""`floorgate write` on an OPC UA server: the same guard, the same audit."""

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
    tags:
      - {{name: speed, node: "nsu={uri};s=Speed", unit: m/s, write: {{min: 0, max: 20, rate: 0s}}}}
      - {{name: limit, node: "nsu={uri};s=Limit", write: {{rate: 0s}}}}
      - {{name: fixed, node: "nsu={uri};s=Fixed", write: {{rate: 0s}}}}
      - {{name: total, node: "nsu={uri};s=Total", type: uint64}}
"""


@pytest.fixture
def site(tmp_path: Path, machine: OpcuaServer) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(endpoint=machine.endpoint, uri=MACHINE))
    return path


def write(site: Path, *arguments: str) -> Result:
    base = ["write", "-c", str(site), "--data", str(site.parent / "data"), "--yes"]
    return CliRunner().invoke(main, [*base, *arguments])


def audit(site: Path) -> list[tuple[str, object, str]]:
    result = CliRunner().invoke(main, ["audit", "--data", str(site.parent / "data"), "--json"])
    return [(row["tag"], row["new"], row["outcome"]) for row in json.loads(result.stdout)]


def test_a_write_is_guarded_read_back_and_on_record(site: Path) -> None:
    """1.1 becomes a Float on its way, and what the node makes of it is no difference."""
    result = write(site, "machine", "speed", "1.1")
    assert result.exit_code == 0, result.output
    assert result.stdout == "machine, speed: 1.1 m/s, read back\n"
    assert write(site, "machine", "speed", "21").exit_code == 1
    assert "only a tag with a section" in write(site, "machine", "total", "1").stderr
    assert audit(site) == [("speed", 1.1, "done")]


def test_what_the_server_refuses_is_on_record_as_refused(site: Path) -> None:
    first = write(site, "machine", "limit", "7.5")
    assert (first.exit_code, "not whole" in first.stderr) == (1, True)
    second = write(site, "machine", "fixed", "1")
    assert (second.exit_code, "does not let" in second.stderr) == (1, True), second.output
    assert [outcome for _, _, outcome in audit(site)] == ["refused", "refused"]
