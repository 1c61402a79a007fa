"""A frame with some of its columns changed."""

from collections.abc import Sequence

from agent.model.frame import Frame, Value
from agent.model.quality import Quality


def bad(frame: Frame, places: Sequence[int], quality: Quality) -> Frame:
    """The frame with no value, and this quality, at these places of it."""
    return rewritten(frame, [(place, None, quality) for place in places])


def rewritten(frame: Frame, changes: Sequence[tuple[int, Value, Quality]]) -> Frame:
    values, quality = list(frame.values), bytearray(frame.quality)
    for place, value, code in changes:
        values[place], quality[place] = value, code
    return Frame(frame.schema, frame.ts, values, bytes(quality), frame.mono, frame.columns, frame.stamps)
