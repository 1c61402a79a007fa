"""A value as the variant that a node or a method takes: exactly, in the type that the server says, or not at all."""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncua import ua

from agent.model.frame import Value

_BITS: dict[int, tuple[int, bool]] = {2: (8, True), 3: (8, False), 4: (16, True), 5: (16, False)}
_BITS |= {6: (32, True), 7: (32, False), 8: (64, True), 9: (64, False)}
ABSTRACT = {26: 11, 27: 8, 28: 9, 29: 6}  # Number, Integer, UInteger, Enumeration: the widest that they stand for
_EXACT = 1 << 53
_FIRST, _LAST = datetime(1601, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # part 6, 5.2.2.5


def variant(value: Value, kind: int) -> ua.Variant:
    """`kind` is the number of a built-in type (part 6, 5.1.2). Raises ValueError for a value that it cannot hold."""
    kind = ABSTRACT.get(kind, kind)
    convert = _CONVERT.get(kind)
    if convert is None:
        raise ValueError(f"a {name(kind)} cannot be written")
    return ua.Variant(convert(value, kind), ua.VariantType(kind))


def name(kind: int) -> str:
    """`Float`"""
    return ua.VariantType(kind).name if 0 <= kind <= 25 else f"type {kind}"


def single(value: float) -> float:
    """As a float32 holds it. Raises ValueError for one that is too large."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        found = math.inf
    if math.isinf(found):
        raise ValueError(f"{value} is too large for a Float")
    return found


def _whole(value: Value, kind: int) -> int:
    number = _number(value, kind)
    if number != int(number):
        raise ValueError(f"{value} is not whole, and this is an {name(kind)}")
    bits, signed = _BITS[kind]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise ValueError(f"{value} is outside of what the {name(kind)} can say: {low} to {high}")
    return int(number)


def _real(value: Value, kind: int) -> float:
    number = _number(value, kind)
    if isinstance(number, int) and abs(number) > _EXACT and int(_float(number)) != number:
        raise ValueError(f"{value} has more digits than a {name(kind)} can hold")
    return single(number) if kind == 10 else _float(number)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{number} is too large") from None


def _number(value: Value, kind: int) -> float:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} is no number, and this is a {name(kind)}")
    return value


def _bool(value: Value, kind: int) -> bool:
    del kind
    if value not in (0, 1) or isinstance(value, str):
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(value)


def _text(value: Value, kind: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text, and this is a {name(kind)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value!r} is no text in UTF-8") from None
    return value


def _time(value: Value, kind: int) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value, kind))
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is no time such as 2026-11-25T08:00:00Z") from None
    if not _FIRST < found < _LAST:
        raise ValueError(f"{value!r} is outside of what a DateTime can say: 1601 to 9999")
    return found


def _bytes(value: Value, kind: int) -> bytes:
    try:
        return bytes.fromhex(_text(value, kind))
    except ValueError:
        raise ValueError(f"{value!r} are no bytes in hexadecimal") from None


def _guid(value: Value, kind: int) -> UUID:
    try:
        return UUID(_text(value, kind))
    except ValueError:
        raise ValueError(f"{value!r} is no GUID") from None


def _localized(value: Value, kind: int) -> ua.LocalizedText:
    return ua.LocalizedText(_text(value, kind))


_CONVERT: dict[int, Callable[[Value, int], Any]] = {1: _bool, **dict.fromkeys(_BITS, _whole), 10: _real, 11: _real}
_CONVERT |= {12: _text, 13: _time, 14: _guid, 15: _bytes, 21: _localized}
