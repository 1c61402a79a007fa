"""The ledger as it was at earlier hours, so that the account of a period can be told.

One row an hour, of the last 48, and the first one of each day before that, for 92 days. Rows are counted and not
compared with the clock, so that a clock which jumps does not empty the table.
"""

import sqlite3
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from buffer.ledger import Account, Cell, accounts
from buffer.log import Log

HOURLY, DAILY = 48, 92
_HOUR, _DAY = 3600 * 10**9, 86_400 * 10**9
_FAST = 1  # of zlib: the counters of a thousand devices in 2 ms
_Counts = list[tuple[int, str, str, str, int]]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Counts).decode
_NEWEST = "SELECT CAST(at AS INTEGER) FROM snapshot ORDER BY id DESC LIMIT 1"
_BEFORE = "SELECT at, body FROM snapshot WHERE at <= ? ORDER BY at DESC, id DESC"
_OLDEST = "SELECT at, body FROM snapshot ORDER BY at, id"


class Past(NamedTuple):
    """The accounts as they were `at` (ns UTC), without what was buffered and set aside then."""

    at: int
    accounts: list[Account]


def due(connection: sqlite3.Connection, now: int) -> bool:
    """Whether the newest is an hour away, in whichever direction."""
    newest = connection.execute(_NEWEST).fetchone()
    return newest is None or abs(now - newest[0]) >= _HOUR


def take(connection: sqlite3.Connection, counts: Mapping[Cell, int], now: int) -> None:
    """Write a row, in a transaction of the caller's, and delete those that are too many."""
    body = zlib.compress(_encode([(*cell, samples) for cell, samples in counts.items()]), _FAST)
    connection.execute("INSERT INTO snapshot (at, body) VALUES (?, ?)", (now, body))
    rows = connection.execute("SELECT id, CAST(at AS INTEGER) FROM snapshot ORDER BY id DESC").fetchall()
    connection.executemany("DELETE FROM snapshot WHERE id = ?", [(id_,) for id_ in _too_many(rows)])


def past(log: Log, at: int) -> Past | None:
    """The newest that is not after this time, or the oldest if all are; None if there is none."""
    for query, values in ((_BEFORE, (at,)), (_OLDEST, ())):
        for then, body in log.connection.execute(query, values).fetchall():
            counts = _counts(body)
            if counts is not None:
                return Past(then, accounts({sink.id: sink.name for sink in log.sinks.values()}, counts.items(), {}, {}))
    return None


def _too_many(rows: list[tuple[int, int]]) -> set[int]:
    """Of rows (id, at), newest first, those that go."""
    firsts = {at // _DAY: id_ for id_, at in rows[HOURLY:]}  # the oldest of a day comes last
    kept = sorted(firsts.values(), reverse=True)[:DAILY]
    return {id_ for id_, _ in rows[HOURLY:]} - set(kept)


def _counts(body: bytes) -> dict[Cell, int] | None:
    """None for a row that is damaged."""
    try:
        rows = _decode(zlib.decompress(body))
    except (zlib.error, msgspec.MsgspecError, TypeError):
        return None
    return {(sink, device, what, reason): samples for sink, device, what, reason, samples in rows}  # type: ignore[misc]  # a word that is none in What
