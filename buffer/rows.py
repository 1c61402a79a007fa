"""Frames to rows of the table `frame`."""

from collections.abc import Sequence
from typing import Any

from agent.model.frame import Frame
from buffer.codec import UNWRITABLE, checksum, cleaned, encode
from buffer.log import Log
from buffer.schemas import Known

Row = tuple[Any, ...]
INSERT = "INSERT INTO frame (seq, epoch, schema, ts, mono, n, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
ROW = 48  # bytes of a row besides the body, roughly
_SPARE = 256 << 10  # bytes for what a commit writes besides frames


def to_rows(log: Log, frames: Sequence[Frame], first: int) -> tuple[list[Row], list[Frame]]:
    """The rows of frames whose seqs start at `first`, and the frames as they can be read back."""
    rows: list[Row] = []
    kept: list[Frame] = []
    for seq, frame in enumerate(frames, first):
        schema = log.schemas.known(frame.schema)
        try:
            row = _row(log, frame, seq, schema)
        except UNWRITABLE:
            frame = cleaned(frame)  # noqa: PLW2901  # what is remembered must be what was written
            row = _row(log, frame, seq, schema)
        rows.append(row)
        kept.append(frame)
    return rows, kept


def need(frames: Sequence[Frame]) -> int:
    """Bytes in the file that these take at most, roughly: two pages hold a frame that is just too large for one."""
    return _SPARE + sum(64 + 2 * len(encode(cleaned(frame))) for frame in frames)


def _row(log: Log, frame: Frame, seq: int, schema: Known) -> Row:
    """Raises one of UNWRITABLE."""
    epoch, ts, mono, n = log.epoch, frame.ts, frame.mono, len(frame.values)
    body = encode(frame, schema.packer)
    crc = checksum(body, seq, epoch.eid, ts, mono, schema.id, n)
    return seq, epoch.id, schema.id, ts, mono, n, crc, body
