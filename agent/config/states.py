"""The `state:` of tags: as `agent.normalise` wants it, and whether it can be."""

from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any

from agent.config.dtypes import dtype_of, never
from agent.config.lists import of_item
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.text import LONGEST_NAME
from agent.normalise.state import States
from agent.normalise.states import columns_of
from drivers.rules.state import OTHER, names_in


def states_of(said: Table[str, Any]) -> States:
    """What a `state:` says."""
    names = names_in(dict(said))
    values = tuple((value, names.index(name)) for name, listed in said.items() if name != OTHER for value in listed)
    return States(names, values, names.index(said[OTHER][0]) if OTHER in said else -1)


def check_states(raws: Several[Any], tags: Several[Any], scope: Scope) -> None:
    """What is wrong with the `state:` of the tags of one device."""
    taken: dict[str, str] = {}
    for index, (raw, tag) in enumerate(zip(raws, tags, strict=True)):
        if tag.state is None or scope.full or not isinstance(raw, Mapping):
            continue
        inner, mark = of_item(raw, "tag", index, scope), raw.value_marks.get("state", raw.mark)
        _fits(tag, raw, mark, inner)
        for name in columns_of(tag.name, names_in(tag.state)):
            if len(name) > LONGEST_NAME:
                what = f"state: what is told of it has names such as {shown(name)}"
                inner.add(mark, what, f"at most {LONGEST_NAME} characters: give it a shorter name")
                break
            if taken.setdefault(name, tag.name) != tag.name:
                inner.add(mark, f"state: the name {shown(name)} is needed for the tag {shown(taken[name])}, too")
                break


def _fits(tag: Any, raw: Mapping, mark: Mark, scope: Scope) -> None:
    """A state must be one that the tag can have."""
    dtype, said = dtype_of(tag) or "float64", raw.get("state")
    for name, values in tag.state.items():
        for value in values if name != OTHER else ():
            if told := never(value, dtype, tag):
                place = said.value_marks.get(name, mark) if isinstance(said, Mapping) else mark
                scope.add(place, f"state: {name}: {told[0]}", told[1])
