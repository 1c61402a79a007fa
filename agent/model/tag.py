"""What a tag is and which tags are scanned together; where a tag lives is its driver's own business."""

from dataclasses import dataclass
from typing import Literal

DType = Literal[
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "str",
]
Kind = Literal["gauge", "counter", "state", "event"]
FLOATS = frozenset({"float32", "float64"})


@dataclass(frozen=True, slots=True)
class Tag:
    """One named measuring point: `dtype` keeps the width its source has, `unit` is a UCUM code."""

    name: str
    dtype: DType = "float64"
    unit: str = ""
    kind: Kind = "gauge"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """The tags of one scan group of one device, in the order of a frame's columns.

    One instance serves all frames of the group and is hashed by identity, so that compiled steps,
    encoders and row numbers can be looked up by it. `interval` is seconds; 0 means event-driven. `made`: what its tags
    say was not read but worked out here.
    """

    device: str
    group: str
    tags: tuple[Tag, ...]
    interval: float = 0.0
    made: bool = False
