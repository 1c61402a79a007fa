"""The runs of the agent that the frames in the file belong to."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

_SELECT = "SELECT id, eid, boot_id, started, crc FROM epoch ORDER BY id DESC"
_INSERT = "INSERT OR IGNORE INTO epoch (id, eid, boot_id, started, crc) VALUES (?, ?, ?, ?, ?)"
_OLDEST = "SELECT epoch FROM frame ORDER BY seq LIMIT 1"
_KEPT = 1000  # epochs that stay although none of their frames is left


@dataclass(frozen=True, slots=True)
class Epoch:
    """One run: 8 random bytes, the boot whose monotonic clock its frames carry, its start in ns UTC."""

    id: int
    eid: bytes
    boot: str
    started: int

    def insert(self, connection: sqlite3.Connection) -> None:
        """Twice, the copy under the negative id: one flipped bit in it would cost every frame of the run."""
        crc = _checksum(self.eid, self.boot, self.started)
        rows = [(id_, self.eid, self.boot, self.started, crc) for id_ in (self.id, -self.id)]
        connection.executemany(_INSERT, rows)


def _checksum(eid: bytes, boot: str, started: int) -> int:
    return crc32(f"{boot}\0{started}".encode(), crc32(eid))


def revived(rowid: int, columns: Sequence[object]) -> Epoch | None:
    """The run whose row this is; None for any other row, or one that does not match its checksum."""
    match columns:
        case [None, bytes(eid), str(boot), int(started), int(crc)] if crc == _checksum(eid, boot, started):
            return Epoch(abs(rowid), eid, boot, started)
    return None


def load(connection: sqlite3.Connection) -> dict[int, Epoch]:
    """By number, each from the row or the copy that matches its checksum; rows of version 1 have neither."""
    found: dict[int, Epoch] = {}
    for id_, eid, boot, started, crc in connection.execute(_SELECT).fetchall():
        readable = isinstance(eid, bytes) and isinstance(boot, str) and isinstance(started, int)
        if readable and (crc is None or crc == _checksum(eid, boot, started)):
            found.setdefault(abs(id_), Epoch(abs(id_), eid, boot, started))
    return found


def forget(connection: sqlite3.Connection, now: int) -> None:
    """Runs of which no frame is left, but for the last 1000."""
    oldest = connection.execute(_OLDEST).fetchone()
    low = min(oldest[0] if oldest and isinstance(oldest[0], int) else now, now - _KEPT)
    connection.execute("DELETE FROM epoch WHERE abs(id) < ?", (low,))
