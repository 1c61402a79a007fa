"""Which type the values of a tag have, and which values it can never have."""

from collections.abc import Mapping
from functools import lru_cache

from agent.config.words import did_you_mean, shown
from agent.model.tag import DType
from agent.normalise.expression import Wrong, parse
from agent.registry import ValueConfig
from drivers.rules.derived import DerivedConfig

LARGEST = {"float32": 3.4028235e38, "float64": 1.7976931348623157e308}


def dtype_of(value: ValueConfig) -> DType | None:
    """Of a value that is read, or worked out; None where nobody knows."""
    if isinstance(value, DerivedConfig):
        return value.dtype or ("bool" if _is_truth(value.expr) else "float64")
    found: DType | None = "bool" if getattr(value, "bits", None) else getattr(value, "dtype", None)
    return found


@lru_cache(maxsize=1024)
def _is_truth(text: str) -> bool:
    try:
        return parse(text).truth
    except Wrong:
        return False


def range_of(dtype: str) -> tuple[float, float]:
    """The least and the largest number of a type of numbers."""
    if dtype in LARGEST:
        return -LARGEST[dtype], LARGEST[dtype]
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    return (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)


def never(said: bool | int | str, dtype: str, value: ValueConfig) -> tuple[str, str] | None:
    """Message and hint for a value that a tag of this type cannot have; it may be converted to any other number."""
    if isinstance(said, str) != (dtype == "str"):
        kind = "a text" if dtype == "str" else f"no text ({dtype})"
        return f"{shown(said)}: the tag is {kind}, and never has this value", ""
    if isinstance(said, str):
        return _no_word(said, value)
    if dtype == "bool":
        return None if said in (0, 1) else (f"{shown(said)}: the tag is a bool, and never has this value", "")
    least, most = range_of("float64" if value.as_ or getattr(value, "ratio", None) else dtype)
    if least <= said <= most:
        return None
    return f"{shown(said)} is nothing that {a(dtype)} can be", f"it goes from {least:g} to {most:g}"


def _no_word(said: str, value: ValueConfig) -> tuple[str, str] | None:
    """A number without a word is given in digits."""
    words = getattr(value, "enum", None) or {}
    known = list(map(str, words.values())) if isinstance(words, Mapping) else []
    if not known or said in known or said.lstrip("-").isdecimal():
        return None
    return f"{shown(said)}: the tag has no such word in its `enum`", did_you_mean(said, known)


def a(dtype: str) -> str:
    return f"an {dtype}" if dtype.startswith("i") else f"a {dtype}"
