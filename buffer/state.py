"""Small values of other rooms that must survive, by key: what a device has learnt, a session's counter.

A value is written in the transaction of the frames that are committed after it was set: it is on the disk when they
are. It survives a restart, a salvage, and the time in memory while the disk fails.
"""

import sqlite3
from collections.abc import Iterator

from agent.model.errors import StoreError

MOST = 64 << 10  # bytes of a value: what is larger belongs somewhere else
LONGEST = 300  # characters of a key
_SELECT = "SELECT k, v FROM state"
_INSERT = "INSERT OR REPLACE INTO state (k, v) VALUES (?, ?)"


class State:
    """The values, and which of them the file does not have yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """What is in the file; a row that nobody can have written counts as not there."""
        rows = connection.execute(_SELECT).fetchall()
        self._values: dict[str, bytes] = {k: v for k, v in rows if isinstance(k, str) and isinstance(v, bytes)}
        self._changed: set[str] = set()

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Written with the next transaction. Raises StoreError for what is not small."""
        if len(value) > MOST or len(key) > LONGEST:
            raise StoreError(f"{len(value):,} bytes are too many to be kept under {key[:LONGEST]!r}")
        if self._values.get(key) != value:
            self._values[key] = value
            self._changed.add(key)

    def items(self) -> Iterator[tuple[str, bytes]]:
        yield from self._values.items()

    @property
    def waiting(self) -> bool:
        """Whether the file does not have all of it."""
        return bool(self._changed)

    def write(self, connection: sqlite3.Connection) -> None:
        """In a transaction; `written` when it is through. Raises sqlite3.Error."""
        connection.executemany(_INSERT, [(key, self._values[key]) for key in self._changed])

    def written(self) -> None:
        self._changed.clear()
