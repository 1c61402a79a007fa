"""Frames out of JSON lines: those of `floorgate store export`, of a file sink, or written by hand."""

import math
from typing import Any

import msgspec

from agent.model.frame import Frame, Value
from agent.model.quality import quality_code
from agent.model.tag import DType, Schema, Tag

_MS = 1_000_000
_MOST = 2**63  # ns
_INTS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_LARGEST = {"float32": 3.4028235677973366e38, "float64": math.inf}
Name = tuple[str, str]


class _Line(msgspec.Struct):
    """A schema, or a frame; what else stands in a line is of no use here."""

    schema: Schema | None = None
    device: str = ""
    group: str = ""
    ts: int | None = None
    ts_ns: int | None = None
    values: dict[str, bool | int | float | str] = {}
    quality: dict[str, str] = {}
    stamps_ns: dict[str, int] = {}


_decode = msgspec.json.Decoder(_Line).decode


class Parser:
    """Remembers the schemas that it was told. A frame without one gets tags of the kinds that its values have."""

    def __init__(self) -> None:
        self._told: dict[Name, Schema] = {}
        self._guessed: dict[Name, Schema] = {}
        self._kinds: dict[Name, dict[str, DType | None]] = {}
        self._places: dict[Schema, dict[str, int]] = {}

    def frame(self, line: bytes) -> Frame | None:
        """The frame of a line; None for a schema or an empty line. Raises ValueError for any other."""
        if not line.strip():
            return None
        try:
            found = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        if found.schema is not None:
            self._learn(found.schema)
            return None
        return self._frame(found)

    def _learn(self, schema: Schema) -> None:
        names = [tag.name for tag in schema.tags]
        if len(set(names)) < len(names):
            raise ValueError("two tags of the schema have one name")
        self._told[schema.device, schema.group] = schema

    def _frame(self, line: _Line) -> Frame:
        if not line.device or not (line.values or line.quality):
            raise ValueError("neither a schema nor a frame with `device` and `values` or `quality`")
        schema = self._told.get((line.device, line.group)) or self._guess(line)
        places = self._places.get(schema) or self._place(schema)
        columns = sorted(_place_of(name, places, line) for name in {**line.values, **line.quality})
        names = [schema.tags[column].name for column in columns]
        values = tuple(
            _fitting(schema.tags[column], line.values.get(name)) for column, name in zip(columns, names, strict=True)
        )
        quality = bytes(quality_code(line.quality[name]) if name in line.quality else 0 for name in names)
        stamps = tuple(_time(line.stamps_ns[name]) for name in names) if line.stamps_ns.keys() >= set(names) else None
        whole = len(columns) == len(schema.tags)
        return Frame(schema, _ts(line), values, quality, 0, None if whole else tuple(columns), stamps)

    def _guess(self, line: _Line) -> Schema:
        """The schema of the frames before, with the tags that are new and what is now known of the others."""
        name = (line.device, line.group)
        kinds = self._kinds.setdefault(name, {})
        before = dict(kinds)
        for tag in {**line.values, **line.quality}:
            kinds[tag] = _wider(kinds.get(tag), line.values.get(tag))
        if kinds != before:
            self._guessed[name] = Schema(*name, tuple(Tag(tag, kind or "float64") for tag, kind in kinds.items()))
        return self._guessed[name]

    def _place(self, schema: Schema) -> dict[str, int]:
        places = self._places[schema] = {tag.name: column for column, tag in enumerate(schema.tags)}
        return places


def _place_of(name: str, places: dict[str, int], line: _Line) -> int:
    if name not in places:
        raise ValueError(f"the schema of {line.device}/{line.group} has no tag {name!r}")
    return places[name]


def _ts(line: _Line) -> int:
    if line.ts_ns is None and line.ts is None:
        raise ValueError("neither `ts` (ms UTC) nor `ts_ns`")
    return _time(line.ts_ns if line.ts_ns is not None else (line.ts or 0) * _MS)


def _time(ts: int) -> int:
    if not -_MOST < ts < _MOST:
        raise ValueError(f"{ts} is no time in ns")
    return ts


def _wider(kind: DType | None, value: Value) -> DType | None:
    """What a tag of this kind must be to have this value too, as far as a guess can tell; None: nobody knows yet."""
    new = None if value is None else _kind(value)
    return new if kind is None or (kind, new) == ("int64", "float64") else kind


def _kind(value: Value) -> DType:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64" if value < _MOST else "uint64"
        case str():
            return "str"
    return "float64"


def _fitting(tag: Tag, value: Any) -> Value:
    """Raises ValueError for a value that the tag cannot have."""
    if value is None or _fits(tag.dtype, value):
        return value  # type: ignore[no-any-return]  # JSON has no other
    raise ValueError(f"tag {tag.name!r}: {value!r} is no {tag.dtype}")


def _fits(dtype: DType, value: Value) -> bool:
    if dtype in {"str", "bool"}:
        return isinstance(value, str if dtype == "str" else bool)
    if isinstance(value, bool | str | None):
        return False
    if dtype in _LARGEST:
        return abs(value) <= _LARGEST[dtype]
    sign, bits = _INTS[dtype]
    low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return isinstance(value, int) and low <= value < high
