"""Room on the disk, taken before it is promised: what a commit puts into the -wal file must fit into the main one too.

SQLite grows the main file only at the checkpoint after a commit. If the disk is full by then, the checkpoint fails, the
-wal file cannot start over, and not even a deletion can be committed any more. So the main file gets its blocks first,
SQLite may not grow it further than that, and the -wal file has the size of the largest commit from the start.
"""

import errno
import os
import sqlite3
from pathlib import Path

PAGE = 4096
AHEAD = 4 << 20  # bytes that are taken at a time
WAL = 4 << 20  # bytes of the -wal file; a commit that is larger needs a disk with room
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Room:
    """The blocks of one store. Close it after the connection: closing a descriptor ends the locks of this process."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        log = os.open(path.with_name(f"{path.name}-wal"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _allocate(log, WAL)
        finally:
            os.close(log)

    def take(self, need: int = AHEAD) -> bool:
        """Let the file grow by `need` bytes, after each checkpoint anew; False when the disk does not have them."""
        assert self._fd is not None
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        limit = pages + need // PAGE + 1
        enough = _allocate(self._fd, limit * PAGE)
        if not enough:
            limit = max(pages, os.fstat(self._fd).st_size // PAGE)
        self._connection.execute(f"PRAGMA max_page_count={limit}").fetchall()
        return enough

    def named(self, path: Path) -> bool:
        """Whether the file still goes by this name."""
        assert self._fd is not None
        try:
            return os.path.samestat(os.fstat(self._fd), path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _allocate(fd: int, size: int) -> bool:
    """Give a file blocks up to `size`; False when the disk is full. A file system that cannot do it has no say."""
    have = os.fstat(fd).st_size
    if have < size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, have, size - have)
        except OSError as error:
            return error.errno not in _NO_ROOM
    return True
