"""Which of the places that a device has a person wants to see, and which are worth looking into for that."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.browsing import Place
from drivers.opcua.globs import DEEPEST, Glob, Trails, can_be_tag, glob
from drivers.opcua.naming import path

SERVER = "i=2253"  # the server's own object: diagnostics, limits


@dataclass(frozen=True, slots=True)
class Wishes:
    """As said on the command line; what is empty sets no limit."""

    matches: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    writable: bool = False
    depth: int | None = None
    everything: bool = False


class Query:
    """Wishes over a list of places that grows. Raises ValueError for a pattern that is none."""

    def __init__(self, wishes: Wishes, found: Sequence[Place]) -> None:
        self._wishes, self._found = wishes, found
        self._globs: list[Glob] = [glob(text) for text in wishes.matches]
        self._trails = Trails(self._globs, found)
        self.cut = False  # whether something lies deeper than anybody looks

    def wanted(self, at: int) -> bool:
        """Whether to look into this place."""
        depth = self._trails.depth(at)
        deep = self._wishes.depth is not None and depth >= self._wishes.depth
        if depth >= DEEPEST and not deep:
            deep = self.cut = True
        if deep or (self._found[at].address == SERVER and at and not self._wishes.everything):
            return False
        return not self._globs or any(self._trails.at(at))

    def fits(self, at: int) -> bool:
        """Whether the place itself is what was asked for."""
        place, wishes = self._found[at], self._wishes
        if wishes.types and not (place.type in wishes.types or place.source in wishes.types):
            return False
        if wishes.writable and not place.writable:
            return False
        return not self._globs or self._trails.first(at) is not None

    def is_tag(self, at: int) -> bool:
        """Whether it fits, and can be a tag."""
        return can_be_tag(self._found, at, properties=self._wishes.everything) and self.fits(at)

    def captures(self, at: int) -> tuple[str, ...]:
        """What the wildcards of the first pattern that fits stand for."""
        names = path(self._found, at)
        return next((texts for each in self._globs if (texts := each.captures(names)) is not None), ())
