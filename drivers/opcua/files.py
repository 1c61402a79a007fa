"""Files in the data directory: whole or as they were, whatever happens, and the agent's whoever made them."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_folder(path: Path) -> None:
    """With those above it. Raises OSError."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _hand_over(path)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """In whole or not at all, and on the disk when this returns. Raises OSError."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # nobody has put a link there, nor writes it, too
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _hand_over(part)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    _settle(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time is in this block; `path` is a file for that alone. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _hand_over(path)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _hand_over(path: Path) -> None:
    """What root makes belongs to whoever owns the folder around it, so that the agent can use it.

    That user may have put a link there: what it leads to stays root's.
    """
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _settle(folder: Path) -> None:
    """Have the disk remember what the files in a folder are called."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
