"""Gives a database at rest its full size: blocks on the disk, and free pages inside the file that own them.

SQLite cuts a file back to the pages that it knows at each checkpoint, so blocks alone would be lost again, and others
could take them just then. Pages on the freelist belong to the database; what it needs later it takes from there, and no
disk that others fill can come between. The freelist is written here directly (SQLite file format, §1.3 header, §1.5
freelist), because through SQL each page would have to be written twice.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.model import host
from buffer.room import BALLAST, PAGE, SLACK, WAL, allocate

_MAGIC = b"SQLite format 3\0"
_FREE = struct.Struct(">III")  # at 28: pages, first trunk of the freelist, pages on the freelist
_LOCK_PAGE = 0x4000_0000 // PAGE + 1  # never part of a database
_SMALL = 512 << 10  # bytes for the files beside it, and for what a folder takes
_LEAVES = PAGE // 4 - 8  # that one trunk may name; more would confuse programs before 3.6
_LOCKS = (512, 0x4000_0000)  # length and start of the bytes by which processes lock the file


def full_size(path: Path, max_size: int, reserve: int) -> int:
    """Bytes that the file should have from the start: all that it may ever need, if others have their reserve then."""
    try:
        free = host.free(next(folder for folder in path.absolute().parents if folder.exists()))
        have = path.stat().st_size if path.exists() else 0
    except OSError:
        return 0
    spare = free - reserve - WAL - BALLAST - _SMALL
    return min(max_size + SLACK, have + max(0, spare)) // PAGE * PAGE


def grow(path: Path, size: int, application: int) -> bool:
    """Let the file have `size` bytes; False when it is in use, not at rest, or the disk has no room. Raises OSError.

    One whose application id is another stays as it is.

    A power cut leaves either size: the new pages are on the disk before the header, in one sector, speaks of them.
    """
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        return False
    fd = os.open(path, os.O_RDWR | host.RAW)
    try:
        return host.lock_bytes(fd, *_LOCKS) and _grow(fd, size // PAGE, application)
    finally:
        os.close(fd)


def in_use(path: Path) -> bool:
    """Whether another process has the file open as a database. Raises OSError.

    This process must not have it open: its own locks would be gone.
    """
    with held(path) as free:
        return not free


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """No other process opens the file as a database meanwhile; False when one has done so. Raises OSError.

    It may be renamed. On Windows what is open may not: there it is only looked at.
    """
    fd = os.open(path, os.O_RDWR | host.RAW)
    with ExitStack() as stack:
        stack.callback(os.close, fd)
        free = host.lock_bytes(fd, *_LOCKS)
        if host.RAW:
            stack.close()
        yield free


def _grow(fd: int, pages: int, application: int) -> bool:
    header = host.pread(fd, 100, 0)
    if len(header) < 100 or header[:16] != _MAGIC or header[16:21] != b"\x10\0\2\2\0":
        return False  # no database, other pages than ours, or not in WAL mode
    if header[68:72] != application.to_bytes(4, "big"):
        return False
    have, first, free = _FREE.unpack_from(header, 28)
    if not have or header[24:28] != header[92:96] or have >= pages:
        return bool(have >= pages)
    if not allocate(fd, pages * PAGE):
        return False
    fresh = [page for page in range(have + 1, pages + 1) if page != _LOCK_PAGE]
    for start in reversed(range(0, len(fresh), _LEAVES + 1)):
        trunk, *leaves = fresh[start : start + _LEAVES + 1]
        host.pwrite(fd, _trunk(first, leaves), (trunk - 1) * PAGE)
        first = trunk
    os.fsync(fd)
    host.pwrite(fd, _FREE.pack(pages, first, free + len(fresh)), 28)
    os.fsync(fd)
    return True


def _trunk(following: int, leaves: list[int]) -> bytes:
    """SQLite takes the first leaf and puts the last in its place: in this order the file fills from front to back."""
    order = leaves[:1] + leaves[:0:-1]
    return struct.pack(f">{2 + len(order)}I", following, len(order), *order).ljust(PAGE, b"\0")
