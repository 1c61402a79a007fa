"""XLSX into rows of cells, and what in a workbook people may not see said plainly."""

from collections.abc import Iterator

from agent.config.problems import Mark, Scope
from agent.config.tables.archive import SAVE, Archive, Reader, target
from agent.config.tables.grid import MAX_COLUMNS, MAX_HEAD, Grid, Pair, Refused, Row, is_blank, letters
from agent.config.tables.names import Names, squeezed
from agent.config.tables.spreadsheet import Relations, Rows, Sheet, Sheets, Strings, Styles

MAX_SHEETS = 50
_BOOK = "xl/workbook.xml"


class Workbook:
    """The sheets of a file, each read when it is asked for. Raises Refused."""

    def __init__(self, data: bytes) -> None:
        self._archive = Archive(data)
        top = Relations()
        self._all("_rels/.rels", "workbook", top)
        book = next((target("", path) for path, kind in top.found.values() if kind == "officeDocument"), _BOOK)
        sheets, relations = Sheets(), Relations()
        self._all(book, "workbook", sheets)
        folder, _, name = book.rpartition("/")
        self._all(f"{folder}/_rels/{name}.rels".lstrip("/"), "workbook", relations)
        self._paths = {rel: target(book, path) for rel, (path, kind) in relations.found.items() if kind == "worksheet"}
        self.sheets = [sheet for sheet in sheets.found if sheet.rel in self._paths][:MAX_SHEETS]
        strings, styles = Strings(), Styles()
        for path, kind in relations.found.values():
            if kind == "sharedStrings" and self._archive.has(target(book, path)):
                self._all(target(book, path), "strings", strings)
            elif kind == "styles" and self._archive.has(target(book, path)):
                self._all(target(book, path), "styles", styles)
        self._strings, self._dates = strings.found, styles.dates

    def _all(self, name: str, kind: str, reader: Reader) -> None:
        for _ in self._archive.parse(name, kind, reader):
            pass

    def rows(self, sheet: Sheet, grid: Grid, scope: Scope) -> Iterator[Row]:
        """The rows that are not empty; the rest is left after a problem."""
        reader, line = Rows(self._strings, self._dates), 0
        try:
            for _ in self._archive.parse(self._paths[sheet.rel], "sheet", reader):
                for row in reader.take():
                    line = row[0]
                    yield row
        except Refused as refused:
            scope.add(grid.mark(line + 1, 1), refused.message, refused.hint)
            grid.broken = True
            return
        for column, first, text in reader.merged:
            if grid.top and grid.top < first <= line:
                what = f"the cells {text} are merged, so only the first one of them says anything"
                scope.add(grid.mark(first, column), what, "unmerge them, and fill each")
        if reader.hidden:
            scope.warn(grid.mark(1, 1), f"{reader.hidden} hidden rows of this sheet are read as well", "delete them")
        if reader.wide:
            where = grid.mark(reader.wide, MAX_COLUMNS + 1)
            scope.warn(where, f"nothing right of column {letters(MAX_COLUMNS)} is read", "remove it")


def open_workbook(data: bytes, file: str, names: Names, scope: Scope) -> tuple[list[Pair], list[Grid]] | None:
    """(head, sheets with rows) of an XLSX, or None after a problem."""
    start = Mark(file, 1, 1)
    try:
        book = Workbook(data)
    except Refused as refused:
        scope.add(start, refused.message, refused.hint)
        return None
    if not book.sheets:
        scope.add(start, "it has no sheets", SAVE)
        return None
    head: list[Pair] = []
    grids: list[Grid] = []
    for sheet in book.sheets:
        grid = Grid(file, iter(()), sheet.name)
        grid.rows = book.rows(sheet, grid, scope)
        if sheet.hidden:
            scope.warn(start, f"the sheet {sheet.name!r} is hidden, so it is not read", "unhide it, or delete it")
        elif squeezed(sheet.name) in names.sheets:
            head += _pairs(grid, scope)
        else:
            grids.append(grid)
    return head, grids


def _pairs(grid: Grid, scope: Scope) -> Iterator[Pair]:
    """Key and value of each row of the sheet with the head; a row of titles above them is left out."""
    for count, (line, cells) in enumerate(grid.rows):
        if count >= MAX_HEAD:
            scope.add(grid.mark(line, 1), f"a head has {MAX_HEAD} rows at most", "is this the sheet of the tags?")
            return
        value = cells[1] if len(cells) > 1 else None
        if count == 0 and isinstance(value, str) and squeezed(value) in ("value", "值", "内容"):
            continue
        if not is_blank(cells[0]):
            yield Pair(str(cells[0]).strip(), value, grid.mark(line, 1), grid.mark(line, 2))
