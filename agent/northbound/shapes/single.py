"""One tag as one message: the last value of a topic, as a unified namespace has it."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from agent.model.frame import Entry, Frame
from agent.model.quality import quality_name
from agent.northbound.encode import Encoder, as_json, stamped, told
from agent.northbound.gap import is_gap

Single = Literal["envelope", "values", "flat"]
_MS = 1_000_000


def singles(shape: Single, gateway: str) -> Callable[[Entry], Iterator[tuple[str, bytes]]]:
    """What gives, for each column of a frame, the tag's name and its payload; a loss is one message named `gap`.

    `envelope`: the JSON envelope with this tag alone. `values`: `{"t": ms, "v": value, "q": quality, "u": unit}`,
    without `v` when there is no usable value. `flat`: the value itself as JSON, `null` when there is none.
    """
    envelope = Encoder(gateway).encode
    one = {"envelope": None, "values": _values, "flat": _flat}[shape]

    def split(entry: Entry) -> Iterator[tuple[str, bytes]]:
        frame = entry.frame
        if is_gap(frame.schema):
            yield "gap", envelope(entry)
        elif one is None:
            for place, tag in enumerate(frame.tags()):
                yield tag.name, envelope(entry._replace(frame=column(frame, place)))
        else:
            yield from one(frame)

    return split


def column(frame: Frame, place: int) -> Frame:
    """The frame with this one of its columns alone."""
    return columns(frame, place, place + 1)


def columns(frame: Frame, first: int, end: int) -> Frame:
    """The frame with these of its columns alone."""
    places = range(len(frame.values)) if frame.columns is None else frame.columns
    stamps = None if frame.stamps is None else frame.stamps[first:end]
    values, quality = tuple(frame.values[first:end]), frame.quality[first:end]
    return Frame(frame.schema, frame.ts, values, quality, frame.mono, tuple(places[first:end]), stamps)


def _values(frame: Frame) -> Iterator[tuple[str, bytes]]:
    values, doubts = told(frame)
    stamps, ts = stamped(frame), frame.ts // _MS
    for tag in frame.tags():
        row: dict[str, Any] = {"t": stamps.get(tag.name, ts)}
        if tag.name in values:
            row["v"] = values[tag.name]
        row["q"] = quality_name(doubts.get(tag.name, 0))
        if tag.unit:
            row["u"] = tag.unit
        yield tag.name, as_json(row)


def _flat(frame: Frame) -> Iterator[tuple[str, bytes]]:
    values, _ = told(frame)
    for tag in frame.tags():
        yield tag.name, as_json(values.get(tag.name))
