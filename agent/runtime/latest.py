"""The newest values of each group: what is asked for now, not what is owed."""

from collections.abc import Iterable
from typing import NamedTuple

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema

_MARKED = 64  # sparse frames of a group, with different columns, of which the number is known
_WAITING = 64  # sparse frames of a group, with different columns, that are put together at once


class Commit(NamedTuple):
    """Frames that reached the disk together: the run, and when that was (ns UTC)."""

    epoch: str
    at: int


class Mark(NamedTuple):
    """The number that a frame has in the store."""

    seq: int
    commit: Commit


class _Row:
    """The columns of a group that speaks up by itself, put together from sparse frames.

    That costs something for each value, so it waits until somebody asks: of frames with the same columns, as they come
    again and again, only the last counts.
    """

    __slots__ = ("frame", "quality", "stamps", "values", "waiting")

    def __init__(self, schema: Schema, whole: Frame | None) -> None:
        count = len(schema.tags)
        self.values: list[Value] = list(whole.values) if whole else [None] * count
        self.quality = bytearray(whole.quality if whole else bytes((Quality.BAD_COMM,)) * count)
        self.stamps = list(_stamps(whole)) if whole else [0] * count
        self.frame = whole
        self.waiting: dict[tuple[int, ...], Frame] = {}  # in the order in which they came

    def put(self, frame: Frame) -> None:
        assert frame.columns is not None
        waiting = self.waiting
        waiting.pop(frame.columns, None)
        waiting[frame.columns] = self.frame = frame
        if len(waiting) > _WAITING:
            self._merge()

    def _merge(self) -> None:
        values, quality, stamps = self.values, self.quality, self.stamps
        for columns, frame in self.waiting.items():
            for place, column in enumerate(columns):
                values[column] = frame.values[place]
                quality[column] = frame.quality[place]
                stamps[column] = frame.stamps[place] if frame.stamps else frame.ts
        self.waiting.clear()

    def whole_quality(self) -> bytes:
        self._merge()
        return bytes(self.quality)

    def whole(self) -> Frame | None:
        self._merge()
        last = self.frame
        if last is None:
            return None
        return Frame(last.schema, last.ts, tuple(self.values), bytes(self.quality), last.mono, None, tuple(self.stamps))


class Latest:
    """Costs a reference a frame, for sparse frames too as long as the same columns come again.

    A tag of which nothing has come yet is None and `bad_comm`, with 0 as its time. A group that has more tags at its
    end than before keeps what is known of the others.
    """

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], Schema] = {}
        self._known: set[Schema] = set()
        self._whole: dict[Schema, Frame] = {}
        self._rows: dict[Schema, _Row] = {}
        self._marks: dict[Schema, dict[tuple[int, ...] | None, tuple[int, Commit]]] = {}  # the newest last
        self._past: set[Schema] = set()  # of which a frame or two may still come: those of others are newer

    def add(self, frames: Iterable[Frame], first: int = 0, commit: Commit | None = None) -> None:
        """Frames that were committed; their numbers begin with `first`, unless nobody knows them."""
        whole, rows = self._whole, self._rows
        for number, frame in enumerate(frames, first):
            schema = frame.schema
            if schema not in self._known:
                if schema in self._past:
                    continue
                self._meet(schema)
            if frame.columns is None:
                whole[schema] = frame
                if schema in rows:
                    del rows[schema]
            else:
                row = rows.get(schema)
                if row is None:
                    row = rows[schema] = _Row(schema, whole.get(schema))
                row.put(frame)
            if commit is None:
                continue
            if frame.columns is None:
                self._marks[schema] = {None: (number, commit)}
            else:
                self._mark(frame, number, commit)

    def _mark(self, frame: Frame, number: int, commit: Commit) -> None:
        marks = self._marks.setdefault(frame.schema, {})
        marks.pop(frame.columns, None)
        if len(marks) >= _MARKED:
            del marks[next(iter(marks))]
        marks[frame.columns] = number, commit

    def mark(self, schema: Schema, column: int) -> Mark | None:
        """The number of the last frame that told this column, and its commit, as far as that is known."""
        marks = self._marks.get(schema, {})
        found = [mark for columns, mark in marks.items() if columns is None or column in columns]
        return Mark(*found[-1]) if found else None

    def forget_marks(self) -> None:
        """The store was mended: frames may have other numbers now."""
        self._marks.clear()

    def get(self, schema: Schema) -> Frame | None:
        """All columns, each with its own time in `stamps` (ns UTC); None when the group has given nothing yet."""
        row = self._rows.get(schema)
        if row is not None:
            return row.whole()
        frame = self._whole.get(schema)
        if frame is None:
            return None
        return Frame(schema, frame.ts, frame.values, frame.quality, frame.mono, None, tuple(_stamps(frame)))

    def quality(self, schema: Schema) -> bytes | None:
        """That of all columns; None when the group has given nothing yet."""
        row = self._rows.get(schema)
        frame = self._whole.get(schema)
        return row.whole_quality() if row is not None else None if frame is None else frame.quality

    def keep_only(self, schemas: Iterable[Schema]) -> None:
        """There are these groups now, and no others; what is known of a group goes on with its new schema."""
        wanted, before = set(schemas), set(self._known)
        for schema in wanted - before:
            self._meet(schema)
        for gone in self._known - wanted:
            self._forget(gone)
        self._past = before - wanted
        self._newest = {(schema.device, schema.group): schema for schema in wanted}

    def _forget(self, schema: Schema) -> None:
        self._whole.pop(schema, None)
        self._rows.pop(schema, None)
        self._marks.pop(schema, None)
        self._known.discard(schema)

    def _meet(self, schema: Schema) -> None:
        """It is new: the group may have grown, or have other tags than before."""
        group = schema.device, schema.group
        before, self._newest[group] = self._newest.get(group), schema
        self._known.add(schema)
        if before is None:
            return
        last = self.get(before)
        self._forget(before)
        known = {tag: place for place, tag in enumerate(before.tags)}
        pairs = [(column, known[tag]) for column, tag in enumerate(schema.tags) if tag in known]
        if last is not None and last.stamps is not None and pairs:
            columns, places = zip(*pairs, strict=True)
            values, quality = [last.values[place] for place in places], bytes(last.quality[place] for place in places)
            row = self._rows[schema] = _Row(schema, None)
            stamps = tuple(last.stamps[place] for place in places)
            row.put(Frame(schema, last.ts, values, quality, last.mono, columns, stamps))


def _stamps(frame: Frame) -> Iterable[int]:
    return frame.stamps or (frame.ts,) * len(frame.values)
