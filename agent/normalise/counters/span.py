"""Aligned intervals of a total: which of them a step ends, and how much was counted in each.

An interval is from its start up to and including its end, its edge. What the total was at an edge between two readings
lies on the straight line between them; so all intervals together have what the readings have, whatever happens between
them, and a gap is spread over the intervals that it covers.

No edge is told twice. What is counted while the clock shows a time for the second time goes to the interval that is
open; so when the clock is put back an interval is longer than it says, and estimated.
"""

from collections.abc import Callable
from typing import NamedTuple

from agent.model.quality import Quality
from agent.normalise.counters.ask import SECOND
from agent.normalise.counters.register import Step

MOST = 300  # intervals that one step may end; more become one, which tells of them all
_PAST = 16  # stretches of time that are remembered
Window = Callable[[int], tuple[int, int]]  # the interval (from, before) in which a time lies


class Closed(NamedTuple):
    """`grown` was counted from `start` to `edge`; `doubt` is a quality."""

    start: int
    edge: int
    grown: int
    doubt: int


class Span:
    """The intervals of one length of one counter.

    `close` (ns) is how near to each other readings are in whose midst an edge may lie without being estimated. The open
    interval began at `start` with the total `base` and ends at `edge`; edges from `first` on and before `edge` are
    told, and so are those of each pair in `past`.
    """

    __slots__ = ("_window", "base", "close", "doubt", "edge", "every", "first", "name", "past", "start")

    def __init__(self, name: str, every: int, close: int, window: Window) -> None:
        self.name, self.every, self.close, self._window = name, every, close, window
        self.start = self.edge = self.first = self.base = self.doubt = 0
        self.past: list[tuple[int, int]] = []

    def begin(self, ts: int, total: int) -> None:
        """With the first reading; an interval that has begun before it is not known as a whole."""
        start, edge = self._window(ts)
        self.start, self.base, self.edge = ts, total, edge
        self.first, self.past = edge, []
        self.doubt = Quality.ESTIMATED if ts > start else 0

    def take(self, step: Step, *, steady: bool) -> list[Closed]:
        """What the step ends. `steady`: between readings that differ the register stood still at the first."""
        if step.end < step.start:
            self._back(step)
        closed: list[Closed] = []
        known = steady or step.end - step.start <= self.close or step.before == step.after
        if step.end >= self.edge:
            if (step.end - self.edge) // self.every >= MOST:
                self._leap(step.end)
            while self.edge <= step.end:
                closed.append(self._close(step, known=known, steady=steady))
        if step.doubt and step.end > self.start:
            self.doubt = worse(self.doubt, step.doubt)
        return closed

    def until(self, now: int, total: int) -> list[Closed]:
        """The intervals that have ended when nothing has come and the total stands."""
        return self.take(Step(now, now, total, total), steady=True) if now >= self.edge else []

    def _close(self, step: Step, *, known: bool, steady: bool) -> Closed:
        edge = self.edge
        total = self._total(step, edge, steady=steady)
        inexact = 0 if known or edge == step.end else int(Quality.ESTIMATED)
        doubt = worse(worse(self.doubt, step.doubt), inexact)
        closed = Closed(self.start, edge, total - self.base, doubt)
        self.start, self.base, self.doubt = edge, total, inexact
        self.edge = self._next(edge)
        return closed

    def _total(self, step: Step, edge: int, *, steady: bool) -> int:
        if edge == step.end:
            return step.after
        if steady or edge <= step.start:
            return step.before
        return step.before + (step.after - step.before) * (edge - step.start) // (step.end - step.start)

    def _next(self, ts: int) -> int:
        """The first edge after `ts` that was not told."""
        edge = self._window(ts)[1]
        return self._untold(edge if edge > ts else ts + self.every)  # a zone knows no years beyond 2261

    def _untold(self, edge: int) -> int:
        for first, after in sorted(self.past):
            if first <= edge < after:
                self.doubt = Quality.ESTIMATED
                edge = after
                self.past.remove((first, after))  # what is met again is forgotten last
                self.past.append((first, after))
        return edge

    def _back(self, step: Step) -> None:
        """The clock was put back."""
        if step.start - step.end > SECOND:
            self.doubt = Quality.ESTIMATED
        if step.end >= self.first - self.every:
            return  # within what was told, or in the open interval: that stays open
        self._told()
        self.edge = self.first = self._next(step.end)
        self.start = min(self.start, self.edge - self.every)

    def _leap(self, end: int) -> None:
        """Over more edges than are worth telling, to the last before `end`."""
        self._told()
        last = self._window(end)[0]
        self.edge = self.first = self._untold(last if end - last < 2 * self.every else end)
        self.doubt = Quality.ESTIMATED

    def _told(self) -> None:
        """What touches it becomes one with it: a clock that begins in 1970 again and again needs no more than one."""
        first, after = self.first, self.edge
        if first < after:
            apart = [each for each in self.past if each[0] > after or each[1] < first]
            touching = [each for each in self.past if each not in apart]
            whole = min([first, *(each[0] for each in touching)]), max([after, *(each[1] for each in touching)])
            self.past = [*apart[1 - _PAST :], whole]


def worse(one: int, other: int) -> int:
    """Of two qualities that leave doubt the one that says more."""
    estimated = Quality.ESTIMATED
    return estimated if estimated in (one, other) else one or other
