"""Why a sink did not take what was set aside for it: one row a frame, as long as it stays aside."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from buffer.debtor import Debtor

_INSERT = "INSERT OR REPLACE INTO refusal (sink, seq, error, tries, at) VALUES (?, ?, ?, ?, ?)"
_LONGEST = 500  # characters of an error that are kept


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the sink said, how often the frame was tried, and when it was set aside (ns UTC)."""

    error: str
    tries: int
    at: int


def settle(connection: sqlite3.Connection, sink: Debtor, new: Mapping[tuple[int, int], Refusal]) -> None:
    """Bring the rows of one sink in step with what is aside for it."""
    rows = [
        (id_, seq, refusal.error[:_LONGEST], refusal.tries, refusal.at)
        for (id_, seq), refusal in new.items()
        if id_ == sink.id and seq in sink.aside
    ]
    connection.executemany(_INSERT, rows)
    for (seq,) in connection.execute("SELECT seq FROM refusal WHERE sink = ?", (sink.id,)).fetchall():
        if seq not in sink.aside:
            connection.execute("DELETE FROM refusal WHERE sink = ? AND seq = ?", (sink.id, seq))


def load(connection: sqlite3.Connection, sink: Debtor) -> dict[int, Refusal]:
    """By seq, as the file has them."""
    query = "SELECT seq, error, tries, at FROM refusal WHERE sink = ?"
    return {seq: Refusal(*rest) for seq, *rest in connection.execute(query, (sink.id,)).fetchall()}
