"""What every map of a companion specification owes: ways that hold on any server, and a word on where they come from.

That it reads what an instance has is shown in tests/cases/opcua/maps.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, configs_dir, load, load_map
from drivers.opcua.spots import BrowsePath, locate

MAPS = sorted((configs_dir() / "devices").glob("opcua-*.yaml"))
SCHEMA = "# yaml-language-server: $schema=../device-map.schema.json\n"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SITE = """\
gateway: {{id: gw}}
devices:
  - {{name: m, driver: opcua, endpoint: "opc.tcp://10.0.0.1", security: none, map: {name}, {more}}}
"""


def device(folder: Path, name: str, more: str) -> Any:
    path = folder / "site.yaml"
    path.write_text(SITE.format(name=name, more=more), "utf-8")
    return load(path).devices[0]


def test_there_are_four() -> None:
    assert [path.stem for path in MAPS] == [
        "opcua-autoid-optical",
        "opcua-autoid-rfid",
        "opcua-euromap77-imm",
        "opcua-packml",
    ]


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_a_map_says_where_it_comes_from_and_how_its_instance_is_found(path: Path) -> None:
    found = load_map(path)
    assert path.read_text("utf-8").startswith(SCHEMA)
    assert found.head.status == "draft", "one source, and no maker's server was tried"
    assert all(re.search(r"NodeSet2\.xml, [0-9a-f]{7}$", source) for source in found.head.sources)
    assert "floorgate browse --type" in found.head.notes[0]
    assert found.head.device.kind
    assert found.head.device.name_zh


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_each_way_holds_on_any_server(path: Path, tmp_path: Path) -> None:
    """No index of a namespace in it, legal names, and a unit for what has a dimension."""
    tags = device(tmp_path, path.stem, 'root: "/Objects/nsu=urn:maker;M 1"').tags
    assert len(tags) == len(load_map(path).tags or ())
    for tag in tags:
        way = locate(tag.node).node
        assert isinstance(way, BrowsePath)
        assert way.names[:2] == ((0, "Objects"), ("urn:maker", "M 1"))
        assert all(space == 0 or isinstance(space, str) for space, _ in way.names)
        assert NAME.fullmatch(tag.name), tag.name
        assert (tag.unit == "ms") is tag.name.endswith("cycle_time")
        assert (tag.kind == "counter") is (tag.name.endswith("_counter") and tag.name != "revision_counter")


def test_two_instances_of_one_map_do_not_share_their_nodes(tmp_path: Path) -> None:
    one, two = (device(tmp_path, "opcua-packml", f"root: /Objects/2:M{n}").tags[0].node for n in (1, 2))
    assert one == "/Objects/2:M1/nsu=http://opcfoundation.org/UA/PackML/;PackMLVersion"
    assert two == one.replace("M1", "M2")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("interval: 1s", "root: is missing"),
        ("root: 'ns=2;s=M1'", "no browse path"),
        ("root: /Objects/M1, tags: [{name: t, node: './other:X'}]", "'other' is not among the `namespaces` packml"),
        ("root: /Objects/M1, tags: [{name: t, node: './'}]", "is no path"),
        ("root: /Objects/M1, tags: [{name: t, node: './packml:A//B'}]", "is no path"),
        ("root: /Objects/M1, namespaces: {'a b': 'urn:x'}", "a b"),
    ],
)
def test_what_does_not_lead_anywhere_is_said_before_anything_starts(more: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as error:
        device(tmp_path, "opcua-packml", more)
    assert said in str(error.value)


def test_a_device_without_a_map_has_ways_too(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "gateway: {id: gw}\ndevices:\n"
        "  - name: m\n    driver: opcua\n    endpoint: opc.tcp://10.0.0.1\n    security: none\n"
        "    root: /Objects/2:Press\n    namespaces: {m: 'urn:press'}\n"
        "    tags:\n      - {name: a, node: './m:Oil/3:Hot &/ cold/ua:Now'}\n      - {name: b, node: 'ns=2;s=./x'}\n"
    )
    nodes = [tag.node for tag in load(path).devices[0].tags]  # type: ignore[attr-defined]  # an OPC UA device
    assert nodes == ["/Objects/2:Press/nsu=urn:press;Oil/3:Hot &/ cold/Now", "ns=2;s=./x"]
