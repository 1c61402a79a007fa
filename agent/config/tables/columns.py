"""Which row of a table has the titles, and which key of a tag each of its columns is for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from agent.config.problems import Scope
from agent.config.tables.cells import Column
from agent.config.tables.forms import form_of, keys_of
from agent.config.tables.grid import MAX_COLUMNS, Cell, Grid, Odd, is_blank
from agent.config.tables.names import Names, parted, squeezed
from agent.config.words import did_you_mean, shown

MADE = ("interval", "access")  # titles that are no keys of a tag
LOOK = 30  # rows in which the titles are looked for
EXAMPLE = "such as name, address, type, unit (名称, 地址, 数据类型, 单位)"


@dataclass(frozen=True, slots=True)
class Titles:
    """The row with the titles: its number and its cells."""

    line: int
    cells: Sequence[Cell]


def find_titles(grid: Grid, names: Names, kind: type[BaseModel] | None) -> Titles | None:
    """The first of the next rows that names columns, one of them that of the names; None when there is none."""
    own = {squeezed(key) for key in keys_of(kind)} if kind else set()
    for _, (line, cells) in zip(range(LOOK), _filled(grid.rows), strict=False):
        keys = {key for cell in cells for key in _keys(cell, names, own)}
        if len(keys) > 1 and not keys.isdisjoint(("name", "node")):
            grid.top = line
            return Titles(line, cells)
    return None


def _filled(rows: Iterable[tuple[int, Sequence[Cell]]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    return (row for row in rows if not all(is_blank(cell) for cell in row[1]))


def _keys(cell: Cell, names: Names, own: set[str]) -> Iterator[str]:
    """What the cell would mean as a title."""
    if isinstance(cell, str):
        title, _ = parted(cell)
        first = title.partition(".")[0]
        found = names.columns.get(title) or names.columns.get(first) or ((first,) if first in own else ())
        yield from found[:1]


def guessed(titles: Titles, names: Names) -> str:
    """The driver that tables with such columns are for; nothing where they do not tell."""
    keys = {key for cell in titles.cells for key in _keys(cell, names, set())}
    return "opcua" if "node" in keys else "modbus" if keys & {"address", "register"} else ""


def columns(grid: Grid, titles: Titles, kind: type[BaseModel], names: Names, scope: Scope) -> list[Column]:
    """The columns that are used; of each other one it is said why it is not, and of two for one thing that they are."""
    found: dict[tuple[str, ...], Column] = {}
    if len(titles.cells) > MAX_COLUMNS and not all(map(is_blank, titles.cells[MAX_COLUMNS:])):
        scope.add(
            grid.mark(titles.line, MAX_COLUMNS + 1), f"more than {MAX_COLUMNS} columns", "remove what is no tag's"
        )
    for at, cell in enumerate(titles.cells[:MAX_COLUMNS]):
        if isinstance(cell, Odd):
            scope.add(grid.mark(titles.line, at + 1), f"a title: {cell.message}", cell.hint)
        elif not is_blank(cell):
            title = " ".join(str(cell).split())
            grid.titles[at + 1] = title
            if column := _column(at, title, grid, titles.line, kind, names, scope):
                first = found.setdefault(column.path, column)
                if first is not column:
                    what = f"{title!r} and {first.title!r} both mean {'.'.join(column.path)}"
                    scope.add(grid.mark(titles.line, at + 1), what, "keep one, or give the other one another title")
    return list(found.values())


def _column(
    at: int, title: str, grid: Grid, line: int, kind: type[BaseModel], names: Names, scope: Scope
) -> Column | None:
    plain, qualifier = parted(title)
    for path in paths(plain, title, kind, names):
        form = "word" if path[0] in MADE and form_of(kind, path) is None else form_of(kind, path)
        if form is not None:
            return Column(at, title, path, form, kind, qualifier)
    mark = grid.mark(line, at + 1)
    why = names.unused.get(plain)
    if why is None:
        known = [*names.columns, *keys_of(kind)]
        scope.warn(mark, f"the column {shown(title)} is not used", did_you_mean(plain, known))
    elif why:
        scope.warn(mark, f"the column {shown(title)} is not used", why)
    return None


def paths(plain: str, title: str, kind: type[BaseModel], names: Names) -> Iterator[tuple[str, ...]]:
    """The keys that a title may mean, the likeliest first."""
    own = {squeezed(key): key for key in keys_of(kind)}
    if plain in own:
        yield (own[plain],)
    for key in names.columns.get(plain, ()):
        yield tuple(key.split("."))
    first, dot, _ = plain.partition(".")
    if dot:
        rest = title.strip().partition(".")[2].split(".")
        for key in (*([own[first]] if first in own else ()), *names.columns.get(first, ())):
            yield (*key.split("."), *(part.strip() for part in rest))
