"""A file that grows by whole lines: synced, rotated by size, and mended when a crash has torn its last line."""

import os
from pathlib import Path

from agent.model import host

_BLOCK = 65536


class LineFile:
    """Blocking calls, one at a time; all raise OSError. After an error the file ends where it ended before."""

    def __init__(self, path: Path, max_size: int, keep: int) -> None:
        self._path, self._max_size, self._keep = path, max_size, keep
        self._fd: int | None = None
        self._size = 0

    def open(self) -> None:
        """Make the folders that are missing, and cut off a last line without an end: it was never confirmed."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | host.RAW, 0o640)
        try:
            self._size = _end_of_last_line(fd)
            os.ftruncate(fd, self._size)
            host.sync_folder(self._path.parent)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def append(self, lines: bytes) -> None:
        """Write and sync. Raises ValueError when the file is not open."""
        if self._fd is None:
            raise ValueError("not open")
        if self._size and self._size + len(lines) > self._max_size:
            self._rotate()
        try:
            _write_all(self._fd, lines)
            os.fsync(self._fd)
        except OSError:
            self._undo()
            raise
        self._size += len(lines)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _undo(self) -> None:
        """Take back what was written of a batch; where even that fails, the next `open()` mends the file."""
        assert self._fd is not None
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.close()

    def _rotate(self) -> None:
        """`name.1` becomes `name.2` and so on; what would be more than `keep` is overwritten."""
        for number in range(self._keep, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self.open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _end_of_last_line(fd: int) -> int:
    """The offset behind the last newline; 0 when there is none."""
    end = os.fstat(fd).st_size
    while end:
        start = max(0, end - _BLOCK)
        newline = host.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
