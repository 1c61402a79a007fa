"""JSON in the shapes that platforms other than ours read; what each looks like stands in the README beside this file.

Almost every frame is dense and good: its values are written by one C call, as in the envelope (`encode.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from agent.model.frame import Entry
from agent.model.quality import quality_name
from agent.model.tag import Schema
from agent.northbound.encode import Encoder, as_json, dense, ending, stamped, told
from agent.northbound.gap import is_gap

_MS = 1_000_000
_SCHEMAS = 1024  # plans kept: after a reload the store hands out new instances
FLAT_KEYS = (
    *("ts", "gateway", "device", "group", "epoch", "seq", "quality", "stamps", "history", "clock"),
    *("part", "type"),  # of a frame in parts, and of a loss
)


def _whole(schema: Schema, names: tuple[str, ...]) -> Callable[[Entry], bytes | None]:
    """What writes the values of a frame of which nothing else has to be said; None for any other."""
    good, write = bytes(len(schema.tags)), dense(schema, names)

    def whole(entry: Entry) -> bytes | None:
        frame = entry.frame
        if frame.quality == good and frame.columns is None and frame.stamps is None:
            return write(frame.values)
        return None

    return whole


class Shape(ABC):
    """Encodes one frame as one JSON object. A loss is told in the same words by every shape: see `gap.py`."""

    def __init__(self, gateway: str) -> None:
        self._gateway = as_json(gateway)
        self._gap = Encoder(gateway).encode
        self._plans: dict[Schema, Callable[[Entry], bytes]] = {}

    def encode(self, entry: Entry) -> bytes:
        schema = entry.frame.schema
        plan = self._plans.get(schema)
        if plan is None:
            if len(self._plans) >= _SCHEMAS:
                del self._plans[next(iter(self._plans))]
            plan = self._plans[schema] = self._gap if is_gap(schema) else self._compiled(schema)
        return plan(entry)

    @abstractmethod
    def _compiled(self, schema: Schema) -> Callable[[Entry], bytes]:
        """What encodes the frames of a schema."""

    def _named(self, entry: Entry) -> bytes:
        """The keys by which a frame is told apart."""
        return b'"gateway":%b,"epoch":"%b","seq":%d' % (self._gateway, entry.epoch.encode(), entry.seq)


class Values(Shape):
    """`{"timestamp", "node", "group", "values": {…}, "errors": {…}, …}`: Neuron's values-format, and who says so."""

    def _compiled(self, schema: Schema) -> Callable[[Entry], bytes]:
        head = b',"node":%b,"group":%b,"values":' % (as_json(schema.device), as_json(schema.group))
        whole = _whole(schema, tuple(tag.name for tag in schema.tags))

        def encode(entry: Entry) -> bytes:
            values, errors = whole(entry), b"{}"
            if values is None:
                values, errors = _with_errors(entry)
            time = entry.frame.ts // _MS
            end = ending(entry.history, entry.clock)
            return b'{"timestamp":%d%b%b,"errors":%b,%b%b' % (time, head, values, errors, self._named(entry), end)

        return encode


class Tags(Shape):
    """`{"timestamp", "node", "group", "tags": [{"name", "value"}, {"name", "error"}], …}`: Neuron's tags-format."""

    def _compiled(self, schema: Schema) -> Callable[[Entry], bytes]:
        head = b',"node":%b,"group":%b,"tags":' % (as_json(schema.device), as_json(schema.group))

        def encode(entry: Entry) -> bytes:
            frame = entry.frame
            values, doubts = told(frame)
            stamps = stamped(frame)
            rows: list[dict[str, Any]] = []
            for tag in frame.tags():
                row: dict[str, Any] = {"name": tag.name}
                if tag.name in values:
                    row["value"] = values[tag.name]
                if tag.name in doubts:
                    row["error"] = doubts[tag.name]
                if tag.name in stamps:
                    row["t"] = stamps[tag.name]
                rows.append(row)
            end = ending(entry.history, entry.clock)
            return b'{"timestamp":%d%b%b,%b%b' % (frame.ts // _MS, head, as_json(rows), self._named(entry), end)

        return encode


class Flat(Shape):
    """`{"ts", "gateway", "device", "group", "epoch", "seq", TAG: VALUE, …}`, for tools that want one level."""

    def _compiled(self, schema: Schema) -> Callable[[Entry], bytes]:
        head = b',"device":%b,"group":%b,' % (as_json(schema.device), as_json(schema.group))
        names = flat_names(tuple(tag.name for tag in schema.tags))
        whole = _whole(schema, names)
        rename = {tag.name: name for tag, name in zip(schema.tags, names, strict=True)}

        def encode(entry: Entry) -> bytes:
            values, extra = whole(entry), b""
            if values is None:
                values, extra = _with_doubts(entry, rename)
            if entry.history or entry.clock:
                extra += ending(entry.history, entry.clock)[:-1]
            body = b"," + values[1:-1] if len(values) > len(b"{}") else b""
            return b'{"ts":%d%b%b%b%b}' % (entry.frame.ts // _MS, head, self._named(entry), body, extra)

        return encode


def flat_names(names: Sequence[str]) -> tuple[str, ...]:
    """A tag that is called like a key of the shape gets `_` behind its name, as often as it takes."""
    found = list(names)
    for place, name in enumerate(names):
        while found[place] in FLAT_KEYS or (found[place] != name and found[place] in {*names, *found[:place]}):
            found[place] += "_"
    return tuple(found)


def _with_errors(entry: Entry) -> tuple[bytes, bytes]:
    values, doubts = told(entry.frame)
    stamps = stamped(entry.frame)
    return as_json(values), as_json(doubts) + (b',"stamps":' + as_json(stamps) if stamps else b"")


def _with_doubts(entry: Entry, rename: dict[str, str]) -> tuple[bytes, bytes]:
    values, doubts = told(entry.frame)
    stamps = stamped(entry.frame)
    extra = b""
    if doubts:
        extra += b',"quality":' + as_json({rename[name]: quality_name(code) for name, code in doubts.items()})
    if stamps:
        extra += b',"stamps":' + as_json({rename[name]: stamp for name, stamp in stamps.items()})
    return as_json({rename[name]: value for name, value in values.items()}), extra


def batched(objects: Sequence[bytes]) -> bytes:
    """JSON objects as one array."""
    return b"[" + b",".join(objects) + b"]"
