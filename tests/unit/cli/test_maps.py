"""`floorgate maps`: which device maps there are, what is in one, and whether it holds."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.cli.maps.cases import image
from agent.cli.shelf import paths
from agent.model.errors import AgentError
from tests.house import ROOT
from tests.sim.fixtures import libmodbus_server

CASES = ROOT / "tests/cases/modbus/maps"
TWICE = "{name: u, register: input, address: 0, scale: 0.1, unit: V}"
MAP = """\
device: {vendor: Acme, model: M1, kind: power_meter_1ph}
driver: modbus
status: draft
sources: [a manual]
notes: [the firmware of 2019]
tags:
  - {name: voltage_l1, register: input, address: 0, scale: 0.1, unit: V}
  - {name: energy_import_total, register: input, address: 4, type: uint32, unit: kWh, kind: counter}
"""


def maps(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["maps", *arguments])


def test_the_list_has_all_of_the_shelf() -> None:
    found = json.loads(maps("list", "--json").stdout)
    assert [row["name"] for row in found] == [path.stem for path in paths()]
    text = maps("list").stdout
    assert all(path.stem in text for path in paths())
    some = json.loads(maps("list", "--driver", "opcua", "--json").stdout)
    assert {row["driver"] for row in some} == {"opcua"}
    assert json.loads(maps("list", "--kind", "env_sensor", "--json").stdout)[0]["name"] == "xy-md02"


@pytest.mark.parametrize(
    ("words", "first"),
    [(["eastron", "630"], "eastron-sdm630"), (["安科瑞"], "acrel-adl400"), (["sun2000"], "huawei-sun2000"),
     (["HUMIDITY"], "xy-md02"), (["power_meter_1ph", "chint"], "chint-ddsu666")],
)  # fmt: skip
def test_a_map_is_found_by_what_a_person_knows_of_it(words: list[str], first: str) -> None:
    assert json.loads(maps("search", *words, "--json").stdout)[0]["name"] == first


def test_a_search_without_a_find_says_what_was_meant() -> None:
    done = maps("search", "estron")
    assert (done.exit_code, "did you mean 'Eastron'?" in done.stderr) == (1, True)
    nothing = maps("search", "estron", "--json")
    assert (json.loads(nothing.stdout), nothing.exit_code) == ([], 1)


@pytest.mark.parametrize(("word", "kind"), [("电表", "power_meter"), ("逆变器", "inverter"), ("变频器", "vfd")])
def test_a_chinese_word_for_a_kind_finds_all_of_it(word: str, kind: str) -> None:
    found = {row["name"] for row in json.loads(maps("search", word, "--json").stdout)}
    assert {row["name"] for row in json.loads(maps("list", "--json").stdout) if kind in row["kind"]} <= found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--endpoint", "nonsense"), "is not an endpoint"), (("--unit", "3"), "--endpoint says where it is")],
)
def test_what_is_wrong_with_a_device_to_read_is_said(arguments: tuple[str, ...], said: str) -> None:
    done = maps("test", "eastron-sdm630", *arguments)
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_what_is_in_a_map_is_shown(tmp_path: Path) -> None:
    text = maps("show", "eastron-sdm630").stdout
    for said in ("Eastron", "confirmed: at least two independent sources agree", "source:", "voltage_l1", "float32"):
        assert said in text
    path = tmp_path / "m.yaml"
    path.write_text(MAP)
    assert "draft: compare each value with the display" in maps("show", str(path)).stdout
    found = json.loads(maps("show", str(path), "--json").stdout)
    assert [tag["name"] for tag in found["tags"]] == ["voltage_l1", "energy_import_total"]
    assert found["tags"][0]["scale"] == 0.1


def test_a_name_that_is_no_map() -> None:
    done = maps("show", "eastron-sdm360")
    assert (done.exit_code, "did you mean 'eastron-sdm630'?" in done.stderr) == (78, True)
    assert maps("test").exit_code == 2


def test_every_map_of_the_shelf_is_without_doubt_and_keeps_its_golden_cases() -> None:
    done = maps("test", "--all", "--cases", str(CASES), "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["map"] for row in rows] == [path.stem for path in paths()]
    assert [(row["map"], row["warnings"]) for row in rows if row["warnings"]] == []
    listed = [row for row in rows if row["tags"] and not row["map"].startswith("opcua-")]
    assert [row["map"] for row in listed if not row["cases"]] == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("sources: [a manual]\n", "", "sources: none is named"),
        (", kind: power_meter_1ph", "", "device: it has no kind"),
        ("notes: [the firmware of 2019]\n", "", "status: a draft without notes"),
        ("scale: 0.1, unit: V", "scale: 0.1", "it is scaled and has no unit"),
        (", kind: counter", "", "it is in kWh and no counter"),
        ("type: uint32", "type: uint16", "it begins anew after 65536 kWh"),
        ("  - {name: energy", f"  - {TWICE}\n  - {{name: energy", "it stands at the same place as 'voltage_l1'"),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_warned_of_by_test_and_by_check(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP.replace(old, new))
    done = maps("test", str(path))
    assert done.exit_code == 0
    assert says in done.stdout
    assert says in CliRunner().invoke(main, ["check", str(path)]).stderr


def test_a_map_without_doubts_has_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP)
    assert maps("test", str(path)).stdout == "m: fine: 2 tags, draft, 0 cases\n"


def test_a_map_that_is_wrong_says_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP.replace("address: 0", "addres: 0").replace("uint32", "unit32"))
    done = maps("test", str(path), "xy-md02")
    assert done.exit_code == 78
    assert "addres" in done.stdout and "unit32" in done.stdout and "xy-md02: fine" in done.stdout


def case(folder: Path, registers: str, values: str) -> None:
    (folder / "one.hex").write_text(registers)
    (folder / "one.yaml").write_text(values)


def test_a_case_that_differs_says_by_how_much(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP)
    case(tmp_path, "4 0: 08fc\n4 4: 0001 0000  # energy\n", "{voltage_l1: 230.0, energy_import_total: 1, more: 2}")
    done = maps("test", str(path), "--cases", str(tmp_path))
    assert done.exit_code == 1
    assert "case one: energy_import_total: 65536, and should be 1" in done.stdout
    assert "case one: more: no such tag, and should be 2" in done.stdout
    assert "voltage_l1" not in done.stdout


@pytest.mark.parametrize(
    ("registers", "values", "says"),
    [
        ("4 0: 08fc", "voltage_l1: 1", "has not all registers of"),
        ("4 0 08fc", "voltage_l1: 1", "one.hex:1: not FUNCTION ADDRESS: WORDS"),
        ("# a\n9 0: 08fc", "voltage_l1: 1", "one.hex:2: not FUNCTION"),
        ("4 0: 08fc\n4 0: 1", "voltage_l1: 1", "one.hex:2: a register that is there already"),
        ("4 0: 08fc 1 2 3 4 5", "[1]", "the values by tag are a mapping"),
        ("4 0: 08fc 1 2 3 4 5", "a: [", "one.yaml:2:1: a value is missing"),
    ],
)  # fmt: skip
def test_a_case_that_is_none_is_told(tmp_path: Path, registers: str, values: str, says: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP)
    case(tmp_path, registers, values)
    done = maps("test", str(path), "--cases", str(tmp_path))
    assert done.exit_code in (1, 78)
    assert says in done.stderr


@given(st.text(alphabet="0123456789abcxF:# -\n", max_size=60))
def test_any_text_is_registers_or_refused(text: str) -> None:
    try:
        found = image(text, Path("x.hex"))
    except AgentError:
        return
    assert all(1 <= function <= 4 and 0 <= at < 65536 and 0 <= word < 65536 for (function, at), word in found.items())


def test_a_map_is_tried_on_a_device(tmp_path: Path) -> None:
    path = tmp_path / "it's.yaml"
    path.write_text(MAP)
    with libmodbus_server() as port:
        done = maps("test", str(path), "--endpoint", f"tcp://127.0.0.1:{port}")
    assert (done.exit_code, "ok    2 of 2 tags good" in done.stdout) == (0, True), done.output
    gone = maps("test", str(path), "--endpoint", "tcp://127.0.0.1:1", "--json")
    assert gone.exit_code == 1
    assert json.loads(gone.stdout)[0]["online"][0]["state"] == "down"
    wrong = maps("test", "opcua-packml", "--endpoint", "opc.tcp://127.0.0.1")
    assert (wrong.exit_code, "floorgate check --online" in wrong.stderr) == (1, True)
