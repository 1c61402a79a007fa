"""Swinging door: what lies on a line, near enough, need not be told; the points where the line bends are.

From the point that was told last (the pivot) there is a door to each value that comes: the lines that pass it by no
more than `door`. A new value that all doors let through may be the end of one line for all values since the pivot: it
is held, and the one that was held before it is left out. Where a door is in the way, the held one is told, with its own
time, and is the pivot now. So the line between any two values that are told passes all those between them within
`door`; the textbook's version, which only asks whether there is any such line, can be off by more.
"""

from collections.abc import Callable, Sequence
from math import inf

from agent.model.frame import Frame
from agent.normalise.columns import Columns
from agent.normalise.report.grid import Grid
from agent.normalise.report.lanes import Count
from agent.normalise.report.parts import Sample, stamp_of

QUIET = 60 * 10**9  # ns after which a held value is told although none has followed
Tell = Callable[[Sample], None]


class _Line:
    """One column: the pivot, how steep a line from it may be, and the value that may be its end."""

    __slots__ = ("held", "held_time", "held_value", "high", "low", "time", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self.held: Sample | None = None

    def begin(self, value: float, time: int) -> None:
        self.value, self.time, self.held = value, time, None
        self.low, self.high = -inf, inf

    def hold(self, value: float, time: int, door: float, sample: Sample) -> None:
        assert self.value is not None
        rise, run = value - self.value, time - self.time
        low, high = (rise - door) / run, (rise + door) / run
        self.low = max(self.low, low)
        self.high = min(self.high, high)
        self.held, self.held_value, self.held_time = sample, value, time


class Doors:
    """The columns that are told so, with the first value of each period where there is one."""

    reason = "door"

    def __init__(self, columns: Columns, doors: Sequence[float], period: int, count: Count, tell: Tell) -> None:
        self.columns = columns
        self._doors, self._lines = doors, [_Line() for _ in columns.columns]
        self._grid = Grid(period, len(columns)) if period else None
        self._count, self._tell = count, tell

    def whole(self, frame: Frame, turned: Sequence[int]) -> Sequence[int]:
        news = set(turned)
        return [c for number, c in enumerate(self.columns.columns) if self.one(number, frame, c, turned=c in news)]

    def one(self, number: int, frame: Frame, place: int, *, turned: bool) -> bool:
        line, value, time = self._lines[number], frame.values[place], stamp_of(frame, place)
        due = self._grid is not None and self._grid.one(number, frame.ts)
        if value is None or isinstance(value, str):
            if turned or due:
                self._release(line)
                line.value = None
                return True
            self._count(self.reason, 1)
            return False
        try:
            return self._follow(line, value, time, self._doors[number], (frame, place), turned=turned, due=due)
        except OverflowError:  # an integer beyond the range of a float
            return self._anew(line, value, time)

    def _follow(
        self, line: _Line, value: float, time: int, door: float, sample: Sample, *, turned: bool, due: bool
    ) -> bool:
        if line.value is None or turned:
            return self._anew(line, value, time)
        newest = line.time if line.held is None else line.held_time
        if time <= newest and not due:
            if time == newest and value == (line.value if line.held is None else line.held_value):
                self._count(self.reason, 1)  # the source has said it before
                return False
            return self._anew(line, value, time)
        fits = time > newest and line.low <= (value - line.value) / (time - line.time) <= line.high
        if fits and line.held is not None:
            self._count(self.reason, 1)
            line.held = None
        if due:
            return self._anew(line, value, time)
        if not fits:
            self._release(line)
        line.hold(value, time, door, sample)
        return False

    def _anew(self, line: _Line, value: float, time: int) -> bool:
        self._release(line)
        line.begin(value, time)
        return True

    def _release(self, line: _Line) -> None:
        """What is held is told, and the next line begins there."""
        if line.held is not None:
            self._tell(line.held)
            line.begin(line.held_value, line.held_time)

    def tick(self, mono: int, overdue: Sequence[int]) -> None:
        """Tell what nothing has followed for long, or what is `overdue`: columns of the schema."""
        late = {self.columns.index[column] for column in overdue if column in self.columns.index}
        for number, line in enumerate(self._lines):
            if line.held is not None and (number in late or mono - line.held[0].mono >= self._quiet(line.held[0])):
                self._release(line)

    def _quiet(self, frame: Frame) -> float:
        return max(QUIET, 2e9 * frame.schema.interval)

    def finish(self) -> list[Sample]:
        """The ends of all lines."""
        found = [line.held for line in self._lines if line.held is not None]
        self._lines = [_Line() for _ in self._lines]
        return found

    def settle(self) -> None:
        """No more will be told."""
        held = sum(line.held is not None for line in self._lines)
        if held:
            self._count(self.reason, held)
        self._lines = [_Line() for _ in self._lines]
