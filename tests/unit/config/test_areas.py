"""Tags by the words of their PLC, in a site and in maps, and what is said at its place when a word is not there."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Report, configs_dir, load, load_map
from agent.config.described import map_at, map_of, written

SITE = """\
gateway: {id: gw-1}
devices:
  - name: press
    driver: modbus
    endpoint: tcp://192.168.1.40
"""
AREAS = """\
areas:
  D: {register: holding, base: 0x1000, first: D0, last: D4095}
  X: {register: coil, base: 0x400, first: X0, last: X77, radix: 8, read_only: true}
  T: {register: coil, base: 0x600, first: T0, last: T255}
  T_value: {register: holding, base: 0x600, first: T0, last: T255, status: unverified}
"""
MAP = f"""\
device: {{vendor: Acme, model: P1, kind: plc}}
driver: modbus
sources: [manual]
notes: [octal]
quirks: {{order: CDAB}}
{AREAS}"""


def places(device: Any) -> list[tuple[str, str, int, str]]:
    return [(tag.name, tag.register, tag.address, tag.type) for tag in device.tags]


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_the_words_of_a_plc_of_the_shelf(site: Any) -> None:
    (device,) = site(
        SITE + "    map: inovance-h3u\n    tags: [{name: speed, address: D100, type: int32},"
        " {name: running, address: M20}, {name: door, address: X17}]\n"
    ).devices
    assert places(device) == [
        ("speed", "holding", 100, "int32"),
        ("running", "coil", 20, "bool"),
        ("door", "coil", 0xF80F, "bool"),
    ]
    assert (device.order, device.max_registers) == ("CDAB", 123)


def test_areas_of_a_device_itself(site: Any) -> None:
    tags = "    tags: [{name: a, address: D7}, {name: b, address: T3, type: bool}, {name: c, address: 7}, b.coil.X10]\n"
    (device,) = site(SITE + indented(AREAS) + tags.replace("b.coil", "d.coil")).devices
    assert places(device) == [
        ("a", "holding", 0x1007, "uint16"),
        ("b", "coil", 0x603, "bool"),
        ("c", "holding", 7, "uint16"),
        ("d", "coil", 0x408, "bool"),
    ]


def test_an_area_of_a_device_lies_over_its_map_s_of_that_name(write: Any, site: Any) -> None:
    """Where a word is in the map's own tags is then another place too."""
    write("m.yaml", MAP + "tags: [{name: a, address: D7}]\n")
    moved = (
        "    areas: {D: {register: holding, base: 100, first: D0, last: D9}, V: {register: coil, base: 0, first: V0,"
    )
    tags = "    tags: [{name: b, address: V1}, {name: c, address: X1}]\n"
    (device,) = site(SITE + "    map: ./m.yaml\n" + moved + " last: V9}}\n" + tags).devices
    assert places(device) == [
        ("a", "holding", 107, "uint16"),
        ("b", "coil", 1, "bool"),
        ("c", "coil", 0x401, "bool"),
    ]


def test_a_map_adds_tags_to_a_plc_of_the_shelf(write: Any, site: Any) -> None:
    head = "device: {vendor: Acme, model: Press}\nextends: xinje-xc\n"
    write("press.yaml", head + "tags: [{name: speed, address: D100}]\n")
    (device,) = site(SITE + "    map: ./press.yaml\n").devices
    assert places(device) == [("speed", "holding", 0x0064, "uint16")]


def test_defaults_of_a_map_do_not_contradict_a_word(write: Any, site: Any) -> None:
    write("m.yaml", MAP + "defaults: {register: input, type: float32}\n")
    tags = "    tags: [{name: a, address: D7}, {name: x, address: X7}]\n"
    (device,) = site(SITE + "    map: ./m.yaml\n" + tags).devices
    assert places(device) == [("a", "holding", 0x1007, "float32"), ("x", "coil", 0x407, "bool")]


@pytest.mark.parametrize(
    ("tag", "column", "says"),
    [
        ("{name: a, address: D4096}", 28, "address: there is no D4096: the last one is D4095 (there are D0 to D4095)"),
        ("{name: a, address: X18}", 28, "address: X18 cannot be: X counts in octal, and 8 and 9 are no octal digits ("),
        (
            "{name: a, address: X1, write: {}}",
            39,
            "write: X1 is an input of the PLC: it cannot be written (leave `write`",
        ),
        (
            "{name: a, register: input, address: D1}",
            29,
            "register: D1 is a holding register, and `register` says input",
        ),
        ("{name: a, address: X1, type: int32}", 38, "type: a coil is one bit: its type is bool, not int32"),
        ("{name: a, address: DX1}", 28, "address: there is no area DX (did you mean X1?)"),
    ],
)
def test_a_wrong_word_is_told_at_its_place(complaint: Any, tag: str, column: int, says: str) -> None:
    said = complaint(SITE + indented(AREAS) + f"    interval: 1s\n    tags:\n      - {tag}\n")
    assert said.startswith(f"site.yaml:13:{column}: device 'press', tag 'a': {says}")


def test_a_word_without_areas_says_what_is_missing(complaint: Any) -> None:
    said = complaint(SITE + "    tags: [{name: a, address: D7}]\n")
    assert said.startswith(
        "site.yaml:6:31: device 'press', tag 'a': address: 'D7' is no address: is it a word of a PLC?"
    )


def test_wrong_areas_are_told_once_and_nothing_of_the_tags(problems: Any) -> None:
    wrong = "    areas: {D: {register: holding, base: 0, first: D0, last: E9}}\n"
    said = problems(SITE + wrong + "    tags: [{name: a, address: D7}, {name: b, address: D8}]\n")
    assert said == ["site.yaml:6:62: device 'press': areas.D.last: 'E9' is not such a word as `first`, 'D0'"]


@pytest.mark.parametrize("areas", ["7", "[D]", "{D: 7}", "{D: {}}", "{'a b': {register: coil}}", "{D: null}"])
def test_what_are_no_areas_is_refused(problems: Any, areas: str) -> None:
    said = problems(SITE + f"    areas: {areas}\n    tags: [{{name: a, address: D7}}]\n")
    assert said
    assert all(": device 'press': areas" in each for each in said)


def test_a_plc_of_which_nothing_is_read_is_told(complaint: Any) -> None:
    said = complaint(SITE + "    map: inovance-h3u\n")
    assert said == (
        "site.yaml:6:10: device 'press': has no tags: its map says where the words of a PLC are, and not which of them"
        " are read (such as `tags: [{name: speed, address: D100}]`)"
    )


def test_only_a_driver_that_knows_words_has_areas(complaint: Any, write: Any) -> None:
    said = complaint(
        "gateway: {id: gw-1}\ndevices:\n  - {name: p, driver: opcua, endpoint: opc.tcp://h, areas: {},"
        " tags: [{name: a, node: i=1}]}\n"
    )
    assert "p': unknown key 'areas'" in said
    write("m.yaml", MAP.replace("driver: modbus", "driver: opcua").replace("quirks: {order: CDAB}\n", ""))
    said = complaint(SITE.replace("modbus", "opcua").replace("tcp:", "opc.tcp:") + "    map: ./m.yaml\n")
    assert "unknown key 'areas'" in said or "a device map needs tags" in said


def test_an_unverified_area_is_doubted_once(write: Any) -> None:
    tags = (
        "    tags: [{name: a, address: T1, type: int16}, {name: b, address: T2, type: int16}, {name: c, address: D1}]\n"
    )
    report = Report()
    load(write("site.yaml", SITE + indented(AREAS) + tags), {}, report)
    (said,) = [warning for warning in report.warnings if "unverified" in warning.message]
    assert (said.line, said.column) == (11, 31)
    assert said.message == (
        "device 'press', tag 'a': address: area 'T_value' is unverified: no written source says where it is"
    )
    assert said.hint == "compare one value with the PLC before you rely on it"


def test_a_table_names_words_of_the_plc_that_it_extends(write: Any, site: Any) -> None:
    rows = "# extends: inovance-h3u\nname,address,type\nspeed,D100,int32\ndoor,X17,\ntimer,T5,bool\n"
    write("press.csv", rows)
    (device,) = site(SITE + "    map: ./press.csv\n").devices
    assert places(device) == [
        ("speed", "holding", 100, "int32"),
        ("door", "coil", 0xF80F, "bool"),
        ("timer", "coil", 0xF005, "bool"),
    ]


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".yaml"])
@pytest.mark.parametrize("name", ["inovance-h3u", "siemens-s7-200smart-modbus"])
def test_an_export_has_all_areas(tmp_path: Path, name: str, ending: str) -> None:
    shelf = configs_dir() / f"devices/{name}.yaml"
    out = tmp_path / f"out{ending}"
    out.write_bytes(written(map_at(shelf, Report()), ending))
    assert load_map(out).places.known == load_map(shelf).places.known


def test_an_export_of_a_device_has_its_areas_and_its_words(write: Any, tmp_path: Path) -> None:
    path = write("site.yaml", SITE + indented(AREAS) + "    tags: [{name: a, address: D7}, {name: b, address: X7}]\n")
    found, _ = map_of(path, "press", Report())
    out = tmp_path / "press.csv"
    out.write_bytes(written(found, ".csv"))
    assert [(tag.register, tag.address) for tag in load_map(out).tags or ()] == [("holding", 0x1007), ("coil", 0x407)]
    assert "D7" in out.read_text("utf-8-sig")


def test_a_file_full_of_wrong_words_is_told_as_far_as_anybody_reads(found: Any) -> None:
    tags = "".join(f"      - {{name: t{at}, address: DX{at}}}\n" for at in range(5000))
    assert len(found(SITE + indented(AREAS) + "    tags:\n" + tags)) == 200
