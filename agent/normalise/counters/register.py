"""Tell growth from rollover, reset, swap and glitch, and make of it a total that never goes back.

Growth is believed at once when it is as fast as `max_rate`, or without one up to ten times as fast as it ever was.
Anything else is held back until `confirm` readings agree: a value that is wild once, and then back, was nothing. What
they agree on, or the last one after many that do not, is in this order:

1. a return: within an hour the register is again where it was before the last event, so that was none;
2. a jump forward: faster than `max_rate` it is another meter, without one it is growth;
3. a rollover: at the width that was told, if that is less than half of it or not faster than `max_rate`; at that of
   its type or a power of ten, if not faster than it ever was;
4. a reset: to no more than was counted since from 0, as fast as it ever was or at `max_rate`;
5. any other jump back: another meter.

What was counted across a reset or a swap nobody knows: the total goes on from where it was, and the step is estimated.
"""

from collections.abc import Sequence
from typing import NamedTuple

from agent.model.quality import Quality
from agent.normalise.counters.ask import HOUR, SECOND, Counter
from agent.normalise.counters.digits import whole

PATIENCE = 12  # readings in a row that are doubted, before one is taken for what it says
FASTER = 10  # times as fast as ever is still growth
SLACK = 10  # units of the last decimal that may always come at once
FLOOR = SECOND // 10  # readings that are closer than this say nothing of the rate
LATE = 24 * HOUR  # source times that are older than this are a clock that was set, and no late data
BACK = HOUR  # a register that comes back after longer than this is another one
NARROWEST = 1000  # a register that is not told its width must show more than this to begin again at a power of ten
PART = 10  # a rollover that nobody has told of ends within the last and begins within the first tenth


class Step(NamedTuple):
    """The total was `before` at `start` (ns) and is `after` at `end`; `doubt` is a quality."""

    start: int
    end: int
    before: int
    after: int
    doubt: int = 0


class Reading(NamedTuple):
    """`n` in units of the last decimal; `mono` is 0 where it is not known."""

    n: int
    ts: int
    mono: int


NOTHING: Sequence[Step] = ()


class Register:
    """The state of one counter. The total is `n + offset`; `fast` is the fastest growth so far, in units per ns.

    `widths` are those that a register of its type may have.
    """

    __slots__ = (
        "_asked",
        "_doubted",
        "_held",
        "_rate",
        "_scale",
        "_widths",
        "begun",
        "fast",
        "mono",
        "n",
        "offset",
        "ts",
        "was",
    )

    def __init__(self, asked: Counter, widths: tuple[int, ...] = ()) -> None:
        self._asked, self._widths = asked, widths
        self.n = self.offset = self.ts = self.mono = 0
        self.fast = 0.0
        self.was: tuple[int, int, int] | None = None  # register, offset and time before the last event
        self._held: list[Reading] = []
        self._doubted = 0  # readings in a row
        self.begun = False  # whether there was a reading yet
        self._scale, self._rate = 1, None if asked.max_rate is None else asked.max_rate / HOUR

    @property
    def holding(self) -> bool:
        return bool(self._held)

    def easy(self, n: int, ts: int, mono: int) -> bool:
        """Whether it was growth as it has been before: then it is taken, and there is nothing else to it."""
        if self._held or not 0 <= n - self.n <= self.fast * (ts - self.ts):
            return False
        self.n, self.ts, self.mono = n, ts, mono
        return True

    def take(self, reading: Reading, *, stamped: bool = False) -> Sequence[Step]:
        """What the reading makes certain, oldest first. `stamped`: its time is the source's, so it may be late."""
        n, ts, mono = reading
        if not self.begun:
            self.begun, self.n, self.ts, self.mono = True, n, ts, mono
            return (Step(ts, ts, n + self.offset, n + self.offset),)
        if stamped and n <= self.n and 0 < self.ts - ts <= LATE:
            return NOTHING
        if self._plausible(n - self.n, self._elapsed(ts, mono)):
            self._held.clear()
            self._doubted = 0
            return (self._grow(reading),)
        if self._held and not self._agrees(self._held[-1], reading):
            self._held.clear()
        self._held.append(reading)
        self._doubted += 1
        if len(self._held) < self._asked.confirm and self._doubted < PATIENCE:
            return NOTHING
        chain, self._held, self._doubted = self._held, [], 0
        return [self._judge(chain[0]), *map(self._follow, chain[1:])]

    def rescale(self, factor: int) -> None:
        """One unit is now 1 / factor of what it was."""
        self.n, self.offset, self.fast = self.n * factor, self.offset * factor, self.fast * factor
        self._held = [each._replace(n=each.n * factor) for each in self._held]
        if self.was is not None:
            self.was = self.was[0] * factor, self.was[1] * factor, self.was[2]
        self._scale *= factor
        if self._rate is not None:
            self._rate *= factor

    def _elapsed(self, ts: int, mono: int) -> int:
        ticks = mono - self.mono if mono and self.mono else 0
        return max(ts - self.ts, ticks, 0)

    def _limit(self, elapsed: int) -> float:
        """The most growth that is believed at once."""
        if self._rate is not None:
            return self._rate * elapsed + 1
        return (FASTER * self.fast * elapsed if self.fast else abs(self.n) // PART) + SLACK

    def _usual(self, elapsed: int) -> float:
        """What is counted meanwhile as fast as it ever was, or may be."""
        return (self.fast if self._rate is None else self._rate) * elapsed + SLACK

    def _plausible(self, grown: int, elapsed: int) -> bool:
        return 0 <= grown <= self._limit(elapsed)

    def _grow(self, reading: Reading) -> Step:
        grown, elapsed = reading.n - self.n, self._elapsed(reading.ts, reading.mono)
        if elapsed >= FLOOR and grown > self.fast * elapsed:
            self.fast = grown / elapsed if self._rate is None else min(grown / elapsed, self._rate)
        return self._moved(reading, self.offset)

    def _moved(self, reading: Reading, offset: int, doubt: int = 0) -> Step:
        before, start = self.n + self.offset, self.ts
        self.n, self.ts, self.mono, self.offset = reading.n, reading.ts, reading.mono, offset
        return Step(start, reading.ts, before, reading.n + offset, doubt)

    def _agrees(self, held: Reading, reading: Reading) -> bool:
        """Whether both may be of one register; while it is not known how fast it goes, one jump may follow another."""
        grown, jump = reading.n - held.n, held.n - self.n
        if self._rate is None and grown >= 0 and (not self.fast or grown <= 2 * jump):
            return True
        return 0 <= grown <= self._limit(max(reading.ts - held.ts, reading.mono - held.mono if held.mono else 0))

    def _follow(self, reading: Reading) -> Step:
        """A reading that agrees with one that has been judged; growth from there says how fast it goes."""
        grown = reading.n - self.n
        if self._rate is None or self._plausible(grown, self._elapsed(reading.ts, reading.mono)):
            return self._grow(reading)
        return self._judge(reading)

    def _judge(self, reading: Reading) -> Step:
        """What a reading says that others agree with."""
        elapsed, total = self._elapsed(reading.ts, reading.mono), self.n + self.offset
        grown = reading.n - self.n
        if self.was is not None and self._returns(reading, *self.was):
            offset, self.was = max(self.was[1], total - reading.n), None
            return self._moved(reading, offset, Quality.ESTIMATED)
        if grown >= 0 and self._rate is None:
            return self._moved(reading, self.offset)
        width = self._wrapped(grown, elapsed)
        if width:
            self.was = None
            return self._moved(reading, self.offset + width)
        self.was = self.n, self.offset, self.ts
        counted = reading.n if grown < 0 and 0 <= reading.n <= self._usual(elapsed) else 0
        return self._moved(reading, total + counted - reading.n, Quality.ESTIMATED)

    def _returns(self, reading: Reading, n: int, _offset: int, ts: int) -> bool:
        elapsed = max(reading.ts - ts, 0)
        rate = FASTER * self.fast if self._rate is None else self._rate
        return elapsed <= BACK and 0 <= reading.n - n <= rate * elapsed + SLACK

    def _wrapped(self, grown: int, elapsed: int) -> int:
        """The width at which the register began again, 0 if it did not."""
        asked, limit = self._asked.rollover, self._usual(elapsed)
        if asked == "none" or grown >= 0:
            return 0
        if not isinstance(asked, str):
            width = whole(asked, self._scale)
            most = limit if self._rate is not None else width // 2
            return width if self.n <= width and 0 <= grown + width <= most else 0
        decimal = 10 ** len(str(self.n)) if self.n >= NARROWEST * self._scale else 0
        widths = [*self._widths, decimal]
        return next((width for width in widths if 0 <= grown + width <= min(limit, width // PART)), 0)
