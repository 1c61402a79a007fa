"""What is known of one tag in the window that is open, and the value that holds until the next.

Sums of whole numbers are exact. Those of other numbers are rounded once for each run of readings (`math.fsum`), and
what is lost between runs is carried along (Neumaier), so that the error does not grow with their number.
"""

from collections.abc import Iterable, Sequence
from math import fsum, isfinite, nan
from operator import mul
from typing import cast

from agent.model.frame import Value
from agent.model.quality import Quality
from agent.model.tag import FLOATS, Tag
from agent.normalise.windows.ask import whole

Said = tuple[Value, int]  # value and quality
UNSAYABLE: Said = (None, Quality.BAD_RANGE)
LIMITS = {"int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}
LONG_AGO = -(2**63)


class Tally:
    """`held` is the value that holds since `held_at`, None for none; `hold` (ns) is how long it does without another
    reading, None for ever. `good` is for how long (ns) a value has held in the window up to `reach`, and `area` the
    same times the value."""

    __slots__ = (
        *("_exact", "_limits", "_of", "area", "bad", "count", "doubt", "first", "first_at", "good", "held", "held_at"),
        *("high", "hold", "last", "last_at", "late", "lost", "low", "reach", "seen", "text", "total"),
    )

    def __init__(self, tag: Tag, of: Iterable[str], hold: int | None) -> None:
        self.text, self._exact = tag.dtype == "str", tag.dtype not in FLOATS
        self._limits = LIMITS[whole(tag)]
        self._of = frozenset(of)
        self.hold = hold
        self.held: Value = None
        self.held_at = self.reach = LONG_AGO
        self.clear()

    def clear(self) -> None:
        """Another window begins; what holds goes on."""
        self.seen = False
        self.count = self.late = self.doubt = self.bad = self.good = self.first_at = self.last_at = 0
        self.low: Value = None
        self.high: Value = None
        self.first: Value = None
        self.last: Value = None
        self.total: float = 0
        self.lost: float = 0
        self.area: float = 0

    def one(self, at: int, value: Value, quality: int, start: int) -> None:
        """A reading in the window that began at `start`; its value is None when it is bad."""
        self.seen = True
        if at >= self.held_at:
            self.settle(start, at)
            self.held, self.held_at = value, at
        if value is None:
            self.bad = quality
            return
        self.doubt = max(self.doubt, quality)
        self._ends(at, value, at, value)
        self.count += 1
        if not self.text:
            self._between(value, value)
            self._add(cast(float, value))

    def many(
        self, times: Sequence[int], weights: Sequence[int], good: int, values: Sequence[Value], start: int
    ) -> None:
        """Good readings in a row, none older than the one before; `weights` are the ns that each holds but the last,
        and `good` is their sum."""
        first, last = times[0], times[-1]
        if first < self.held_at:
            for at, value in zip(times, values, strict=True):
                self.one(at, value, 0, start)
            return
        self.seen = True
        self.settle(start, first)
        self._ends(first, values[0], last, values[-1])
        self.held, self.held_at, self.reach = values[-1], last, last
        self.count += len(values)
        self.good += good
        if not self.text:
            self._numbers(weights, cast(Sequence[float], values))

    def _numbers(self, weights: Sequence[int], values: Sequence[float]) -> None:
        of = self._of
        if "min" in of or "max" in of:
            low, high = min(values), max(values)
            if self.low is None or low < self.low or high > self.high:  # type: ignore[operator]  # numbers
                self._between(low, high)
        if "sum" in of or "mean" in of:
            self._add(self._sum(values))
        if "time_mean" in of:
            self.area = _plus(self.area, self._sum(list(map(mul, weights, values))))

    def old(self, at: int, value: Value) -> None:
        """A reading that belongs to no window any more: what holds now is all that it can tell."""
        self.late += 1
        if at >= self.held_at:
            self.held, self.held_at = value, at

    def settle(self, start: int, until: int) -> None:
        """Account for the time that the held value has held since `start`, up to `until`."""
        since = max(self.held_at, self.reach, start)
        self.reach = max(self.reach, until)
        if self.hold is not None:
            until = min(until, self.held_at + self.hold)
        value = self.held
        if value is None or until <= since:
            return
        self.good += until - since
        if not isinstance(value, str):
            self.area = _plus(self.area, _times(until - since, value))
            if self.hold is None:  # no reading says it, and still it was so
                self._between(value, value)

    def closing(self, start: int, end: int) -> dict[str, Said]:
        """What there is to say in the end, by aggregate; of what nothing is known nothing is said."""
        self.settle(start, end)
        if not self.seen and not self.good:
            return {"late": (self.late, 0)} if self.late else {}
        total = self._whole()
        fits = not isinstance(total, int) or self._limits[0] <= total <= self._limits[1]
        counted = self.count > 0
        values: dict[str, Value] = {
            "first": self.first,
            "last": self.last,
            "min": self._number(self.low),
            "max": self._number(self.high),
            "mean": _over(total, self.count),
            "time_mean": _over(self.area, self.good),
            "sum": (total if fits else nan) if counted else None,
        }
        found = {what: self._said(value) for what, value in values.items() if value is not None or self.bad}
        return {**found, "count": (self.count, 0), "good": (self.good / (end - start), 0), "late": (self.late, 0)}

    def _said(self, value: Value) -> Said:
        if value is None:
            return None, self.bad
        return UNSAYABLE if isinstance(value, float) and not isfinite(value) else (value, self.doubt)

    @staticmethod
    def _number(value: Value) -> Value:
        return int(value) if isinstance(value, bool) else value

    def _ends(self, first_at: int, first: Value, last_at: int, last: Value) -> None:
        if not self.count or first_at < self.first_at:
            self.first, self.first_at = first, first_at
        if not self.count or last_at >= self.last_at:
            self.last, self.last_at = last, last_at

    def _between(self, low: Value, high: Value) -> None:
        if self.low is None or low < self.low:  # type: ignore[operator]  # numbers, all of them
            self.low = low
        if self.high is None or high > self.high:  # type: ignore[operator]
            self.high = high

    def _whole(self) -> float:
        return _plus(self.total, self.lost)

    def _add(self, value: float) -> None:
        total = self.total
        both: int | float = _plus(total, value)
        self.total = both
        if isinstance(both, float) and isfinite(both):
            large, small = (total, value) if abs(total) >= abs(value) else (value, total)
            self.lost += (large - both) + small

    def _sum(self, values: Sequence[float]) -> float:
        try:
            return sum(values) if self._exact else fsum(values)
        except (OverflowError, ValueError):  # beyond the range of a float
            return nan


def _plus(one: float, other: float) -> float:
    try:
        return one + other
    except OverflowError:
        return nan


def _times(ns: int, value: float) -> float:
    try:
        return ns * value
    except OverflowError:
        return nan


def _over(amount: float, by: int) -> Value:
    try:
        return amount / by if by else None
    except OverflowError:
        return nan
