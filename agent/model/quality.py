"""How far a value can be trusted, in one byte that is the same on disk and on the wire."""

import re
from enum import IntEnum


class Quality(IntEnum):
    """0 is good, 1 to 63 usable with doubt, 64 and above bad. New codes are appended, none is renumbered."""

    GOOD = 0
    CLAMPED = 1
    ESTIMATED = 2
    STALE = 3
    CLOCK_UNSYNCED = 4
    SUBSTITUTED = 5
    BAD_DECODE = 64
    BAD_DEVICE = 65
    BAD_COMM = 66
    BAD_RANGE = 67
    BAD_STUCK = 68
    BAD_JUMP = 69
    BAD_CONFIG = 70


FIRST_BAD = 64
_NAMES = {int(quality): quality.name.lower() for quality in Quality}
_CODES = {name: code for code, name in _NAMES.items()}
_OTHER = re.compile(r"(doubt|bad)_([0-9]{1,3})")


def usable(code: int) -> bool:
    return code < FIRST_BAD


def quality_name(code: int) -> str:
    """The word for a code; a code of a newer version keeps its number, so nothing is hidden."""
    return _NAMES.get(code) or f"{'doubt' if usable(code) else 'bad'}_{code}"


def quality_code(name: str) -> int:
    """The code for a word of `quality_name`. Raises ValueError."""
    other = _OTHER.fullmatch(name)
    code = _CODES.get(name, int(other[2]) if other else -1)
    if not 0 <= code <= 255 or quality_name(code) != name:
        raise ValueError(f"{name!r} is no quality")
    return code
