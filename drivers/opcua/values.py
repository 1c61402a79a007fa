"""What a node holds as the plain Python value that its tag promises, or None where it does not fit."""

from collections.abc import Callable

from agent.model.frame import Value
from agent.model.tag import DType

Convert = Callable[[object], Value]

_EXACT = 1 << 53  # a float64 holds every whole number up to here
_FLOAT32_MAX = 3.4028234663852886e38


def converter(dtype: DType) -> Convert:
    """The function that turns a node's value into the tag's type: no rounding, no text for numbers, no arrays."""
    if dtype in ("float32", "float64"):
        return _float32 if dtype == "float32" else _float64
    if dtype == "bool":
        return _bool
    if dtype == "str":
        return _str
    bits = int(dtype.lstrip("uint"))
    low, high = (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def whole(value: object) -> Value:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return int(value) if low <= value <= high else None

    return whole


def _float64(value: object) -> Value:
    if type(value) is float:
        return value
    return float(value) if isinstance(value, int) and -_EXACT <= value <= _EXACT else None


def _float32(value: object) -> Value:
    number = _float64(value)
    return None if isinstance(number, float) and abs(number) > _FLOAT32_MAX and abs(number) != float("inf") else number


def _bool(value: object) -> Value:
    return value if isinstance(value, bool) else None


def _str(value: object) -> Value:
    return str(value) if isinstance(value, str) else None
