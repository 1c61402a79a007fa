"""Devices of which a file has patterns that stand for many tags: what is found is kept, and known before the device is.

A driver with such devices has `pins.py` with a function `kept(config: Config, data: Path | None) -> Kept`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, runtime_checkable

from drivers.api import Driver, TagConfig


@cache
def _has(kind: type, name: str) -> bool:
    """To ask an object of pydantic for what it does not have takes longer than all the rest."""
    return name in getattr(kind, "model_fields", ())


def pattern_of(tag: TagConfig) -> str:
    """What a tag says that stands for all that a driver finds by it, or nothing."""
    found: str = getattr(tag, "match", "") if _has(type(tag), "match") else ""
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """The tags of a device whose file has patterns that stand for many, as far as an earlier run has found them.

    `tags` are those that the file lists and, at the end, the `found` ones of `patterns`; `remarks` say what is wrong.
    """

    tags: Sequence[TagConfig]
    patterns: int = 0
    found: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """What a search has come to: the tags that are new, how many there are in all, and what a person should hear of.

    `cut` says why it was broken off, if it was.
    """

    new: Sequence[TagConfig]
    found: int
    remarks: tuple[str, ...] = ()
    cut: str = ""


@runtime_checkable
class Finder(Driver, Protocol):
    """A device whose file may have patterns that stand for many tags; what they find is kept in the data directory.

    `tags` are those that the file lists with a `write` section, and then those that were found: it grows at its end.
    """

    @property
    def tags(self) -> Sequence[TagConfig]: ...

    async def find(self, done: Callable[[int], None], *, most: int, seconds: float) -> Search:
        """Look for it now, through at most `most` places and for at most `seconds`, and keep it.

        `done` is told how many places were seen. Raises ValueError where the file has no pattern, Unreachable, Garbled
        and Refused.
        """
        ...
