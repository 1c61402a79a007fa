"""How full the store is."""

import sqlite3
from dataclasses import dataclass

from buffer.limits import Limits
from buffer.log import Log


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes: `used` by the pages that hold something, `file` of the whole main file, `free` on its disk."""

    used: int
    file: int
    free: int


@dataclass(frozen=True, slots=True)
class Stats:
    """How full the store is.

    `frames` are in the file and take `bytes` of at most `limit` (0: not known); `room` is what may come before the
    oldest have to go, `file_bytes` the size of the main file, `free_bytes` what is free on its disk. `oldest` is a ts
    in ns UTC (0: no frame), `last_seq` the last one given; `owed` counts frames by sink, and `aside` those that it
    refused. `instance` is the id of the file (16 hex digits), which no restored copy of it has; empty in memory.
    """

    frames: int
    bytes: int
    limit: int
    room: int
    file_bytes: int
    free_bytes: int
    oldest: int
    last_seq: int
    owed: dict[str, int]
    aside: dict[str, int]
    instance: str = ""


def space(connection: sqlite3.Connection, free: int) -> Space:
    """Of a file on a disk that has `free` bytes left."""
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
    return Space((pages - unused) * page, pages * page, free)


def room(taken: Space, limits: Limits) -> int:
    """Bytes that may come before a limit is passed: pages inside the file are there already, others take disk."""
    ahead = taken.file - taken.used + max(0, taken.free - limits.reserve)
    return max(0, min(limits.max_size - taken.used, ahead))


def stats(log: Log, free: int) -> Stats:
    """Of a log on a disk that has `free` bytes left."""
    taken = space(log.connection, free)
    oldest = log.connection.execute("SELECT ts FROM frame ORDER BY seq LIMIT 1").fetchone()
    return Stats(
        frames=log.present.size,
        bytes=taken.used,
        limit=log.limits.max_size if log.limits else 0,
        room=room(taken, log.limits) if log.limits else 0,
        file_bytes=taken.file,
        free_bytes=taken.free,
        oldest=oldest[0] if oldest and isinstance(oldest[0], int) else 0,
        last_seq=log.next - 1,
        owed={sink.name: sink.debt.size for sink in log.sinks.values()},
        aside={sink.name: sink.aside.size for sink in log.sinks.values()},
        instance=log.file.hex(),
    )
