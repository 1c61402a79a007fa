"""Files in the data directory: whole or as they were, whatever happens, and the agent's whoever made them."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.model import host


def make_folder(path: Path) -> None:
    """With those above it. Raises OSError."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _hand_over(path)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """In whole or not at all, and on the disk when this returns. Raises OSError."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # nobody has put a link there, nor writes it, too
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.RAW, mode), "wb") as file:
            host.set_mode(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _hand_over(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    host.sync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time is in this block; `path` is a file for that alone. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | host.NOFOLLOW | host.RAW, 0o600)
    try:
        _hand_over(path)
        host.lock(fd)
        yield
    finally:
        os.close(fd)


def _hand_over(path: Path) -> None:
    """What root makes belongs to whoever owns the folder around it, so that the agent can use it.

    That user may have put a link there: what it leads to stays root's.
    """
    if (owner := host.owner_of(path.parent)) is not None:
        host.give(path, owner)
