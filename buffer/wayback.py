"""The way back from a migration: a copy of the file as the older program left it, where that costs little.

A migration adds to a file what an older program does not know, so that one refuses it. Who goes back to the older
program puts the copy in the place of the file; `store.witness` then tells it which frames the copy has not.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from agent.model import host

MOST = 64 << 20  # bytes in use: to copy more takes longer than a start should
_SPARE = 16 << 20  # bytes of the disk that a copy leaves at least


def place(path: Path, version: int) -> Path:
    """Where the copy of the store `path` lies."""
    return path.with_name(f"{path.stem}.v{version}.db")


def keep(path: Path, connection: sqlite3.Connection, version: int) -> str:
    """Copy the file as it is now, unless it is large or the disk is nearly full; what became of that, in words."""
    target = place(path, version)
    draft = target.with_suffix(".new")
    try:
        size = _used(connection)
        if size > MOST:
            return f"no copy of it was kept, for it holds {size >> 20} MB"
        if host.free(path.parent) < size + _SPARE:
            return "no copy of it was kept, for the disk is nearly full"
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | host.RAW, 0o600))
        connection.execute("VACUUM INTO ?", (str(draft),))
        host.sync_file(draft)
        draft.replace(target)
        host.sync_folder(path.parent)
    except (sqlite3.Error, OSError) as error:
        return f"no copy of it could be kept: {error}"
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    for older in path.parent.glob(f"{path.stem}.v*.db"):
        if older != target:
            older.unlink(missing_ok=True)
    return f"as it was it is in {target.name}"


def hint(path: Path, writer: str, known: int) -> str:
    """What to do with a file that is too new."""
    copies = [place(path, version) for version in range(known, 0, -1) if place(path, version).exists()]
    again = "install it again" if writer[-1:].isdigit() else "install the newer version again"
    if copies:
        return f"{again}, or put {copies[0].name} in its place, which is as it was before"
    return f"{again}, or take a backup that this version made: `floorgate restore`"


def _used(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    size, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)
