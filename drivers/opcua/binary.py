"""The built-in types of OPC UA's binary encoding, every length checked before it is believed (part 6, 5.2.2).

What a reader gives back is what a tag can hold: text for names, times, GUIDs and node ids, hexadecimal digits for
bytes, lists for arrays. Each reader takes the bytes and a place in them, and gives the value and the place after it.
"""

import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

Reader = Callable[[bytes, int], tuple[object, int]]

DEEPEST = 16  # values within values; a message of 64 KB could hold thousands
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_NUMBERS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
NUMBERS = {kind: struct.Struct("<" + letter) for kind, letter in _NUMBERS.items()}
_BYTE, _UINT16, _UINT32 = NUMBERS[3].unpack_from, NUMBERS[5].unpack_from, NUMBERS[7].unpack_from
_INT32, _INT64 = NUMBERS[6].unpack_from, NUMBERS[8].unpack_from
# the fewest bytes that one element of an array takes; what is not here takes at least one
_LEAST = {kind: reader.size for kind, reader in NUMBERS.items()} | dict.fromkeys((12, 15, 16, 19), 4) | {13: 8, 14: 16}
ARRAY, DIMENSIONS, KIND = 0x80, 0x40, 0x3F  # the first byte of a variant


class Malformed(ValueError):
    """Bytes that are no OPC UA, or claim to be longer than they are."""


class Code(int):
    """A value that is a status code."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A value that is a structure: the node id of its encoding, and its bytes."""

    kind: str
    body: bytes


class DataValue(NamedTuple):
    """`ticks` is the source's time and `served` the server's, in 100 ns since 1601; 0 where there is none."""

    value: object
    code: int
    ticks: int
    served: int


def octets(body: bytes, at: int) -> tuple[bytes | None, int]:
    (length,) = _INT32(body, at)
    start = at + 4
    if length < 0:
        return None, start
    end = start + length
    if end > len(body):
        raise Malformed(f"{length:,} bytes announced, {len(body) - start:,} there")
    return body[start:end], end


def text(body: bytes, at: int) -> tuple[str | None, int]:
    raw, at = octets(body, at)
    return None if raw is None else raw.decode("utf-8", "replace"), at


def count(body: bytes, at: int, least: int) -> tuple[int, int]:
    """How many elements an array has that take at least so many bytes each."""
    (length,) = _INT32(body, at)
    if length * least > len(body) - at - 4:
        raise Malformed(f"{length:,} elements announced in {len(body) - at - 4:,} bytes")
    return max(length, 0), at + 4


def node_id(body: bytes, at: int) -> tuple[str, int]:
    """A node id as text, an expanded one with its URI."""
    form = body[at]
    index, kind, value, at = _identifier(body, at + 1, form & 0x3F)
    space = f"ns={index};" if index else ""
    if form & 0x80:
        uri, at = text(body, at)
        space = f"nsu={uri};"
    if form & 0x40:
        at += 4  # the number of another server
    return f"{space}{kind}={value}", at


def _identifier(body: bytes, at: int, form: int) -> tuple[int, str, object, int]:
    if form == 0:
        return 0, "i", body[at], at + 1
    if form == 1:
        return body[at], "i", _UINT16(body, at + 1)[0], at + 3
    (index,) = _UINT16(body, at)
    if form == 2:
        return index, "i", _UINT32(body, at + 2)[0], at + 6
    if form == 3:
        return index, "s", *text(body, at + 2)
    if form == 4:
        return index, "g", *_guid(body, at + 2)
    if form == 5:
        raw, at = octets(body, at + 2)
        return index, "b", b64encode(raw or b"").decode(), at
    raise Malformed(f"a node id of form {form}")


def moment(ticks: int) -> str | None:
    """A time as ISO text in UTC."""
    try:
        return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def ticks(value: object) -> int:
    """The time that `moment` made a text of; 0 for anything else."""
    try:
        since = datetime.fromisoformat(value) - _EPOCH if isinstance(value, str) else timedelta()
    except ValueError:
        return 0
    return since // timedelta(microseconds=1) * 10


def _number(kind: int) -> Reader:
    unpack, size = NUMBERS[kind].unpack_from, NUMBERS[kind].size
    return lambda body, at: (unpack(body, at)[0], at + size)


def _moment(body: bytes, at: int) -> tuple[object, int]:
    return moment(_INT64(body, at)[0]), at + 8


def _guid(body: bytes, at: int) -> tuple[str, int]:
    raw = body[at : at + 16]
    if len(raw) < 16:
        raise Malformed("a GUID that is cut off")
    return str(UUID(bytes_le=raw)), at + 16


def _hex(body: bytes, at: int) -> tuple[object, int]:
    raw, at = octets(body, at)
    return None if raw is None else raw.hex(), at


def _code(body: bytes, at: int) -> tuple[object, int]:
    return Code(_UINT32(body, at)[0]), at + 4


def _qualified(body: bytes, at: int) -> tuple[object, int]:
    (index,) = _UINT16(body, at)
    name, at = text(body, at + 2)
    return (f"{index}:{name}" if index and name is not None else name), at


def _localized(body: bytes, at: int) -> tuple[object, int]:
    mask, at = body[at], at + 1
    if mask & 1:
        _, at = text(body, at)
    return text(body, at) if mask & 2 else ("", at)


def structure(body: bytes, at: int) -> tuple[Structure | None, int]:
    kind, at = node_id(body, at)
    form, at = _BYTE(body, at)[0], at + 1
    raw, at = octets(body, at) if form else (None, at)
    return (None if kind == "i=0" else Structure(kind, raw or b"")), at


def diagnostics(body: bytes, at: int, depth: int = 0) -> int:
    """The place after diagnostics that nobody reads."""
    if depth > DEEPEST:
        raise Malformed("diagnostics without end")
    mask, at = _BYTE(body, at)[0], at + 1
    at += 4 * (mask & 0x0F).bit_count()
    if mask & 0x10:
        _, at = octets(body, at)
    at += 4 * (mask >> 5 & 1)
    return diagnostics(body, at, depth + 1) if mask & 0x40 else at


def data_value(body: bytes, at: int, depth: int = 0) -> tuple[DataValue, int]:
    mask, at = _BYTE(body, at)[0], at + 1
    value: object = None
    code = ticks = served = 0
    if mask & 1:
        value, at = variant(body, at, depth + 1)
    if mask & 2:
        (code,), at = _UINT32(body, at), at + 4
    if mask & 4:
        (ticks,), at = _INT64(body, at), at + 8
    at += 2 * (mask >> 4 & 1)
    if mask & 8:
        (served,), at = _INT64(body, at), at + 8
    at += 2 * (mask >> 5 & 1)
    if mask & 0xC0 or at > len(body):
        raise Malformed("a data value that is cut off, or of a later version")
    return DataValue(value, code, ticks, served), at


def variant(body: bytes, at: int, depth: int = 0) -> tuple[object, int]:
    """A value of any type; an array is a list, and one of several dimensions a flat list."""
    form, at = _BYTE(body, at)[0], at + 1
    kind = form & KIND
    if depth > DEEPEST:
        raise Malformed("values within values without end")
    if not form & ARRAY:
        return single(kind, body, at, depth)
    length, at = count(body, at, _LEAST.get(kind, 1))
    if kind in NUMBERS:
        found: list[object] = list(struct.unpack_from(f"<{length}{_NUMBERS[kind]}", body, at))
        at += length * NUMBERS[kind].size
    elif kind == 0 and length:
        raise Malformed("an array of nothing")
    else:
        found = []
        for _ in range(length):
            value, at = single(kind, body, at, depth)
            found.append(value)
    if form & DIMENSIONS:
        dimensions, at = count(body, at, 4)
        at += 4 * dimensions
    return found, at


def single(kind: int, body: bytes, at: int, depth: int = 0) -> tuple[object, int]:
    """One value of a built-in type."""
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(body, at)
    if kind == 23:
        found, at = data_value(body, at, depth + 1)
        return found.value, at
    if kind == 24:
        return variant(body, at, depth + 1)
    return (None, diagnostics(body, at)) if kind == 25 else (None, at) if kind == 0 else _hex(body, at)


_READERS: dict[int, Reader] = {kind: _number(kind) for kind in NUMBERS} | {
    12: text,
    13: _moment,
    14: _guid,
    15: _hex,
    16: text,
    17: node_id,
    18: node_id,
    19: _code,
    20: _qualified,
    21: _localized,
    22: structure,
}
