"""What a platform sends, strictly as the tag's type has it."""

import json
import math
import re
import struct
from collections.abc import Sequence

from agent.model.frame import Value
from agent.model.tag import FLOATS, DType

_LONG = re.compile(r"[+-]?[0-9]{1,20}")
_WIDE = ("int64", "uint64")
_FLOAT32 = 3.4028235677973366e38  # from there on a float32 is infinite
EXACT = 1 << 53  # up to there a float has every whole number
LONGEST = 1024  # characters of a text
SHOWN = 60  # characters of a value in a message


def typed(value: Value, dtype: DType, names: Sequence[str] = ()) -> Value:
    """The value that the tag is to have; `names` are those of an enum. Raises ValueError.

    Nothing is made of another type, but a whole number of one with a point, and of text for the numbers of 64 bits that
    JSON cannot carry everywhere.
    """
    if names:
        return _named(value, names)
    if dtype == "bool":
        return _bool(value)
    if dtype == "str":
        return _text(value)
    if dtype in FLOATS:
        return _real(value, dtype)
    if isinstance(value, str) and dtype in _WIDE and _LONG.fullmatch(value):
        return int(value)
    return _whole(value, dtype)


def _named(value: Value, names: Sequence[str]) -> Value:
    if not isinstance(value, str):
        return _whole(value, "number with a name")
    if value not in names:
        raise ValueError(f"{quoted(value)} is none of its names: {', '.join(names)}")
    return value


def _bool(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{quoted(value)} is neither true nor false")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} is no text")
    if len(value) > LONGEST:
        raise ValueError(f"a text of {len(value)} characters is too long: {LONGEST} at most")
    return value


def _real(value: Value, dtype: DType) -> float:
    """Whole numbers stay such. A float32 that came as a float64 is the number that it was before."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{quoted(value)} is no number, and the tag is a {dtype}")
    if isinstance(value, int):
        if abs(value) > EXACT and (abs(value) >= 1 << 1000 or int(float(value)) != value):
            raise ValueError(f"{value} has more digits than can be kept")
        return value
    if not math.isfinite(value):
        raise ValueError(f"{value} is no value")
    return _short(value) if dtype == "float32" and abs(value) < _FLOAT32 else value


def _short(value: float) -> float:
    """The shortest number that is the same float32, if `value` is one exactly: 22.1 for 22.100000381469727."""
    if struct.unpack("<f", struct.pack("<f", value))[0] != value:
        return value
    texts = (f"{value:.{digits}g}" for digits in range(6, 10))
    return next(float(text) for text in texts if struct.unpack("<f", struct.pack("<f", float(text)))[0] == value)


def _whole(value: Value, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    raise ValueError(f"{quoted(value)} is no whole number, and the tag is a {what}")


def quoted(value: Value) -> str:
    """For messages: short, and everything that does not print is spelt out."""
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
