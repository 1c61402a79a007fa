"""Room on the disk, taken before it is promised: what a commit puts into the -wal file must fit into the main one too.

SQLite grows the main file only at the checkpoint after a commit. If the disk is full by then, the checkpoint fails, the
-wal file cannot start over, and not even a deletion can be committed any more. So the main file gets its blocks first
(`growth.py` all of them, if the disk has them), SQLite may not grow it further than that, and the -wal file has the
size of the largest commit from the start. A ballast file holds back what opening the store needs on a full disk.
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Protocol

from agent.model import host
from agent.model.errors import StoreError

PAGE = 4096
AHEAD = 4 << 20  # bytes that are taken at a time while the file has not its full size
WAL = 4 << 20  # bytes of the -wal file; a commit that is larger needs a disk with room
BALLAST = 8 << 20  # bytes
SLACK = 8 << 20  # bytes that the file may have beyond the limit: what comes between two rounds of housekeeping
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Room(Protocol):
    """What a log needs to know of the place where it lies."""

    @property
    def free(self) -> int:
        """Bytes that are left there."""
        ...

    @property
    def ballast(self) -> bool:
        """Whether the reserve for a full disk is there."""
        ...

    def take(self, need: int = AHEAD) -> bool: ...
    def limit(self, most: int) -> None: ...
    def keep_ballast(self, spare: int = ...) -> None: ...
    def named(self, path: Path) -> bool: ...
    def close(self) -> None: ...


class Memory:
    """Room for a store that lies in memory: its size limit is all that bounds it."""

    free = 1 << 62
    ballast = True

    def take(self, need: int = AHEAD) -> bool:
        return False

    def limit(self, most: int) -> None:
        pass

    def keep_ballast(self, spare: int = BALLAST) -> None:
        pass

    def named(self, path: Path) -> bool:
        return True

    def close(self) -> None:
        pass


class Disk:
    """The blocks of one store. Close it after the connection: closing a descriptor ends the locks of this process."""

    def __init__(self, connection: sqlite3.Connection, path: Path, most: int = 1 << 62) -> None:
        self._connection = connection
        self._most = most  # bytes that the main file may have
        self._folder = path.parent
        self._ballast = path.with_name("ballast")
        self._fd: int | None = os.open(path, os.O_RDWR | host.RAW)
        log = path.with_name(f"{path.name}-wal")
        if not _reserve(log, WAL) and self.drop_ballast():
            _reserve(log, WAL)

    def take(self, need: int = AHEAD) -> bool:
        """See that the file has `need` bytes free, after each checkpoint anew; False when the disk has them not."""
        assert self._fd is not None
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        limit = max(pages, min(pages - free + need // PAGE + 1, self._most // PAGE))
        enough = allocate(self._fd, limit * PAGE) and limit - pages + free >= need // PAGE
        if not enough:
            limit = max(pages, min(limit, os.fstat(self._fd).st_size // PAGE))
        self._connection.execute(f"PRAGMA max_page_count={limit}").fetchall()
        return enough

    def limit(self, most: int) -> None:
        """So many bytes may the main file have from now on."""
        self._most = most

    @property
    def free(self) -> int:
        return host.free(self._folder)

    @property
    def ballast(self) -> bool:
        return self._ballast.exists()

    def keep_ballast(self, spare: int = BALLAST) -> None:
        """Put it back when the disk has room for it and `spare` bytes more."""
        if not self.ballast and self.free >= BALLAST + spare and not _reserve(self._ballast, BALLAST):
            self.drop_ballast()

    def drop_ballast(self) -> bool:
        """Give the reserve up for what needs it now; False if there was none."""
        there = self.ballast
        self._ballast.unlink(missing_ok=True)
        return there

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


def _reserve(path: Path, size: int) -> bool:
    """A file with blocks for so many bytes; False when the disk is full."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | host.RAW, 0o600)
    except OSError as error:
        if error.errno in _NO_ROOM:
            return False
        raise
    try:
        return allocate(fd, size)
    finally:
        os.close(fd)


def allocate(fd: int, size: int) -> bool:
    """Give a file blocks up to `size`, or none; False when the disk is full. A file system that cannot has no say."""
    have = os.fstat(fd).st_size
    if have < size:
        try:
            host.give_blocks(fd, have, size - have)
        except OSError as error:
            full = error.errno in _NO_ROOM
            os.ftruncate(fd, have if full else size)  # some take all there is before they say that it is not enough
            return not full
    return True


def refuse_nameless(room: Room, path: Path) -> None:
    """Raises StoreError when the file has lost its name."""
    if not room.named(path):
        raise StoreError(
            f"store {path} was deleted or replaced while in use: what is in it will be gone after a restart",
            hint="restart the agent, once its sinks have caught up if they can",
        )
