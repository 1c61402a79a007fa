"""Tables for tests: text or rows into a file, and what is said of it."""

import io
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from agent.config import Invalid, Report, load_map
from agent.config.maps import DeviceMap

SHEET = "xl/worksheets/sheet1.xml"


def opened(path: Path) -> tuple[DeviceMap | None, list[str], list[str]]:
    """(map, problems, warnings) of a file, without its folder."""
    report = Report()
    found, problems = None, []
    try:
        found = load_map(path, report)
    except Invalid as error:
        problems = [str(each).replace(f"{path.parent}/", "") for each in error.problems]
    return found, problems, [str(each).replace(f"{path.parent}/", "") for each in report.warnings]


def workbook(sheets: dict[str, list[list[Any]]], change: Callable[[Any], None] = lambda _: None) -> bytes:
    """An .xlsx by openpyxl; `change` may do more to it."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    change(book)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def patched(data: bytes, parts: dict[str, Callable[[bytes], bytes]], *, add: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """The same workbook with some of its parts changed, and others added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, parts.get(info.filename, lambda content: content)(old.read(info)))
        for name, content in add:
            new.writestr(name, content)
    return out.getvalue()
