"""Turn what a driver read into what the gateway vouches for; compiled once per schema, pure, without I/O."""

from collections.abc import Callable, Iterable
from math import isfinite

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import FLOATS, Schema

Step = Callable[[Frame], tuple[Frame, ...]]
MAX_TEXT = 4096  # characters; a device that sends more is lying or broken


def compile_step(schema: Schema) -> Step:
    """The step for frames of one schema: a value that is not what its tag says becomes None and `bad_decode`.

    Text for a number is wrong, and so is a number for text; a number must be finite. One `sum` over the columns finds
    out whether there is anything to do at all: it is finite only if every number is, and text stops it. A frame of a
    schema without tags says nothing, and is left out.
    """
    if not schema.tags:
        return _nothing
    checks = {dtype: _fit(dtype) for dtype in {tag.dtype for tag in schema.tags}}
    fits = tuple(checks[tag.dtype] for tag in schema.tags)
    numeric = all(tag.dtype != "str" for tag in schema.tags)

    def step(frame: Frame) -> tuple[Frame, ...]:
        if numeric and frame.quality.count(0) == len(frame.quality):
            try:
                if isfinite(sum(frame.values)):  # type: ignore[arg-type]  # None and str are what the except is for
                    return (frame,)
            except (TypeError, OverflowError):
                pass
        return (_checked(frame, fits),)

    return step


def _nothing(_frame: Frame) -> tuple[Frame, ...]:
    return ()


def _fit(dtype: str) -> Callable[[Value], bool]:
    if dtype == "str":
        return lambda value: isinstance(value, str) and len(value) <= MAX_TEXT
    if dtype in FLOATS:
        return lambda value: isinstance(value, int | float) and _finite(value)
    return lambda value: isinstance(value, int) or (isinstance(value, float) and isfinite(value))


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


class Steps(dict[Schema, Step]):
    """The step of each schema, compiled when it is first met: a device whose tags grow has a new schema then.

    One of each group is kept, so that nothing piles up.
    """

    def __init__(self, schemas: Iterable[Schema] = ()) -> None:
        super().__init__()
        self._newest: dict[tuple[str, str], Schema] = {}
        for schema in schemas:
            self[schema]

    def __missing__(self, schema: Schema) -> Step:
        group = schema.device, schema.group
        before = self._newest.get(group)
        if before is not None:
            del self[before]
        self._newest[group] = schema
        step = self[schema] = compile_step(schema)
        return step
