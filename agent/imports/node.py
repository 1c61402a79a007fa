"""A mapping of the input that knows which of its keys somebody has looked at: the others are told, by name.

What a key holds is judged here, once for all formats: a number may be written as text, a bool is no number, a list is
no text. What does not fit is told with its place, and counts as if it were not there.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from agent.imports.notes import Kind, Notes
from agent.model.text import escaped

DEEPEST = 40  # levels of a file
MOST_IN_A_SENTENCE = 6
_DIGITS = 40  # of a number as text
_FLAGS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
Number = int | float


class Skip(Exception):
    """Something cannot be carried, and with it nothing of the mapping that it stands in."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


class Node:
    """`place` is where it stands: `site.json:master.slaves[0]`."""

    def __init__(self, data: Mapping[str, Any], file: str, place: str, notes: Notes) -> None:
        self.data = data
        self.notes = notes
        self._file, self._place = file, place
        self._seen: set[str] = set()
        self._below: list[Node] = []
        self._strict = False  # whether a number that is none is a reason to carry nothing of it

    @property
    def place(self) -> str:
        return f"{self._file}:{self._place}" if self._place else self._file

    def at(self, key: str) -> str:
        return f"{self._file}:{self._path(key)}"

    def has(self, key: str) -> bool:
        """Whether something stands there; that is no look at it."""
        return self.data.get(key) is not None

    def note(self, kind: Kind, message: str, hint: str = "", key: str = "") -> None:
        self.notes.add(kind, self.at(key) if key else self.place, message, hint)

    def raw(self, key: str) -> Any:
        self._seen.add(key)
        return self.data.get(key)

    def first(self, *keys: str) -> str:
        """The first of these keys that is there; all of them are looked at, and the last one is the answer else."""
        for key in keys:
            if self.has(key):
                return key
        return keys[-1]

    def text(self, key: str, default: str = "") -> str:
        found = self.raw(key)
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            if found is not None:
                self._told(key, "text")
            return default
        return clean(str(found).strip()) or default

    def number(self, key: str) -> Number | None:
        """None where there is none, or none that can be used."""
        found = self.raw(key)
        if found is None or found == "":
            return None
        number = as_number(found)
        if number is None:
            self._wrong(key, "a number")
        return number

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int | None:
        number = self.number(key)
        if number is None:
            return default
        if number != int(number) or not least <= number <= most:
            self._wrong(key, f"a whole number from {least} to {most}")
            return default
        return int(number)

    def flag(self, key: str, default: bool | None = None) -> bool | None:
        found = self.raw(key)
        if found is None or found == "":
            return default
        known = _FLAGS.get(str(found).strip().lower())
        if known is None:
            self._wrong(key, "true or false")
        return default if known is None else known

    def child(self, key: str) -> "Node":
        """An empty one where there is none."""
        found = self.raw(key)
        if found is not None and not isinstance(found, Mapping):
            self._wrong(key, "a mapping")
        return self._child(found if isinstance(found, Mapping) else {}, self._path(key))

    def children(self, key: str) -> list["Node"]:
        """The mappings of a list; what else stands there is told."""
        found = self.raw(key)
        if isinstance(found, Mapping):  # one that stands without brackets
            return [self._child(found, self._path(key))]
        if found is not None and not isinstance(found, list):
            self._wrong(key, "a list")
        return list(self._items(found if isinstance(found, list) else [], self._path(key)))

    def _items(self, found: list[Any], path: str) -> Iterator["Node"]:
        for index, item in enumerate(found):
            if isinstance(item, Mapping):
                yield self._child(item, f"{path}[{index}]")
            else:
                self.notes.add("not carried", f"{self._file}:{path}[{index}]", "an item that is no mapping")

    def drop(self, keys: Iterable[str], why: str, hint: str = "") -> None:
        """These keys have no place here; those that are there are told together, with all that is in them."""
        found = [key for key in keys if key in self.data and key not in self._seen]
        if not found:
            return
        self._seen.update(found)
        within = [name for key in found for name in names(self.data[key])]
        if len(found) > MOST_IN_A_SENTENCE:
            message, within = f"{len(found)} keys: {why}", [*found, *within]
        else:
            message = f"{', '.join(f'`{key}`' for key in found)}: {why}"
        self.notes.add("not carried", self.at(found[0]) if len(found) == 1 else self.place, message, hint, within)

    def give_up(self, why: str, hint: str = "") -> None:
        """Nothing of this mapping is carried."""
        self._seen.update(self.data)
        self.notes.add("not carried", self.place, why, hint, names(self.data))
        self._below.clear()

    @contextmanager
    def or_none_of_it(self, *, strict: bool = True) -> Iterator[None]:
        """What is skipped within is told of the whole mapping. When `strict`, so is a number or a flag that is none: a
        tag without its scale or its bit would be another one."""
        self._strict = strict
        try:
            yield
        except Skip as skip:
            self.give_up(skip.why, skip.hint)
        finally:
            self._strict = False

    def close(self) -> None:
        """Tell what nobody has looked at, here and below."""
        for key, value in self.data.items():
            if key not in self._seen:
                self._seen.add(key)
                self.notes.add("not carried", self.at(key), f"`{key}`: not known here", "", names(value))
        for node in self._below:
            node.close()

    def _child(self, data: Mapping[str, Any], path: str) -> "Node":
        node = Node(data, self._file, path, self.notes)
        node._strict = self._strict
        self._below.append(node)
        return node

    def _path(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def _wrong(self, key: str, wanted: str) -> None:
        if self._strict:
            raise Skip(f"`{key}`: must be {wanted}")
        self._told(key, wanted)

    def _told(self, key: str, wanted: str) -> None:
        self.notes.add("not carried", self.at(key), f"`{key}`: must be {wanted}", "", names(self.data.get(key)))


def names(value: Any) -> Iterator[str]:
    """The keys in a value, of all levels; those of one level that repeat come again."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, Mapping):
            yield from found
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)


def as_number(found: Any) -> Number | None:
    """An int or a finite float, also where it is written as text; a bool is none."""
    if isinstance(found, bool):
        return None
    if isinstance(found, str):
        text = found.strip()
        if not 0 < len(text) <= _DIGITS or not text.isascii() or "_" in text:
            return None
        try:
            found = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
        except ValueError:
            try:
                found = float(text)
            except ValueError:
                return None
    if isinstance(found, int):
        return found if abs(found) < 1 << 64 else None
    return found if isinstance(found, float) and abs(found) < float("inf") else None


def clean(text: str) -> str:
    """Without what no file can hold or what would steer a terminal."""
    text = text.encode("utf-8", "replace").decode()
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else " " if c.isspace() else escaped(c) for c in text)
    )
