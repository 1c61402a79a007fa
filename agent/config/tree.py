"""Plain values that remember where they were written, so that any later complaint can point at its line."""

from collections.abc import Iterator
from typing import Any

from agent.config.problems import Mark


class Mapping(dict[str, Any]):
    """A dict with the place of itself, of each key and of each value. `origin` names the section of a device map
    (`quirks`, `defaults`) that a merged key came from."""

    __slots__ = ("key_marks", "mark", "origin", "value_marks")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.key_marks: dict[str, Mark] = {}
        self.value_marks: dict[str, Mark] = {}
        self.origin: dict[str, str] = {}

    def put(self, key: str, value: Any, key_mark: Mark, value_mark: Mark) -> None:
        self[key] = value
        self.key_marks[key] = key_mark
        self.value_marks[key] = value_mark

    def without(self, *keys: str) -> "Mapping":
        return merge(Mapping(self.mark), self, skip=frozenset(keys))


class Sequence(list[Any]):
    """A list with the place of itself and of each item."""

    __slots__ = ("item_marks", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.item_marks: list[Mark] = []

    def put(self, value: Any, mark: Mark) -> None:
        self.append(value)
        self.item_marks.append(mark)


def merge(base: Mapping, over: Mapping, *, origin: str = "", skip: frozenset[str] = frozenset()) -> Mapping:
    """The keys of `base`, overridden by those of `over`, without `skip`; each keeps its place, and the whole stands
    where `over` stands. `origin` names where `base` came from."""
    merged = Mapping(over.mark)
    for part, name in ((base, origin), (over, "")):
        for key, value in part.items():
            if key not in skip:
                merged.put(key, value, part.key_marks[key], part.value_marks[key])
                merged.origin[key] = part.origin.get(key) or name
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
