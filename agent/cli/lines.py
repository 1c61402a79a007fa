"""Frames as JSON lines that hold all that there is to know of them, and back.

A frame is the envelope that the platform gets, with `ts_ns` beside `ts` and without the gateway. Before the first frame
of a device and group, and when its tags change, comes a line with the schema:

    {"schema":{"device":"main-meter","group":"1s","interval":1.0,"tags":[{"name":"energy","dtype":"int64","unit":"kWh"}]}}
    {"epoch":"9f2c…","seq":42,"device":"main-meter","group":"1s","ts":1700000000123,"ts_ns":…,"values":{"energy":7}}
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec

from agent.model.frame import Entry, Value
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema

_MS = 1_000_000
_encode = msgspec.json.Encoder().encode


class Writer:
    """Remembers which schemas it has told already."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], Schema] = {}

    def lines(self, entry: Entry, refused: str = "") -> Iterator[bytes]:
        """The line of a frame, after that of its schema if need be."""
        schema = entry.frame.schema
        if self._told.get((schema.device, schema.group)) is not schema:
            self._told[schema.device, schema.group] = schema
            yield _encode({"schema": schema}) + b"\n"
        yield _encode(record(entry, refused)) + b"\n"


def record(entry: Entry, refused: str = "") -> dict[str, Any]:
    """A frame as plain data; `refused` is why a sink did not take it."""
    frame = entry.frame
    values: dict[str, Value] = {}
    quality: dict[str, str] = {}
    for tag, value, code in frame.rows():
        usable = isfinite(value) if isinstance(value, float) else value is not None
        if usable:
            values[tag.name] = value
        if code or not usable:
            quality[tag.name] = quality_name(code or Quality.BAD_DECODE)
    found = {"epoch": entry.epoch, "seq": entry.seq, "device": frame.schema.device, "group": frame.schema.group}
    found |= {"ts": frame.ts // _MS, "ts_ns": frame.ts, "values": values, "quality": quality}
    if frame.stamps is not None:
        found["stamps_ns"] = {tag.name: stamp for tag, stamp in zip(frame.tags(), frame.stamps, strict=True)}
    return found | {key: said for key, said in (("clock", entry.clock), ("refused", refused)) if said}
