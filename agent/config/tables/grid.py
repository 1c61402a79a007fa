"""A table as rows of cells that know what a person calls them, whichever program wrote it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.config.problems import Mark

MAX_ROWS = 20_000  # rows below the titles
MAX_COLUMNS = 200
MAX_HEAD = 1000  # rows of the head


class Odd(NamedTuple):
    """A cell with something that a map cannot have: why, and what to do."""

    message: str
    hint: str


Cell = str | int | float | bool | Odd | None
Row = tuple[int, Sequence[Cell]]  # its number, from 1, and its cells


class Refused(Exception):
    """What stands in a cell cannot be used: why, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(eq=False, slots=True)
class Grid:
    """One sheet. `name` is that of a sheet of a workbook; a CSV has none. `titles` are those of its columns, from 1."""

    file: str
    rows: Iterator[Row]
    name: str = ""
    titles: dict[int, str] = field(default_factory=dict)
    top: int = 0  # the row of the titles, once it is known
    broken: bool = False  # the rest of it could not be read, which was said

    def mark(self, line: int, column: int) -> Mark:
        return Mark(self.file, line, column, self)

    def cell(self, line: int, column: int) -> str:
        """`Sheet1!B7`; of a CSV `row 7, 'address'`."""
        if self.name:
            sheet = self.name if self.name.isidentifier() else f"'{self.name}'"
            return f"{sheet}!{letters(column)}{line}"
        title = self.titles.get(column) if line >= self.top else None
        return f"row {line}, {title!r}" if title else f"row {line}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of a map's head: a key and what stands beside it."""

    key: str
    cell: Cell
    key_mark: Mark
    mark: Mark


def letters(column: int) -> str:
    """28 is AB."""
    found = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def is_blank(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
