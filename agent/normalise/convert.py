"""Transformer ratios and other units: one factor and one offset for each tag, of all tags one compiled expression.

A whole number times a whole factor stays one, however large (up to 64 bits); anything else becomes a float64, rounded
as rarely as can be: 1234 Wh are 1.234 kWh, because they are divided by 1000. What no longer fits is `bad_range`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite, lcm
from sys import float_info
from typing import Any

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import FLOATS, DType, Schema, Tag

LARGEST = 2**63
_RANGES: dict[str, tuple[float, float]] = {
    "int64": (-LARGEST, LARGEST - 1),
    "uint64": (0, 2 * LARGEST - 1),
    "float64": (-float_info.max, float_info.max),
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """`value * factor + offset` is what leaves, in `unit`."""

    factor: Fraction
    offset: Fraction
    unit: str


def build(schema: Schema, rules: Sequence[Any], context: object) -> "Converter | None":
    """What converts frames of this schema; text and bool are left as they are."""
    del context
    asked = [
        rule.conversion if tag.dtype not in ("str", "bool") else None
        for tag, rule in zip(schema.tags, rules, strict=True)
    ]
    return Converter(schema, asked) if any(asked) else None


def converted(tag: Tag, asked: Conversion) -> Tag:
    """What the tag is afterwards."""
    return replace(tag, unit=asked.unit, dtype=_dtype(tag.dtype, asked))


class Converter:
    """Implements `api.Stage`."""

    def __init__(self, schema: Schema, asked: Sequence[Conversion | None]) -> None:
        pairs = list(zip(schema.tags, asked, strict=True))
        tags = tuple(converted(tag, each) if each else tag for tag, each in pairs)
        self.schema = replace(schema, tags=tags)
        texts = [_expression(tag.dtype not in FLOATS, each) if each else "" for tag, each in pairs]
        works: dict[str, Callable[[Any], Any]] = {text: _compiled(f"lambda x: {text}") for text in {*texts} - {""}}
        self._works = [works.get(text) for text in texts]
        self._ranges = [_RANGES.get(tag.dtype, _RANGES["float64"]) for tag in tags]
        names = [f"x{column}" for column in range(len(tags))]
        results = [text.replace("x", name) or name for text, name in zip(texts, names, strict=True)]
        self._idle = not works
        self._all = _compiled(f"lambda {','.join(names)}: ({','.join(results)},)")
        shaped = [column for column, text in enumerate(texts) if text]
        self._picked = None if len(shaped) == len(tags) else _pick(shaped)
        self._whole = _pick([column for column in shaped if schema.tags[column].dtype in ("int64", "uint64")])
        self._has_whole = any(schema.tags[column].dtype in ("int64", "uint64") for column in shaped)

    def __call__(self, frame: Frame) -> Frame:
        values = frame.values
        if not self._idle:
            if frame.columns is not None:
                return self._each(frame, frame.columns)
            try:
                values = self._all(*values)
                good = isfinite(sum(self._picked(values) if self._picked else values))
            except (TypeError, OverflowError):  # None among them, or an integer beyond the range of a float
                return self._each(frame, range(len(values)))
            if not good or (self._has_whole and not _small(self._whole(values))):
                return self._each(frame, range(len(values)))
        return Frame(self.schema, frame.ts, values, frame.quality, frame.mono, frame.columns, frame.stamps)

    def _each(self, frame: Frame, columns: Sequence[int]) -> Frame:
        values, quality = list(frame.values), frame.quality
        for place, column in enumerate(columns):
            work = self._works[column]
            if work is not None and values[place] is not None:
                values[place] = self._fitting(work, column, values[place])
                if values[place] is None:
                    quality = quality[:place] + bytes((Quality.BAD_RANGE,)) + quality[place + 1 :]
        return Frame(self.schema, frame.ts, tuple(values), quality, frame.mono, frame.columns, frame.stamps)

    def _fitting(self, work: Callable[[Any], Any], column: int, value: Value) -> Value:
        try:
            found: Value = work(value)
        except OverflowError:
            return None
        low, high = self._ranges[column]
        return found if low <= found <= high else None  # type: ignore[operator]  # a number, as it was before


def _dtype(dtype: DType, asked: Conversion) -> DType:
    if asked.factor == 1 and asked.offset == 0:
        return dtype
    if dtype in FLOATS or asked.factor.denominator > 1 or asked.offset.denominator > 1:
        return "float64"
    return "uint64" if dtype.startswith("uint") and asked.factor > 0 and asked.offset >= 0 else "int64"


def _expression(whole: bool, asked: Conversion) -> str:
    """What becomes of `x`, exact for whole numbers and rounded once; empty where nothing does."""
    factor, offset = asked.factor, asked.offset
    if factor == 1 and offset == 0:
        return ""
    if not whole:
        return _scaled(factor) + (f"+{float(offset)!r}" if offset else "")
    below = lcm(factor.denominator, offset.denominator)
    times, plus = factor * below, offset * below
    text = "x" if times == 1 else f"x*{times}"
    text = f"({text}+{plus})" if plus else text
    return f"{text}/{below}" if below > 1 else text


def _scaled(factor: Fraction) -> str:
    if factor == 1:
        return "x"
    return f"x/{float(factor.denominator)!r}" if factor.numerator == 1 else f"x*{float(factor)!r}"


def _compiled(text: str) -> Callable[..., Any]:
    """The function that such a text is; it is of ours, and nothing but names, numbers and signs."""
    found: Callable[..., Any] = eval(text, {"__builtins__": {}})  # noqa: S307  # no part of it is text of others
    return found


def _pick(columns: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    return _compiled(f"lambda values: ({''.join(f'values[{column}],' for column in columns)})")


def _small(values: Sequence[float]) -> bool:
    """Whether whole numbers fit into 64 bits with a sign and without; what is larger is looked at one by one."""
    return min(values) >= 0 and max(values) < LARGEST
