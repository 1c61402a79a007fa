"""Periods on the grid of the wall clock, of several columns: the first value in each is due.

A clock that is set begins another period, and no more.
"""

from collections.abc import Sequence


class Grid:
    """As long as frames are whole all columns are in one period, and one comparison does for all of them."""

    def __init__(self, period: int, count: int) -> None:
        self._period, self._count = period, count  # ns; of columns
        self._all: int | None = -1  # the period of all of them
        self._each: list[int] = []  # of each, when they differ

    def whole(self, ts: int) -> Sequence[int]:
        """The columns of which a value at that time (ns UTC) is due."""
        now = ts // self._period
        before, self._all = self._all, now
        if before == now:
            return ()
        return range(self._count) if before is not None else [n for n, then in enumerate(self._each) if then != now]

    def one(self, number: int, ts: int) -> bool:
        now = ts // self._period
        if self._all == now:
            return False
        if self._all is not None:
            self._each, self._all = [self._all] * self._count, None
        before, self._each[number] = self._each[number], now
        return before != now
