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
SPARKPLUG_GOOD, SPARKPLUG_BAD, SPARKPLUG_STALE = 192, 0, 500  # what its property `Quality` may say (6.4.9.1)
_STATUS = {
    Quality.GOOD: 0x00000000,  # Good
    Quality.CLAMPED: 0x00300000,  # GoodClamped
    Quality.ESTIMATED: 0x40A40000,  # UncertainDataSubNormal
    Quality.STALE: 0x40900000,  # UncertainLastUsableValue
    Quality.CLOCK_UNSYNCED: 0x40000000,  # Uncertain
    Quality.SUBSTITUTED: 0x40910000,  # UncertainSubstituteValue
    Quality.BAD_DECODE: 0x80070000,  # BadDecodingError
    Quality.BAD_DEVICE: 0x808B0000,  # BadDeviceFailure
    Quality.BAD_COMM: 0x80050000,  # BadCommunicationError
    Quality.BAD_RANGE: 0x803C0000,  # BadOutOfRange
    Quality.BAD_STUCK: 0x808C0000,  # BadSensorFailure
    Quality.BAD_JUMP: 0x808C0000,  # BadSensorFailure
    Quality.BAD_CONFIG: 0x80890000,  # BadConfigurationError
}
_NAMES = {int(quality): quality.name.lower() for quality in Quality}
_CODES = {name: code for code, name in _NAMES.items()}
_OTHER = re.compile(r"(doubt|bad)_([0-9]{1,3})")


def usable(code: int) -> bool:
    return code < FIRST_BAD


def opcua_status(code: int) -> int:
    """The status code by which OPC UA says it (part 4, 7.39; part 8, 6.3.2); of a code of a newer version its severity.

    What a driver makes of the codes of a server is in `drivers/opcua/status.py`.
    """
    return _STATUS.get(Quality(code), 0) if code in _NAMES else 0x40000000 if usable(code) else 0x80000000


def sparkplug_quality(code: int) -> int:
    """What Sparkplug's property `Quality` says of it; a metric is null where that is bad."""
    if code == Quality.STALE:
        return SPARKPLUG_STALE
    return SPARKPLUG_GOOD if usable(code) else SPARKPLUG_BAD


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
