"""What an alarm looks at where it is not the value itself: how fast it changes, how far it is from another."""

from collections import deque
from typing import Any

from agent.normalise.alarms.cell import Cell
from agent.normalise.alarms.rule import SECOND

PARTS = 32  # of the time over which a rate is told: so often a value is kept


class Slope:
    """The change per second from the newest value that is at least `over` ns old; values are kept 32 times in it."""

    __slots__ = ("_kept", "_over", "_step")

    def __init__(self, over: int) -> None:
        self._over, self._step = over, over // PARTS
        self._kept: deque[tuple[int, Any]] = deque()

    def __call__(self, value: Any, t: int) -> float | None:
        """None as long as there is none so old. Time that goes backwards begins anew."""
        kept, found = self._kept, None
        if kept and t < kept[-1][0]:
            kept.clear()
        while len(kept) > 1 and kept[1][0] <= t - self._over:
            kept.popleft()
        if kept and kept[0][0] <= t - self._over:
            found = _per_second(value, kept[0][1], t - kept[0][0])
        if not kept or t - kept[-1][0] >= self._step:
            kept.append((t, value))
        return found


class Mark:
    """A tag from which others measure how far they are away."""

    __slots__ = ("gaps", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.gaps: list[Gap] = []


class Gap:
    """How far a tag is from another one, which may be read at other times."""

    __slots__ = ("cell", "mark", "own")

    def __init__(self, cell: Cell, mark: Mark) -> None:
        self.cell, self.mark = cell, mark
        self.own: Any = None
        mark.gaps.append(self)

    def take(self, t: int, mono: int, arrived: int) -> None:
        """One of them, or both, have just come."""
        own, other = self.own, self.mark.value
        x = None if own is None or other is None else _difference(own, other)
        if x is None:
            self.cell.lose(t, mono, arrived)
        else:
            self.cell.take(x, own, t, mono, arrived)


def _difference(a: Any, b: Any) -> Any:
    """None where one is an integer beyond all floats, and the other a float."""
    try:
        return a - b
    except OverflowError:
        return None


def _per_second(value: Any, before: Any, ns: int) -> float | None:
    try:
        return float((value - before) / (ns / SECOND))
    except OverflowError:
        return None
