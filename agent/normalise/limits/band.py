"""A value beyond what its tag can have is bad, or becomes the nearest one that it can have."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, inf

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import FLOATS, Schema
from agent.normalise.columns import Columns
from agent.normalise.limits.asked import Limits
from agent.normalise.limits.rewrite import rewritten

Edge = int | float


class Band:
    """One look at the values of all its columns tells which of them are outside; mostly none is."""

    def __init__(self, schema: Schema, asked: Mapping[int, Limits]) -> None:
        self.schema = schema
        self._columns = Columns(tuple(asked), len(schema.tags))
        edges = [edges_of(limits, schema.tags[column].dtype) for column, limits in asked.items()]
        self._lows, self._highs = tuple(low for low, _ in edges), tuple(high for _, high in edges)
        self._within: Sequence[Value] = ()  # the last values of a whole frame of which none was outside
        self._clamp = tuple(limits.clamp for limits in asked.values())

    def __call__(self, frame: Frame) -> Frame:
        outside = self._outside(frame) if frame.columns is None else self._carefully(frame)
        return self._without(frame, outside) if outside else frame

    def _outside(self, frame: Frame) -> Sequence[tuple[int, int]]:
        """(place in the frame, number of the column) of a whole frame."""
        columns = self._columns
        values = columns.pick(frame.values)
        if values == self._within:
            return ()
        rows = zip(columns.columns, values, self._lows, self._highs, strict=True)
        try:
            found = [place for place, value, low, high in rows if value < low or value > high]  # type: ignore[operator]  # None is what the except is for
        except TypeError:
            return self._carefully(frame)
        if not found:
            self._within = values
        return [(place, columns.index[place]) for place in found]

    def _carefully(self, frame: Frame) -> Sequence[tuple[int, int]]:
        columns, lows, highs, values = self._columns, self._lows, self._highs, frame.values
        return [
            (place, number)
            for place, number in columns.places(frame)
            if (value := values[place]) is not None and not lows[number] <= value <= highs[number]  # type: ignore[operator]  # numbers, as fit has seen
        ]

    def _without(self, frame: Frame, outside: Sequence[tuple[int, int]]) -> Frame:
        return rewritten(frame, [(place, *self._instead(number, frame.values[place])) for place, number in outside])

    def _instead(self, number: int, value: Value) -> tuple[Value, Quality]:
        if not self._clamp[number]:
            return None, Quality.BAD_RANGE
        low, high = self._lows[number], self._highs[number]
        return low if value < low else high, Quality.CLAMPED  # type: ignore[operator]  # numbers, as fit has seen


def edges_of(limits: Limits, dtype: str) -> tuple[Edge, Edge]:
    """The smallest and the largest value that is within: whole numbers for a tag of whole numbers."""
    low, high = -inf if limits.min is None else limits.min, inf if limits.max is None else limits.max
    if dtype in FLOATS:
        return _float(low), _float(high)  # which are compared with floats in half of the time
    return low if low == -inf else ceil(low), high if high == inf else floor(high)


def _float(edge: Edge) -> Edge:
    """The same number; a whole one that no float is stays as it is."""
    try:
        return float(edge) if float(edge) == edge else edge
    except OverflowError:
        return edge
