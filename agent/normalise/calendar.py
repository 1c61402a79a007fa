"""Named periods of local time: tariffs through the day and the seasons, shifts with their breaks.

Each day has a pattern: names from a time of the day on. A name goes on until the next time, over midnight too, when the
next day's pattern begins later than 00:00; so nothing is left open and nothing overlaps. Which pattern a day has is
said by entries: one that names its date goes first, then one for its season or weekday, then one for all days.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import NamedTuple

from agent.normalise.local import Local, begins, bounded

_MOST = 32  # days remembered
_CHANGES = 1000  # most of a year of them, are looked at for the shares of a time: of more they would take too long


class Period(NamedTuple):
    """`planned` is false for a break or a planned stop within what `name` says."""

    name: str
    planned: bool = True


class Stretch(NamedTuple):
    """One period from `start` and before `end`, in ns UTC."""

    start: int
    end: int
    name: str
    planned: bool = True


@dataclass(frozen=True, slots=True)
class Days:
    """An entry: on which days (nothing said: on all) the pattern holds.

    `pattern` has (minutes after midnight, period), ascending; `seasons` have first and last day as month * 100 + day,
    over new year when the first is later; `weekdays` count from Monday 0; `dates` are first and last day, as ordinals.
    """

    pattern: tuple[tuple[int, Period], ...]
    seasons: tuple[tuple[int, int], ...] = ()
    weekdays: frozenset[int] = frozenset()
    dates: tuple[tuple[int, int], ...] = ()

    @property
    def rank(self) -> int:
        """Entries of a lower one go first."""
        return 0 if self.dates else 1 if self.seasons or self.weekdays else 2

    def hold(self, on: date) -> bool:
        if self.dates and not any(first <= on.toordinal() <= last for first, last in self.dates):
            return False
        return self.hold_yearly(on.month * 100 + on.day, on.weekday())

    def hold_yearly(self, day: int, weekday: int) -> bool:
        """Whether season and weekday fit; `day` is month * 100 + day."""
        if self.weekdays and weekday not in self.weekdays:
            return False
        return not self.seasons or any(_within(day, first, last) for first, last in self.seasons)


def _within(day: int, first: int, last: int) -> bool:
    return first <= day <= last if first <= last else day >= first or day <= last


class Calendar:
    """Which period it is. `entries` must cover every day; where two of one rank hold, the first does."""

    def __init__(self, local: Local, entries: Sequence[Days]) -> None:
        self.local = local
        self.entries = sorted(entries, key=lambda entry: entry.rank)
        self._known: dict[date, list[tuple[int, Period]]] = {}
        self._stretch = self._whole = Stretch(0, 0, "")
        self._shares: tuple[int, int, Sequence[tuple[str, int]]] = 0, 0, ()  # as last asked: all counters ask the same

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that there is, in the order of the file."""
        return tuple(dict.fromkeys(period.name for entry in self.entries for _, period in entry.pattern))

    def name_at(self, ns: int) -> str:
        return self.span_at(ns).name

    def next_change(self, ns: int) -> int:
        """The ns after `ns` at which another stretch begins, or the next day's pattern with the same period."""
        return self.span_at(ns).end

    def span_at(self, ns: int) -> Stretch:
        """The stretch in which `ns` lies: one name, planned or not."""
        found = self._stretch
        if found.start <= ns < found.end:
            return found
        starts, ahead, at = self._place(ns)
        end = starts[at + 1][0] if at + 1 < len(starts) else ahead
        self._stretch = Stretch(starts[at][0], end, *starts[at][1])
        return self._stretch

    def shift_at(self, ns: int) -> Stretch:
        """The whole of the name in which `ns` lies, with its breaks: it ends with the name, or where the next day's
        pattern begins. `planned` is true when any of it is."""
        found = self._whole
        if found.start <= ns < found.end:
            return found
        starts, ahead, at = self._place(ns)
        name, first, after = starts[at][1].name, at, at + 1
        while first > 0 and starts[first - 1][1].name == name:
            first -= 1
        while after < len(starts) and starts[after][1].name == name:
            after += 1
        end = starts[after][0] if after < len(starts) else ahead
        planned = any(period.planned for _, period in starts[first:after])
        self._whole = Stretch(starts[first][0], end, name, planned)
        return self._whole

    def spans(self, start: int, end: int) -> Iterator[Stretch]:
        """The stretches between the two, cut to them."""
        while start < end:
            found = self.span_at(start)
            until = min(found.end, end)
            if until <= start:  # beyond the years that a calendar has
                return
            yield Stretch(start, until, found.name, found.planned)
            start = until

    def shares(self, start: int, end: int) -> Sequence[tuple[str, int]]:
        """How long (ns) it is each name between the two. The last is that of the end; it has all after many changes."""
        if self._shares[:2] != (start, end):
            found: dict[str, int] = {}
            for stretch in islice(self.spans(start, end), _CHANGES):
                found[stretch.name] = found.pop(stretch.name, 0) + stretch.end - stretch.start
            name = self.name_at(max(start, end - 1))
            found[name] = found.pop(name, 0)
            found[name] += end - start - sum(found.values())
            self._shares = start, end, tuple(found.items())
        return self._shares[2]

    def _place(self, ns: int) -> tuple[list[tuple[int, Period]], int, int]:
        """The begins of the pattern that holds at `ns`, when that of the next day begins, and which of it holds."""
        ns, on, one = bounded(ns), self.local.date_of(ns), timedelta(1)
        while self._day(on + one)[0][0] <= ns:  # midnight comes twice, or a date is skipped
            on += one
        while self._day(on)[0][0] > ns:  # its own pattern has not begun yet
            on -= one
        starts = self._day(on)
        return starts, self._day(on + one)[0][0], bisect_right(starts, ns, key=_start) - 1

    def _day(self, on: date) -> list[tuple[int, Period]]:
        """The pattern of a day with its begins in ns; what a jump of the clock leaves no time for is not there."""
        found = self._known.get(on)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            pattern = next((entry.pattern for entry in self.entries if entry.hold(on)), self.entries[-1].pattern)
            by_start = {begins(on, timedelta(minutes=at), self.local.zone): period for at, period in pattern}
            found = self._known[on] = list(by_start.items())
        return found


def _start(item: tuple[int, Period]) -> int:
    return item[0]
