"""XLSX into rows of cells, by openpyxl, which is loaded here alone and after `archive.py` has looked at the file."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from agent.config.problems import Mark, Scope
from agent.config.tables.archive import Part, parts
from agent.config.tables.grid import MAX_COLUMNS, Cell, Grid, Odd, Pair, Refused, Row, is_blank
from agent.config.tables.names import Names, squeezed

MAX_SHEETS = 50
LAST_ROW = 1_048_576
MAX_HEAD = 1000  # rows of the sheet with the head
INSTALL = "install openpyxl (pip install 'floorgate[xlsx]'), or save the table as CSV UTF-8"
_FORMULA = Odd("there is a formula here", "paste its value instead: copy the cells, then Paste Special, Values")
_DATE = Odd("Excel made a date of what was typed here", "format the cell as text, and type it anew")
_RANGE = re.compile(r"([A-Z]+)([0-9]+):([A-Z]+)([0-9]+)")


def open_workbook(data: bytes, file: str, names: Names, scope: Scope) -> tuple[list[Pair], list[Grid]] | None:
    """(head, sheets with rows) of an XLSX, or None after a problem."""
    start = Mark(file, 1, 1)
    try:
        found = parts(data)
        book = _load(data)
    except Refused as refused:
        scope.add(start, refused.message, refused.hint)
        return None
    head: list[Pair] = []
    grids: list[Grid] = []
    for part in found[:MAX_SHEETS]:
        if part.name not in book.sheetnames or not hasattr(book[part.name], "iter_rows"):  # a chart is a sheet as well
            continue
        grid = Grid(file, iter(()), part.name)
        grid.rows = _rows(book[part.name], grid, scope)
        if part.hidden:
            scope.warn(start, f"the sheet {part.name!r} is hidden, so it is not read", "unhide it, or delete it")
        elif squeezed(part.name) in names.sheets:
            head += _pairs(grid, scope)
        else:
            grid.rows = _unmerged(grid.rows, part, grid, scope)
            grids.append(grid)
    return head, grids


@contextmanager
def foreign() -> Iterator[None]:
    """What a parser says of a file that no program should have written. Raises Refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions and styles that it does not know
            yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, OverflowError) as error:
        raise Refused(f"it cannot be read: {error}", "save it anew as .xlsx") from error
    except ET.ParseError as error:
        raise Refused(f"a part of it is not XML: {error}", "save it anew as .xlsx") from error


def _load(data: bytes) -> Any:
    try:
        from openpyxl import load_workbook  # noqa: PLC0415  # 20 MB, for those who have an .xlsx
    except ImportError as error:
        raise Refused("an .xlsx cannot be read here: openpyxl is not installed", INSTALL) from error
    with foreign():
        return load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)


def _rows(sheet: Any, grid: Grid, scope: Scope) -> Iterator[Row]:
    """Each row with its number, whatever size the sheet claims; the rest is left after a problem."""
    sheet.reset_dimensions()
    line = 0
    try:
        with foreign():
            for line, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1), 1):
                if line > LAST_ROW:
                    scope.add(
                        grid.mark(line, 1), "a row lies below the last one that a sheet has", "save it anew as .xlsx"
                    )
                    return
                found = [_cell(cell) for cell in cells]
                while found and is_blank(found[-1]):
                    found.pop()
                if found:
                    yield line, found
    except Refused as refused:
        scope.add(grid.mark(line + 1, 1), refused.message, refused.hint)


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "f":
        return _FORMULA
    if cell.data_type == "e":
        return Odd(f"there is an error here: {str(value)[:20]}", "mend the cell, or empty it")
    if isinstance(value, datetime | date | time | timedelta):
        return _DATE
    return value if isinstance(value, str | int | float | bool) else str(value)


def _pairs(grid: Grid, scope: Scope) -> Iterator[Pair]:
    """Key and value of each row of the sheet with the head; a row of titles above them is one key more or less."""
    for count, (line, cells) in enumerate(grid.rows):
        if count >= MAX_HEAD:
            scope.add(grid.mark(line, 1), f"a head has {MAX_HEAD} rows at most", "is this the sheet of the tags?")
            return
        key = "" if is_blank(cells[0]) else str(cells[0]).strip()
        value = cells[1] if len(cells) > 1 else None
        if count == 0 and isinstance(value, str) and squeezed(value) in ("value", "值", "内容"):
            continue
        if key:
            yield Pair(key, value, grid.mark(line, 1), grid.mark(line, 2))


def _unmerged(rows: Iterable[Row], part: Part, grid: Grid, scope: Scope) -> Iterator[Row]:
    """The rows; cells below the titles that are merged would leave all but the first one without what they show."""
    ranges = [found for text in part.merged[:1000] if (found := _RANGE.fullmatch(text))]
    for line, cells in rows:
        if grid.titles:
            for found in [each for each in ranges if int(each[2]) <= line <= int(each[4])]:
                ranges.remove(found)
                what = f"the cells {found[0]} are merged, so only the first one of them says anything"
                scope.add(grid.mark(line, _number(found[1])), what, "unmerge them, and fill each")
        yield line, cells


def _number(column: str) -> int:
    found = 0
    for letter in column:
        found = found * 26 + ord(letter) - ord("A") + 1
    return found
