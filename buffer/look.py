"""Looks at a file before it is called damaged: a disk that cannot be read for a moment looks the same to SQLite."""

import os
import re
import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.model import host
from agent.model.errors import DiskFailed
from buffer.database import code
from buffer.room import PAGE

_STEPS = 100_000  # of SQLite's machine between two looks at the clock
_ERROR = re.compile(r"error code=(\d+)")  # in what quick_check says of a page that it could not get
_HINT = "look at the disk: dmesg, smartctl"
_PIECE = 64 << 10


def sound(connection: sqlite3.Connection, path: Path, seconds: float) -> bool:
    """Whether SQLite finds the file in order; what it cannot look at in that time is taken to be.

    Raises DiskFailed if the file cannot be read just now, which says nothing about what is in it.
    """
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        if code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return False
        if code(error) == sqlite3.SQLITE_INTERRUPT:
            return True
        raise
    finally:
        connection.set_progress_handler(None, 0)
    for (text,) in found:
        if (said := _ERROR.search(str(text))) and int(said[1]) & 0xFF == sqlite3.SQLITE_IOERR:
            raise DiskFailed(f"store {path} cannot be read: {str(text).strip()}", hint=_HINT)
    return bool(found == [("ok",)])


def read_through(path: Path) -> None:
    """Read all of the file and its -wal file. Raises DiskFailed at the first byte that the disk does not give.

    SQLite calls a read that failed damage (`SQLITE_IOERR_CORRUPTFS` becomes `SQLITE_CORRUPT`).
    """
    for each in (path, path.with_name(f"{path.name}-wal")):
        if each.exists():
            _read(each)


def _read(path: Path) -> None:
    try:
        with Bytes(path) as file:
            for at in range(0, len(file), _PIECE):
                file.read(at, _PIECE)
    except OSError as error:
        raise DiskFailed(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error


class Bytes:
    """The bytes of a file, by slices; zeros for what the disk does not give, where a map would end the process."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | host.RAW) if path.exists() else -1
        self._size = os.fstat(self._fd).st_size if self._fd >= 0 else 0
        self._start, self._piece = 0, b""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, span: slice) -> memoryview:
        start, stop, _ = span.indices(self._size)
        parts = []
        while start < stop:
            low = start - start % _PIECE
            piece = self._at(low)[start - low : stop - low]
            parts.append(piece)
            start += len(piece)
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))

    def _at(self, start: int) -> memoryview:
        if start != self._start or not self._piece:
            self._start, self._piece = start, self._legible(start)
        return memoryview(self._piece)

    def _legible(self, start: int) -> bytes:
        size = min(_PIECE, self._size - start)
        try:
            return self.read(start, size).ljust(size, b"\0")
        except OSError:
            return b"".join(self._page(at, min(PAGE, start + size - at)) for at in range(start, start + size, PAGE))

    def _page(self, start: int, size: int) -> bytes:
        try:
            return self.read(start, size).ljust(size, b"\0")
        except OSError:
            return bytes(size)

    def read(self, start: int, size: int) -> bytes:
        """Raises OSError for what cannot be read."""
        return host.pread(self._fd, size, start)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
