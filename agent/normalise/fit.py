"""The first stage of every step: a value that is not what its tag says becomes None and `bad_decode`."""

from collections.abc import Callable
from math import isfinite

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import FLOATS, Schema

Fit = Callable[[Frame], Frame]
MAX_TEXT = 4096  # characters; a device that sends more is lying or broken


def fitting(schema: Schema) -> Fit:
    """What a frame of this schema is after its values were looked at.

    Text for a number is wrong, and so is a number for text; a number must be finite. One `sum` over the columns finds
    out whether there is anything to do at all: it is finite only if every number is, and text stops it.
    """
    checks = {dtype: _fit(dtype) for dtype in {tag.dtype for tag in schema.tags}}
    fits = tuple(checks[tag.dtype] for tag in schema.tags)
    numeric = all(tag.dtype != "str" for tag in schema.tags)

    def fit(frame: Frame) -> Frame:
        if numeric and frame.quality.count(0) == len(frame.quality):
            try:
                if isfinite(sum(frame.values)):  # type: ignore[arg-type]  # None and str are what the except is for
                    return frame
            except (TypeError, OverflowError):
                pass
        return _checked(frame, fits)

    return fit


def _fit(dtype: str) -> Callable[[Value], bool]:
    if dtype == "str":
        return lambda value: isinstance(value, str) and len(value) <= MAX_TEXT and (value.isascii() or _is_text(value))
    if dtype in FLOATS:
        return lambda value: isinstance(value, int | float) and _finite(value)
    return lambda value: isinstance(value, int) or (isinstance(value, float) and isfinite(value))


def _is_text(value: str) -> bool:
    """Bytes that were no UTF-8 come from an OPC UA server as halves of surrogate pairs, which nothing can write."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        return False


def _checked(frame: Frame, fits: tuple[Callable[[Value], bool], ...]) -> Frame:
    columns = range(len(fits)) if frame.columns is None else frame.columns
    values, quality = list(frame.values), bytearray(frame.quality)
    for place, column in enumerate(columns):
        if quality[place] >= FIRST_BAD:
            values[place] = None
        elif not fits[column](values[place]):
            values[place], quality[place] = None, Quality.BAD_DECODE
    if quality == frame.quality and values == list(frame.values):
        return frame
    return Frame(frame.schema, frame.ts, tuple(values), bytes(quality), frame.mono, frame.columns, frame.stamps)
