"""Rows out of the raw pages of a database, whatever became of the tree above them. Pure.

A damaged page high up hides everything below it from SQL, but the rows still lie in their leaf pages. Which table a
leaf belonged to is not written in it; the caller knows rows by their shape and trusts only what a checksum confirms.
Format: SQLite file format, §1.6 b-tree pages, §2.1 records, §4 the -wal file.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

PAGE = 4096
_LEAF = 0x0D  # of a table
_LOCAL = PAGE - 35  # bytes of a payload that a leaf holds at most
_LEAST = (PAGE - 12) * 32 // 255 - 23
_INTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_WAL_HEAD = struct.Struct(">8I")
_WAL_FRAME = struct.Struct(">6I")
_WORDS = {0x377F0682: struct.Struct("<1024I"), 0x377F0683: struct.Struct(">1024I")}
_MOST_PAYLOAD = 64 << 20  # bytes; a longer row is no row of ours

Column = int | float | str | bytes | None


class Row(NamedTuple):
    """One row of some table: its rowid, its columns (that of the rowid is None), and where in the page it ends."""

    rowid: int
    columns: list[Column]


class Source(Protocol):
    """Bytes that need not be in memory."""

    def __len__(self) -> int: ...
    def __getitem__(self, span: slice, /) -> memoryview: ...


class Pages:
    """The pages of a main file, with those of its -wal file over them as far as that is sound."""

    def __init__(self, main: Source, wal: memoryview) -> None:
        self._main = main
        self._wal = wal
        self._newer = committed(wal)
        self.count = max([len(main) // PAGE, *self._newer]) if self._newer else len(main) // PAGE

    def get(self, number: int) -> memoryview | None:
        """Page `number`, from 1; None beyond the end."""
        if number in self._newer:
            at = self._newer[number]
            return self._wal[at : at + PAGE]
        page = self._main[(number - 1) * PAGE : number * PAGE] if number > 0 else self._main[:0]
        return page if len(page) == PAGE else None

    def rows(self, numbers: range) -> Iterator[Row]:
        """What can be read as rows in these pages; a page that makes no sense yields what comes before that."""
        for number in numbers:
            page = self.get(number)
            start = 100 if number == 1 else 0
            if page is not None and page[start] == _LEAF:
                yield from self._leaf(page, start)

    def _leaf(self, page: memoryview, start: int) -> Iterator[Row]:
        cells = int.from_bytes(page[start + 3 : start + 5], "big")
        if start + 8 + 2 * cells > PAGE:
            return
        for (cell,) in struct.iter_unpack(">H", page[start + 8 : start + 8 + 2 * cells]):
            try:
                size, at = varint(page, cell)
                rowid, at = varint(page, at)
                if size <= _MOST_PAYLOAD:
                    columns = record(self._payload(page, at, size))
                    yield Row(rowid - (rowid >> 63 << 64), columns)
            except (IndexError, ValueError, struct.error):
                continue

    def _payload(self, page: memoryview, at: int, size: int) -> bytes:
        """Raises ValueError when it goes on in a page that does not exist."""
        if size <= _LOCAL:
            return bytes(page[at : at + size])
        local = _LEAST + (size - _LEAST) % (PAGE - 4)
        local = local if local <= _LOCAL else _LEAST
        parts, left = [bytes(page[at : at + local])], size - local
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        while left > 0:
            more = self.get(following)
            if more is None:
                raise ValueError("the row goes on beyond the end of the file")
            parts.append(bytes(more[4 : 4 + left]))
            left -= PAGE - 4
            following = int.from_bytes(more[:4], "big")
        return b"".join(parts)


def varint(data: memoryview | bytes, at: int) -> tuple[int, int]:
    """The number at `at`, 1 to 9 bytes, as unsigned 64 bits, and where it ends. Raises IndexError."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def record(payload: bytes) -> list[Column]:
    """The columns of a row. Raises IndexError or ValueError for what is none."""
    size, at = varint(payload, 0)
    columns: list[Column] = []
    body = size
    while at < size:
        kind, at = varint(payload, at)
        width = _INTS.get(kind, 8 if kind == 7 else (kind - 12) // 2 if kind >= 12 else 0)
        raw = payload[body : body + width]
        if len(raw) < width:
            raise ValueError("a row that ends early")
        columns.append(_column(kind, raw))
        body += width
    return columns


def _column(kind: int, raw: bytes) -> Column:
    if kind in _INTS:
        return int.from_bytes(raw, "big", signed=True)
    if kind >= 12:
        return raw if kind % 2 == 0 else raw.decode("utf-8", "replace")
    if kind == 7:
        return float(struct.unpack(">d", raw)[0])
    return {8: 0, 9: 1}.get(kind)


def committed(wal: memoryview) -> Mapping[int, int]:
    """Where in a -wal file the newest committed version of each page lies; it ends where a checksum does not hold."""
    found: dict[int, int] = {}
    if len(wal) < _WAL_HEAD.size:
        return found
    magic, _, size, _, salt1, salt2, *sums = _WAL_HEAD.unpack_from(wal)
    words = _WORDS.get(magic)
    if words is None or size != PAGE:
        return found
    order = words.format[:1]
    state = _add(struct.unpack(f"{order}6I", wal[:24]), (0, 0))
    if state != tuple(sums):
        return found
    waiting: dict[int, int] = {}
    for at in range(_WAL_HEAD.size, len(wal) - _WAL_FRAME.size - PAGE + 1, _WAL_FRAME.size + PAGE):
        number, commit, a, b, *said = _WAL_FRAME.unpack_from(wal, at)
        if (a, b) != (salt1, salt2):
            break
        state = _add(struct.unpack(f"{order}2I", wal[at : at + 8]), state)
        state = _add(words.unpack_from(wal, at + _WAL_FRAME.size), state)
        if state != tuple(said):
            break
        waiting[number] = at + _WAL_FRAME.size
        if commit:
            found.update(waiting)
            waiting.clear()
    return found


def _add(words: tuple[int, ...], state: tuple[int, int]) -> tuple[int, int]:
    """The -wal file's checksum over pairs of words, going on from `state`."""
    one, two = state
    for index in range(0, len(words), 2):
        one = one + words[index] + two & 0xFFFFFFFF
        two = two + words[index + 1] + one & 0xFFFFFFFF
    return one, two
