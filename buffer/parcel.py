"""Frames on their way from a command to the agent that runs: MessagePack, each schema once."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from agent.model.frame import Frame
from agent.model.tag import Schema
from buffer.codec import cleaned, decode, encode
from buffer.schemas import Key, key_of, revive

_Parcel = tuple[list[Key], list[tuple[int, int, int, bytes]]]  # schemas; number of the schema, ts, columns, body
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Parcel).decode
_schema = lru_cache(1024)(revive)  # so that the frames of many parcels share theirs


def pack(frames: Sequence[Frame]) -> bytes:
    """Frames without their monotonic time, which means nothing elsewhere."""
    numbers: dict[Schema, int] = {}
    rows = []
    for frame in map(cleaned, frames):
        number = numbers.setdefault(frame.schema, len(numbers))
        rows.append((number, frame.ts, len(frame.values), encode(frame)))
    return _encode(([key_of(schema) for schema in numbers], rows))


def unpack(parcel: bytes) -> list[Frame]:
    """The frames that were packed. Raises ValueError."""
    try:
        keys, rows = _decode(parcel)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a parcel of frames: {error}") from error
    schemas = [_known(key) for key in keys]
    return [decode(body, n, _nth(schemas, number), ts, 0) for number, ts, n, body in rows]


def _known(key: Key) -> Schema:
    schema = _schema(key)
    if schema is None:
        raise ValueError(f"the tags of {key[0]} cannot be read")
    return schema


def _nth(schemas: Sequence[Schema], number: int) -> Schema:
    if not 0 <= number < len(schemas):
        raise ValueError(f"there is no schema {number}")
    return schemas[number]
