"""All that a file holds, piece by piece while it is in use, such that the pieces are the file as it was at one moment.

Frames are never changed once they are written, so they are copied from the oldest on while commits go on. With the last
of them, in one call, come all other tables: what left the file meanwhile is not in their `kept` and is left out of the
copy. Nothing is counted, checked or put right: rows travel as they are, with the names of their columns, so that a file
of any version can be made anew (`written`).
"""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.model import host
from buffer.database import APPLICATION_ID, mapped
from buffer.ranges import parse

_MOST = 500  # frames of a piece
_MOST_BYTES = 1 << 20  # of their bodies, and one body more
_LONGEST = 0.01  # seconds for the frames of a piece
_FRAMES = "SELECT {columns} FROM main.frame WHERE seq > ? ORDER BY seq"
_TABLES = """
SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name != 'frame' AND substr(name, 1, 1) != '_'
AND substr(name, 1, 7) != 'sqlite_' ORDER BY name
"""
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and what their columns are called."""

    columns: list[str]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames in order; with the last of them `tables`, by their names, and before that none. `columns` are those of a
    frame, `version` is that of the file."""

    version: int
    columns: list[str]
    frames: list[Row]
    tables: dict[str, Table] | None


class Copier:
    """Reads one file; every call raises StoreError. `settle` has what waits in memory written into the file."""

    def __init__(self, connection: sqlite3.Connection, path: Path, settle: Callable[[], None] = lambda: None) -> None:
        self._connection, self._path, self._settle = connection, path, settle

    def piece(self, cursor: int) -> Piece:
        """What comes after seq `cursor`."""
        with mapped(self._path):
            return self._piece(cursor)

    def count(self) -> int:
        """Frames in the file."""
        with mapped(self._path):
            return int(self._connection.execute("SELECT count(*) FROM main.frame").fetchone()[0])

    def instance(self) -> str:
        """The id of the file; empty for one of version 1."""
        with mapped(self._path):
            row = self._connection.execute("SELECT v FROM main.meta WHERE k = 'file'").fetchone()
            return str(row[0]) if row else ""

    def _piece(self, cursor: int) -> Piece:
        (version,) = self._connection.execute("PRAGMA main.user_version").fetchone()
        columns = self._columns("frame")
        frames, whole = self._frames(cursor, columns)
        if not whole:
            return Piece(version, columns, frames, None)
        self._settle()
        names = [name for (name,) in self._connection.execute(_TABLES).fetchall()]
        return Piece(version, columns, frames, {name: self._table(name) for name in names})

    def _frames(self, cursor: int, columns: list[str]) -> tuple[list[Row], bool]:
        """Some frames, and whether they are the last. No cursor stays open: it would hold the -wal file."""
        end, left, found = time.monotonic() + _LONGEST, _MOST_BYTES, list[Row]()
        body = columns.index("body")
        with closing(self._connection.execute(_FRAMES.format(columns=", ".join(columns)), (cursor,))) as rows:
            for row in rows:
                found.append(row)
                left -= len(row[body]) if isinstance(row[body], bytes) else 0
                if len(found) >= _MOST or left <= 0 or time.monotonic() >= end:
                    return found, False
        return found, True

    def _table(self, name: str) -> Table:
        columns = self._columns(name)
        rows = self._connection.execute(f"SELECT {', '.join(columns)} FROM main.{name}").fetchall()  # noqa: S608  # ours
        return Table(columns, rows)

    def _columns(self, table: str) -> list[str]:
        return [name for _, name, *_ in self._connection.execute(f"PRAGMA main.table_info({table})").fetchall()]


class Written:
    """A new file at `path` of the version that the pieces are of, for another instance than theirs.

    Every call raises sqlite3.Error; what is not as in a file of that version is one, too.
    """

    def __init__(self, path: Path, version: int, tables: dict[str, Table]) -> None:
        from buffer.migrations import migrate  # noqa: PLC0415  # 160 ms and 10 MB that only this costs

        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.RAW, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None)
        for setting in ("page_size=4096", "journal_mode=OFF", "synchronous=OFF", "trusted_schema=OFF"):
            self._connection.execute(f"PRAGMA {setting}").fetchall()
        self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrate(self._connection, version)
        meta = {str(row[0]): row[1] for row in _rows(tables, "meta", ("k", "v"))}
        self._kept, self._hwm = parse(str(meta.get("kept", "[]"))), int(meta.get("hwm", 0))
        self.before, self.instance = str(meta.get("file", "")), secrets.token_hex(8)
        self.frames = 0
        self._connection.execute("BEGIN")
        for name, table in tables.items():
            self._insert(name, table.columns, table.rows)
        self._connection.execute("INSERT OR REPLACE INTO meta (k, v) VALUES ('file', ?)", (self.instance,))

    def add(self, columns: Sequence[str], frames: Iterable[Row]) -> None:
        """Those of these that were still in the file at the end."""
        seq = list(columns).index("seq")
        wanted = [row for row in frames if row[seq] > self._hwm or row[seq] in self._kept]
        self._insert("frame", columns, wanted)
        self.frames += len(wanted)

    def close(self, *, whole: bool) -> None:
        """The file is in WAL mode and on the disk when it is whole."""
        if whole:
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA synchronous=FULL").fetchall()
            self._connection.execute("PRAGMA journal_mode=WAL").fetchall()
        self._connection.close()

    def _insert(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        known = {column for _, column, *_ in self._connection.execute("SELECT * FROM pragma_table_info(?)", (name,))}
        if not known or not set(columns) <= known:
            raise sqlite3.DatabaseError(f"there is no table {name[:40]!r} with these columns")
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608  # names that the file itself has
            rows,
        )


def _rows(tables: dict[str, Table], name: str, columns: Sequence[str]) -> list[Row]:
    table = tables.get(name)
    if table is None or not set(columns) <= set(table.columns):
        return []
    places = [table.columns.index(column) for column in columns]
    return [[row[place] for place in places] for row in table.rows]
