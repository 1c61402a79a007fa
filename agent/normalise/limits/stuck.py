"""A value that has been the same for longer than it can be is bad until it moves.

Only time in which the device answers counts. Between two frames no more than half of the time counts that a value may
be the same, so that neither a long silence nor a clock that is set makes a value bad: it takes three frames at least.
"""

from collections.abc import Mapping, Sequence

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema
from agent.normalise.columns import Columns
from agent.normalise.limits.asked import Limits
from agent.normalise.limits.rewrite import bad

_OURS = (Quality.BAD_RANGE, Quality.BAD_JUMP, Quality.BAD_STUCK)
_ANSWERED = frozenset({*range(FIRST_BAD), *_OURS})  # what was read, good or not


class Stuck:
    """The columns that may be the same for equally long; text is compared as it is, numbers with a band."""

    def __init__(self, schema: Schema, asked: Mapping[int, Limits], most: int) -> None:
        self.schema = schema
        self._columns = columns = Columns(tuple(asked), len(schema.tags))
        self._bands = tuple(limits.band for limits in asked.values())
        self._most = most  # ns
        self._last: int | None = None  # frame.ts
        self._now = 0  # ns in which the device answered
        self._values: list[Value] = [None] * len(columns)  # from which they have not moved
        self._since = [0] * len(columns)
        self._oldest = 0  # not after any of `since`

    def __call__(self, frame: Frame) -> Frame:
        self._pass(frame)
        whole = frame.columns is None
        values = self._columns.pick(frame.values) if whole else ()
        moved = self._moved(values) if whole else None
        if moved is None:
            return self._careful(frame)
        if len(moved) == len(values):
            self._values[:] = values
            self._since[:] = [self._now] * len(values)
            self._oldest = self._now
            return frame
        for number in moved:
            self._values[number], self._since[number] = values[number], self._now
        if self._now - self._oldest <= self._most:
            return frame
        self._oldest = min(self._since)
        wrong = [self._columns.columns[number] for number, since in enumerate(self._since) if self._over(since)]
        return bad(frame, wrong, Quality.BAD_STUCK) if wrong else frame

    def _pass(self, frame: Frame) -> None:
        last, self._last = self._last, frame.ts
        if last is not None and frame.ts > last and _answered(frame.quality):
            self._now += min(frame.ts - last, self._most // 2)

    def _over(self, since: int) -> bool:
        return self._now - since > self._most

    def _moved(self, values: Sequence[Value]) -> list[int] | None:
        """Which have; None where that needs care."""
        rows = zip(range(len(values)), values, self._values, self._bands, strict=True)
        try:
            return [number for number, value, anchor, band in rows if abs(value - anchor) > band]  # type: ignore[operator]  # None and text are what the except is for
        except (TypeError, OverflowError):
            return None

    def _careful(self, frame: Frame) -> Frame:
        wrong: list[int] = []
        for place, number in self._columns.places(frame):
            value = frame.values[place]
            if value is None:
                continue
            if _far(value, self._values[number], self._bands[number]):
                self._values[number], self._since[number] = value, self._now
            elif self._over(self._since[number]):
                wrong.append(place)
        return bad(frame, wrong, Quality.BAD_STUCK) if wrong else frame


def _answered(quality: bytes) -> bool:
    return 0 in quality or not _ANSWERED.isdisjoint(quality)


def _far(value: Value, anchor: Value, band: float) -> bool:
    if isinstance(value, str) or anchor is None or isinstance(anchor, str):
        return value != anchor
    try:
        return abs(value - anchor) > band  # type: ignore[operator]  # a value that is none was left out
    except OverflowError:  # an integer beyond the range of a float
        return True
