"""What an import has to tell: what it assumed, what it changed, what it could not carry, each with its places."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.model.text import plain

Kind = Literal["assumed", "changed", "not carried"]
KINDS: tuple[Kind, ...] = ("assumed", "changed", "not carried")
MOST = 2000  # different notes; nobody reads more, and a hostile file must stay cheap
PLACES = 20  # places that are kept of each
KEYS = 200  # names of keys that are kept of each
SHOWN = 3
LONGEST = 200


@dataclass(slots=True)
class Note:
    """`places` are the first of `count`, as `file:place`; `keys` what else stood in what is not carried."""

    kind: Kind
    message: str
    hint: str
    count: int = 0
    places: list[str] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """For people: what, and below it where."""
        held = f" (with {', '.join(self.keys)})" if self.keys else ""
        yield f"{self.message}{held}{f' ({self.hint})' if self.hint else ''}"
        more = self.count - min(SHOWN, len(self.places))
        yield f"  {', '.join(self.places[:SHOWN])}{f' and {more} more' if more else ''}"

    def as_dict(self) -> dict[str, Any]:
        told = {"kind": self.kind, "message": self.message, "hint": self.hint, "count": self.count}
        return {**told, "places": self.places, "keys": list(self.keys)}


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name that could not stay as it was."""

    place: str
    old: str
    new: str


class Notes:
    """Collects them. What is said alike of several places is one note, so `message` names no place."""

    def __init__(self) -> None:
        self._found: dict[tuple[Kind, str, str], Note] = {}
        self.renamed: list[Renamed] = []
        self.left_out = 0

    def add(self, kind: Kind, place: str, message: str, hint: str = "", keys: Iterable[str] = ()) -> None:
        message = cut(message)
        note = self._found.get((kind, message, hint))
        if note is None:
            if len(self._found) >= MOST:
                self.left_out += 1
                return
            note = self._found[kind, message, hint] = Note(kind, message, hint)
        where = cut(place)
        if where not in note.places:
            note.count += 1
            if len(note.places) < PLACES:
                note.places.append(where)
        for key in keys:
            if len(note.keys) < KEYS:
                note.keys[cut(key)] = None

    def of(self, kind: Kind) -> list[Note]:
        return [note for note in self._found.values() if note.kind == kind]

    def text(self) -> Iterator[str]:
        """All of it as lines, for a terminal and for the head of the file."""
        for kind in KINDS:
            found = self.of(kind)
            if found:
                yield f"{kind}:"
            for note in found:
                what, where = note.lines()
                yield f"  - {what}"
                yield f"  {where}"
        if self.renamed:
            yield "names that could not stay:"
        for name in self.renamed[:MOST]:
            yield f"  - {cut(name.old)!r} is {name.new!r}, {name.place}"
        left = self.left_out + max(0, len(self.renamed) - MOST)
        if left:
            yield f"and {left} more that are not listed: import the file in parts"

    def as_dicts(self) -> list[dict[str, Any]]:
        return [note.as_dict() for kind in KINDS for note in self.of(kind)]


def cut(text: str) -> str:
    """One line of printable text, and not too long a one."""
    text = plain(text.encode("utf-8", "replace").decode())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
