"""Aggregates of aligned windows: what a tag has been in the last quarter of an hour.

A window closes at the first reading after its end where readings come in order, as those of a scan do; where a source
gives its own times, `late` after its end, when nothing more has come for it meanwhile. What comes later counts into
nothing but `late`. No window is told twice, however a clock jumps, and one of which nothing is known is not told.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD
from agent.model.tag import Schema
from agent.normalise.api import Context
from agent.normalise.rules import Rules
from agent.normalise.windows.ask import Window
from agent.normalise.windows.kept import (
    KeptWindow,
    Reading,
    as_bytes,
    columns_of,
    from_bytes,
    take_over,
    waiting_of,
    written_waiting,
)
from agent.normalise.windows.tally import LONG_AGO, Tally

RUN = 32  # frames that are counted at once
WAITING = 10_000  # readings of the next window that wait for the end of this one
TOLD = 100  # windows remembered, so that none is told twice
Kind = tuple[int, int, int | None]  # every, late, hold


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> "Windows | None":
    kinds: dict[Kind, list[tuple[int, Window]]] = {}
    for column, each in enumerate(rules):
        for window in each.windows:
            hold = window.hold or (round(3e9 * schema.interval) or None)
            kinds.setdefault((window.every, window.late, hold), []).append((column, window))
    if not kinds:
        return None
    return Windows([Grid(schema, kind, asked, context) for kind, asked in kinds.items()])


class Windows:
    """All windows of the tags of one schema."""

    def __init__(self, grids: Sequence["Grid"]) -> None:
        self._grids = grids
        self.must = self.may = False

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        made: list[Frame] = []
        for grid in self._grids:
            grid.take(frame, made)
        self.may = True
        if made:
            self.must = True
        return made

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        del mono
        made: list[Frame] = []
        for grid in self._grids:
            grid.pass_to(wall, made)
        if made:
            self.must = True
        return made

    def dump(self) -> bytes:
        return as_bytes([grid.kept() for grid in self._grids])

    def load(self, kept: bytes) -> None:
        found = {(each.every, each.late, each.hold): each for each in from_bytes(kept)}
        for grid in self._grids:
            if grid.kind in found:
                grid.restore(found[grid.kind])


class Grid:
    """The tags of one schema whose windows open and close together. `start` and `end` are 0 while none is open."""

    def __init__(
        self,
        schema: Schema,
        kind: Kind,
        asked: Sequence[tuple[int, Window]],
        context: Context,
    ) -> None:
        self.kind = kind
        self._every, self._late, self._hold = kind
        self._local = context.recipes.local
        self._sheet = context.sheet(schema.device, asked[0][1].group)
        columns = [column for column, _ in asked]
        # by which they are kept: what was counted in another unit is not mixed with what comes
        self._names = [f"{schema.tags[column].name} {schema.tags[column].unit}" for column in columns]
        self._slots = {column: slot for slot, column in enumerate(columns)}
        self._tallies = [Tally(schema.tags[column], window.of, self._hold) for column, window in asked]
        outputs = [
            (self._sheet.add(made), slot, what)
            for slot, (column, window) in enumerate(asked)
            for what, made in window.tags(schema.tags[column]).items()
        ]
        self._outputs = sorted(outputs)
        self._pick = _picking(columns, len(schema.tags))
        self.start = self.end = 0
        self._told: list[int] = []  # ends of windows
        self._now = self._heard = 0  # the last time that was seen, and that at which a reading came for the window
        self._clocks = 0, 0  # ns of the last frame, on both clocks
        self._run: list[tuple[int, Sequence[Value], bytes]] = []
        self._newest = 0  # time of the last of them
        self._waiting: list[Reading] = []

    def take(self, frame: Frame, made: list[Frame]) -> None:
        ts = frame.ts
        if frame.stamps is None and frame.columns is None:
            if not self.start <= ts < self.end:
                self._turn(ts, made)
            self._clocks = ts, frame.mono
            if self.start <= ts < self.end and ts >= self._newest:
                self._newest = ts
                self._run.append((ts, self._pick(frame.values), frame.quality))
                if len(self._run) >= RUN:
                    self._count()
                return
        self._count()
        if frame.stamps is None:
            self._turn(ts, made)
        else:
            self.pass_to(ts, made)
        self._now, self._clocks = ts, (ts, frame.mono)
        columns = range(len(frame.values)) if frame.columns is None else frame.columns
        slots = [self._slots.get(column, -1) for column in columns]
        stamps = frame.stamps or (ts,) * len(slots)
        readings = zip(stamps, slots, frame.values, frame.quality, strict=True)
        asked = [(min(at, ts), slot, value, quality) for at, slot, value, quality in readings if slot >= 0]
        self._sort(asked, made)  # what a source says of the future is of now

    def pass_to(self, wall: int, made: list[Frame]) -> None:
        """Close the window when nothing can come for it any more; after a long silence there may be several."""
        self._now = wall
        while self._is_over(wall):
            self._close(made)
            if self._waiting:
                first = min(self._waiting, key=itemgetter(0))
                self._open(first[0], came=first[0])  # which was in time, however late it is now
            elif self._hold is None and any(tally.held is not None for tally in self._tallies):
                self._open(wall, came=wall)
            waiting, self._waiting = self._waiting, []
            self._sort(waiting, made)

    def _is_over(self, wall: int) -> bool:
        due = self.end + self._late
        return self.end > 0 and wall >= due and (wall >= self._heard + self._late or wall >= due + self._every)

    def _turn(self, ts: int, made: list[Frame]) -> None:
        """Readings come in order here: one beyond the window ends it. One before it comes of a clock that was set back;
        it ends the window unless its own has been told."""
        if self.start <= ts < self.end:
            return
        start, end = self._local.window(ts, self._every)
        if self.end and (ts >= self.end or end not in self._told):
            self._close(made)
        if not self.end and end not in self._told:
            self._begin(start, end)

    def _sort(self, readings: list[Reading], made: list[Frame]) -> None:
        """Each reading into the window, or to those that wait for the next, or to what is too late."""
        for reading in sorted(readings, key=itemgetter(0)):
            at, slot, value, quality = reading
            if not self.end:
                self._open(at, came=self._now)
            if self.start <= at < self.end:
                self._heard = self._now
                self._tallies[slot].one(at, value if quality < FIRST_BAD else None, quality, self.start)
            elif at >= self.end > 0:
                self._waiting.append(reading)
            else:
                self._tallies[slot].old(at, value if quality < FIRST_BAD else None)
        if len(self._waiting) > WAITING:
            self._close(made)
            waiting, self._waiting = self._waiting, []
            self._sort(waiting, made)

    def _open(self, at: int, *, came: int) -> None:
        """Unless its end was told, or it was over for long when the reading came."""
        start, end = self._local.window(at, self._every)
        if end not in self._told and came < end + self._late + self._every:
            self._begin(start, end)

    def _begin(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self._newest = self._heard = start
        for tally in self._tallies:
            if tally.held_at >= end:  # the clock was set back
                tally.held, tally.held_at, tally.reach = None, LONG_AGO, LONG_AGO

    def _count(self) -> None:
        """What was put aside goes into the tallies."""
        run, self._run = self._run, []
        if not run:
            return
        times = [ts for ts, _, _ in run]
        self._now = times[-1]
        hold, start = self._hold, self.start
        weights = [after - before for before, after in pairwise(times)]
        if hold is not None:
            weights = [min(each, hold) for each in weights]
        good = sum(weights)
        columns = list(zip(*[values for _, values, _ in run], strict=True))
        if all(quality.count(0) == len(quality) for _, _, quality in run):
            for tally, values in zip(self._tallies, columns, strict=True):
                tally.many(times, weights, good, values, start)
            return
        trusts = zip(*[self._pick(quality) for _, _, quality in run], strict=True)
        for tally, values, trust in zip(self._tallies, columns, trusts, strict=True):
            if not any(trust):
                tally.many(times, weights, good, values, start)
                continue
            for at, value, quality in zip(times, values, trust, strict=True):
                tally.one(at, value if quality < FIRST_BAD else None, quality, start)

    def _close(self, made: list[Frame]) -> None:
        """Say what the window was, at the time of its end."""
        self._count()
        start, end = self.start, self.end
        said = [tally.closing(start, end) for tally in self._tallies]
        outputs = [(column, *said[slot][what]) for column, slot, what in self._outputs if what in said[slot]]
        for tally in self._tallies:
            tally.clear()
        self.start = self.end = 0
        self._told = [*self._told[-TOLD:], end]
        if outputs:
            columns, values, quality = zip(*outputs, strict=True)
            ts, mono = self._clocks
            then = max(0, mono + end - ts) if mono else 0  # 0 of a run before, whose clock nobody knows
            made.append(self._sheet.frame(end, then, columns, values, bytes(quality)))

    def kept(self) -> KeptWindow:
        self._count()
        columns = columns_of(self._tallies, self.start, min(self._now, self.end))
        waiting = written_waiting(self._waiting)
        return KeptWindow(*self.kind, self.start, self.end, self._now, self._told, self._names, columns, waiting)

    def restore(self, kept: KeptWindow) -> None:
        """A window of another zone, or that never was one, does not go on."""
        self._told = kept.told[-TOLD:]
        is_open = kept.end > 0 and self._local.window(kept.start, self._every) == (kept.start, kept.end)
        if is_open:
            self._begin(kept.start, kept.end)
            self._now = self._heard = self._newest = min(max(kept.now, kept.start), kept.end)
            self._waiting = list(waiting_of(kept, self._tallies, self._names))[:WAITING]
        take_over(kept, dict(zip(self._names, self._tallies, strict=True)), is_open=is_open)


def _picking(columns: Sequence[int], width: int) -> Callable[[Any], Sequence[Any]]:
    if columns == list(range(width)):
        return lambda values: values
    if len(columns) == 1:
        (column,) = columns
        return lambda values: (values[column],)
    return itemgetter(*columns)
