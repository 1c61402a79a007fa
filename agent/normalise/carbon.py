"""Energy and media as coal equivalent and CO2: values times the factor of their time, and its name and version.

A value belongs to the time that ends with its own, as the consumption of an interval does: what ends at midnight of new
year is weighed by the factor of the old one. With a factor beyond its time a value is `estimated`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema, Tag
from agent.model.units import conversion
from agent.normalise.api import Context, Sheet
from agent.normalise.factors import Factor, Weighed
from agent.normalise.rules import Rules

GROUP = "carbon"


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> "Carbon | None":
    """What weighs the tags of a schema; None where nothing is asked of them."""
    del rules
    asked = context.recipes.weighed
    if not asked or (schema.made and schema.group == GROUP):
        return None
    scales = {
        column: [_Scale(tag, each, context) for each in asked.get((schema.device, tag.name), ())]
        for column, tag in enumerate(schema.tags)
    }
    scales = {column: found for column, found in scales.items() if found}
    return Carbon(scales) if scales else None


def scale(unit: str, factor: Factor) -> float:
    """What makes of a value in this unit one in that of the factor. Raises ValueError."""
    for other, each in ((factor.per, 1.0), *factor.also):
        try:
            times, offset = conversion(unit, other)
        except ValueError:
            continue
        if not offset:
            return times * each
    raise ValueError(f"{unit!r} is not counted in {factor.per}")


class _Scale:
    """One tag by one factor."""

    def __init__(self, tag: Tag, asked: Weighed, context: Context) -> None:
        self.sheet = context.sheet(asked.device, GROUP)
        self.value = self.sheet.add(Tag(asked.name, "float64", asked.unit))
        self.label = self.sheet.add(Tag(f"{asked.name}_factor", "str", kind="state"))
        self._factor = asked.factor
        try:
            self._times: float | None = scale(tag.unit, asked.factor)
        except ValueError:
            self._times = None

    def __call__(self, value: Value, quality: int, ts: int) -> tuple[Value, int, str]:
        """The value, its quality, and the factor."""
        version, holds = self._factor.at(ts - 1)
        label = f"{self._factor.name}@{version.name}"
        if self._times is None or not isinstance(value, int | float):
            return None, quality if quality >= FIRST_BAD else Quality.BAD_CONFIG, label
        return value * self._times * version.value, max(quality, 0 if holds else Quality.ESTIMATED), label


@dataclass(slots=True)
class Carbon:
    """Implements `api.Tap`."""

    scales: dict[int, list[_Scale]]

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        rows: dict[Sheet, list[tuple[int, Value, int, int]]] = {}
        columns = enumerate(frame.columns) if frame.columns is not None else zip(self.scales, self.scales, strict=True)
        for place, column in columns:
            for each in self.scales.get(column, ()):
                ts = frame.stamps[place] if frame.stamps else frame.ts
                value, quality, label = each(frame.values[place], frame.quality[place], ts)
                row = rows.setdefault(each.sheet, [])
                row += ((each.value, value, quality, ts), (each.label, label, 0, ts))
        return [_frame(sheet, row, frame) for sheet, row in rows.items()]


def _frame(sheet: Sheet, row: list[tuple[int, Value, int, int]], frame: Frame) -> Frame:
    columns, values, quality, stamps = zip(*sorted(row, key=lambda each: each[0]), strict=True)
    return sheet.frame(frame.ts, frame.mono, columns, values, bytes(quality), stamps if frame.stamps else None)
