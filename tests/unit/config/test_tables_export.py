"""A map that is exported and read again is the same map, whatever stands in it, and no spreadsheet runs any of it."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from agent.config import Report, configs_dir, load_map
from agent.config.described import described, map_at, written
from agent.config.maps import DeviceMap, parse_map
from agent.config.problems import Scope
from agent.config.reader import read
from agent.config.tables import read_table
from agent.config.tables.cells import DANGEROUS
from agent.config.tables.flowing import flowing
from agent.model.errors import AgentError
from agent.model.text import is_name
from tests.house import ROOT
from tests.lengths import often

SHELF = sorted((configs_dir() / "devices").glob("*.yaml"))
ODD = ROOT / "tests/cases/tables/odd.yaml"
FORMATS = [".csv", ".xlsx", ".yaml"]


def again(data: bytes, ending: str) -> DeviceMap:
    """The map in a file that was exported."""
    report = Report()
    root = read(data, "t.yaml", report) if ending == ".yaml" else read_table(data, f"t{ending}", Scope(report))
    found = parse_map(root, Scope(report)) if root is not None else None
    report.settle()
    assert found is not None
    return found


def assert_same(one: DeviceMap, other: DeviceMap) -> None:
    assert one.tags == other.tags
    assert one.head.model_copy(update={"extends": ""}) == other.head
    for section in ("quirks", "defaults", "groups"):
        assert getattr(one, section) == getattr(other, section), section


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("path", [*SHELF, ODD], ids=lambda path: path.stem)
def test_every_map_comes_back_as_it_was(path: Path, ending: str) -> None:
    """By turns with headings in English and Chinese, in the long form with both."""
    found, one = load_map(path), map_at(path, Report())
    turn = ([*SHELF, ODD].index(path) + FORMATS.index(ending)) % 2
    for lang in often(("en", "zh")[turn : turn + 1], ("en", "zh")):
        assert_same(found, again(written(one, ending, lang), ending))


def test_what_a_map_extends_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("device: {vendor: A, model: B}\nextends: janitza-umg\nquirks: {max_gap: 3}\n")
    for ending in FORMATS:
        found = again(written(map_at(tmp_path / "own.yaml", Report()), ending), ending)
        assert (len(found.tags or ()), found.quirks["max_gap"], found.head.extends) == (40, 3, "")


def test_a_table_comes_back_from_yaml_as_short_as_it_was(tmp_path: Path) -> None:
    """What the defaults say is written into each row for people, and left out again."""
    path = configs_dir() / "devices" / "eastron-sdm630.yaml"
    table = written(map_at(path, Report()), ".csv")
    assert b"voltage_l1,input,0,float32,V" in table
    (tmp_path / "t.csv").write_bytes(table)
    assert b"  - {name: voltage_l1, address: 0, unit: V}\n" in written(map_at(tmp_path / "t.csv", Report()), ".yaml")


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/+#$\u3000", exclude_categories=("C", "Z")), min_size=1, max_size=9
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
odd = st.sampled_from(
    [
        "=1+1", "'=x", "''=x", '"', '""', '"a"', "-", "/", "n/a", "无", "+", "@x", "\uff1dx",
        " x ", "\t=x", "a\nb", "\r", "0010", "1E3", "true", "null", "~", "_x0041_",
        "", "# x", "{a: 1}", "[", "1,5", "#N/A",
    ]
)  # fmt: skip
numbers = st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False, allow_infinity=False, width=64)
words = st.builds(str.strip, texts | odd).filter(lambda text: 0 < len(text) <= 128) | names
scales = st.floats(1e-9, 1e9) | st.integers(1, 10**6)
common = {
    "unit": st.sampled_from(["V", "kWh", "Cel", "%", "1", "m3/h"]),
    "description": (texts | odd).map(lambda text: text[:512]),
    "enabled": st.booleans(),
    "group": st.sampled_from(["slow", "a:b", "1E3", "=g"]),
}
plain = st.fixed_dictionaries(
    {"type": st.sampled_from(["float32", "int32", "uint64", "float64"])},
    optional={
        **common,
        "order": st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]),
        "scale": scales,
        "offset": st.floats(-1e9, 1e9) | st.integers(-1000, 1000),
        "kind": st.sampled_from(["gauge", "counter", "state"]),
        "report": st.sampled_from(["always", "on_change", {"when": "on_change_or_period", "period": "5s"}, {}]),
    },
)
named = st.fixed_dictionaries(
    {"type": st.just("int64")},
    optional={
        **common,
        "enum": st.dictionaries(st.integers(-99, 99).map(str), words, max_size=4),
        "invalid": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=3, unique=True),
    },
)
bits = st.fixed_dictionaries({"type": st.just("uint16")}, optional={**common, "bit": st.integers(0, 15)})
string = st.fixed_dictionaries({"type": st.just("string"), "length": st.integers(1, 9)}, optional=dict(common))
maps = st.fixed_dictionaries(
    {
        "device": st.fixed_dictionaries({"vendor": texts | odd, "model": texts | odd}, optional={"name_zh": texts}),
        "driver": st.just("modbus"),
        "groups": st.just({name: {"interval": "2s"} for name in ("slow", "a:b", "1E3", "=g")}),
        "tags": st.lists(plain | named | bits | string, min_size=1, max_size=6),
        "names": st.lists(names | odd.filter(is_name), min_size=6, max_size=6, unique=True),
    },
    optional={
        "sources": st.lists(texts | odd, max_size=3),
        "notes": st.lists(texts | odd, max_size=3),
        "quirks": st.fixed_dictionaries({}, optional={"pause": st.just("20ms"), "strict": st.booleans()}),
        "defaults": st.fixed_dictionaries({}, optional={"unit": common["unit"], "description": texts}),
    },
)  # fmt: skip


def made(said: dict[str, Any]) -> tuple[DeviceMap | None, Report]:
    """The map of a drawn mapping, each tag at a place of its own; None where it is refused."""
    tags = [
        {"name": name, "address": 10 * n, **tag}
        for n, (name, tag) in enumerate(zip(said["names"], said["tags"], strict=False))
    ]
    root = {key: value for key, value in said.items() if key != "names"} | {"tags": tags}
    report = Report()
    found = read(flowing(root).encode(), "map.yaml", report)
    return (parse_map(found, Scope(report)) if found is not None else None), report


@given(maps, st.sampled_from(FORMATS), st.sampled_from(["en", "zh"]))
def test_any_map_comes_back_as_it_was(said: dict[str, Any], ending: str, lang: str) -> None:
    found, report = made(said)
    if found is None or report.found:
        return
    data = written(described(found), ending, lang)
    assert_same(found, again(data, ending))
    if ending == ".csv":
        cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) for cell in row]
        assert [cell for cell in cells if cell[:1] in tuple(DANGEROUS) and not is_number(cell)] == []


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[:1] in "+-"


def test_an_xlsx_keeps_texts_from_becoming_numbers(tmp_path: Path) -> None:
    book = load_workbook(io.BytesIO(written(map_at(ODD, Report()), ".xlsx", "zh")))
    assert book.sheetnames == ["tags", "device"]
    sheet = book["tags"]
    assert (sheet.freeze_panes, sheet["A1"].font.bold, sheet["A1"].value) == ("B2", True, "名称")
    assert sheet.column_dimensions["A"].width >= 8
    titles = [cell.value for cell in sheet[1]]
    by_title = {title: sheet.cell(2, at) for at, title in enumerate(titles, 1)}
    assert (by_title["名称"].value, by_title["名称"].number_format) == ("0010", "@")
    assert (by_title["地址"].value, by_title["地址"].number_format) == (1, "General")
    assert by_title["描述"].value == "'=cmd|' /C calc'!A0"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}


def test_what_no_cell_holds_is_said_with_its_tag(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    enum = ", ".join(f"{n}: {'x' * 127}" for n in range(256))
    path.write_text(
        f"device: {{vendor: A, model: B}}\ndriver: modbus\ntags: [{{name: a, address: 0, enum: {{{enum}}}}}]\n"
    )
    with pytest.raises(AgentError, match=r"longer than a cell of an \.xlsx can be"):
        written(map_at(path, Report()), ".xlsx")
    assert_same(load_map(path), again(written(map_at(path, Report()), ".csv"), ".csv"))


def test_a_semicolon_begins_no_cell_with_a_formula(tmp_path: Path) -> None:
    """Where a comma is what a point is elsewhere, Excel takes a CSV apart at its semicolons."""
    said = ["a;=1+1", "a; @x", 'a;"+1', "a;b", "=a;-1"]
    path = tmp_path / "m.yaml"
    tags = "".join(f"  - {{name: t{n}, address: {n}, description: {flowing(each)}}}\n" for n, each in enumerate(said))
    notes = "notes: ['x;=cmd()']\n"
    path.write_text(f"device: {{vendor: A, model: B}}\ndriver: modbus\n{notes}tags:\n{tags}")
    data = written(map_at(path, Report()), ".csv")
    cells = [
        cell.strip(" \"'") for row in csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter=";") for cell in row
    ]
    assert [cell for cell in cells if cell.startswith(tuple("=+-@"))] == []
    found = again(data, ".csv")
    assert [tag.description for tag in found.tags or ()] == said
    assert found.head.notes == ["x;=cmd()"]
