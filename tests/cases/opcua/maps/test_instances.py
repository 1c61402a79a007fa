"""Each device map of a companion specification reads an instance that was built from the specification's NodeSets.

The files beside this one have the ways, types and values; the server numbers its namespaces in another order. What is
read is compared value by value, through the configuration, the driver and the wire.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import configs_dir, load
from drivers.api import LineConfig, Poller
from drivers.opcua.driver import build
from tests.sim.opcua_fixtures import OpcuaServer, instance_server

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.yaml"))
SITE = """\
gateway: {{id: gw}}
devices:
  - name: machine
    driver: opcua
    endpoint: {endpoint}
    security: none
    mode: poll
    map: {name}
    root: "/Objects/nsu=urn:floorgate:maker;{name}"
"""
pytestmark = pytest.mark.xdist_group("opcua")


@pytest.fixture(scope="module")
def server() -> Iterator[OpcuaServer]:
    with instance_server(CASES) as found:
        yield found


def device(case: Path, endpoint: str, folder: Path) -> Any:
    path = folder / "site.yaml"
    path.write_text(SITE.format(endpoint=endpoint, name=case.stem), "utf-8")
    (config,) = load(path).devices
    return build(LineConfig(endpoint=endpoint, timeout="5s"), [config])[0]


def wanted(node: dict[str, Any]) -> Any:
    if node["type"] == "NodeId":
        return f"i={node['value']}"
    if node["type"] == "DateTime":
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=node["value"])
    return node["value"]


def same(found: Any, node: dict[str, Any]) -> bool:
    if node["type"] == "DateTime":
        return isinstance(found, str) and datetime.fromisoformat(found) == wanted(node)
    return bool(found == wanted(node)) and isinstance(found, bool) == isinstance(node["value"], bool)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
async def test_a_map_reads_an_instance_wherever_it_is(case: Path, server: OpcuaServer, tmp_path: Path) -> None:
    nodes = {node["tag"]: node for node in yaml.safe_load(case.read_text("utf-8"))["nodes"]}
    driver = device(case, server.endpoint, tmp_path)
    assert isinstance(driver, Poller)
    try:
        await driver.open()
        rows = {
            tag.name: (value, quality) for s in driver.schemas for tag, value, quality in (await driver.scan(s)).rows()
        }
    finally:
        await driver.close()
    assert rows.keys() == nodes.keys()
    wrong = {name: (rows[name], wanted(node)) for name, node in nodes.items() if not same(rows[name][0], node)}
    assert wrong == {}
    assert not any(quality for _, quality in rows.values())


def test_every_such_map_has_its_instance() -> None:
    shelf = {path.stem for path in (configs_dir() / "devices").glob("*.yaml") if "driver: opcua" in path.read_text()}
    assert shelf == {case.stem for case in CASES}
