"""Whether a store does what it is for, tried out: a value goes to the disk and comes back, checksums hold and bite."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.codec import checksum, decode, encode
from buffer.log import Log
from buffer.reader import revive
from buffer.state import Kept

if TYPE_CHECKING:
    from buffer.store import Store

KEY = "selftest"
PRAGMAS = ("journal_mode", "synchronous", "locking_mode")
_SCHEMA = Schema("selftest", "1s", (Tag("a", "float64"), Tag("b", "str")), 1.0)
_EID, _AT = bytes(range(8)), 1_700_000_000 * 10**9
_READ = "SELECT v FROM state WHERE k = ?"
_NEWEST = "SELECT seq, epoch, schema, ts, mono, n, crc, body FROM frame ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Probe:
    """`fault` is what was found wrong, `newest` the time of the newest frame (ns UTC; 0: there is none, or it is
    damaged), `settings` what SQLite says of PRAGMAS."""

    fault: str = ""
    newest: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)


def try_out(store: "Store") -> Probe:
    """In the thread that owns the store: a value is committed and read back. Raises StoreError."""
    kept = {KEY: os.urandom(16)}
    store.append([], kept)
    return store.shelf.probe(kept)


def probe(log: Log, written: Kept) -> Probe:
    """Of a file into which `written` has just been committed. Raises sqlite3.Error."""
    row = log.connection.execute(_READ, (KEY,)).fetchone()
    back = None if row is None else row[0]
    newest = log.connection.execute(_NEWEST).fetchone()
    frame = None if newest is None else _revived(log, *newest)
    fault = "" if back == written[KEY] else "what was written does not come back"
    fault = fault or ("" if checks() else "a checksum does not hold, or does not notice a flipped bit")
    if newest is not None and frame is None:
        fault = fault or f"the checksum of the newest frame, {newest[0]}, does not hold"
    said = {name: str(log.connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in PRAGMAS}
    return Probe(fault, frame.ts if frame else 0, said)


def _revived(log: Log, seq: int, epoch: Any, *rest: Any) -> Frame | None:
    run, known = log.epochs.get(epoch), log.schemas.get(rest[0])
    return revive(run.eid, known, (seq, *rest)) if run and known else None


def checks() -> bool:
    """Whether a frame comes back from its bytes, and its checksum notices each flipped bit."""
    frame = Frame(_SCHEMA, _AT, (0.1, "selftest"), bytes(2), 1)
    body = encode(frame)
    known = checksum(body, 1, _EID, _AT, 1, 1, 2)
    back = decode(body, 2, _SCHEMA, _AT, 1)
    flipped = (body[:n] + bytes([body[n] ^ 1]) + body[n + 1 :] for n in range(len(body)))
    return tuple(back.values) == tuple(frame.values) and all(
        checksum(each, 1, _EID, _AT, 1, 1, 2) != known for each in flipped
    )
