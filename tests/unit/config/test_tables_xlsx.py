"""A device map as XLSX: what spreadsheet programs write is read, and a trap is refused before it costs anything."""

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.problems import Report, Scope
from agent.config.tables import archive, read_table
from agent.config.tables.grid import MAX_ROWS
from tests.house import ROOT
from tests.lengths import often
from tests.unit.config.tables import SHEET, opened, patched, workbook

TITLES = ["name", "address", "type", "scale", "description"]
ROWS = [TITLES, ["voltage", 0, "float32", 0.1, "A相"], ["current", 6.0, "float32", None, 7]]
HEAD = [["key", "value"], ["driver", "modbus"], ["厂商", "Acme"], ["型号", 630], ["quirks.max_registers", 64]]
BOOK = workbook({"tags": ROWS, "device": HEAD})
CALC = (ROOT / "tests/cases/tables/points.xlsx").read_bytes()  # which shares its texts
STRINGS = "xl/sharedStrings.xml"


@pytest.fixture
def book(tmp_path: Path) -> Any:
    """(map, problems, warnings) of a workbook."""

    def read(data: bytes, name: str = "t.xlsx") -> Any:
        (tmp_path / name).write_bytes(data)
        return opened(tmp_path / name)

    return read


def told(found: list[str]) -> list[str]:
    return [each.removeprefix("t.xlsx:") for each in found]


def test_a_sheet_of_tags_and_a_sheet_of_the_device_are_a_map(book: Any) -> None:
    found, problems, warnings = book(BOOK)
    assert (problems, warnings) == ([], [])
    assert [(tag.name, tag.address, tag.scale, tag.description) for tag in found.tags] == [
        ("voltage", 0, 0.1, "A相"),
        ("current", 6, 1.0, "7"),
    ]
    assert (found.head.device.vendor, found.head.device.model) == ("Acme", "630")
    assert dict(found.quirks) == {"max_registers": 64}


def test_a_problem_names_sheet_and_cell(book: Any) -> None:
    rows = [["三相电表"], [], TITLES, ["a", "x", "float32"], [], ["b b", 2, "f99"]]
    _, problems, _ = book(workbook({"device": HEAD, "一 层": rows}))
    assert [each.partition(" (")[0] for each in told(problems)] == [
        "4:2: '一 层'!B4: tag 'a': address: 'x' is no address: write 12, 0x48, '40013' or '4x0013'",
        "6:1: '一 层'!A6: tag 'b b': name: 'b b' is not a name",
        "6:3: '一 层'!C6: type: 'f99' is not known here",
    ]


def test_several_sheets_of_tags_are_one_map_and_others_are_named(book: Any) -> None:
    def hide(made: Any) -> None:
        made["old"].sheet_state = "hidden"

    second = [["点名", "寄存器地址"], ["power", 20]]
    sheets = {"tags": ROWS, "device": HEAD, "二层": second, "说明": [["read me"]], "empty": [], "old": second}
    found, problems, warnings = book(workbook(sheets, hide))
    assert problems == []
    assert [tag.name for tag in found.tags] == ["voltage", "current", "power"]
    assert [each.partition(" (")[0] for each in told(warnings)] == [
        "1:1: the sheet 'old' is hidden, so it is not read",
        "1:1: 说明!A1: this sheet has no row with titles, so it is not read",
        "1:1: empty!A1: this sheet has no row with titles, so it is not read",
    ]


def test_what_no_map_can_have_is_refused_by_its_cell(book: Any) -> None:
    def change(made: Any) -> None:
        sheet = made["tags"]
        sheet["B2"] = "=1+1"
        sheet["E2"] = '=HYPERLINK("http://example.org","x")'
        sheet["D2"] = date(2024, 3, 1)
        sheet["D3"] = "#N/A"
        sheet["D3"].data_type = "e"
        sheet["A3"] = True
        sheet.merge_cells("C2:C3")

    _, problems, _ = book(workbook({"tags": ROWS, "device": HEAD}, change))
    assert [each.partition(" (")[0] for each in told(problems)] == [
        "2:2: tags!B2: address: there is a formula here",
        "2:3: tags!C2: the cells C2:C3 are merged, so only the first one of them says anything",
        "2:4: tags!D2: scale: Excel made a date of what was typed here",
        "2:5: tags!E2: description: there is a formula here",
        "3:1: tags!A3: name: the table has true or false here, and this is text",
        "3:4: tags!D3: scale: there is an error here: #N/A",
    ]


def test_merged_cells_above_the_titles_are_no_problem(book: Any) -> None:
    def change(made: Any) -> None:
        made["tags"].merge_cells("A1:E1")

    assert book(workbook({"tags": [["一号车间"], *ROWS], "device": HEAD}, change))[1] == []


def test_rows_that_are_hidden_and_columns_far_out_are_said(book: Any) -> None:
    def change(made: Any) -> None:
        made["tags"].row_dimensions[3].hidden = True
        made["tags"]["ZZ2"] = "lost"

    found, problems, warnings = book(workbook({"tags": ROWS, "device": HEAD}, change))
    assert (problems, len(found.tags)) == ([], 2)
    assert [each.partition(" (")[0] for each in told(warnings)] == [
        "1:1: tags!A1: 1 hidden rows of this sheet are read as well",
        "2:201: tags!GS2: nothing right of column GR is read",
    ]


def test_inline_texts_pieces_of_text_and_escapes_are_read(book: Any) -> None:
    def sheet(content: bytes) -> bytes:
        rich = b"<is><r><rPr><b/></rPr><t>volt</t></r><r><t>age_x005F_x0041_</t></r>"
        rich += b'<rPh sb="0" eb="1"><t>no</t></rPh></is>'
        return content.replace(b"<is><t>voltage</t></is>", rich)

    found, problems, _ = book(patched(BOOK, {SHEET: sheet}))
    assert (problems, found.tags[0].name) == ([], "voltage_x0041_")


def test_an_empty_cell_says_nothing_and_a_lie_about_the_size_costs_nothing(book: Any) -> None:
    def sheet(content: bytes) -> bytes:
        content = content.replace(b'ref="A1:E3"', b'ref="A1:XFD1048576"')
        return content.replace(b"</sheetData>", b'<row r="1048576"><c r="C1048576" s="0"/></row></sheetData>')

    found, problems, _ = book(patched(BOOK, {SHEET: sheet}))
    assert (problems, len(found.tags)) == ([], 2)


def grown(more: bytes) -> dict[str, Callable[[bytes], bytes]]:
    return {SHEET: lambda content: content.replace(b"</sheetData>", more + b"</sheetData>")}


def doctype(content: bytes) -> bytes:
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    return laughs + content.replace(b"<v>0</v>", b"<v>&c;</v>", 1)


def declared(content: bytes) -> bytes:
    return (
        b'<?xml version="1.0" encoding="x-no"?>' + content.partition(b"?>")[2]
        if b"<?xml" in content[:9]
        else (b'<?xml version="1.0" encoding="x-no"?>' + content)
    )


def packed(how: int) -> bytes:
    """The same parts, packed another way."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as old, zipfile.ZipFile(out, "w", how) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    return out.getvalue()


def repeated(content: bytes) -> bytes:
    """A sheet of the workbook is named twelve times."""
    at, end = content.index(b"<sheet "), content.index(b"</sheets>")
    return content[:at] + content[at : content.index(b"/>", at) + 2] * 12 + content[end:]


ALL = often(100_000, archive.MAX_ALL)  # elements of all parts that are read here
HOSTILE = {
    "old": (b"\xd0\xcf\x11\xe0" + bytes(9999), "this is an old Excel file (.xls), or one with a password"),
    "noise": (random.Random(1).randbytes(1 << 20), "this is not an .xlsx file, or a damaged one"),
    "cut": (BOOK[:-200], "this is not an .xlsx file, or a damaged one"),
    "text": (b"name,address\n", "this is not an .xlsx file, or a damaged one"),
    "bomb": (patched(BOOK, {SHEET: lambda _: b" " * (25 << 20)}), "has 25 MB when it is unpacked, at most 24 are read"),
    "strings": (patched(CALC, {STRINGS: lambda _: b" " * (9 << 20)}), "has 9 MB when it is unpacked"),
    "parts": (patched(BOOK, {}, add=[(f"x{n}", b"") for n in range(600)]), "it has 610 parts, more than 500"),
    "laughs": (patched(BOOK, {SHEET: doctype}), "a part of it has a DOCTYPE, as only a trap has"),
    "book": (patched(BOOK, {"xl/workbook.xml": doctype}), "a part of it has a DOCTYPE, as only a trap has"),
    "deep": (patched(BOOK, grown(b"<q>" * 500_000)), "a part of it has elements too deep"),
    "attribute": (patched(BOOK, grown(b'<q a="' + b"x" * (3 << 20) + b'"/>')), "has a tag of more than 1 MB"),
    "long": (patched(BOOK, grown(b'<row><c t="str"><v>' + b"x" * 99_999 + b"</v></c></row>")), "more than 32,767 char"),
    "row": (patched(BOOK, grown(b'<row r="99999999999"/>')), "it has a row 99999999999, and a sheet ends at 1,048,576"),
    "xml": (patched(BOOK, {SHEET: lambda content: content[:-20]}), "a part of it is not XML: unclosed token"),
    "lost": (patched(BOOK, {"xl/workbook.xml": lambda _: b"<workbook/>"}), "it has no sheets"),
    "encoding": (
        patched(BOOK, {SHEET: declared}),
        "this is not an .xlsx file, or a damaged one: unknown encoding: x-no",
    ),
    "lzma": (packed(zipfile.ZIP_LZMA), "is packed as no spreadsheet program does it"),
    "again": (
        patched(BOOK, {**grown(b"<row/>" * min(99_000, ALL // 9)), "xl/workbook.xml": repeated}),
        f"more than {ALL:,} elements",
    ),
    "string": (patched(CALC, {STRINGS: lambda _: b"<sst/>"}), "no row has the titles of the columns"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_trap_is_refused_with_the_reason_and_costs_little(
    book: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, says = HOSTILE[name]
    monkeypatch.setattr(archive, "MAX_ALL", ALL)
    tracemalloc.start()
    try:
        _, problems, _ = book(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert says in problems[0]
    assert most < 20 << 20


def test_elements_are_counted_however_well_they_are_packed(book: Any) -> None:
    noise = ("xl/media/noise.png", random.Random(1).randbytes(3 << 20))
    _, problems, _ = book(patched(BOOK, grown(b"<row/>" * 701_000), add=[noise]))
    assert "a part of it has more than 700,000 elements (copy the table alone into a new workbook)" in problems[0]


def test_the_rows_of_all_sheets_are_counted(book: Any) -> None:
    rows = [TITLES, *[[f"t{n}", n, "uint16"] for n in range(MAX_ROWS // 2 + 1)]]
    sheets = {"a": rows, "b": [TITLES, *[[f"u{n}", n, "uint16"] for n in range(MAX_ROWS // 2 + 1)]]}
    _, problems, _ = book(workbook(sheets))
    assert told(problems) == ["10001:1: b!A10001: more than 20,000 rows (split the table over several devices)"]


def test_what_a_sheet_is_called_is_cut_as_excel_would(book: Any) -> None:
    long = patched(BOOK, {"xl/workbook.xml": lambda content: content.replace(b'"tags"', b'"' + b"N" * 99_999 + b'"')})
    _, problems, _ = book(patched(long, {SHEET: lambda content: content.replace(b"<v>0</v>", b"<v>x</v>", 1)}))
    assert len(problems[0]) < 200
    assert f": {'N' * 31}!B2: " in problems[0]


@given(st.data())
def test_a_damaged_workbook_is_read_or_refused(data: st.DataObject) -> None:
    """Bits that are flipped in the file or in one of its parts never lead to anything but a map or a problem."""
    name = data.draw(st.sampled_from(["", SHEET, "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels"]))
    places = data.draw(st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)), max_size=4))

    def damage(content: bytes) -> bytes:
        for place, new in places:
            at = place % len(content)
            content = content[:at] + new + content[at + len(new) :]
        return content

    made = damage(BOOK) if not name else patched(BOOK, {name: damage})
    report = Report()
    found = read_table(made, "t.xlsx", Scope(report))
    assert found is not None or report.found or report.warnings


def test_the_parts_may_lie_elsewhere(book: Any) -> None:
    """The way to each part is told by the relationships, not by its usual name."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info).replace(b"/xl/worksheets/sheet1.xml", b"/xl/deep/one.xml")
            new.writestr(info.filename.replace("xl/worksheets/sheet1.xml", "xl/deep/one.xml"), content)
    assert len(book(out.getvalue())[0].tags) == 2
