"""What a device has, as far as it can tell: places, and the capability to look for them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from drivers.api import Driver


@dataclass(frozen=True, slots=True)
class Place:
    """Something that a device has. `parent` is its number in the list, -1 for where browsing began.

    `address` is what a tag of it says (`node`), `type` the tag's type: empty when it cannot be a tag; `source` is the
    device's own word for it, or for what an object is. `name` is one level of its path, and `way` the same as the path
    in a tag's address has it.
    """

    parent: int
    name: str
    address: str
    kind: Literal["object", "variable", "property", "method"]
    type: str = ""
    source: str = ""
    array: bool = False
    writable: bool = False
    unit: str = ""
    way: str = ""


@runtime_checkable
class Browser(Driver, Protocol):
    """A device that can tell what it has."""

    def browse(
        self, found: list[Place], expanded: int, *, start: str = "", wanted: Callable[[int], bool], most: int
    ) -> AsyncIterator[int]:
        """Look into the places of `found` from number `expanded` on, if they are `wanted`; what is new goes to its end.

        Gives after each request how many are done; ends when all are, or `found` has `most`. It may be given up at any
        time, and goes on with what it gave and the same list, in another session too. With an empty list it begins at
        `start`. Raises ValueError for a `start` that is none, Unreachable, Garbled and Refused.
        """
        ...

    async def peek(self, addresses: Sequence[str]) -> Sequence[str]:
        """What stands there, as text for people; empty where it cannot be read. Raises Unreachable and Garbled."""
        ...
