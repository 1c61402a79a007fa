"""A device map into the bytes of a file: CSV, XLSX, or YAML as the shelf has it."""

import csv
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unicodedata import east_asian_width

from agent.config.tables.flowing import flowing, number, quoted
from agent.config.tables.layout import Described, Table
from agent.config.tables.spelt import Spelt
from agent.config.tables.spreadsheet import LONGEST
from agent.model.errors import AgentError, ConfigError

INSTALL = "pip install 'floorgate[xlsx]', or export it as CSV"
NARROWEST, WIDEST = 8, 60  # characters
_TEXT = "@"


def to_csv(table: Table) -> bytes:
    """UTF-8 with a mark, so that Excel knows it; the head is in rows that begin with #."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for key, value in table.head:
        writer.writerow([f"# {key}: {_spelt(value)}"])
    writer.writerow(table.titles)
    for row in table.rows:
        writer.writerow(["" if cell is None else _spelt(cell) for cell in row])
    return text.getvalue().encode("utf-8-sig")


def to_xlsx(table: Table, name: str) -> bytes:
    """A sheet `tags` and a sheet `device`. What is no number has the text format, so that no program makes one of it.

    Raises AgentError when openpyxl is not there, ConfigError for a text that is longer than a cell.
    """
    try:
        from openpyxl import Workbook  # noqa: PLC0415  # 20 MB, for those who want an .xlsx
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
        from openpyxl.styles import Font, PatternFill  # noqa: PLC0415
        from openpyxl.utils import get_column_letter  # noqa: PLC0415
    except ImportError as error:
        raise AgentError("an .xlsx cannot be written here: openpyxl is not installed", hint=INSTALL) from error
    for cell in (cell for row in (*table.head, *table.rows) for cell in row):
        if isinstance(cell, str) and len(cell) > LONGEST:  # openpyxl would cut it
            raise ConfigError(f"{cell[:40]!r}… is longer than a cell of an .xlsx can be", hint="export it as CSV")
    bold, shade = Font(bold=True), PatternFill("solid", fgColor="DDE6F0")
    book = Workbook(write_only=True)
    book.properties.title = name[:200]
    head = Table([], ["key", "value"], [False, False], [[key, value] for key, value in table.head])
    for title, part in (("tags", table), ("device", head)):
        sheet: Any = book.create_sheet(title)
        sheet.freeze_panes = "B2" if part is table else "A2"
        for at, width in enumerate(_widths(part), 1):
            sheet.column_dimensions[get_column_letter(at)].width = width
        sheet.append([_styled(WriteOnlyCell(sheet, each), bold, shade) for each in part.titles])
        for row in part.rows:
            sheet.append(list(_cells(row, part, partial(WriteOnlyCell, sheet))))
        if part is table and part.rows:
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(part.titles))}{len(part.rows) + 1}"
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def to_yaml(found: Described) -> bytes:
    """A map as those in `configs/devices` are written."""
    return "".join(f"{line}\n" for line in _yaml(found)).encode()


def _yaml(found: Described) -> Iterator[str]:
    head = found.head
    yield f"device: {flowing(head.device.model_dump(exclude_unset=True))}"
    yield f"driver: {flowing(head.driver)}"
    yield f"status: {head.status}"
    for key, listed in (("sources", head.sources), ("notes", head.notes)):
        if listed:
            yield f"{key}:"
            yield from (f"  - {quoted(each)}" for each in listed)
    for key, section in (("quirks", found.quirks), ("defaults", found.defaults), ("groups", found.groups)):
        if section:
            yield f"{key}: {flowing(section)}"
    if found.areas:
        yield "areas:"
        yield from (f"  {flowing(name)}: {flowing(area)}" for name, area in found.areas.items())
    if found.tags or not found.areas:
        yield "tags:"
    yield from (f"  - {flowing(tag)}" for tag in found.tags)


def _spelt(cell: Spelt) -> str:
    return cell if isinstance(cell, str) else number(cell)


def _styled(cell: Any, font: Any, fill: Any) -> Any:
    cell.font, cell.fill, cell.number_format = font, fill, _TEXT
    return cell


def _cells(row: list[Spelt | None], table: Table, make: Callable[[Spelt], Any]) -> Iterator[Any]:
    """A cell that is not there is None. Numbers stay numbers only in columns of numbers."""
    for value, numeric in zip(row, table.numeric, strict=True):
        if value is None:
            yield None
            continue
        said = value if numeric and not isinstance(value, str) else _spelt(value)
        cell = make(said)
        if isinstance(said, str):
            cell.data_type, cell.number_format = "s", _TEXT  # openpyxl would make an error of `#N/A`
        yield cell


def _widths(table: Table) -> list[int]:
    """Of each column, in characters; those of Chinese count twice."""
    rows: list[list[Spelt | None]] = [list(table.titles), *table.rows[:500]]
    longest = [max((_width(row[at]) for row in rows), default=0) for at in range(len(table.titles))]
    return [min(max(each + 2, NARROWEST), WIDEST) for each in longest]


def _width(cell: Spelt | None) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in ("" if cell is None else _spelt(cell)))
