"""Whatever a file says, loading it ends in a Site or in Invalid, never in anything else."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Invalid, configs_dir, load, load_map
from agent.config.problems import Report
from agent.config.reader import read
from tests.lengths import often

HUSH = {"X": "1", "MQTT_PASSWORD": "hush", "PROXY_PASSWORD": "hush", "APPS_TOKEN": "hush-hush-hush-hush"}
KEYS = ("name", "driver", "type", "map", "tags", "groups", "interval", "enabled", "a/b", "", "1")
WORDS = (
    *("modbus", "opcua", "sim", "mqtt", "file", "tcp://h", "tcp://[", "opc.tcp://h:x", "mqtt://h:x", "rtu:///dev/x?="),
    *("1s", "-1s", "1GB", "float32", "string", "coil", "holding", "eastron-sdm630", "./x.yaml", "a\0b", "slow", ""),
    *("${X}", "${Y}", "${", "file:.", "file:x", "ns=1;s=a", "ns=;", "#", "+/+", "{x}", "{gateway", "\ud7ff\uffff"),
)
SCALARS = st.one_of(
    *(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    st.sampled_from([-1, 0, 1, 65536, 10**30, 10**50]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
QUICK = settings(
    deadline=None,
    max_examples=often(40, 400),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value below a node."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


@st.composite
def broken(draw: Any, good: Any) -> Any:
    """A good file with a few values replaced, removed or renamed."""
    tree = deepcopy(good)
    for _ in range(draw(st.integers(1, 4))):
        spots = list(places(tree))
        if not spots:
            break
        node, key = spots[draw(st.integers(0, len(spots) - 1))]
        what = draw(st.sampled_from(["replace", "remove", "rename"]))
        if what == "replace":
            node[key] = draw(TREES)
        else:
            value = node.pop(key)
            if what == "rename" and isinstance(node, dict):
                node[draw(st.sampled_from(KEYS) | st.text(max_size=3))] = value
    return tree


def as_json(name: str) -> Any:
    return json.loads(json.dumps(read((configs_dir() / name).read_bytes(), name, Report())))


SITE = as_json("floorgate.yaml")
MAP = as_json("devices/schneider-pm5000.yaml") | {"quirks": {"pause": "1s"}, "groups": {"slow": {"interval": "1m"}}}
MAP["tags"] = MAP["tags"][:4]


def outcome(path: Path, data: bytes, loader: Any = load) -> None:
    path.write_bytes(data)
    try:
        loader(path, HUSH) if loader is load else loader(path)
    except Invalid as error:
        found = error.problems
    else:
        return
    assert found
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.yaml"


@QUICK
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(path: Path, data: bytes) -> None:
    outcome(path, data)
    outcome(path, data, load_map)


@QUICK
@given(text=st.text(alphabet="ab:- \n\t{}[],&*!|>'\"%@`#?$<=~0123.", max_size=80))
def test_any_yaml_punctuation(path: Path, text: str) -> None:
    outcome(path, text.encode())


@QUICK
@given(tree=TREES | st.dictionaries(st.sampled_from([*SITE, *MAP]), TREES))
def test_any_structure(path: Path, tree: Any) -> None:
    outcome(path, json.dumps(tree).encode())
    outcome(path, json.dumps(tree).encode(), load_map)


@QUICK
@given(site=broken(SITE))
def test_any_mistake_in_a_site(path: Path, site: Any) -> None:
    outcome(path, json.dumps(site, ensure_ascii=False).encode())


@QUICK
@given(found=broken(MAP), tags=st.lists(st.sampled_from(MAP["tags"]) | TREES, max_size=3))
def test_any_mistake_in_a_map_and_what_lies_over_it(path: Path, found: Any, tags: Any) -> None:
    beside = path.parent / "map.yaml"
    outcome(beside, json.dumps(found).encode(), load_map)
    device = {"name": "d", "driver": "modbus", "endpoint": "tcp://h", "map": "./map.yaml", "tags": tags}
    outcome(path, json.dumps({"gateway": {"id": "g"}, "devices": [device]}).encode())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text("abc äö电:#'\"\\{}[]", max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc: ", max_size=4), inner, max_size=4),
    max_leaves=20,
)


@QUICK
@given(tree=PLAIN)
def test_json_means_as_yaml_what_it_means_as_json(tree: Any) -> None:
    report = Report()
    found = read(json.dumps({"a": tree}, ensure_ascii=False).encode(), "f", report)
    report.settle()
    assert found == {"a": tree}
