"""Addresses that are words of a PLC: what a driver that knows such says of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Said(NamedTuple):
    """Something about a key of a tag, with a hint what to do."""

    key: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What the address of a tag stands for, as `keys` of the tag. With `problems` it cannot be used as it is, `doubts`
    are only told."""

    keys: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Said, ...] = ()
    doubts: tuple[Said, ...] = ()


Placer = Callable[[Mapping[str, Any]], Placed | None]  # of the keys of a tag; None: its address is what it says
