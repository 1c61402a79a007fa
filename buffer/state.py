"""Small values of other rooms that must survive, by key: what a device has learnt, a session's counter.

A value is written in the transaction of the frames that it was given with (`Store.append`): it is on the disk when they
are, and not earlier. It survives a restart, a salvage, and the time in memory while the disk fails.
"""

import sqlite3
from collections.abc import Iterator, Mapping

from agent.model.errors import StoreError

MOST = 64 << 10  # bytes of a value: what is larger belongs somewhere else
LONGEST = 300  # characters of a key
_SELECT = "SELECT k, v FROM state"
_INSERT = "INSERT OR REPLACE INTO state (k, v) VALUES (?, ?)"
_DELETE = "DELETE FROM state WHERE k = ?"
Kept = Mapping[str, bytes | None]  # by key; None: to be forgotten
NOTHING: Kept = {}
Before = dict[str, tuple[bytes | None, bool]]  # by key: the value, and whether it waited to be written


class State:
    """The values, and which of them the file does not have yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """What is in the file; a row that nobody can have written counts as not there."""
        rows = connection.execute(_SELECT).fetchall()
        self._values: dict[str, bytes] = {k: v for k, v in rows if isinstance(k, str) and isinstance(v, bytes)}
        self._changed: set[str] = set()
        self.forgotten: set[str] = set()  # by this run

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Written with the next transaction. Raises StoreError for what is not small."""
        if len(value) > MOST or len(key) > LONGEST:
            raise StoreError(f"{len(value):,} bytes are too many to be kept under {key[:LONGEST]!r}")
        if self._values.get(key) != value:
            self._values[key] = value
            self._changed.add(key)

    def put(self, values: Kept) -> Before:
        """As `set` for each; None: the value is to be forgotten. What `put_back` needs. Raises StoreError as `set`."""
        before = {key: (self._values.get(key), key in self._changed) for key in values}
        try:
            for key, value in values.items():
                if value is not None:
                    self.set(key, value)
                else:
                    self._values.pop(key, None)
                    self._changed.add(key)
        except StoreError:
            self.put_back(before)
            raise
        return before

    def put_back(self, before: Before) -> None:
        """It was not written after all."""
        for key, (value, waited) in before.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
            if not waited:
                self._changed.discard(key)

    def items(self) -> Iterator[tuple[str, bytes]]:
        yield from self._values.items()

    @property
    def waiting(self) -> bool:
        """Whether the file does not have all of it."""
        return bool(self._changed)

    def write(self, connection: sqlite3.Connection) -> None:
        """In a transaction; `written` when it is through. Raises sqlite3.Error."""
        values = self._values
        connection.executemany(_INSERT, [(key, values[key]) for key in self._changed if key in values])
        connection.executemany(_DELETE, [(key,) for key in self._changed if key not in values])

    def written(self) -> None:
        self.forgotten = (self.forgotten | self._changed) - self._values.keys()
        self._changed.clear()
