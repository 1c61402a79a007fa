"""The `aggregate:` of tags: what the steps are to do, and what a single tag cannot know to be wrong."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from typing import Any

from agent.config.lists import of_item
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.model.text import LONGEST_NAME
from agent.normalise.windows.ask import NUMBERS, Window
from agent.registry import pattern_of

SECOND = 10**9  # ns


def windows_of(sections: Several[Any] | None) -> tuple[Window, ...]:
    """What an `aggregate:` says, in the words of `agent.normalise`."""
    return tuple(map(_window, sections or ()))


def _window(said: Any) -> Window:
    hold = round(said.hold * SECOND) if said.hold else None
    return Window(round(said.every * SECOND), tuple(said.of), round(said.late * SECOND), hold)


def check_windows(raws: Several[Any], tags: Several[Any], more: Iterable[str], scope: Scope) -> None:
    """What is wrong with the windows of the tags of one device. `more` are names of what else is told of it."""
    if not any(tag.aggregate for tag in tags):
        return
    taken = {tag.name: f"the tag {shown(tag.name)}" for tag in tags} | dict.fromkeys(more, "something else")
    for index, (raw, tag) in enumerate(zip(raws, tags, strict=True)):
        if tag.aggregate and isinstance(raw, Mapping) and not scope.full:
            _check(raw, tag, taken, of_item(raw, "tag", index, scope))


def _check(raw: Mapping, tag: Any, taken: dict[str, str], scope: Scope) -> None:
    for window, item, mark in _items(windows_of(tag.aggregate), raw):
        wrong = next((what for what in window.of if what in NUMBERS), None)
        if wrong and getattr(tag, "dtype", "") == "str":
            place = item.value_marks.get("of", mark)
            scope.add(
                place, f"aggregate: of: there is no {wrong} of text", "of text there are first, last, count, good"
            )
        if not pattern_of(tag):  # that of many gets its names later
            _names(window, tag.name, taken, mark, scope)


def _names(window: Window, tag: str, taken: dict[str, str], mark: Mark, scope: Scope) -> None:
    own = shown(tag)
    for name in window.named(tag):
        if len(name) > LONGEST_NAME:
            what = f"aggregate: {shown(name)} would be longer than {LONGEST_NAME} characters"
            return scope.add(mark, what, "give the tag a shorter name")
        if taken.setdefault(name, own) != own:
            return scope.add(mark, f"aggregate: {shown(name)} is {taken[name]} of this device", "give one another name")
    return None


def _items(windows: Several[Window], raw: Mapping) -> Iterator[tuple[Window, Mapping, Mark]]:
    """Each with what the file has for it, and where."""
    given = raw.get("aggregate")
    for index, window in enumerate(windows):
        item = given[index] if isinstance(given, Sequence) else given
        mark = given.item_marks[index] if isinstance(given, Sequence) else raw.value_marks.get("aggregate", raw.mark)
        yield window, item if isinstance(item, Mapping) else Mapping(mark), mark
