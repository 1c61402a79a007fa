"""The columns of a schema that are told by the same rule; each lane knows what it has told last."""

from collections.abc import Callable, Mapping, Sequence
from math import floor, inf
from typing import Protocol

from agent.model.frame import Frame, Value
from agent.normalise.columns import Columns
from agent.normalise.report.asked import Reporting
from agent.normalise.report.grid import Grid
from agent.normalise.report.parts import Sample

Count = Callable[[str, int], None]  # the rule that left out so many samples


class Lane(Protocol):
    """`turned`: the quality is another one than before, so the value is told whatever it is."""

    columns: Columns
    reason: str  # by which values that are left out are counted

    def whole(self, frame: Frame, turned: Sequence[int]) -> Sequence[int]:
        """Which columns of the schema are told, of a frame that has all; `turned` are columns of the schema, too."""
        ...

    def one(self, number: int, frame: Frame, place: int, *, turned: bool) -> bool:
        """Whether the value at this place is told, which is that of the lane's column `number`."""
        ...


class Always:
    """All of them."""

    reason = ""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def whole(self, frame: Frame, turned: Sequence[int]) -> Sequence[int]:
        del frame, turned
        return self.columns.columns

    def one(self, number: int, frame: Frame, place: int, *, turned: bool) -> bool:
        del number, frame, place, turned
        return True


class Changed:
    """Those that are not what was told last, and the first of each period."""

    reason = "unchanged"

    def __init__(self, columns: Columns, period: int, count: Count) -> None:
        self.columns = columns
        self._grid = Grid(period, len(columns)) if period else None
        self._count = count
        self._last: list[Value] = [None] * len(columns)

    def whole(self, frame: Frame, turned: Sequence[int]) -> Sequence[int]:
        columns, values = self.columns, self.columns.pick(frame.values)
        due = self._grid.whole(frame.ts) if self._grid else ()
        numbers = self._moved(values)
        if turned or due:
            index = columns.index
            numbers = sorted({*numbers, *due, *(index[column] for column in turned if column in index)})
        if numbers:
            self._keep(numbers, values)
        if len(numbers) < len(columns):
            self._count(self.reason, len(columns) - len(numbers))
        return [columns.columns[number] for number in numbers]

    def one(self, number: int, frame: Frame, place: int, *, turned: bool) -> bool:
        value = frame.values[place]
        due = self._grid is not None and self._grid.one(number, frame.ts)
        told = turned or due or self._has_moved(number, value)
        if told:
            self._keep((number,), {number: value})
        else:
            self._count(self.reason, 1)
        return told

    def _moved(self, values: Sequence[Value]) -> Sequence[int]:
        now, last = list(values), self._last
        if now == last:
            return ()
        return [number for number, value, before in zip(range(len(now)), now, last, strict=True) if value != before]

    def _has_moved(self, number: int, value: Value) -> bool:
        return value != self._last[number]

    def _keep(self, numbers: Sequence[int], values: Sequence[Value] | Mapping[int, Value]) -> None:
        """These are told."""
        last = self._last
        for number in numbers:
            last[number] = values[number]


class Beyond(Changed):
    """Those that are further from what was told last than a band, which may be a share of it."""

    reason = "deadband"

    def __init__(self, columns: Columns, asked: Sequence[Reporting], whole: Sequence[bool], count: Count) -> None:
        """`asked` and `whole`, whether its values are whole numbers, so that all digits of a counter count, have an
        entry for each column."""
        super().__init__(columns, asked[0].period, count)
        rows = list(zip(asked, whole, strict=True))
        self._bands = [None if each.share else floor(each.band) if exact else each.band for each, exact in rows]
        self._shares = [(each.band, each.share, exact) for each, exact in rows]
        self._lows: list[float] = [-inf] * len(columns)
        self._highs: list[float] = [inf] * len(columns)

    def _moved(self, values: Sequence[Value]) -> Sequence[int]:
        rows = zip(range(len(values)), values, self._lows, self._highs, strict=True)
        try:
            return [number for number, value, low, high in rows if value < low or value > high]  # type: ignore[operator]  # None is what the except is for
        except TypeError:
            return [number for number, value in enumerate(values) if self._has_moved(number, value)]

    def _has_moved(self, number: int, value: Value) -> bool:
        return value is not None and not self._lows[number] <= value <= self._highs[number]  # type: ignore[operator]  # numbers, as fit has seen

    def _keep(self, numbers: Sequence[int], values: Sequence[Value] | Mapping[int, Value]) -> None:
        bands, lows, highs = self._bands, self._lows, self._highs
        for number in numbers:
            band, value = bands[number], values[number]
            if band is None or value is None:
                lows[number], highs[number] = self._edges(number, value)
            else:
                lows[number], highs[number] = value - band, value + band  # type: ignore[operator]  # numbers, as fit has seen

    def _edges(self, number: int, value: Value) -> tuple[float, float]:
        """Where a band that is a share ends; around no value it has no end, for then the quality will turn."""
        if value is None:
            return -inf, inf
        least, share, whole = self._shares[number]
        try:
            band = max(least, share * abs(value))  # type: ignore[arg-type]  # numbers, as fit has seen
        except OverflowError:  # an integer beyond the range of a float
            band = 0
        band = floor(band) if whole and band < inf else band
        return value - band, value + band  # type: ignore[operator]  # as above


class Sampled:
    """The first of each period. What a quiet source said last is held, until its time has come."""

    reason = "period"

    def __init__(self, columns: Columns, period: int, count: Count, *, held: bool) -> None:
        """`held`: nobody knows when the next value comes, so that the last one must not be left out."""
        self.columns = columns
        self._grid, self._count = Grid(period, len(columns)), count
        self._held: dict[int, Sample] | None = {} if held else None

    def whole(self, frame: Frame, turned: Sequence[int]) -> Sequence[int]:
        columns = self.columns
        if self._held is not None:
            news = set(turned)
            return [c for number, c in enumerate(columns.columns) if self.one(number, frame, c, turned=c in news)]
        numbers = self._grid.whole(frame.ts)
        if turned and len(numbers) < len(columns):
            index = columns.index
            numbers = sorted({*numbers, *(index[column] for column in turned if column in index)})
        if len(numbers) < len(columns):
            self._count(self.reason, len(columns) - len(numbers))
        return [columns.columns[number] for number in numbers]

    def one(self, number: int, frame: Frame, place: int, *, turned: bool) -> bool:
        told = self._grid.one(number, frame.ts) or turned
        if self._held is None:
            if not told:
                self._count(self.reason, 1)
            return told
        if self._held.pop(number, None):
            self._count(self.reason, 1)  # a newer one is told or held instead
        if not told:
            self._held[number] = frame, place
        return told

    def tick(self, wall: int) -> list[Sample]:
        """What was held, and is due."""
        held = self._held
        return [held.pop(number) for number in list(held) if self._grid.one(number, wall)] if held else []

    def finish(self) -> list[Sample]:
        """What is held, and will not be asked for again."""
        found = [*self._held.values()] if self._held else []
        self._held = {} if self._held is not None else None
        return found

    def settle(self) -> None:
        """No more will be told."""
        if self._held:
            self._count(self.reason, len(self._held))
            self._held.clear()
