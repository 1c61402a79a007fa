"""What is made of an interval that has ended: its consumption, a demand with its peaks, totals by tariff."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.normalise.api import Sheet
from agent.normalise.calendar import Calendar
from agent.normalise.counters.ask import HOUR
from agent.normalise.counters.span import Closed
from agent.normalise.local import Local

_MS = 10**6


class Outbox:
    """The frames that are being made, by time and group."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, Sheet], tuple[list[int], list[Value], bytearray]] = {}

    @property
    def full(self) -> bool:
        return bool(self._rows)

    def put(self, ts: int, sheet: Sheet, column: int, value: Value, quality: int = 0) -> None:
        row = self._rows.get((ts, sheet))
        if row is None:
            row = self._rows[ts, sheet] = [], [], bytearray()
        row[0].append(column)
        row[1].append(value)
        row[2].append(quality)

    def frames(self, wall: int, mono: int) -> list[Frame]:
        """In the order of their times; `wall` and `mono` are one instant on both clocks, or `mono` is 0: not known."""
        found: list[Frame] = []
        for (ts, sheet), (columns, values, quality) in sorted(self._rows.items(), key=lambda row: row[0][0]):
            then = max(mono - wall + ts, 0) if mono else 0
            found.append(sheet.frame(ts, then, tuple(columns), tuple(values), bytes(quality)))
        return found


class Use(Protocol):
    """`scale` is units in 1, and None for a counter of integers; all numbers of a use are units."""

    def __call__(self, closed: Closed, scale: int | None, out: Outbox) -> None: ...
    def rescale(self, factor: int) -> None: ...


class Consumption:
    """How much it was."""

    __slots__ = ("_column", "_sheet")

    def __init__(self, sheet: Sheet, column: int) -> None:
        self._sheet, self._column = sheet, column

    def __call__(self, closed: Closed, scale: int | None, out: Outbox) -> None:
        value = closed.grown if scale is None else closed.grown / scale
        out.put(closed.edge, self._sheet, self._column, value, closed.doubt)

    def rescale(self, factor: int) -> None:
        """It keeps nothing."""


class Peak(NamedTuple):
    """The highest demand since `begin` (ns), and the end of its window in ms."""

    begin: int
    value: float
    at: int


class Peaks:
    """The highest demand of the local day and month so far.

    A window belongs to the day in which it begins. Only one that is not in doubt can be the highest, or begin a day: a
    clock that was wrong for a moment takes nothing away.
    """

    __slots__ = ("_columns", "_local", "_sheet", "found")

    def __init__(self, sheet: Sheet, columns: Sequence[int], local: Local) -> None:
        """`columns` are those of the day's peak, its time, the month's peak, and its time."""
        self._sheet, self._columns, self._local = sheet, columns, local
        self.found = [Peak(0, 0.0, 0), Peak(0, 0.0, 0)]  # of the day, of the month

    def see(self, window: Closed, power: float, out: Outbox, *, always: bool) -> None:
        """Not `always`: tell those that are others now."""
        begins = self._local.day_start(window.start), self._local.month_start(window.start)
        for place, begin in enumerate(begins):
            peak = before = self.found[place]
            if window.doubt != Quality.ESTIMATED:
                peak = _higher(before if before.begin == begin else Peak(begin, 0.0, 0), power, window.edge)
                self.found[place] = peak
            if peak.at and peak.begin == begin and (always or peak != before):
                out.put(window.edge, self._sheet, self._columns[2 * place], peak.value)
                out.put(window.edge, self._sheet, self._columns[1 + 2 * place], peak.at)


def _higher(peak: Peak, power: float, end: int) -> Peak:
    if peak.at and power <= peak.value:
        return peak
    return Peak(peak.begin, power, end // _MS)


class Demand:
    """Mean power of the window, with its peaks."""

    __slots__ = ("_column", "_sheet", "peaks")

    def __init__(self, sheet: Sheet, column: int, peaks: Peaks) -> None:
        self._sheet, self._column, self.peaks = sheet, column, peaks

    def __call__(self, closed: Closed, scale: int | None, out: Outbox) -> None:
        power = closed.grown * HOUR / ((scale or 1) * max(closed.edge - closed.start, 1))
        out.put(closed.edge, self._sheet, self._column, power, closed.doubt)
        self.peaks.see(closed, power, out, always=True)

    def rescale(self, factor: int) -> None:
        """A power is no number of units."""


class Tariff:
    """A total for each period of a calendar. One that ends within the interval has the share of its time."""

    __slots__ = ("_calendar", "_columns", "_sheet", "totals")

    def __init__(self, sheet: Sheet, columns: dict[str, int], calendar: Calendar) -> None:
        self._sheet, self._columns, self._calendar = sheet, columns, calendar
        self.totals = dict.fromkeys(columns, 0)

    def __call__(self, closed: Closed, scale: int | None, out: Outbox) -> None:
        touched = self._share(closed)
        for name, column in self._columns.items():
            total = self.totals[name]
            value = total if scale is None else total / scale
            out.put(closed.edge, self._sheet, column, value, closed.doubt if name in touched else 0)

    def _share(self, closed: Closed) -> set[str]:
        shares, length, left = (
            self._calendar.shares(closed.start, closed.edge),
            closed.edge - closed.start,
            closed.grown,
        )
        for name, part in shares[:-1]:
            grown = closed.grown * part // length
            self.totals[name] += grown
            left -= grown
        self.totals[shares[-1][0]] += left
        return {name for name, _ in shares}

    def rescale(self, factor: int) -> None:
        self.totals = {name: total * factor for name, total in self.totals.items()}
