"""Which of the places that a device has a person wants to see, and which are worth looking into for that."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.api import Place
from drivers.opcua.globs import Glob, Names, States, glob

SERVER = "i=2253"  # the server's own object: diagnostics, limits
DEEPEST = 64  # levels; a server may have them without end
LONGEST = 120  # characters of a tag's name that is made here


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
        self._states: list[tuple[States, ...]] = []
        self._depths: list[int] = []
        self.cut = False  # whether something lies deeper than anybody looks

    def wanted(self, at: int) -> bool:
        """Whether to look into this place."""
        self._follow(at)
        deep = self._wishes.depth is not None and self._depths[at] >= self._wishes.depth
        if self._depths[at] >= DEEPEST and not deep:
            deep = self.cut = True
        if deep or (self._found[at].address == SERVER and at and not self._wishes.everything):
            return False
        return not self._globs or any(self._states[at])

    def fits(self, at: int) -> bool:
        """Whether the place itself is what was asked for."""
        place, wishes = self._found[at], self._wishes
        if wishes.types and not (place.type in wishes.types or place.source in wishes.types):
            return False
        if wishes.writable and not place.writable:
            return False
        self._follow(at)
        pairs = zip(self._globs, self._states[at], strict=True)
        return not self._globs or any(each.done(states) for each, states in pairs)

    def is_tag(self, at: int) -> bool:
        """Whether it fits, and can be a tag. Properties of a variable (its units, its limits) say what it is."""
        place = self._found[at]
        own = place.parent >= 0 and self._found[place.parent].kind == "variable"
        if not place.type or place.array or (place.kind == "property" and own and not self._wishes.everything):
            return False
        return self.fits(at)

    def captures(self, at: int) -> tuple[str, ...]:
        """What the wildcards of the first pattern that fits stand for."""
        names = path(self._found, at)
        return next((texts for each in self._globs if (texts := each.captures(names)) is not None), ())

    def _follow(self, at: int) -> None:
        while len(self._states) <= at:
            place = self._found[len(self._states)]
            above = place.parent
            before = self._states[above] if above >= 0 else tuple(each.start() for each in self._globs)
            pairs = zip(self._globs, before, strict=True)
            self._states.append(tuple(each.step(states, place.name) for each, states in pairs))
            self._depths.append(self._depths[above] + 1 if above >= 0 else 0)


def path(found: Sequence[Place], at: int) -> Names:
    """The names on the way to a place, from where browsing began."""
    names = []
    while at >= 0:
        names.append(found[at].name)
        at = found[at].parent
    return tuple(reversed(names))


def tag_names(paths: Sequence[Names]) -> list[str]:
    """A legal name for each path: its last part, with as many of those before it as it takes to be the only one."""
    parts = [[legal(each.partition(":")[2] or each) for each in names] for names in paths]
    parts = [[each for each in names if each] or ["node"] for names in parts]
    taken = [1] * len(parts)
    made = [names[-1] for names in parts]
    for _ in range(max(map(len, parts), default=0)):
        often = Counter(made)
        twins = [at for at, name in enumerate(made) if often[name] > 1 and taken[at] < len(parts[at])]
        for at in twins:
            taken[at] += 1
            made[at] = "_".join(parts[at][-taken[at] :])[-LONGEST:].lstrip("$")
        if not twins:
            break
    return unique(made)


def unique(names: Sequence[str]) -> list[str]:
    """The same, with a number behind each that was there before."""
    made: list[str] = []
    taken = set(names)
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        found = name
        while seen[name] > 1 and found in taken:
            found = f"{name}_{seen[name]}"
            seen[name] += found in taken
        taken.add(found)
        made.append(found)
    return made


def legal(text: str) -> str:
    """A name that may leave the gateway: what it may not hold becomes `_`."""
    plain = unicodedata.normalize("NFC", text)
    cleaned = "".join(c if c.isprintable() and not c.isspace() and c not in "/+#" else "_" for c in plain)
    return cleaned.strip("_").lstrip("$")[:LONGEST]
