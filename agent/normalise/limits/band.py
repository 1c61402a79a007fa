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
        self._within: Sequence[Value] = ()  # the values of the last whole frame of which none was outside
        self._clamp = tuple(limits.clamp for limits in asked.values())

    def __call__(self, frame: Frame) -> Frame:
        whole = frame.columns is None
        if whole and frame.values == self._within:
            return frame
        outside = self._outside(frame)
        if outside:
            return self._without(frame, outside)
        if whole:
            self._within = frame.values
        return frame

    def _outside(self, frame: Frame) -> Sequence[tuple[int, int]]:
        """(place in the frame, number of the column)"""
        columns, lows, highs = self._columns, self._lows, self._highs
        if frame.columns is None:
            rows = zip(columns.columns, columns.pick(frame.values), lows, highs, strict=True)
            try:
                found = [place for place, value, low, high in rows if value < low or value > high]  # type: ignore[operator]  # None is what the except is for
            except TypeError:
                pass
            else:
                return [(place, columns.index[place]) for place in found]
        values = frame.values
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
