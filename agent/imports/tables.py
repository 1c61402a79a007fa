"""CSV and Excel files as rows of text; a formula is text too, and is never worked out."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from agent.config.problems import Invalid, Report, Scope
from agent.config.tables.grid import Grid, Odd, Refused
from agent.config.tables.workbook import Workbook
from agent.imports.node import Node, clean
from agent.imports.notes import Notes
from agent.model.errors import AgentError

MOST_ROWS = 50_000
MOST_COLUMNS = 64
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
    """All rows of all sheets that people see. Raises AgentError."""
    report = Report()
    found: list[Row] = []
    try:
        book = Workbook(data)
    except Refused as refused:
        raise AgentError(f"{name}: {refused.message}", hint=refused.hint) from None
    for sheet in book.sheets:
        title = clean(sheet.name)
        if sheet.hidden:
            notes.add("not carried", f"{name}:{title}", "a sheet that is hidden", "unhide it, or delete it")
            continue
        for line, cells in book.rows(sheet, Grid(name, iter(()), sheet.name), Scope(report)):
            place = f"{title}, row {line}"
            found.append(Row(place, tuple(_cell(cell, name, place, notes) for cell in cells)))
            if len(found) > MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise _too_large(name)
    refuse(report)
    for odd in report.warnings:
        notes.add("assumed", name, odd.message, odd.hint)
    return tuple(found)


def refuse(report: Report) -> None:
    """Raises AgentError with the problems of a file that is not ours."""
    try:
        report.settle()
    except Invalid as error:
        raise AgentError("\n".join(map(str, error.problems[:10]))) from None


def _cell(cell: Any, name: str, place: str, notes: Notes) -> Any:
    if isinstance(cell, Odd):
        notes.add("not carried", f"{name}:{place}", cell.message, cell.hint)
        return ""
    if isinstance(cell, str):
        return clean(cell.strip())
    return int(cell) if isinstance(cell, float) and cell == int(cell) and abs(cell) < 1 << 53 else cell


def _too_large(name: str) -> AgentError:
    most = f"{MOST_ROWS:,} rows, {MOST_COLUMNS} columns"
    return AgentError(f"{name}: larger than a table may be: {most}", hint="import it in parts")
