"""Looks at the columns of a frame on which there are alarms: at all of them at once, and closely at few."""

from collections.abc import Callable, Sequence
from math import inf, nextafter
from operator import itemgetter
from typing import Any

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD
from agent.model.tag import Schema, Tag
from agent.normalise.alarms.board import Board
from agent.normalise.alarms.cell import Cell
from agent.normalise.alarms.measure import Gap, Mark, Slope
from agent.normalise.alarms.panel import Panel
from agent.normalise.alarms.rule import GROUP, Alarm
from agent.normalise.api import Context
from agent.normalise.rules import Rules

Band = tuple[Any, Any]  # from, to: a value in it changes nothing
NOWHERE: Band = (inf, -inf)
NO_TEXT: Band = ("b", "a")


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> "Watch | None":
    """None where no tag has an alarm, and none is looked at by one."""
    board = context.one("alarms", Board)
    if schema.made and schema.group == GROUP:
        return None
    others = board.others(schema.device) | {alarm.other for each in rules for alarm in each.alarms if alarm.other}
    pairs = [(tag, each.alarms) for tag, each in zip(schema.tags, rules, strict=True)]
    looked_at = [at for at, (tag, alarms) in enumerate(pairs) if alarms or tag.name in others]
    if not looked_at:
        return None
    panel = board.panel(schema.device)
    return Watch(panel, {at: _column(panel, *pairs[at], other=pairs[at][0].name in others) for at in looked_at})


def _column(panel: Panel, tag: Tag, alarms: Sequence[Alarm], *, other: bool) -> "Column":
    text = tag.dtype == "str"
    cells = [panel.cell(tag, alarm) for alarm in alarms if not text or alarm.kind in ("state", "bad")]
    return Column([cell for cell in cells if cell], panel, panel.mark(tag.name) if other else None, text=text)


class Column:
    """The alarms of one tag, and those that measure from it."""

    __slots__ = ("_all", "_bad", "_gaps", "_mark", "_plain", "_slopes", "_text", "nowhere")

    def __init__(self, cells: Sequence[Cell], panel: Panel, mark: Mark | None, *, text: bool) -> None:
        self._bad = tuple(cell for cell in cells if cell.alarm.kind == "bad")
        self._slopes = tuple((cell, Slope(cell.alarm.over)) for cell in cells if cell.alarm.kind == "rate")
        self._gaps = tuple(gap for cell in cells if (gap := panel.gap(cell)))
        plain = (cell for cell in cells if cell.alarm.kind not in ("bad", "rate") and not cell.alarm.other)
        self._plain = tuple(plain)
        self._mark = mark
        self._all, self._text = tuple(cells), text
        self.nowhere = NO_TEXT if text else NOWHERE

    def take(self, value: Value, t: int, mono: int, arrived: int, gaps: dict[Gap, int]) -> None:
        """What measures between two tags is left in `gaps`, until both are known."""
        for gap in self._gaps:
            gap.own = value
            gaps[gap] = t
        if self._mark is not None:
            self._mark.value = None if self._text else value
            gaps |= dict.fromkeys(self._mark.gaps, t)
        if value is None:
            for cell in self._plain:
                cell.lose(t, mono, arrived)
            for cell, _ in self._slopes:
                cell.lose(t, mono, arrived)
        else:
            for cell in self._plain:
                cell.take(value, value, t, mono, arrived)
            for cell, slope in self._slopes:
                rate = slope(value, t)
                if rate is None:
                    cell.lose(t, mono, arrived)
                else:
                    cell.take(rate, value, t, mono, arrived)
        for cell in self._bad:
            cell.take(value is None, None, t, mono, arrived)

    def band(self, value: Value) -> Band:
        """In which values change nothing, after this one."""
        if value is None or self._slopes or self._gaps or self._mark or any(cell.waiting for cell in self._all):
            return self.nowhere
        if self._text and not self._plain:
            return self.nowhere
        low, high = -inf, inf
        for cell in self._plain:
            if cell.alarm.kind == "state":
                return value, value
            inner = _quiet(cell, value)
            low, high = max(low, inner[0]), min(high, inner[1])
        return low, high


def _quiet(cell: Cell, value: Any) -> tuple[float, float]:
    alarm = cell.alarm
    if not cell.active:
        return alarm.low, alarm.high
    above = alarm.high - alarm.hysteresis
    if value > above:
        return nextafter(above, inf), inf
    return -inf, nextafter(alarm.low + alarm.hysteresis, -inf)


class Watch:
    """Implements `Tap`."""

    def __init__(self, panel: Panel, columns: dict[int, Column]) -> None:
        self._panel, self._columns = panel, columns
        self._at = tuple(columns)
        self._place = {column: place for place, column in enumerate(columns)}
        bands = [each.nowhere for each in columns.values()]
        self._lows: list[Any] = [low for low, _ in bands]
        self._highs: list[Any] = [high for _, high in bands]
        self._pick = _picker(self._at)

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        if frame.columns is None:
            near = [
                column
                for column, low, value, high in zip(
                    self._at, self._lows, self._pick(frame.values), self._highs, strict=True
                )
                if value is None or not low <= value <= high
            ]
            return self._look(frame, near, near) if near else ()
        known, lows, highs = self._place, self._lows, self._highs
        places = [
            place
            for place, (column, value) in enumerate(zip(frame.columns, frame.values, strict=True))
            if (at := known.get(column)) is not None and (value is None or not lows[at] <= value <= highs[at])
        ]
        return self._look(frame, [frame.columns[place] for place in places], places) if places else ()

    def _look(self, frame: Frame, columns: Sequence[int], places: Sequence[int]) -> Sequence[Frame]:
        values, quality, stamps, mono, ts = frame.values, frame.quality, frame.stamps, frame.mono, frame.ts
        gaps: dict[Gap, int] = {}
        t, arrived = ts, 0
        for column, place in zip(columns, places, strict=True):
            value = values[place] if quality[place] < FIRST_BAD else None
            if stamps is not None:
                t, arrived = stamps[place], ts
            of = self._columns[column]
            of.take(value, t, mono, arrived, gaps)
            at = self._place[column]
            self._lows[at], self._highs[at] = of.band(value)
        for gap, t in gaps.items():
            gap.take(t, mono, arrived)
        return self._panel.told(mono)


def _picker(columns: tuple[int, ...]) -> Callable[[Sequence[Value]], Sequence[Value]]:
    """The values of these columns."""
    first, end = columns[0], columns[-1] + 1
    if end - first == len(columns):
        return lambda values: values[first:end]
    return itemgetter(*columns)
