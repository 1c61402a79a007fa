"""Device maps that are tables, CSV or XLSX: into the same tree of keys, values and places that YAML becomes."""

from collections.abc import Sequence as Cells
from pathlib import Path

from pydantic import BaseModel

from agent import registry
from agent.config.classes import driver_class
from agent.config.problems import Mark, Scope
from agent.config.tables.columns import EXAMPLE, Titles, columns, find_titles, guessed
from agent.config.tables.grid import Grid, Pair
from agent.config.tables.head import driver_of, read_head
from agent.config.tables.names import Names, names, parted
from agent.config.tables.rows import Rows, say_manual_numbers
from agent.config.tables.text import open_text
from agent.config.tables.workbook import open_workbook
from agent.config.tags import item_type
from agent.config.tree import Mapping, Sequence

ENDINGS = (".csv", ".xlsx")
OTHERS = (".xls", ".xlsm", ".xlsb", ".xltx", ".ods", ".et", ".tsv", ".numbers")
SAVE = "save it as .xlsx, or as CSV UTF-8"

__all__ = ["ENDINGS", "OTHERS", "SAVE", "is_table", "read_table"]


def is_table(path: str | Path) -> bool:
    """Whether a device map of that name is a table, be it one that is read here or not."""
    return str(path).lower().endswith((*ENDINGS, *OTHERS))


def read_table(data: bytes, file: str, scope: Scope, driver: str = "") -> Mapping | None:
    """The map in a table, as `agent.config.reader.read` gives one in YAML; None after a problem that leaves nothing.

    `driver` is that of the device which names the map, for a table whose head names none.
    """
    start = Mark(file, 1, 1)
    if file.lower().endswith(OTHERS):
        scope.add(start, f"a table in the format {Path(file).suffix} is not read", SAVE)
        return None
    known = names()
    opened = _opened(data, file, known, scope)
    if opened is None:
        return None
    head, grids = opened
    driver = driver_of(head, known) or driver
    kind = _tag_class(driver)
    sheets = [(grid, titles) for grid in grids if (titles := _titles(grid, known, kind, scope))]
    if not sheets:
        where = grids[0].mark(1, 1) if grids else start
        if not scope.report.found:
            scope.add(where, "no row has the titles of the columns", EXAMPLE)
        return None
    if not driver:
        driver = guessed(sheets[0][1], known)
        if driver:
            hint = "to be sure, say `driver` in the head"
            scope.warn(sheets[0][0].mark(sheets[0][1].line, 1), f"taken for a map of the driver {driver!r}", hint)
    return _map(head, sheets, driver, start, known, scope)


def _opened(data: bytes, file: str, known: Names, scope: Scope) -> tuple[list[Pair], list[Grid]] | None:
    if file.lower().endswith(".xlsx"):
        return open_workbook(data, file, known, scope)
    opened = open_text(data, file, scope, lambda titles: _count(titles, known))
    return None if opened is None else (opened[0], [opened[1]])


def _count(titles: Cells[str], known: Names) -> int:
    return sum(1 for title in titles if (plain := parted(title)[0]) and plain in known.columns)


def _tag_class(driver: str) -> type[BaseModel] | None:
    """The class of a tag of the driver; None where there is no such driver, which is said later at its place."""
    if driver not in registry.drivers():
        return None
    kind: type[BaseModel] | None = item_type(registry.driver_config(driver))
    return kind


def _titles(grid: Grid, known: Names, kind: type[BaseModel] | None, scope: Scope) -> Titles | None:
    found = find_titles(grid, known, kind)
    if found is None and grid.name:
        scope.warn(grid.mark(1, 1), "this sheet has no row with titles, so it is not read", EXAMPLE)
    return found


def _map(
    head: list[Pair], sheets: list[tuple[Grid, Titles]], driver: str, start: Mark, known: Names, scope: Scope
) -> Mapping | None:
    kind = _tag_class(driver)
    kinds = (registry.driver_config(driver), kind) if kind else None
    root = read_head(head, start, known, kinds, scope)
    if "driver" not in root and driver:
        root.put("driver", driver, start, start)
    if kind is None:
        driver_class(root, scope)
        return None
    first = sheets[0][0].mark(sheets[0][1].line, 1)
    tags, groups = Sequence(first), root.get("groups", Mapping(first))
    for grid, titles in sheets:
        used = columns(grid, titles, kind, known, scope)
        if not Rows(grid, titles.line, used, known, scope).read(tags, groups):
            return None
    if not tags and scope.report.found:
        return None
    if groups and "groups" not in root:
        root.put("groups", groups, first, first)
    sections = [root.get(name, {}) for name in ("defaults", "quirks")]
    if not any("address_base" in section for section in sections):
        say_manual_numbers(tags, sections[0].get("register"), kind, scope)
    root.put("tags", tags, first, first)
    return root
