"""CSV into rows: UTF-8 alone, its delimiter recognised, and what else a file may turn out to be said plainly."""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from agent.config.problems import Mark, Scope
from agent.config.tables.grid import MAX_COLUMNS, MAX_HEAD, MAX_ROWS, Cell, Grid, Odd, Pair, Row

DELIMITERS = (",", ";", "\t")
LOOK = 40  # lines in which the titles are looked for
MAX_LINES = 100_000
SAMPLE = 64 << 10  # bytes by which an encoding is told
LONGEST = 64 << 10  # characters of one line
_BINARY = {
    b"PK\x03\x04": ("this is an .xlsx under another name", "name it .xlsx"),
    b"\xd0\xcf\x11\xe0": ("this is an old Excel file (.xls) under another name", "save it as CSV UTF-8 or .xlsx"),
}
_UTF8 = 'save it as "CSV UTF-8" (Excel: Save As, CSV UTF-8; WPS and LibreOffice ask for the encoding)'
_KEY = re.compile(r"\S+")  # other comments are for people
_SEP = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)


def open_text(
    data: bytes, file: str, scope: Scope, count: Callable[[Sequence[str]], int]
) -> tuple[list[Pair], Grid] | None:
    """(head, rows) of a CSV, or None after a problem. `count` says how many titles a row has that are known."""
    text = _decoded(data, file, scope)
    if text is None:
        return None
    grid = Grid(file, iter(()))
    lines = _lines(text)
    first = list(islice(lines, LOOK))
    delimiter = _delimiter(first, count)
    grid.rows = _rows(chain(first, lines), delimiter, grid, scope)
    head = list(islice(_head(grid), MAX_HEAD + 1))
    if len(head) > MAX_HEAD:
        scope.add(head[-1].mark, f"a head has {MAX_HEAD} rows at most", "the titles of the columns stand below it")
        return None
    return head, grid


def _decoded(data: bytes, file: str, scope: Scope) -> str | None:
    start = Mark(file, 1, 1)
    for magic, (message, hint) in _BINARY.items():
        if data.startswith(magic):
            scope.add(start, message, hint)
            return None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        scope.add(start, 'this is UTF-16, which Excel calls "Unicode Text"', _UTF8)
        return None
    if b"\0" in data:
        half = (b"\0" in data[:SAMPLE:2]) != (b"\0" in data[1:SAMPLE:2])  # one byte of each letter
        scope.add(start, "this is UTF-16 text" if half else "this is a binary file, not a CSV", _UTF8 if half else "")
        return None
    try:
        text = data.decode("utf-8").lstrip("\ufeff")  # some programs add a second mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        scope.add(Mark(file, line, 1), f"this is {_encoding(data[error.start : error.start + SAMPLE])}", _UTF8)
        return None
    if text.count("\r") > text.count("\r\n"):
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # an old Macintosh
    if text.count("\n") > MAX_LINES:
        scope.add(start, f"more than {MAX_LINES:,} lines", f"a table has {MAX_ROWS:,} rows at most")
        return None
    return text


def _lines(text: str) -> Iterator[str]:
    """One after the other, for all at once would be the file a second time."""
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin : end + 1]
        begin = end + 1
    if begin < len(text):
        yield text[begin:]


def _encoding(data: bytes) -> str:
    """What text that is not UTF-8 probably is. By GBK nearly everything can be read; of real Chinese most is among the
    3,755 common characters of level 1, or a sign (GB/T 2312, rows 1 to 9 and 16 to 55)."""
    try:
        foreign = re.sub(r"[\x00-\x7f]", "", codecs.getincrementaldecoder("gb18030")().decode(data))
    except UnicodeDecodeError:
        return "not UTF-8 text"
    first = [char.encode("gb2312", "replace")[0] for char in foreign]
    usual = sum(0xA1 <= byte <= 0xA9 or 0xB0 <= byte <= 0xD7 for byte in first)
    return "GBK (GB18030) text, not UTF-8" if usual * 10 >= len(first) * 7 else "not UTF-8 text"


def _delimiter(lines: list[str], count: Callable[[Sequence[str]], int]) -> str:
    """The one by which some row has the most titles that are known."""
    if lines and (said := _SEP.fullmatch(lines[0].strip())):
        return said[1]
    best = {delimiter: _best(lines, delimiter, count) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda each: best[each])


def _best(lines: list[str], delimiter: str, count: Callable[[Sequence[str]], int]) -> tuple[int, int]:
    short = [line for line in lines if not _is_comment(line) and len(line) <= LONGEST]
    found = [row for line in short for row in _apart(line, delimiter)]
    return max(((count(row[:MAX_COLUMNS]), len(row)) for row in found), default=(0, 0))


def _apart(line: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return []


def _is_comment(line: str) -> bool:
    return line.lstrip(' "').startswith("#")


class _Unreadable(Exception):
    """The rest of the file cannot be taken apart."""


def _rows(lines: Iterator[str], delimiter: str, grid: Grid, scope: Scope) -> Iterator[Row]:
    """Each row with its number; the rest is left after a problem."""
    reader = csv.reader(_bounded(lines, delimiter), delimiter=delimiter)
    row = 0
    try:
        for row, cells in enumerate(reader, 1):
            if row == 1 and _SEP.fullmatch(delimiter.join(cells).strip()):
                continue
            yield row, [_cell(cell) for cell in cells]
    except _Unreadable as error:
        grid.broken = True
        scope.add(grid.mark(row + 1, 1), str(error), "is this a table?")
    except csv.Error as error:
        grid.broken = True
        scope.add(grid.mark(row + 1, 1), f"the row cannot be taken apart: {error}", 'is there a " that nothing closes?')


def _cell(text: str) -> Cell:
    odd = next((char for char in text if char < " " and char not in "\t\r\n"), "") if not text.isprintable() else ""
    return Odd(f"a control character ({odd!r}) does not belong in a table", "remove it") if odd else text


def _bounded(lines: Iterator[str], delimiter: str) -> Iterator[str]:
    """The lines, none of them longer than a row can be. Comments are one cell, whatever stands in them."""
    is_head = True
    for line in lines:
        if len(line) > LONGEST:
            raise _Unreadable(f"a line is longer than {LONGEST:,} characters")
        is_head = is_head and (_is_comment(line) or not line.strip() or bool(_SEP.fullmatch(line.strip())))
        if is_head and line.startswith("#"):
            yield f'"{line.rstrip().rstrip(delimiter).replace(chr(34), chr(34) * 2)}"\n'
        else:
            yield line


def _head(grid: Grid) -> Iterator[Pair]:
    """The rows `# key: value` above the titles; `grid` goes on with the first row that is none."""
    for line, cells in grid.rows:
        text = cells[0].strip() if cells and isinstance(cells[0], str) else ""
        if not text.startswith("#"):
            if any(cell not in ("", None) for cell in cells):
                grid.rows = chain([(line, cells)], grid.rows)
                break
            continue
        key, colon, value = text[1:].replace("\uff1a", ":", 1).partition(":")
        if colon and _KEY.fullmatch(key.strip()) and not value.startswith("//"):
            mark = grid.mark(line, 1)
            yield Pair(key.strip(), value.strip(), mark, mark)
