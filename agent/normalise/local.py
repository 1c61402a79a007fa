"""Where local days, weeks, months and aligned windows begin, in ns UTC, with days of 23 and 25 hours.

A local time begins at the first instant at which the clock on the wall shows it or a later one: a time that comes twice
is the first of the two, one that is skipped is where the clock jumps. So begins never go backwards.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_FIRST, _LAST = -(2**63) + 2 * DAY, 2**63 - 3 * DAY  # beyond what a frame can say; the calendar of Python goes further
_MOST = 64  # days, weeks and months remembered
_ORDINAL = date(1970, 1, 1).toordinal()

Span = tuple[int, int]  # from, and before: ns UTC


def bounded(ns: int) -> int:
    """What is beyond the years that ns in 64 bits can say counts as their ends."""
    return min(max(ns, _FIRST), _LAST)


def begins(on: date, after: timedelta, zone: tzinfo) -> int:
    """The first ns UTC at which a clock of the zone shows that date and time after midnight, or later."""
    at = datetime.combine(on, time.min) + after
    early, late = (_seconds(at - _offset(at.replace(fold=fold), zone)) for fold in (0, 1))
    if early > late:  # skipped: the jump lies between the two
        low, high = late, early
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _shown(middle, zone) >= at else (middle, high)
        early = high
    return early * SECOND


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.replace(tzinfo=zone).utcoffset() or timedelta()


def _seconds(at: datetime) -> int:
    return (at.toordinal() - _ORDINAL) * 86400 + at.hour * 3600 + at.minute * 60 + at.second


def _shown(seconds: int, zone: tzinfo) -> datetime:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return utc.astimezone(zone).replace(tzinfo=None, fold=0)


class Local:
    """The time of a zone. Any ns is taken; what lies beyond the years 1678 to 2261 counts as their ends.

    Each question remembers its last answer, so that the next in the same span costs two comparisons.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone
        self._day = self._week = self._month = (0, 0)
        self._spans: dict[tuple[str, int], Span] = {}

    def __repr__(self) -> str:
        return f"Local({self.zone})"

    def date_of(self, ns: int) -> date:
        return _shown(bounded(ns) // SECOND, self.zone).date()

    def day(self, ns: int) -> Span:
        """The local day in which `ns` lies: 23 to 25 hours, from 00:00 or where the clock jumps over it."""
        begin, end = self._day
        if not begin <= ns < end:
            self._day = self._span("day", self._dated(ns))
        return self._day

    def week(self, ns: int) -> Span:
        """From Monday."""
        begin, end = self._week
        if not begin <= ns < end:
            on = self._dated(ns)
            self._week = self._span("week", on - timedelta(on.weekday()))
        return self._week

    def month(self, ns: int) -> Span:
        begin, end = self._month
        if not begin <= ns < end:
            self._month = self._span("month", self._dated(ns).replace(day=1))
        return self._month

    def day_start(self, ns: int) -> int:
        return self.day(ns)[0]

    def week_start(self, ns: int) -> int:
        return self.week(ns)[0]

    def month_start(self, ns: int) -> int:
        return self.month(ns)[0]

    def window(self, ns: int, every: int) -> Span:
        """The aligned window of `every` ns in which `ns` lies; it divides an hour or a day, or is a day.

        Windows of up to an hour count from local midnight, so that each is as long as the others when the clock is
        put back; longer ones begin at hours of the local clock, and are an hour longer or shorter on such a day. The
        last of a day ends with it.
        """
        begin, end = self.day(ns)
        if every <= HOUR:
            start = begin + (bounded(ns) - begin) // every * every
            return start, min(start + every, end)
        if every >= DAY:
            return begin, end
        on = self.date_of(begin)
        step, start = timedelta(microseconds=every // 1000), begin
        for number in range(1, DAY // every):
            stop = begins(on, number * step, self.zone)
            if ns < stop:
                return start, stop
            start = stop
        return start, end

    def _dated(self, ns: int) -> date:
        """The date whose day holds `ns`: where midnight comes twice, the clock shows the day before once more."""
        on = self.date_of(ns)
        after = on + timedelta(1)
        return after if self._span("day", after)[0] <= bounded(ns) else on

    def _span(self, what: str, first: date) -> Span:
        key = what, first.toordinal()
        found = self._spans.get(key)
        if found is None:
            if len(self._spans) >= _MOST:
                self._spans.clear()
            days = first, _after(what, first)
            begin, end = (begins(on, timedelta(), self.zone) for on in days)
            found = self._spans[key] = begin, end
        return found


def _after(what: str, first: date) -> date:
    if what == "month":
        return (first.replace(day=28) + timedelta(4)).replace(day=1)
    return first + timedelta(7 if what == "week" else 1)
