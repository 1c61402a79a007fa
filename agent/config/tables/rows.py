"""The rows of a table as tags: each cell that cannot be used is said with its reason, and so is what was assumed."""

from collections.abc import Sequence as Cells
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tables.cells import Column, Read, read_cell
from agent.config.tables.forms import keys_of
from agent.config.tables.grid import MAX_COLUMNS, MAX_ROWS, Cell, Grid, Refused, is_blank
from agent.config.tables.names import Names, squeezed
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.model.text import duration, duration_text

MAX_YAML = 200_000  # values in braces and brackets, of which one within another costs more
NESTED = 4
_UNITS = {"ms": "ms", "毫秒": "ms", "msec": "ms", "s": "s", "秒": "s", "sec": "s", "min": "m", "分": "m", "分钟": "m"}
_TABLES = {3: "input", 4: "holding"}  # of the numbers of a manual with five digits


class Rows:
    """Turns the rows of one sheet into `tags`, and their intervals into `groups`."""

    def __init__(self, grid: Grid, line: int, columns: list[Column], names: Names, scope: Scope) -> None:
        self._grid, self._line, self._columns, self._names, self._scope = grid, line, columns, names, scope
        self._taken: dict[tuple[str, str, str], tuple[Mark, int]] = {}
        self._untitled: set[int] = set()
        self._yaml = 0

    def read(self, tags: Sequence, groups: Mapping) -> bool:
        """Whether they can be looked at any further: of too many, nothing else is said."""
        count = len(tags)  # those of the sheets before
        for line, cells in self._grid.rows:
            if self._scope.full:
                return False
            if all(is_blank(cell) for cell in cells):
                continue
            count += 1
            if count > MAX_ROWS:
                hint = "split the table over several devices"
                self._scope.add(self._grid.mark(line, 1), f"more than {MAX_ROWS:,} rows", hint)
                return False
            tags.put(self._tag(line, cells, groups), self._grid.mark(line, 1))
            if self._yaml > MAX_YAML:
                what = "too much in braces and brackets up to here"
                self._scope.add(self._grid.mark(line, 1), what, "split the table over several devices")
                return False
        if self._grid.broken:
            return False
        self._say_what_was_assumed()
        return True

    def _tag(self, line: int, cells: Cells[Cell], groups: Mapping) -> Mapping:
        tag = Mapping(self._grid.mark(line, 1))
        made: dict[str, tuple[Any, Column]] = {}
        for column in self._columns:
            cell = cells[column.at] if column.at < len(cells) else None
            if cell is None or (found := self._value(line, cell, column)) is None:
                continue
            if column.path[0] in ("interval", "access") and column.path[0] not in keys_of(column.kind):
                made[column.path[0]] = found.value, column
            else:
                self._put(tag, column, found, line)
        for at in range(len(cells)):
            if at + 1 not in self._grid.titles and at not in self._untitled and not is_blank(cells[at]):
                self._untitled.add(at)
                where = self._grid.mark(line, at + 1)
                if at >= MAX_COLUMNS:
                    self._scope.add(where, f"more than {MAX_COLUMNS} columns", "remove what is no tag's")
                else:
                    self._scope.warn(where, "what stands in a column without a title is not used", "give it a title")
        if "interval" in made:
            self._group(tag, *made["interval"], line, groups)
        if "access" in made:
            self._access(*made["access"], line)
        return tag

    def _value(self, line: int, cell: Cell, column: Column) -> Read | None:
        mark = self._grid.mark(line, column.at + 1)
        if column.form != "text" and isinstance(cell, str):
            self._yaml += cell.count(",") + NESTED * (cell.count("[") + cell.count("{"))
        try:
            found = read_cell(cell, column, mark, self._names)
        except Refused as refused:
            self._scope.add(mark, f"{'.'.join(column.path)}: {refused.message}", refused.hint)
            return Read(_unresolved(cell))
        if found and found.taken:
            self._assume(str(cell), found.taken, column, mark)
        return found

    def _put(self, tag: Mapping, column: Column, found: Read, line: int) -> None:
        mark = self._grid.mark(line, column.at + 1)
        title = self._grid.mark(self._line, column.at + 1)
        holder = tag
        for key in column.path[:-1]:
            if key not in holder:
                holder.put(key, Mapping(mark), title, mark)
            inner = holder[key]
            if not isinstance(inner, Mapping):
                what = f"{'.'.join(column.path)}: another column of this row says {key}"
                self._scope.add(mark, what, "keep one of the two")
                return
            holder = inner
        key = column.path[-1]
        if key in holder and found.value != holder[key]:
            what = f"{'.'.join(column.path)}: another column of this row says {shown(holder[key])}"
            self._scope.add(mark, what, "keep one of the two")
            return
        holder.put(key, found.value, title, mark)
        if found.order and column.path == ("type",):
            order = Column(column.at, column.title, ("order",), "word", column.kind)
            self._put(tag, order, Read(found.order), line)

    def _group(self, tag: Mapping, said: Any, column: Column, line: int, groups: Mapping) -> None:
        """The interval of a row as that of its group, or as a group of that interval."""
        mark, title = self._grid.mark(line, column.at + 1), self._grid.mark(self._line, column.at + 1)
        if isinstance(said, Unresolved):
            return
        text = str(said).strip()
        if isinstance(said, int | float) and column.qualifier in _UNITS:
            text = f"{said}{_UNITS[column.qualifier]}"
        try:
            seconds = duration(text)
        except ValueError as error:
            hint = "or say in the title what is counted: 周期(ms)" if isinstance(said, int | float) else ""
            self._scope.add(mark, f"interval: {error}", hint)
            return
        own = tag.get("group")
        name = own if isinstance(own, str) and own else duration_text(seconds)
        known = groups.get(name)
        if known is None:
            group = Mapping(mark)
            group.put("interval", duration_text(seconds), title, mark)
            groups.put(name, group, mark, mark)
        elif isinstance(known, Mapping):
            with suppress(ValueError):  # a wrong one is said at its place
                if duration(known.get("interval")) != seconds:
                    what = f"interval: the group {shown(name)} is read every {known['interval']}"
                    self._scope.add(mark, what, f"said in row {known.value_marks['interval'].line}")
        if own is None:
            tag.put("group", name, title, mark)

    def _access(self, said: Any, column: Column, line: int) -> None:
        mark = self._grid.mark(line, column.at + 1)
        words = self._names.words["access"].get(squeezed(str(said)), ())
        if "write" in words:
            self._assume(str(said), "read alone: what may be written has a column write, or write.min", column, mark)
        elif "read" not in words:
            self._assume(str(said), "read alone", column, mark)

    def _assume(self, said: str, taken: str, column: Column, mark: Mark) -> None:
        key = (column.title, said.strip(), taken)
        first, count = self._taken.get(key, (mark, 0))
        self._taken[key] = first, count + 1

    def _say_what_was_assumed(self) -> None:
        for (_, said, taken), (mark, count) in self._taken.items():
            rows = "one row" if count == 1 else f"{count} rows"
            self._scope.warn(mark, f"{shown(said)} is taken for {taken}", f"in {rows}; write what it is to be sure")


def _unresolved(cell: Cell) -> Unresolved:
    """Of what was refused no more is said."""
    found = Unresolved(str(cell))
    found.source, found.file, found.parts = str(cell), "", ()
    return found


def say_manual_numbers(tags: Sequence, register: object, kind: type[BaseModel], scope: Scope) -> None:
    """Addresses that all look like those of a manual are taken as they stand: that is worth a word. `register` is the
    one of tags that do not say theirs."""
    if "address_base" not in keys_of(kind):
        return
    first: Mark | None = None
    for tag in tags:
        address = tag.get("address")
        if type(address) is not int or "address_base" in tag:
            return
        digit, number = divmod(address, 10_000)
        table = _TABLES.get(digit)
        if not number or digit not in (0, 1, 3, 4) or tag.get("register", register or table) != table:
            return
        if digit in _TABLES and first is None:
            first = tag.value_marks["address"]
    if first is not None:
        what = "addresses such as 40001 are taken as they stand, counted from 0"
        hint = "those of a manual count from 1: then say quirks.address_base: 1 in the head"
        scope.warn(first, what, hint)
