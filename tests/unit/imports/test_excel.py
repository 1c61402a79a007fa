"""Neuron's tags as an Excel file; a formula in it is text that is told and never worked out."""

import io
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from agent.imports import Imported, Options, convert
from agent.model.errors import AgentError

HEADER = ["group", "name", "address", "attribute", "type", "description", "decimal", "precision", "bias", "unit"]


def workbook(path: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "点位"
    for row in [header, *rows]:
        sheet.append(row)
    book.save(path)
    return path


def imported(path: Path, **said: object) -> Imported:
    options = Options(**{"host": "192.168.1.20", **said})  # type: ignore[arg-type]  # what is said on the command line
    return convert([path], "auto", options, path.parent, maps=False)


def test_rows_become_tags_with_their_units_and_groups(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["fast", "电压", "1!400001", "Read", "UINT16", "A相", 0.1, None, None, "V"],
        ["fast", "电能", "1!400003#BL", "Read Write", "UINT32", None, 0, 0, None, "kWh"],
        ["slow", "位", "2!400005.3", "Read Subscribe", "BIT", None, None, None, None, None],
        ["slow", "static", "2!400005", "Static", "INT16", None, None, None, None, None],
    ]
    found = imported(workbook(tmp_path / "tags.xlsx", rows), order="CDAB")
    text = found.texts["site.yaml"]
    assert "{name: 电压, address: 0, scale: 0.1, unit: V, description: A相, group: fast}" in text
    assert "{name: 电能, address: 2, type: uint32, unit: kWh, group: fast}" in text
    assert "{name: 位, address: 4, bit: 3, report: on_change, group: slow}" in text
    assert [device.keys["unit"] for device in found.devices] == [1, 2]
    told = "\n".join(found.notes.text())
    assert "what may be written is read only here" in told
    assert "tags.xlsx:点位, row 5" in told


def test_a_formula_is_told_and_not_worked_out(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["g", '=HYPERLINK("http://evil.example")', "1!400001", "Read", "INT16"],
        ["g", "x", "1!400002", "Read", "INT16"],
    ]
    found = imported(workbook(tmp_path / "tags.xlsx", rows))
    assert "HYPERLINK" not in found.texts["site.yaml"]
    assert "there is a formula here" in "\n".join(found.notes.text())


def test_a_column_that_is_not_known_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "tags.xlsx", [["g", "x", "1!400002", "Read", "INT16", "zz"]], [*HEADER[:5], "canary"])
    assert "`canary`" in "\n".join(imported(path).notes.text())


def test_an_excel_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("_rels/.rels", b" " * (30 << 20))
    (tmp_path / "bomb.xlsx").write_bytes(packed.getvalue())
    with pytest.raises(AgentError, match="when it is unpacked"):
        imported(tmp_path / "bomb.xlsx")


@pytest.mark.parametrize("data", [b"PK\x03\x04 no zip", b"PK\x03\x04" + bytes(2000)])
def test_a_broken_excel_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.xlsx").write_bytes(data)
    with pytest.raises(AgentError, match=r"bad\.xlsx: "):
        imported(tmp_path / "bad.xlsx")


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.xlsx", "w") as file:
        file.writestr("x.txt", "x")
    with pytest.raises(AgentError, match=r"other\.xlsx: "):
        imported(tmp_path / "other.xlsx")
