"""Frames to bytes and back: the body of a row in the log, and the checksum that ties it to its place.

The first byte says how the rest is written.

* 1, wide: MessagePack of `[values, quality, columns, stamps]`; quality is empty when all is good.
* 2, narrow: the values as little-endian float32, for a frame of float32 tags that is whole, all good and survives the
  narrowing exactly. An integer in such a frame comes back as the float of the same value.

Reading knows both; a new way of writing gets a new number, and rows on disk are never rewritten.
"""

import struct
from dataclasses import replace
from functools import lru_cache
from typing import Any
from zlib import crc32

import msgspec

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema

_WIDE = b"\x01"
_NARROW = b"\x02"
_Wide = tuple[tuple[Any, ...], bytes, tuple[int, ...] | None, tuple[int, ...] | None]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wide).decode
_head = struct.Struct(">Q8sqqII").pack
UNWRITABLE = (OverflowError, UnicodeEncodeError, TypeError, msgspec.MsgspecError, struct.error)
_MOST = 2**63 - 1


@lru_cache(256)
def _floats(n: int) -> struct.Struct:
    return struct.Struct(f"<{n}f")


def narrow(schema: Schema) -> struct.Struct | None:
    """What packs a frame of this schema narrowly, or None if not all of its tags are float32."""
    return _floats(len(schema.tags)) if all(tag.dtype == "float32" for tag in schema.tags) else None


def encode(frame: Frame, packer: struct.Struct | None = None) -> bytes:
    """The body of a frame; `packer` is `narrow(frame.schema)`. Raises one of UNWRITABLE: see `cleaned`."""
    values = tuple(frame.values)
    good = not frame.quality.strip(b"\0")
    if packer is not None and good and frame.columns is None and frame.stamps is None:
        try:
            packed = packer.pack(*values)
        except (struct.error, OverflowError):  # a value that is no number, or too large
            packed = b""
        if packed and packer.unpack(packed) == values:
            return _NARROW + packed
    return _WIDE + _encode((values, b"" if good else frame.quality, frame.columns, frame.stamps))


def decode(body: bytes, n: int, schema: Schema, ts: int, mono: int) -> Frame:
    """The frame of `n` columns whose body this is. Raises ValueError for anything that `encode` has not written."""
    kind = body[:1]
    if kind == _NARROW:
        if len(body) != 1 + 4 * n:
            raise ValueError(f"{len(body)} bytes are no frame of {n} float32 values")
        return Frame(schema, ts, _floats(n).unpack_from(body, 1), bytes(n), mono)
    if kind != _WIDE:
        raise ValueError(f"a frame written in a way this version does not know: {kind.hex() or 'no bytes'}")
    try:
        values, quality, columns, stamps = _decode(memoryview(body)[1:])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError(f"not the body of a frame: {error}") from error
    sizes = {len(part) for part in (values, quality or values, columns, stamps) if part is not None}
    if sizes != {n}:
        raise ValueError(f"columns of different length: {sorted(sizes)}, expected {n}")
    return Frame(schema, ts, values, quality or bytes(n), mono, columns, stamps)


def checksum(body: bytes, seq: int, eid: bytes, ts: int, mono: int, schema: int, n: int) -> int:
    """CRC-32 over `seq, eid, ts, mono, schema, n` (big-endian) and the body: a row in the wrong place is also seen."""
    return crc32(body, crc32(_head(seq, eid, ts, mono, schema, n)))


def cleaned(frame: Frame) -> Frame:
    """The frame with None and `bad_decode` for each value that cannot be written, such as an integer past 64 bits.

    A time past 64 bits becomes the last one that fits; source times with one that cannot be written are left out.
    """
    fits = [_writable(value) for value in frame.values]
    values = tuple(value if fit else None for value, fit in zip(frame.values, fits, strict=True))
    quality = bytes(
        code if fit else Quality.BAD_DECODE for code, fit in zip(frame.quality or bytes(len(fits)), fits, strict=True)
    )
    ts, mono = (max(-_MOST, min(int(time), _MOST)) for time in (frame.ts, frame.mono))
    stamps = frame.stamps if frame.stamps is None or _writable(frame.stamps) else None
    return replace(frame, values=values, quality=quality, ts=ts, mono=mono, stamps=stamps)


def _writable(value: Value | tuple[int, ...]) -> bool:
    try:
        _encode(value)
    except UNWRITABLE:
        return False
    return True
