"""The `calendars:` section: each a list of days with what they look like, checked for gaps and overlaps."""

import re
from collections.abc import Mapping as Table
from datetime import date
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from agent.config.explain import validate
from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.model.text import is_name
from agent.normalise.calendar import Calendar, Days, Period
from agent.normalise.local import Local
from agent.registry import Name, Section

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of each month
MOST = 16  # calendars
_DATE = r"\d{4}-\d{2}-\d{2}"
_ONE_DATE = re.compile(_DATE, re.ASCII)
YEAR = [month * 100 + day for month in range(1, 13) for day in range(1, LONGEST[month] + 1)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _season(value: Any) -> tuple[int, int]:
    """First and last day as month * 100 + day, from `7`, `07..08`, `06-15` or `06-15..09-15`."""
    first, _, last = str(value).partition("..")
    return _day_of_year(first, value)[0], _day_of_year(last or first, value)[1]


def _day_of_year(text: str, whole: Any) -> tuple[int, int]:
    """The first and the last day that a month or a day means."""
    month, _, day = text.partition("-")
    if (
        text.isascii()
        and month.isdecimal()
        and 1 <= int(month) <= 12
        and (not day or (day.isdecimal() and len(day) <= 2))
    ):
        number, most = int(month), LONGEST[int(month)]
        if not day:
            return number * 100 + 1, number * 100 + most
        if 1 <= int(day) <= most:
            return number * 100 + int(day), number * 100 + int(day)
    raise ValueError(f"{shown(whole)} is no season: write months or days, such as 7, 07..08 or 06-15..09-15")


def _weekdays(value: Any) -> tuple[int, ...]:
    """Days from Monday 0, from `mon`, or `fri..mon`."""
    first, dots, last = value.partition("..") if isinstance(value, str) else ("", "", "")
    if first not in WEEKDAYS or (dots and last not in WEEKDAYS):
        raise ValueError(f"{shown(value)} is no weekday: write mon, tue, wed, thu, fri, sat, sun, or mon..fri")
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return tuple(day % 7 for day in range(begin, end + 1 + 7 * (end < begin)))


def day_of(text: str) -> date:
    """`2026-10-01` alone, and not the many ways in which ISO 8601 can say it. Raises ValueError."""
    if not _ONE_DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _dates(value: Any) -> tuple[int, int]:
    """First and last day as ordinals, from `2026-10-01` or `2026-10-01..2026-10-07`."""
    try:
        first, _, last = value.partition("..")
        begin, end = (day_of(text).toordinal() for text in (first, last or first))
    except (AttributeError, ValueError):
        raise ValueError(f"{shown(value)} is no date: write 2026-10-01, or 2026-10-01..2026-10-07") from None
    if end < begin:
        raise ValueError(f"{shown(value)} ends before it begins")
    return begin, end


def _time(value: Any) -> int:
    """Minutes after midnight."""
    hours, _, minutes = value.partition(":") if isinstance(value, str) else ("", "", "")
    if hours.isdecimal() and value.isascii() and minutes.isdecimal() and len(minutes) == 2 and len(hours) <= 2:
        found = int(hours) * 60 + int(minutes)
        if found < 24 * 60 and int(minutes) < 60:
            return found
    raise ValueError(f"{shown(value)} is no time of the day: write 00:00 to 23:59")


def _spelt(pattern: str, *, number: bool = False) -> WithJsonSchema:
    text = {"type": "string", "pattern": f"^{pattern}$"}
    return WithJsonSchema({"anyOf": [text, {"type": "integer"}]} if number else text)


_DAY = r"\d{1,2}(-\d{1,2})?"
_WEEKDAY = f"({'|'.join(WEEKDAYS)})"
Season = Annotated[tuple[int, int], BeforeValidator(_season), _spelt(rf"{_DAY}(\.\.{_DAY})?", number=True)]
Weekdays = Annotated[tuple[int, ...], BeforeValidator(_weekdays), _spelt(rf"{_WEEKDAY}(\.\.{_WEEKDAY})?")]
Dates = Annotated[tuple[int, int], BeforeValidator(_dates), _spelt(rf"{_DATE}(\.\.{_DATE})?")]
Time = Annotated[int, BeforeValidator(_time), _spelt(r"([01]?\d|2[0-3]):[0-5]\d")]


class PeriodConfig(Section):
    """A period that is more than a name."""

    name: Name = Field(description="the period, such as early")
    planned: bool = Field(True, description="false: a break or a planned stop within it")


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


ShortPeriod = Annotated[PeriodConfig, BeforeValidator(_named, json_schema_input_type=Name | PeriodConfig)]


class DaysConfig(Section):
    """Days of one kind, and what they look like."""

    seasons: Annotated[
        list[Season], BeforeValidator(_listed, json_schema_input_type=Season | list[Season]), Field(max_length=64)
    ] = Field(
        [], description="months or days of the year, over new year too: 7, 07..08, 12-15..02-15; without them all"
    )
    weekdays: Annotated[
        list[Weekdays], BeforeValidator(_listed, json_schema_input_type=Weekdays | list[Weekdays]), Field(max_length=7)
    ] = Field([], description="such as sat, or mon..fri; without them all")
    dates: Annotated[
        list[Dates], BeforeValidator(_listed, json_schema_input_type=Dates | list[Dates]), Field(max_length=400)
    ] = Field([], description="holidays and other exceptions, which go first: 2026-10-01, or 2026-10-01..2026-10-07")
    times: Annotated[dict[Time, ShortPeriod], Field(min_length=1, max_length=96)] = Field(
        description="what begins when: {08:00: flat, 10:30: peak}; each goes on until the next, over midnight too"
    )

    @field_validator("dates")
    @classmethod
    def _are_alone(cls, dates: list[tuple[int, int]], info: ValidationInfo) -> list[tuple[int, int]]:
        beside = next((key for key in ("seasons", "weekdays") if info.data.get(key)), "")
        if dates and beside:
            raise ValueError(f"with `{beside}` beside them it is not clear which days are meant: an entry for each")
        return dates


class CalendarConfig(Section):
    """Periods of local time, such as the hours of a tariff, or shifts."""

    days: Annotated[list[DaysConfig], Field(min_length=1, max_length=64)] = Field(
        description="days of each kind: with dates, which go first; with seasons or weekdays; and one for the rest"
    )


def read_calendars(root: Mapping, local: Local, scope: Scope) -> Table[str, Calendar]:
    """All calendars that are right, by name; the problems of the others go to `scope`."""
    raws, found = root.get("calendars"), dict[str, Calendar]()
    if not isinstance(raws, Mapping):
        if raws is not None and not isinstance(raws, Unresolved):
            scope.add(root.value_marks["calendars"], "calendars: must be a mapping (name: calendar)")
        return found
    if len(raws) > MOST:
        scope.add(root.value_marks["calendars"], f"calendars: {len(raws)} are more than {MOST}")
        return found
    for name, raw in raws.items():
        inner, mark = scope.within(f"calendar {shown(name)}"), raws.value_marks[name]
        if not is_name(name):
            inner.add(raws.key_marks[name], "this is not a name", "no spaces, none of / + #")
        config = validate(CalendarConfig, raw, mark, inner)
        if config is not None:
            entries = tuple(map(_entry, config.days))
            marks = raw["days"].item_marks
            _check_overlaps(entries, marks, inner)
            _check_gaps(entries, raws.key_marks[name], inner)
            _check_times(raw["days"], inner)
            found[name] = Calendar(local, entries)
    return found


def _entry(days: DaysConfig) -> Days:
    pattern = sorted((at, Period(each.name, each.planned)) for at, each in days.times.items())
    weekdays = frozenset(day for some in days.weekdays for day in some)
    return Days(tuple(pattern), tuple(days.seasons), weekdays, tuple(days.dates))


def _check_times(raws: Any, scope: Scope) -> None:
    """8:00 and 08:00 are one time."""
    for raw in raws:
        times = raw["times"]
        for one, other in pairwise(sorted(times, key=_time)):
            if _time(one) == _time(other):
                scope.add(max(times.key_marks[one], times.key_marks[other]), f"two periods begin at {shown(other)}")


def _check_overlaps(entries: tuple[Days, ...], marks: list[Mark], scope: Scope) -> None:
    """Two entries of one rank that hold on the same day."""
    found = _same_dates(entries)
    for later, entry in enumerate(entries):
        for earlier in range(later) if not entry.dates else ():
            if entries[earlier].rank == entry.rank and (day := _common(entries[earlier], entry)):
                found[later] = earlier, day
                break
    for later, (earlier, day) in found.items():
        what = f"days[{later}]: {day} is also in days[{earlier}] on line {marks[earlier].line}"
        scope.add(marks[later], what, "keep it in one")


def _same_dates(entries: tuple[Days, ...]) -> dict[int, tuple[int, str]]:
    """By its place, each entry that has a date of an earlier one: which, and the date."""
    found: dict[int, tuple[int, str]] = {}
    ends: dict[int, int] = {}  # the last day so far, of the two entries that go furthest
    for first, last, place in sorted((*span, place) for place, each in enumerate(entries) for span in each.dates):
        for other in [other for other, end in ends.items() if other != place and end >= first]:
            pair = sorted((place, other))
            found.setdefault(pair[1], (pair[0], date.fromordinal(first).isoformat()))
        ends[place] = max(last, ends.get(place, 0))
        if len(ends) > 2:
            del ends[min(ends, key=lambda other: ends[other])]
    return found


def _common(one: Days, other: Days) -> str:
    """A day of some year on which both hold, in words; nothing when there is none."""
    weekdays = (one.weekdays or frozenset(range(7))) & (other.weekdays or frozenset(range(7)))
    if not weekdays:
        return ""
    weekday = min(weekdays)
    day = next((day for day in YEAR if one.hold_yearly(day, weekday) and other.hold_yearly(day, weekday)), 0)
    return _said(day, weekday) if day else ""


def _check_gaps(entries: tuple[Days, ...], mark: Mark, scope: Scope) -> None:
    """A day of some year for which there is no entry."""
    yearly = [entry for entry in entries if not entry.dates]
    for weekday in range(7):
        some = [entry for entry in yearly if not entry.weekdays or weekday in entry.weekdays]
        for day in YEAR:
            if not any(entry.hold_yearly(day, weekday) for entry in some):
                hint = "add one without `seasons`, `weekdays` and `dates`, for all other days"
                return scope.add(mark, f"there is no entry for {_said(day, weekday)}", hint)
    return None


def _said(day: int, weekday: int) -> str:
    return f"{day // 100:02d}-{day % 100:02d} on a {WEEKDAYS[weekday]}"


def known_calendar(name: str, calendars: Table[str, Any]) -> str:
    """A hint for who asked for a calendar that is not there."""
    return did_you_mean(name, calendars) or "define it under `calendars:`"
