"""The parts of an .xlsx that tell what its cells hold (ECMA-376, part 1, clause 18): sheets, strings, formats, rows."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from agent.config.tables.archive import ALONE, Reader
from agent.config.tables.grid import MAX_COLUMNS, Cell, Odd, Refused, Row
from agent.model.text import plain

LAST_ROW = 1_048_576
MAX_MERGED = 1000
MAX_DIGITS = 7  # of the number of a row or of a shared text
LONGEST = 32_767  # characters of a cell
LONGEST_TITLE = 31  # of the name of a sheet
_DATES = frozenset((*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)))  # clause 18.8.30
_NO_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')  # of a format: quoted, escaped, colours and conditions, filling
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")  # clause 22.4.2.4
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_FORMULA = Odd("there is a formula here", "paste its value instead: copy the cells, then Paste Special, Values")
_DATE = Odd("Excel made a date of what was typed here", "format the cell as text, and type it anew")


class Sheet(NamedTuple):
    """A sheet of the workbook: `rel` leads to its part."""

    name: str
    rel: str
    hidden: bool


class Sheets(Reader):
    """`xl/workbook.xml`"""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Sheet] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            rel = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.found.append(Sheet(plain(attributes.get("name", "")[:LONGEST_TITLE]), rel, hidden))


class Relations(Reader):
    """A `.rels` part: by id what it leads to, and of which type that is."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = attributes.get("Target", ""), kind


class Texts(Reader):
    """Collects the text of what is open, without that which says how it is pronounced."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []
        self._size = 0
        self._reads = False
        self._spoken = 0  # within what says how the text is pronounced

    def _anew(self) -> None:
        self._parts, self._size = [], 0

    def _enter(self, name: str, *, wanted: bool) -> None:
        self._spoken += name == "rPh"
        self._reads = wanted and not self._spoken

    def text(self, text: str) -> None:
        if self._reads:
            self._parts.append(_bounded(text, self._size))
            self._size += len(text)

    def _leave(self, name: str) -> None:
        self._reads = False
        self._spoken -= name == "rPh"


class Strings(Texts):
    """The texts that cells share."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._anew()
        self._enter(name, wanted=name == "t")

    def end(self, name: str) -> None:
        self._leave(name)
        if name == "si":
            self.found.append(unescaped("".join(self._parts)))


class Styles(Reader):
    """Which of the formats of cells are those of dates."""

    def __init__(self) -> None:
        super().__init__()
        self.dates: list[bool] = []
        self._custom: dict[str, str] = {}
        self._in_cells = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._custom[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.dates.append(self._is_date(attributes.get("numFmtId", "0")))

    def end(self, name: str) -> None:
        self._in_cells = self._in_cells and name != "cellXfs"

    def _is_date(self, number: str) -> bool:
        code = self._custom.get(number)
        if code is None:
            return number.isdecimal() and int(number) in _DATES
        first = _NO_DATE.sub("", code.partition(";")[0]).lower()
        return "general" not in first and any(letter in first for letter in "ymdhs")


@dataclass(slots=True)
class _Open:
    """The cell that is being read."""

    column: int
    kind: str
    style: str
    formula: bool = False


class Rows(Texts):
    """A sheet: `take` gives the rows that are complete. `merged` has its ranges, each as (column, first row, text)."""

    def __init__(self, strings: list[str], dates: list[bool]) -> None:
        super().__init__()
        self._strings, self._dates = strings, dates
        self._ready: list[Row] = []
        self._line = 0
        self._cells: list[Cell] = []
        self._last = 0
        self._open: _Open | None = None
        self.merged: list[tuple[int, int, str]] = []
        self.hidden = 0  # rows
        self.wide = 0  # the first row with something right of the last column that is read

    def take(self) -> list[Row]:
        found, self._ready = self._ready, []
        return found

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self._begin_row(attributes)
        elif name == "c":
            place = _PLACE.fullmatch(attributes.get("r", ""))
            column = number_of(place[1]) if place else self._last + 1
            self._open = _Open(column, attributes.get("t", "n"), attributes.get("s", "0"))
            self._last = column
            self._anew()
        elif name == "f" and self._open:
            self._open.formula = True
        elif name == "mergeCell" and len(self.merged) < MAX_MERGED:
            first, _, last = attributes.get("ref", "").partition(":")
            if (place := _PLACE.fullmatch(first)) and last:
                self.merged.append((number_of(place[1]), int(place[2]), f"{first}:{last}"))
        self._enter(name, wanted=name in ("v", "t") and self._open is not None)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        said = attributes.get("r", "")
        self._line = (
            int(said) if said.isdecimal() and len(said) <= MAX_DIGITS else self._line + 1 if not said else LAST_ROW + 1
        )
        if self._line > LAST_ROW:
            raise Refused(f"it has a row {said[:20]}, and a sheet ends at {LAST_ROW:,}", ALONE)
        self._cells, self._last = [], 0
        self.hidden += attributes.get("hidden") in ("1", "true")

    def end(self, name: str) -> None:
        self._leave(name)
        if name == "c" and self._open:
            self._end_cell(self._open)
            self._open = None
        elif name == "row" and self._cells:
            self._ready.append((self._line, self._cells))
            self._cells = []

    def _end_cell(self, cell: _Open) -> None:
        value = self._value(cell, "".join(self._parts))
        if value is None or value == "":
            return
        if cell.column > MAX_COLUMNS:
            self.wide = self.wide or self._line
            return
        self._cells += [None] * (cell.column - len(self._cells))
        self._cells[cell.column - 1] = value

    def _value(self, cell: _Open, text: str) -> Cell:
        if cell.formula:
            return _FORMULA
        if not text:
            return None
        if cell.kind == "n":
            return _DATE if self._is_date(cell.style) else _number(text)
        return self._typed(cell.kind, text)

    def _typed(self, kind: str, text: str) -> Cell:
        """What is no number, by the type of its cell (clause 18.18.11)."""
        if kind == "s":
            is_known = text.isdecimal() and len(text) <= MAX_DIGITS and int(text) < len(self._strings)
            return self._strings[int(text)] if is_known else _lost(text)
        if kind == "b":
            return text == "1"
        if kind == "e":
            return Odd(f"there is an error here: {text[:20]}", "mend the cell, or empty it")
        return _DATE if kind == "d" else unescaped(text)

    def _is_date(self, style: str) -> bool:
        return style.isdecimal() and int(style) < len(self._dates) and self._dates[int(style)]


def _number(text: str) -> Cell:
    try:
        return int(text) if re.fullmatch(r"-?[0-9]{1,40}", text) else float(text)
    except ValueError:
        return _lost(text)


def _lost(text: str) -> Odd:
    return Odd(f"the file says {text[:20]!r} here, which no program writes", "type the cell anew")


def _bounded(text: str, before: int) -> str:
    if before + len(text) > LONGEST * 2:
        raise Refused(f"a cell has more than {LONGEST:,} characters", ALONE)
    return text


def unescaped(text: str) -> str:
    """`_x0041_` is how a workbook writes the character U+0041 where XML has none for it."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def number_of(letters: str) -> int:
    """28 of AB."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - ord("A") + 1
    return found
