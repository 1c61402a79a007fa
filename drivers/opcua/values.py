"""What a node holds as the plain Python value that its tag promises, or None where it does not fit."""

from collections.abc import Callable, Mapping, Sequence

from agent.model.frame import Value
from agent.model.tag import DType
from drivers.opcua.binary import Code, Structure
from drivers.opcua.refusal import name

Convert = Callable[[object], Value]
Fields = Callable[[Structure], Mapping[str, object]]  # what a structure holds, by the names of its fields

# the types (part 6, 5.1.2) whose values a tag takes as they are: what they hold fits, and is of its Python type
_UNCHANGED: dict[str, frozenset[int]] = {
    "bool": frozenset((1,)),
    "int8": frozenset((2,)),
    "uint8": frozenset((3,)),
    "int16": frozenset((2, 3, 4)),
    "uint16": frozenset((3, 5)),
    "int32": frozenset((2, 3, 4, 5, 6)),
    "uint32": frozenset((3, 5, 7)),
    "int64": frozenset((2, 3, 4, 5, 6, 7, 8)),
    "uint64": frozenset((3, 5, 7, 9)),
    "float32": frozenset((10,)),
    "float64": frozenset((10, 11)),
}
_EXACT = 1 << 53  # a float64 holds every whole number up to here
_FLOAT32_MAX = 3.4028234663852886e38


def unchanged(dtype: DType) -> frozenset[int]:
    """The types whose values need no converter."""
    return _UNCHANGED.get(dtype, frozenset())


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
    if isinstance(value, Code):
        return name(value)
    return str(value) if isinstance(value, str) else None


def named(names: Mapping[int, str]) -> Convert:
    """The name of a number; one that has none is its digits."""

    def convert(value: object) -> Value:
        return names.get(int(value), str(int(value))) if isinstance(value, int) else None

    return convert


def within(steps: Sequence[int | str], convert: Convert, fields: Fields | None = None) -> Convert:
    """What stands at this place of an array or a structure, as `convert` makes it; None where there is none."""

    def pick(value: object) -> Value:
        for step in steps:
            value = _step(value, step, fields)
        return convert(value)

    return pick


def _step(value: object, step: int | str, fields: Fields | None) -> object:
    if isinstance(value, Structure) and fields is not None:
        value = fields(value)
    if isinstance(value, list) and isinstance(step, int):
        return value[step] if step < len(value) else None
    return value.get(str(step)) if isinstance(value, Mapping) else None
