"""Patterns over browse paths: `Press*/**/Temp` finds nodes by the names on their way, a level at a time.

`*` stands for any text within a name and `?` for one character, `**` (or `…`) for any number of levels. A pattern that
begins with `/` begins where browsing began, any other one anywhere. Brackets mean themselves, for names of PLCs are
full of them; `&` takes the meaning of the character after it, so that `a&/b` is one name. A name without a namespace
number fits in every namespace. `./` begins below where browsing began, whatever that is called.

A pattern is followed level by level as a set of places in it, so that a branch that cannot hold a match any more is not
browsed, and no pattern takes longer than its length times that of the name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.browsing import Place

DEEPEST = 64  # levels that are looked into; a server may have them without end
LONGEST = 1024  # characters of a pattern
ANY = ([(True, "**")], [(False, "…")])
_PIECES = re.compile(r"&(.)|(/)|([*]+)|(\?)|([^&/*?]+|&$)", re.DOTALL)
_NUMBERED = re.compile(r"\d{1,5}:")
_HERE, _ANYTHING = "./", re.compile(r".*", re.DOTALL)

States = frozenset[int]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Glob:
    """`levels` has a regular expression per level, None for any number of levels."""

    levels: tuple[re.Pattern[str] | None, ...]

    @property
    def wildcards(self) -> int:
        """How many `*` and `?` it has, and so texts in `captures`."""
        return sum(level.groups for level in self.levels if level is not None)

    def start(self) -> States:
        return self._open({0})

    def step(self, states: States, name: str) -> States:
        """Where the pattern stands one level further down; empty: nothing below can match. `name` is as `2:Temp`."""
        found: set[int] = set()
        for state in states:
            if state == len(self.levels):
                continue
            level = self.levels[state]
            if level is None:
                found.add(state)
            elif _fits(level, name):
                found.add(state + 1)
        return self._open(found)

    def done(self, states: States) -> bool:
        return len(self.levels) in states

    def captures(self, names: Names) -> tuple[str, ...] | None:
        """What each `*` and `?` stands for in a path that matches; None in one that does not."""
        reached = self._opened({0: ()})
        for name in names:
            found: dict[int, tuple[str, ...]] = {}
            for state, texts in reached.items():
                level = self.levels[state] if state < len(self.levels) else ()
                if level is None:
                    found.setdefault(state, texts)
                elif level and (match := _fits(level, name)):
                    found.setdefault(state + 1, texts + match.groups())
            reached = self._opened(found)
        return reached.get(len(self.levels))

    def _opened(self, found: dict[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
        for place, level in enumerate(self.levels):
            if level is None and place in found:
                found.setdefault(place + 1, found[place])
        return found

    def _open(self, states: set[int]) -> States:
        """With the places that are reached when `**` stands for no level."""
        found = set(states)
        for place, level in enumerate(self.levels):
            if level is None and place in found:
                found.add(place + 1)
        return frozenset(found)


class Trails:
    """Where several patterns stand at each place of a list that grows; what is alike is kept once."""

    def __init__(self, globs: Sequence[Glob], found: Sequence[Place]) -> None:
        self._globs, self._found = globs, found
        self._trails: list[tuple[States, ...]] = []
        self._depths: list[int] = []
        self._known: dict[tuple[States, ...], tuple[States, ...]] = {}

    def at(self, place: int) -> tuple[States, ...]:
        """Where each pattern stands there."""
        while len(self._trails) <= place:
            each = self._found[len(self._trails)]
            self._depths.append(self._depths[each.parent] + 1 if each.parent >= 0 else 0)
            before = self._trails[each.parent] if each.parent >= 0 else tuple(one.start() for one in self._globs)
            states = tuple(one.step(states, each.name) for one, states in zip(self._globs, before, strict=True))
            self._trails.append(self._known.setdefault(states, states))
        return self._trails[place]

    def depth(self, place: int) -> int:
        """How many levels it lies below where browsing began."""
        self.at(place)
        return self._depths[place]

    def first(self, place: int) -> int | None:
        """The number of the first pattern that fits this place."""
        pairs = enumerate(zip(self._globs, self.at(place), strict=True))
        return next((number for number, (one, states) in pairs if one.done(states)), None)


def can_be_tag(found: Sequence[Place], at: int, *, properties: bool = False) -> bool:
    """Whether it holds one value. Properties of a variable (its units, its limits) say what it is, and are no tags."""
    place = found[at]
    own = place.parent >= 0 and found[place.parent].kind == "variable"
    return bool(place.type) and not place.array and (properties or place.kind != "property" or not own)


def glob(text: str) -> Glob:
    """Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"a pattern of {len(text)} characters is too long: {LONGEST} at most")
    here = text.startswith(_HERE)
    rooted, body = here or text.startswith("/"), text.removeprefix(_HERE)
    levels = _split(body.strip("/") if not body.endswith("&/") else body.lstrip("/"))
    if not levels or not all(levels):
        raise ValueError(f"{text!r} is no pattern: write the names on the way, such as Press*/**/Temp")
    compiled = tuple(None if level in ANY else _compiled(level) for level in levels)
    if here:
        return Glob((_ANYTHING, *compiled))
    return Glob(compiled if rooted or compiled[0] is None else (None, *compiled))


def _split(text: str) -> list[list[tuple[bool, str]]]:
    """Levels, each a list of (is a wildcard, text)."""
    levels: list[list[tuple[bool, str]]] = [[]]
    for escaped, slash, star, mark, plain in _PIECES.findall(text):
        if slash:
            levels.append([])
        else:
            levels[-1].append((bool(star or mark), escaped or star or mark or plain))
    return levels


def _compiled(level: list[tuple[bool, str]]) -> re.Pattern[str]:
    """A regular expression without a way back: each star but the last takes as little as it can, and keeps it."""
    parts = [""]
    for wild, text in level:
        if wild and text.startswith("*"):
            parts.append("")
        else:
            parts[-1] += "(.)" if wild else re.escape(text)
    middle = "".join(f"(?>(.*?){part})" for part in parts[1:-1])
    return re.compile(parts[0] + (f"{middle}(.*){parts[-1]}" if len(parts) > 1 else ""), re.DOTALL)


def _fits(level: re.Pattern[str], name: str) -> re.Match[str] | None:
    """A wildcard stands for the name without its namespace, if that will do."""
    bare = _NUMBERED.match(name)
    return (level.fullmatch(name, bare.end()) if bare else None) or level.fullmatch(name)
