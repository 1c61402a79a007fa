"""A value that has changed faster than it can is bad, until it has shown that it means it.

What came last and was good is what a value is compared with. One that is too far from it may be a glitch, which nobody
sees again, or a step that is real: a sensor was exchanged, a valve was opened while nobody read. So values that are bad
are compared with one another, too, and the third in a row that fits is good again.
"""

from collections.abc import Mapping, Sequence

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise.columns import Columns
from agent.normalise.limits.asked import Limits
from agent.normalise.limits.rewrite import bad

AGREEING = 3  # values in a row that are near one another are believed
_NEVER = -(1 << 63)


class Jump:
    """Times are those of the source where it gives some. Where none passes, or it goes back, nothing is said of the
    value: it is good, and what the next one is compared with."""

    def __init__(self, schema: Schema, asked: Mapping[int, Limits]) -> None:
        self.schema = schema
        self._columns = columns = Columns(tuple(asked), len(schema.tags))
        self._rates = tuple((limits.rate or 0.0) / 1e9 for limits in asked.values())  # a ns
        self._values: list[Value] = [None] * len(columns)
        self._times = [_NEVER] * len(columns)
        self._newest = _NEVER  # of the times
        self._doubted: dict[int, tuple[Value, int, int]] = {}  # by number: value, time, how many in a row

    def __call__(self, frame: Frame) -> Frame:
        if frame.columns is None and frame.stamps is None and frame.ts > self._newest and not self._doubted:
            values = self._columns.pick(frame.values)
            if self._all_fit(values, frame.ts):
                self._values[:] = values
                self._times[:] = [frame.ts] * len(values)
                self._newest = frame.ts
                return frame
        places = [
            place
            for place, number in self._columns.places(frame)
            if (value := frame.values[place]) is not None
            and not self._fits(number, value, frame.stamps[place] if frame.stamps else frame.ts)
        ]
        self._newest = max(self._times)
        return bad(frame, places, Quality.BAD_JUMP) if places else frame

    def _all_fit(self, values: Sequence[Value], now: int) -> bool:
        rows = zip(values, self._values, self._times, self._rates, strict=True)
        try:
            return not [None for value, last, time, rate in rows if abs(value - last) > rate * (now - time)]  # type: ignore[operator]  # None is what the except is for
        except (TypeError, OverflowError):
            return False

    def _fits(self, number: int, value: Value, now: int) -> bool:
        """Whether it is good; then it is what the next one is compared with."""
        last, time = self._values[number], self._times[number]
        if last is not None and now > time and not _near(value, last, self._rates[number] * (now - time)):
            before, then, count = self._doubted.get(number, (None, now, 0))
            agrees = now > then and _near(value, before, self._rates[number] * (now - then))
            count = count + 1 if agrees else 1
            if count < AGREEING:
                self._doubted[number] = value, now, count
                return False
        self._doubted.pop(number, None)
        self._values[number], self._times[number] = value, now
        return True


def _near(value: Value, other: Value, most: float) -> bool:
    try:
        return bool(abs(value - other) <= most)  # type: ignore[operator]  # numbers, as fit has seen
    except OverflowError:  # an integer beyond the range of a float
        return False
