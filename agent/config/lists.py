"""Lists of named things in a file: what each is called in a message, and that no name is used twice."""

from collections.abc import Iterable, Iterator
from typing import Any

from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown


def name_of(raw: Any) -> str:
    """The name that an item gives itself, or nothing."""
    name = raw.get("name") if isinstance(raw, Mapping) else None
    return name if isinstance(name, str) and not isinstance(name, Unresolved) else ""


def title(raw: Any, word: str, index: int) -> str:
    """`device 'press-3'`, or `devices[2]` while it has no name."""
    return f"{word} {shown(raw['name'])}" if name_of(raw) else f"{word}s[{index}]"


def of_item(raw: Any, word: str, index: int, scope: Scope) -> Scope:
    """Where problems of an item go; what it is called is only worked out when it has some."""
    return Scope(scope.report, lambda mark: ", ".join(filter(None, (scope.label(mark), title(raw, word, index)))))


def mappings(root: Mapping, word: str, scope: Scope) -> Iterator[tuple[Mapping, Scope]]:
    """Each mapping of the list `{word}s` with the scope of its problems in this file; whatever else stands there is
    reported."""
    raw = root.get(f"{word}s")
    if not isinstance(raw, Sequence):
        if raw is not None and not isinstance(raw, Unresolved):
            scope.add(root.value_marks[f"{word}s"], f"{word}s: must be a list")
        return
    for index, (item, mark) in enumerate(zip(raw, raw.item_marks, strict=True)):
        if scope.full:
            return
        if isinstance(item, Mapping):
            yield item, in_file(title(item, word, index), mark.file, scope)
        elif not isinstance(item, Unresolved):
            scope.add(mark, f"{word}s[{index}]: must be a mapping (key: value)")


def listed(root: Mapping, word: str) -> list[Any]:
    """What stands in the list `{word}s`, if that is one."""
    raw = root.get(f"{word}s")
    return raw if isinstance(raw, Sequence) else []


def unique_names(raws: Iterable[Any], word: str, scope: Scope) -> None:
    seen: dict[str, Mark] = {}
    for raw in raws:
        if (name := name_of(raw)) and not scope.full:
            mark: Mark = raw.value_marks["name"]
            if name in seen:
                scope.add(mark, f"two {word}s are named {shown(raw['name'])}", first(seen[name], mark))
            seen.setdefault(name, mark)


def first(mark: Mark, other: Mark) -> str:
    """Where the first of two is, for somebody who looks at the other."""
    if mark.file == other.file:
        return f"the first is on line {mark.line}"
    return f"the first is at {mark.file}:{mark.line}:{mark.column}"


def in_file(name: str, file: str, scope: Scope) -> Scope:
    """What is wrong in a device map is wrong whoever uses it, so it is not said of one device."""
    return Scope(scope.report, lambda mark: name if mark.file == file else "")
