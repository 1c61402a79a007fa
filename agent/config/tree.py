"""Plain values that remember where they were written, so that any later complaint can point at its line.

Few places are ever asked for, and there are hundreds of thousands: they are kept as numbers, and made when asked for.
"""

from array import array
from collections.abc import Iterator
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any, TypeVar, cast, overload

from agent.config.problems import Mark

T = TypeVar("T")
FEW = 16  # keys that are looked through without an index
_BITS = 24
_MASK = (1 << _BITS) - 1


def packed(line: int, column: int) -> int:
    """A place within a file, both counted from 1."""
    return line << _BITS | column


class Mapping(dict[str, Any]):
    """A dict with the place of itself, of each key and of each value. `origin` names the section (`quirks`, `defaults`)
    that a merged key came from."""

    __slots__ = ("_index", "others", "places", "source", "start")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.source = mark  # any place of the file
        self.start = packed(mark.line, mark.column)
        self.places = array("Q")  # of key and value in turn, as `packed`
        self.others: dict[str, tuple[Mark | None, Mark | None, str]] | None = None  # in other files; and origins
        self._index: dict[str, int] | None = None

    def put(self, key: str, value: Any, key_mark: Mark, value_mark: Mark) -> None:
        at = self._at(key) if key in self else len(self)
        self[key] = value
        pair = array("Q", (packed(key_mark.line, key_mark.column), packed(value_mark.line, value_mark.column)))
        self.places[2 * at : 2 * at + 2] = pair
        ours = _is_one(key_mark, self.source) and _is_one(value_mark, self.source)
        self._tell(key, None if ours else key_mark, None if ours else value_mark, "")

    def without(self, *keys: str) -> "Mapping":
        return merge(Mapping(self.mark), self, skip=frozenset(keys))

    @property
    def mark(self) -> Mark:
        return _mark(self.source, self.start)

    @property
    def key_marks(self) -> "Places":
        return Places(self, 0)

    @property
    def value_marks(self) -> "Places":
        return Places(self, 1)

    @property
    def origin(self) -> dict[str, str]:
        return {key: self.origin_of(key) for key in self}

    def origin_of(self, key: str) -> str:
        other = self.others.get(key) if self.others else None
        return other[2] if other else ""

    def place(self, key: str, which: int) -> Mark:
        """Of a key (0) or of its value (1). Raises KeyError."""
        other = self.others.get(key) if self.others else None
        if other is not None and (mark := other[which]) is not None:
            return cast(Mark, mark)
        return _mark(self.source, self.places[2 * self._at(key) + which])

    def lay(self, over: "Mapping", skip: frozenset[str], origin: str) -> None:
        """Put all keys of another one, with their places; those without an origin have this one."""
        ours = _is_one(over.source, self.source)
        if not self and ours and not (skip or origin or over.others):
            self.update(over)
            self.places = over.places[:]
            return
        for key, value in over.items():
            if key in skip:
                continue
            at = self._at(key) if key in self else len(self)
            self[key] = value
            self.places[2 * at : 2 * at + 2] = over.pair(key)
            marks: tuple[Mark | None, Mark | None] = (None, None)
            if not ours:
                marks = over.place(key, 0), over.place(key, 1)
            elif over.others and key in over.others:
                marks = over.others[key][:2]
            self._tell(key, marks[0], marks[1], over.origin_of(key) or origin)

    def pair(self, key: str) -> "array[int]":
        at = 2 * self._at(key)
        return self.places[at : at + 2]

    def _tell(self, key: str, key_mark: Mark | None, value_mark: Mark | None, origin: str) -> None:
        if key_mark is not None or origin:
            self.others = self.others or {}
            self.others[key] = key_mark, value_mark, origin
        elif self.others:
            self.others.pop(key, None)

    def _at(self, key: str) -> int:
        """The number of a key. Raises KeyError."""
        if len(self) <= FEW:
            for at, each in enumerate(self):
                if each == key:
                    return at
            raise KeyError(key)
        if self._index is None or len(self._index) != len(self):
            self._index = {each: at for at, each in enumerate(self)}
        return self._index[key]


class Places(Table[str, Mark]):
    """Where the keys of a mapping are, or their values."""

    __slots__ = ("_of", "_which")

    def __init__(self, of: Mapping, which: int) -> None:
        self._of, self._which = of, which

    def __getitem__(self, key: str) -> Mark:
        return self._of.place(key, self._which)

    @overload
    def get(self, key: str, /) -> Mark | None: ...
    @overload
    def get(self, key: str, /, default: Mark | T) -> Mark | T: ...
    def get(self, key: str, /, default: Any = None) -> Any:
        """As of any table, without an exception for what is missing."""
        return self._of.place(key, self._which) if key in self._of else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, key: object) -> bool:
        return key in self._of


class Sequence(list[Any]):
    """A list with the place of itself and of each item."""

    __slots__ = ("others", "places", "source", "start")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.source = mark
        self.start = packed(mark.line, mark.column)
        self.places = array("Q")
        self.others: dict[int, Mark] | None = None

    def put(self, value: Any, mark: Mark) -> None:
        self.append(value)
        self.places.append(0)
        self.replace(len(self) - 1, value, mark)

    def replace(self, index: int, value: Any, mark: Mark) -> None:
        self[index], self.places[index] = value, packed(mark.line, mark.column)
        if not _is_one(mark, self.source):
            self.others = self.others or {}
            self.others[index] = mark
        elif self.others:
            self.others.pop(index, None)

    def place(self, index: int) -> Mark:
        other = self.others.get(index) if self.others else None
        return other or _mark(self.source, self.places[index])

    @property
    def mark(self) -> Mark:
        return _mark(self.source, self.start)

    @property
    def item_marks(self) -> "Items":
        return Items(self)


class Items(Several[Mark]):
    """Where the items of a list are."""

    __slots__ = ("_of",)

    def __init__(self, of: Sequence) -> None:
        self._of = of

    @overload
    def __getitem__(self, index: int) -> Mark: ...
    @overload
    def __getitem__(self, index: slice) -> list[Mark]: ...
    def __getitem__(self, index: int | slice) -> Mark | list[Mark]:
        at = range(len(self._of.places))[index]
        return self._of.place(at) if isinstance(at, int) else [self._of.place(each) for each in at]

    def __len__(self) -> int:
        return len(self._of.places)


def merge(base: Mapping, over: Mapping, *, origin: str = "", skip: frozenset[str] = frozenset()) -> Mapping:
    """The keys of `base`, overridden by those of `over`, without `skip`; each keeps its place, and the whole stands
    where `over` stands. `origin` names where `base` came from."""
    merged = Mapping(over.mark)
    merged.lay(base, skip, origin)
    merged.lay(over, skip, "")
    return merged


def leaves(node: Any) -> Iterator[Any]:
    """Every scalar below a node."""
    if isinstance(node, dict):
        for value in node.values():
            yield from leaves(value)
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value)
    else:
        yield node


def _mark(source: Mark, place: int) -> Mark:
    return Mark._make((source[0], place >> _BITS, place & _MASK, *source[3:]))


def _is_one(one: Mark, other: Mark) -> bool:
    """Whether they are in the same file."""
    return one[0] == other[0] and one[3:] == other[3:]
