"""The columns of one scan at one time: the only shape in which values travel through the agent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.model.quality import FIRST_BAD
from agent.model.tag import Schema, Tag

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """One scan.

    `ts` is the arrival of the answer in ns since 1970 UTC, `mono` the same instant on the monotonic clock (ns).
    `values` and `quality` have one entry per column; a column without a usable value is None. `columns` names the
    positions in `schema.tags` when the frame is sparse (None: all of them, in order). `stamps` holds the source's
    own time per column (ns UTC) where the source gives one.
    """

    schema: Schema
    ts: int
    values: Sequence[Value]
    quality: bytes
    mono: int = 0
    columns: tuple[int, ...] | None = None
    stamps: tuple[int, ...] | None = None

    def tags(self) -> Sequence[Tag]:
        tags = self.schema.tags
        return tags if self.columns is None else [tags[column] for column in self.columns]

    def rows(self) -> Iterator[tuple[Tag, Value, int]]:
        """(tag, value, quality) per column: for people and tests, never for the hot path."""
        return zip(self.tags(), self.values, self.quality, strict=True)


def bad_frame(schema: Schema, quality: int, ts: int, mono: int) -> Frame:
    """A frame that says that nothing of the group could be read."""
    assert quality >= FIRST_BAD
    n = len(schema.tags)
    return Frame(schema, ts, (None,) * n, bytes((quality,)) * n, mono)


class Entry(NamedTuple):
    """A frame as the store hands it to a sink: `(epoch, seq)` names it for ever, `history` marks a backlog.

    `clock` is `unsynced` when the wall clock was wrong when the frame was stamped and nobody knows by how much, and
    `corrected` when its `ts` has been put right since.
    """

    epoch: str
    seq: int
    history: bool
    frame: Frame
    clock: str = ""
