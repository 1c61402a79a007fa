"""CSV and Excel files as rows of text; a formula is text too, and is never worked out."""

import csv
import io
import zipfile
from dataclasses import dataclass
from typing import Any

from agent.imports.node import Node, clean
from agent.imports.notes import Notes
from agent.model.errors import AgentError

MOST_ROWS = 50_000
MOST_COLUMNS = 64
MOST_UNPACKED = 64 << 20
MOST_PARTS = 1000
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Row:
    """`place` is `row 5`, or `Sheet1, row 5`."""

    place: str
    cells: tuple[Any, ...]

    def node(self, header: list[str], file: str, notes: Notes) -> Node:
        """The row by the names of its columns. What stands beyond the last one is told."""
        table = dict(zip(header, self.cells, strict=False))
        for number, cell in enumerate(self.cells[len(header) :], len(header) + 1):
            if cell not in (None, ""):
                table[f"column {number}"] = cell
        return Node({key: cell for key, cell in table.items() if cell not in (None, "")}, file, self.place, notes)


def looks_so(text: str) -> bool:
    """Whether the first lines have delimiters alike, and neither braces nor `key:`."""
    lines = [line for line in text[:4096].splitlines() if line.strip() and line[0] != "#"][:5]
    return bool(lines) and lines[0].count(",") > 1 and not any(line[0] in "{[ -" for line in lines)


def lines(text: str, name: str) -> tuple[Row, ...]:
    """Raises AgentError."""
    first = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    delimiter = max(_DELIMITERS, key=first.count)
    found: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if len(found) >= MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise _too_large(name)
            if any(cell.strip() for cell in cells):
                found.append(Row(f"row {reader.line_num}", tuple(clean(cell.strip()) for cell in cells)))
    except csv.Error as error:
        raise AgentError(f"{name}:{reader.line_num}: this is not CSV: {error}", hint="are all quotes closed?") from None
    return tuple(found)


def sheets(data: bytes, name: str, notes: Notes) -> tuple[Row, ...]:
    """All rows of all sheets. Raises AgentError."""
    try:
        from openpyxl import load_workbook  # noqa: PLC0415  # 10 MB that only Excel files need
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
    except ImportError:
        raise AgentError(f"{name}: Excel files need a package: pip install 'floorgate[xlsx]'") from None
    broken = AgentError(f"{name}: this is no Excel file that can be read", hint="save it as .xlsx anew, or as CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise _too_large(name)
        book = load_workbook(io.BytesIO(data), read_only=True)
        return tuple(row for sheet in book.worksheets for row in _rows(sheet, name, notes))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError, OSError):
        raise broken from None


def _rows(sheet: Any, name: str, notes: Notes) -> list[Row]:
    found: list[Row] = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS), 1):
        if number > MOST_ROWS:
            raise _too_large(name)
        if any(cell not in (None, "") for cell in cells):
            place = f"{clean(sheet.title)}, row {number}"
            found.append(Row(place, tuple(_cell(cell, name, place, notes) for cell in cells)))
    return found


def _cell(cell: Any, name: str, place: str, notes: Notes) -> Any:
    if isinstance(cell, str):
        text = clean(cell.strip())
        if text.startswith("=") and len(text) > 1:
            notes.add(
                "not carried", f"{name}:{place}", "a cell with a formula, which is not worked out", "paste values"
            )
            return ""
        return text
    return int(cell) if isinstance(cell, float) and cell == int(cell) and abs(cell) < 1 << 53 else cell


def _too_large(name: str) -> AgentError:
    most = f"{MOST_ROWS:,} rows, {MOST_COLUMNS} columns, {MOST_UNPACKED >> 20} MB unpacked"
    return AgentError(f"{name}: larger than a table may be: {most}", hint="import it in parts")
