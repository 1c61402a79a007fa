"""Frames back from the file: each is checked against its CRC, and what does not hold is counted and passed over."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.model.frame import Frame
from agent.model.tag import Schema
from buffer.codec import checksum, decode
from buffer.ledger import Part, part
from buffer.log import Log
from buffer.ranges import Ranges, runs

SELECT = "SELECT seq, epoch, schema, ts, mono, n, crc, body FROM frame WHERE seq BETWEEN ? AND ? ORDER BY seq"
Found = tuple[str, int, Frame]  # epoch in hex, seq, frame


def revive(eid: bytes, known: Schema, row: Sequence[Any]) -> Frame | None:
    """The frame of a row (seq, schema, ts, mono, n, crc, body) of a known run; None if its checksum does not hold."""
    try:
        seq, schema, ts, mono, n, crc, body = row
        if checksum(body, seq, eid, ts, mono, schema, n) != crc:
            return None
        return decode(body, n, known, ts, mono)
    except (struct.error, TypeError, ValueError):
        return None


class Reader:
    """Reads one log; the caller bounds how much at once."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def read(self, first: int, last: int) -> list[Found]:
        """The sound frames among first..last. No sink is owed the others any more: they are losses now."""
        found: list[Found] = []
        damaged: dict[int, Part] = {}
        for row in self._log.connection.execute(SELECT, (first, last)).fetchall():
            frame = self._revive(*row)
            if frame:
                found.append(frame)
            else:
                damaged[row[0]] = self._part(*row)
        if len(found) < last - first + 1:
            self._lose(first, last, [seq for _, seq, _ in found], damaged)
        return found

    def check(self, first: int, last: int) -> None:
        """As `read`, for those that nobody asks for now: their checksums only."""
        rows = self._log.connection.execute(SELECT, (first, last)).fetchall()
        damaged = {row[0]: self._part(*row) for row in rows if not self._holds(*row)}
        if damaged or len(rows) < last - first + 1:
            self._lose(first, last, [row[0] for row in rows], damaged)

    def _holds(self, seq: int, epoch: Any, schema: Any, ts: Any, mono: Any, n: Any, crc: Any, body: Any) -> bool:
        try:
            return checksum(body, seq, self._log.epochs[epoch].eid, ts, mono, schema, n) == int(crc)
        except (struct.error, TypeError, ValueError, KeyError):
            return False

    def _revive(self, seq: int, epoch: Any, *rest: Any) -> Found | None:
        """None for a row that is damaged; a flipped bit may change even the type of a column."""
        run, known = self._log.epochs.get(epoch), self._log.schemas.get(rest[0])
        frame = revive(run.eid, known, (seq, *rest)) if run and known else None
        return (run.eid.hex(), seq, frame) if run and frame else None

    def _part(self, seq: int, epoch: Any, schema: Any, ts: Any, mono: Any, n: Any, crc: Any, body: Any) -> Part:
        return part(self._log.schemas.device(schema), n, ts)

    def _lose(self, first: int, last: int, there: Iterable[int], damaged: Mapping[int, Part]) -> None:
        missing = Ranges([(first, last)])
        for seq in (*there, *damaged):
            missing.remove(seq, seq)
        self._log.lose(damaged, runs(sorted(damaged)), "corrupt")
        self._log.lose({}, missing, "missing")
