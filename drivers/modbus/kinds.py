"""What registers can hold: the types of a tag, how wide each is, and the layouts of dates."""

from typing import Literal

Register = Literal["coil", "discrete", "input", "holding"]
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
TagOrder = Literal["ABCD", "CDAB", "BADC", "DCBA", "AB", "BA"]
Type = Literal[
    "bool",
    "int8",
    "int8l",
    "int8h",
    "uint8",
    "uint8l",
    "uint8h",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "bcd16",
    "bcd32",
    "string",
    "bytes",
    "datetime",
]
Layout = Literal["unix", "iec870", "bcd", "words"]

BIT_REGISTERS = frozenset({"coil", "discrete"})
BYTES = frozenset({"int8", "int8l", "int8h", "uint8", "uint8l", "uint8h"})
INTEGERS = BYTES | {"int16", "uint16", "int32", "uint32", "int64", "uint64"}
FLOATS = frozenset({"float16", "float32", "float64"})
BCD = frozenset({"bcd16", "bcd32"})
SIZED = frozenset({"string", "bytes"})  # these say their `length`
WORDS = {
    "bool": 1,
    **dict.fromkeys(BYTES, 1),
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "int64": 4,
    "uint64": 4,
    "float16": 1,
    "float32": 2,
    "float64": 4,
    "bcd16": 1,
    "bcd32": 2,
}
DATE_WORDS = {"unix": 2, "iec870": 4, "bcd": 3, "words": 6}
BITS = {"bool": 16, "uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "uint64": 64, "int64": 64}
DTYPES = {
    "int8l": "int8",
    "int8h": "int8",
    "uint8l": "uint8",
    "uint8h": "uint8",
    "float16": "float32",
    "bcd16": "uint16",
    "bcd32": "uint32",
    "string": "str",
    "bytes": "str",
    "datetime": "str",
}


def integer_range(kind: str) -> tuple[int, int]:
    """The smallest and the largest number that an integer type holds."""
    width = 8 if kind in BYTES else 16 * WORDS[kind]
    return (0, (1 << width) - 1) if kind.startswith("u") else (-(1 << width - 1), (1 << width - 1) - 1)


def pattern(kind: str, raw: int) -> int:
    """A marker as the number that an integer type reads there: 0xFFFF is -1 in an int16. Raises ValueError."""
    low, high = integer_range(kind)
    if low < 0 and high < raw <= high - low:
        raw -= high - low + 1
    if not low <= raw <= high:
        raise ValueError(f"{raw} does not fit into a {kind}: {low} to {high}")
    return raw
