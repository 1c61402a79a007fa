"""What every Modbus map of the shelf owes to its users: a status that is earned, names and units to rely on,
and addresses that the sources confirm. What the sources say lies as data in tests/cases/modbus/maps/NAME/facts.yaml."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import configs_dir, load_map
from agent.config.maps import DeviceMap
from tests.house import ROOT

ALL = sorted((configs_dir() / "devices").glob("*.yaml"))
MODBUS = {path: load_map(path) for path in ALL if load_map(path).head.driver == "modbus"}
SHELF = [path for path, found in MODBUS.items() if found.tags]  # those of PLCs are in tests/cases/modbus/areas
FACTS = ROOT / "tests/cases/modbus/maps"
SCHEMA = "# yaml-language-server: $schema=../device-map.schema.json\n"
PROMISED = {
    "abb-b23",
    "acrel-adl400",
    "carlo-gavazzi-em340",
    "chint-ddsu666",
    "chint-dtsu666",
    "eastron-sdm120",
    "eastron-sdm630",
    "eastron-sdm72v2",
    "huawei-sun2000",
    "janitza-umg",
    "peacefair-pzem-004t",
    "schneider-iem3000",
    "schneider-pm5000",
    "siemens-pac2200",
    "siemens-pac3200",
    "siemens-pac4200",
    "xy-md02",
}
ENERGIES = {"Wh", "kWh", "varh", "kvarh", "VAh", "kVAh"}
UNITS = (
    ENERGIES
    | {"V", "A", "W", "kW", "var", "kvar", "VA", "kVA", "Hz", "%", "deg", "Cel", "MOhm", "kOhm"}
    | {"r/min", "min", "kHz", "N.m", "m/min", "m/s", "m3/h", "m3", "mm"}
)
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
BASIC = re.compile(
    r"(voltage|current|active_power)(_l[123]|_total)?|temperature|humidity"
    r"|output_(frequency|current|voltage)|frequency_reference|fault_code|motor_speed|flow_(rate|velocity)"
)
TYPES = {
    "u16": "uint16",
    "i16": "int16",
    "u32": "uint32",
    "i32": "int32",
    "u64": "uint64",
    "i64": "int64",
    "f32": "float32",
    "f64": "float64",
}
REGISTERS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
NOT_CONFIRMED = ("one source", "no source")

every_map = pytest.mark.parametrize("path", SHELF, ids=lambda path: path.stem)


def facts(path: Path) -> dict[str, dict[str, Any]]:
    """What the sources say of each tag, by name."""
    return {fact["name"]: fact for fact in yaml.safe_load((FACTS / path.stem / "facts.yaml").read_text("utf-8"))}


def order(found: DeviceMap, tag: Any) -> str:
    return str(tag.order or found.quirks.get("order", "ABCD"))


def meant(found: DeviceMap, tag: Any) -> tuple[Any, ...]:
    """Where a tag of the map is and what its registers mean; one register has no order of words."""
    swapped = tag.words > 1 and order(found, tag) == "CDAB"
    assert order(found, tag) in ("ABCD", "CDAB")
    return tag.register, tag.address, tag.type, swapped, tag.scale, tag.offset, tag.enum, tag.invalid, tag.bits


def said(fact: dict[str, Any]) -> tuple[Any, ...]:
    """The same as the sources say it."""
    kind, _, swapped = fact["type"].partition("_")
    where = REGISTERS[fact["fc"]], fact["addr"]
    named = fact.get("enum", {}), fact.get("invalid", []), {}
    return *where, TYPES[kind], swapped == "sw", fact.get("scale", 1), 0, *named


def collisions(tags: list[Any]) -> Iterator[tuple[str, str]]:
    """Tags that share some of their registers, but not all."""
    for one, other in combinations([tag for tag in tags if tag.enabled], 2):
        spans = [range(tag.address, tag.address + tag.words) for tag in (one, other)]
        if one.register == other.register and spans[0] != spans[1] and set(spans[0]) & set(spans[1]):
            yield one.name, other.name


def test_the_shelf_has_the_promised_maps() -> None:
    assert {path.stem for path in SHELF} >= PROMISED


@every_map
def test_a_map_loads_and_says_what_it_is_for(path: Path) -> None:
    found = load_map(path)
    assert found.tags
    assert found.head.notes
    assert found.head.device.kind
    words = re.findall(r"[a-z0-9]+", f"{found.head.device.vendor} {found.head.device.model}".lower())
    assert set(re.findall(r"[a-z]+", path.stem)) <= set(re.findall(r"[a-z]+", " ".join(words)))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", path.stem)


@every_map
def test_a_map_tells_editors_its_schema(path: Path) -> None:
    assert path.read_text("utf-8").startswith(SCHEMA)


@every_map
def test_a_map_says_how_sure_it_is(path: Path) -> None:
    """In words: a person chooses a map by it, so it is never left to the default. Confirmed is what matters most."""
    found = load_map(path)
    assert re.search(r"^status: (confirmed|draft)$", path.read_text("utf-8"), re.MULTILINE)
    assert found.head.sources
    basics = [tag for tag in found.tags or () if tag.enabled and BASIC.fullmatch(tag.name)]
    assert len(basics) >= 2
    doubtful = [tag.name for tag in basics if tag.description.startswith(NOT_CONFIRMED)]
    assert (doubtful == []) is (found.head.status == "confirmed"), doubtful


@every_map
def test_a_tag_that_one_source_knows_says_so_and_one_without_a_source_is_off(path: Path) -> None:
    known = facts(path)
    for tag in load_map(path).tags or ():
        sources = known[tag.name]["sources"]
        assert tag.description.startswith("one source") is (sources == 1), tag.name
        assert tag.description.startswith("no source") is (sources == 0), tag.name
        assert sources or not tag.enabled, tag.name


@every_map
def test_a_map_has_what_the_sources_say_and_nothing_else(path: Path) -> None:
    """Same tags, same table, address, type, word order and scale, same names of numbers, same marks of no value."""
    found = load_map(path)
    assert {tag.name: meant(found, tag) for tag in found.tags or ()} == {
        name: said(fact) for name, fact in facts(path).items()
    }


@every_map
def test_names_are_snake_case_and_units_are_known(path: Path) -> None:
    for tag in load_map(path).tags or ():
        assert NAME.fullmatch(tag.name), tag.name
        assert tag.unit in UNITS or not tag.unit, (tag.name, tag.unit)


@every_map
def test_what_has_a_dimension_has_a_unit_and_what_counts_is_a_counter(path: Path) -> None:
    for tag in load_map(path).tags or ():
        assert bool(tag.unit) is not ("power_factor" in tag.name or tag.kind == "state"), tag.name
        assert (tag.kind == "counter") is (tag.unit in ENERGIES | {"m3"}), tag.name


@every_map
def test_no_two_tags_read_parts_of_each_other(path: Path) -> None:
    assert list(collisions(load_map(path).tags or [])) == []


@every_map
def test_tags_stand_in_the_order_of_their_registers(path: Path) -> None:
    tags = load_map(path).tags or []
    assert [tag.name for tag in tags] == [tag.name for tag in sorted(tags, key=lambda tag: (tag.register, tag.address))]


@every_map
def test_every_value_fits_into_a_request_that_the_device_takes(path: Path) -> None:
    found = load_map(path)
    assert max(tag.words for tag in found.tags or ()) <= int(found.quirks.get("max_registers", 125))


def test_the_page_of_the_shelf_lists_every_map_with_its_status() -> None:
    page = (configs_dir() / "devices" / "README.md").read_text("utf-8")
    for path in ALL:
        row = rf"^\| \[`{path.stem}`\]\({path.name}\) \|.*\| {load_map(path).head.status} \|"
        assert re.search(row, page, re.MULTILINE), path.stem


def test_an_sdongle_gets_the_second_that_it_needs() -> None:
    quirks = load_map(configs_dir() / "devices" / "huawei-sun2000.yaml").quirks
    assert quirks["connect_delay"] == "1s"
    assert quirks["max_registers"] == 64
