"""Turn a frame into the JSON envelope that MQTT, HTTP, files and the pull API share.

Almost every frame is dense, good and made of finite numbers. For these the tags of a schema are compiled once into a
`msgspec.Struct` whose field names are the tags' names, so that one C call writes all values; everything else (doubt,
gaps, NaN, sparse columns, source times) takes the careful way, value by value.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from agent.model.frame import Entry, Frame, Value
from agent.model.quality import FIRST_BAD, Quality, quality_name
from agent.model.tag import Schema
from agent.northbound.gap import gap, is_gap

_MS = 1_000_000
_WIDEST_STRUCT = 512  # tags; a compiled struct takes about 350 bytes a tag
_SCHEMAS = 1024  # compiled schemas kept: after a reload or a restart the store hands out new instances

_dump: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class Encoder:
    """The envelope of one gateway; not shared between threads.

    `encode(entry)` gives `{"gateway", "epoch", "seq", "device", "group", "ts", "values", "quality", "history"}`: `ts`
    in integer ms UTC, `values` with every tag that has a usable value, `quality` with the name of each quality
    that is not good. NaN, infinity and a missing value are no numbers: left out and called `bad_decode`. A frame
    with source times adds `"stamps": {tag: ms}` for the tags whose time differs from `ts`, one that was stamped by a
    wrong clock adds `"clock": "corrected"` or `"unsynced"`. A loss is told as `gap.py` says. Any frame can be encoded.
    """

    def __init__(self, gateway: str) -> None:
        self._head = b'{"gateway":' + as_json(gateway) + b',"epoch":"'
        self._plans: dict[Schema, _Plan] = {}

    def encode(self, entry: Entry) -> bytes:
        epoch, seq, history, frame, clock = entry
        plan = self._plans.get(frame.schema) or self._compile(frame.schema)
        values, doubts = None, b"{}"
        if frame.quality == plan.good and frame.columns is None and frame.stamps is None:
            values = plan.dense(frame.values)
        if values is None:
            if plan.gap:
                return self._gap(entry)
            values, doubts = careful(frame)
        return b'%b%b","seq":%d%b%d,"values":%b,"quality":%b%b' % (
            self._head,
            epoch.encode(),
            seq,
            plan.middle,
            frame.ts // _MS,
            values,
            doubts,
            ending(history, clock),
        )

    def _gap(self, entry: Entry) -> bytes:
        head = b'%b%b","seq":%d' % (self._head, entry.epoch.encode(), entry.seq)
        return b"%b,%b%b" % (head, as_json(gap(entry))[1:-1], ending(entry.history, entry.clock))

    def _compile(self, schema: Schema) -> "_Plan":
        if len(self._plans) >= _SCHEMAS:
            del self._plans[next(iter(self._plans))]
        plan = self._plans[schema] = _Plan(schema)
        return plan


def as_part(envelope: bytes, number: int, count: int) -> bytes:
    """The envelope of some of a frame's columns, marked as part `number` (from 1) of `count`."""
    return b'%b,"part":[%d,%d]}' % (envelope[:-1], number, count)


class _Plan:
    """What is known of a schema's envelopes before the first frame; `dense` gives None when a value needs care."""

    __slots__ = ("dense", "gap", "good", "middle")

    def __init__(self, schema: Schema) -> None:
        names = tuple(tag.name for tag in schema.tags)
        self.good = bytes(len(names))
        self.middle = b',"device":' + as_json(schema.device) + b',"group":' + as_json(schema.group) + b',"ts":'
        self.gap = is_gap(schema)
        self.dense = dense(schema, names) if not self.gap else lambda _: None


def dense(schema: Schema, names: tuple[str, ...]) -> Callable[[Sequence[Any]], bytes | None]:
    """What writes the values of all columns as `{name: value, …}`; it gives None when one of them is no value."""
    return _numbers(names) if all(tag.dtype != "str" for tag in schema.tags) else _mixed(names)


def _numbers(names: tuple[str, ...]) -> Callable[[Sequence[Any]], bytes | None]:
    """For numbers only: their sum is finite unless one of them is not (or the sum overflows, which only costs time)."""
    shape, dump = _shape(names), _dump

    def dense(values: Sequence[Any]) -> bytes | None:
        try:
            return dump(shape(*values)) if isfinite(sum(values)) else None
        except (TypeError, OverflowError):
            return None

    return dense


def _mixed(names: tuple[str, ...]) -> Callable[[Sequence[Any]], bytes | None]:
    """With texts among the values: what is not a value was written as null."""
    shape, dump = _shape(names), _dump

    def dense(values: Sequence[Any]) -> bytes | None:
        try:
            body = dump(shape(*values))
        except UnicodeEncodeError:
            return None
        return None if b":null" in body else body

    return dense


@lru_cache(_SCHEMAS)
def _shape(names: tuple[str, ...]) -> Callable[..., Any]:
    """A maker of objects that encode as `{name: value, …}`; devices with the same tags share one."""
    if len(names) > _WIDEST_STRUCT or len(set(names)) < len(names) or not all(map(_plain, names)):
        return lambda *values: dict(zip(names, values, strict=True))
    fields = [f"f{column}" for column in range(len(names))]
    return msgspec.defstruct(
        "Values", [(field, Any) for field in fields], rename=dict(zip(fields, names, strict=True)), gc=False
    )


def _plain(name: str) -> bool:
    return name.isprintable() and '"' not in name and "\\" not in name


def careful(frame: Frame) -> tuple[bytes, bytes]:
    """The values as JSON, and the doubts, with the source times behind them."""
    values, doubts = told(frame)
    stamps = stamped(frame)
    extra = b',"stamps":' + as_json(stamps) if stamps else b""
    names = {name: quality_name(code) for name, code in doubts.items()}
    return as_json(values), as_json(names) + extra


def told(frame: Frame) -> tuple[dict[str, Value], dict[str, int]]:
    """The usable values by name, and the quality of each that is not good."""
    values: dict[str, Value] = {}
    doubts: dict[str, int] = {}
    for tag, value, quality in frame.rows():
        code = quality if quality >= FIRST_BAD or _is_value(value) else Quality.BAD_DECODE
        if code:
            doubts[tag.name] = code
        if code < FIRST_BAD:
            values[tag.name] = value
    return values, doubts


@lru_cache(16)
def ending(history: bool, clock: str) -> bytes:
    """How an envelope ends."""
    return b',"history":%b%b}' % (as_json(history), b',"clock":' + as_json(clock) if clock else b"")


def _is_value(value: Value) -> bool:
    return isfinite(value) if isinstance(value, float) else value is not None


def stamped(frame: Frame) -> dict[str, int]:
    """The source times (ms UTC) that differ from the frame's."""
    if frame.stamps is None:
        return {}
    ts = frame.ts // _MS
    return {tag.name: stamp // _MS for tag, stamp in zip(frame.tags(), frame.stamps, strict=True) if stamp // _MS != ts}


def as_json(value: Any) -> bytes:
    """JSON of names and plain values; what UTF-8 cannot carry (a lone surrogate) becomes a question mark."""
    try:
        return _dump(value)
    except UnicodeEncodeError:
        return _dump(_clean(value))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
