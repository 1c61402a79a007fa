"""The JSON Schema that editors use agrees with what the agent accepts, and the files in `configs/` are fresh."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli.schema import command
from agent.config import configs_dir, map_schema, schema
from agent.config.problems import Report
from agent.config.reader import read

CONFIGS = configs_dir()
SITES = [CONFIGS / "floorgate.yaml", *sorted((CONFIGS / "examples").glob("*.yaml"))]
MAPS = sorted((CONFIGS / "devices").glob("*.yaml"))
TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value: object, name: str) -> bool:
    if name in {"integer", "number"}:
        return isinstance(value, int if name == "integer" else int | float) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def errors(value: Any, rule: Any, root: Any, at: str = "$") -> Iterator[str]:
    """The part of JSON Schema that ours uses."""
    if "$ref" in rule:
        yield from errors(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], root, at)
    if "type" in rule and not is_type(value, rule["type"]):
        yield f"{at}: not {rule['type']}"
        return
    yield from scalar_errors(value, rule, at)
    if isinstance(value, dict):
        yield from object_errors(value, rule, root, at)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from errors(item, rule.get("items", {}), root, f"{at}[{index}]")
    for part in rule.get("allOf", ()):
        yield from errors(value, part, root, at)
    if "anyOf" in rule and all(list(errors(value, part, root, at)) for part in rule["anyOf"]):
        yield f"{at}: fits none"
    if "if" in rule and not list(errors(value, rule["if"], root, at)):
        yield from errors(value, rule["then"], root, at)


def scalar_errors(value: Any, rule: Any, at: str) -> Iterator[str]:
    if "enum" in rule and value not in rule["enum"]:
        yield f"{at}: not one of {rule['enum']}"
    if "const" in rule and value != rule["const"]:
        yield f"{at}: not {rule['const']}"
    if "pattern" in rule and isinstance(value, str) and not re.search(rule["pattern"], value):
        yield f"{at}: not {rule['pattern']}"
    if is_type(value, "number") and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        yield f"{at}: out of range"


def object_errors(value: dict[str, Any], rule: Any, root: Any, at: str) -> Iterator[str]:
    yield from (f"{at}: {key} is missing" for key in rule.get("required", ()) if key not in value)
    patterns = rule.get("patternProperties", {})
    for key, below in value.items():
        fits = (inner for pattern, inner in patterns.items() if re.search(pattern, key))
        inner = rule.get("properties", {}).get(key) or next(fits, rule.get("additionalProperties", {}))
        if inner is False:
            yield f"{at}: {key} is unknown"
        else:
            yield from errors(below, inner, root, f"{at}.{key}")


def parsed(text: bytes) -> Any:
    report = Report()
    root = read(text, "f", report)
    report.settle()
    return root


@pytest.mark.parametrize(("name", "made"), [("floorgate", schema), ("device-map", map_schema)])
def test_the_file_is_fresh(name: str, made: Any) -> None:
    """When this fails: `floorgate schema > configs/floorgate.schema.json`, and with --map the other one."""
    assert json.loads((CONFIGS / f"{name}.schema.json").read_text("utf-8")) == made()


@pytest.mark.parametrize(("option", "name"), [([], "floorgate"), (["--map"], "device-map")])
def test_the_command_prints_the_file(option: list[str], name: str) -> None:
    printed = CliRunner().invoke(command, option)
    assert printed.exit_code == 0
    assert printed.output == (CONFIGS / f"{name}.schema.json").read_text("utf-8")


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_every_example_fits_the_schema(path: Path) -> None:
    rules = schema()
    assert list(errors(parsed(path.read_bytes()), rules, rules)) == []


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_every_map_fits_the_schema(path: Path) -> None:
    rules = map_schema()
    assert list(errors(parsed(path.read_bytes()), rules, rules)) == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("interval: 1s ", "interval: 1 "), "$.devices[0].interval: not string"),
        (("interval: 1s ", "interval: 1 s "), "$.devices[0].interval: not ^"),
        (("address: 100 ", "address: 500000 "), "$.devices[1].tags[0].address: out of range"),
        (("address: 100 ", "adress: 100 "), "$.devices[1].tags[0]: adress is unknown"),
        (("type: int16", "type: i16"), "$.devices[1].tags[0].type: not one of"),
        (("driver: sim", "driver: sym"), "$.devices[4].driver: not one of"),
        (("security: auto", "security: some"), "$.devices[2].security: not one of"),
        (("url: mqtts", "uri: mqtts"), "$.sinks[0]: "),
        (("keep: 7d", "keep: 7"), "$.buffer.keep: not string"),
        (("level: info", "level: loud"), "$.log.level: not one of"),
        (("  id: gw-weaving-01 ", "  ident: gw-weaving-01 "), "$.gateway: id is missing"),
        (("max_size: 1GB", "max_size: 1"), "$.buffer.max_size: fits none"),
    ],
)
def test_an_editor_marks_a_mistake(change: tuple[str, str], error: str) -> None:
    rules, text = schema(), SITES[0].read_text("utf-8")
    assert change[0] in text
    found = list(errors(parsed(text.replace(*change, 1).encode()), rules, rules))
    assert any(each.startswith(error) for each in found), found


def test_an_editor_takes_a_reference_for_any_text() -> None:
    rules, text = schema(), SITES[0].read_text("utf-8").replace("interval: 1s ", "interval: ${EVERY} ")
    assert list(errors(parsed(text.encode()), rules, rules)) == []


@pytest.mark.parametrize("made", [schema, map_schema])
def test_every_reference_leads_somewhere_and_every_option_says_what_it_is(made: Any) -> None:
    rules = made()
    text = json.dumps(rules)
    assert set(re.findall(r'"#/\$defs/([^"]+)"', text)) <= set(rules["$defs"])
    for name, part in rules["$defs"].items():
        for option, rule in part["properties"].items():
            assert "description" in rule or "$ref" in rule, f"{name}.{option}"


def test_durations_and_sizes_have_defaults_as_one_writes_them() -> None:
    parts = schema()["$defs"]
    assert parts["buffer"]["properties"]["keep"]["default"] == "7d"
    assert parts["buffer"]["properties"]["reserve"]["default"] == "1GB"
    assert parts["modbus"]["properties"]["interval"]["default"] == "1s"
