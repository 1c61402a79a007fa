"""The `state:` of tags and the `oee:` of devices: as `agent.normalise` wants them, and whether they can be."""

from collections.abc import Collection
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.dtypes import dtype_of, never
from agent.config.lists import title
from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.model.text import LONGEST_NAME
from agent.normalise.shift import Oee
from agent.normalise.state import States
from agent.normalise.states import columns_of
from agent.registry import ValueConfig, names_of
from drivers.rules.state import OTHER, names_in

SECOND = 10**9  # ns
_A = {"str": "a text", "bool": "a bool"}


def states_of(said: Table[str, Any]) -> States:
    """What a `state:` says."""
    names = names_in(dict(said))
    values = tuple((value, names.index(name)) for name, listed in said.items() if name != OTHER for value in listed)
    return States(names, values, names.index(said[OTHER][0]) if OTHER in said else -1)


def oee_of(said: Any) -> Oee:
    cycle = round(said.cycle * SECOND)
    return Oee(said.state, tuple(said.run), said.produced, cycle, said.calendar, said.good or "", said.rejects or "")


def check_states(raws: Several[Any], tags: Several[Any], scope: Scope) -> None:
    """What is wrong with the `state:` of the tags of one device."""
    taken: dict[str, str] = {}
    for index, (raw, tag) in enumerate(zip(raws, tags, strict=True)):
        if tag.state is None or scope.full or not isinstance(raw, Mapping):
            continue
        inner, mark = scope.within(title(raw, "tag", index)), raw.value_marks.get("state", raw.mark)
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


def check_oee(
    raw: Mapping, tags: Several[Any], derived: Table[str, Any], calendars: Collection[str] | None, scope: Scope
) -> None:
    """Whether a device has what its `oee:` names. `derived` is what the file says of tags that are worked out."""
    said = raw.get("oee")
    if not isinstance(said, Mapping):
        return
    scope = scope.within("oee")
    is_open = any(getattr(tag, "match", "") for tag in tags)
    known = dict(derived) | {name: tag for tag in tags for name in names_of(tag)}
    for key in ("state", "produced", "good", "rejects"):
        name = said.get(key)
        if not isinstance(name, str) or isinstance(name, Unresolved):
            continue
        tag, mark = known.get(name), said.value_marks[key]
        if tag is None:
            if not is_open:
                scope.add(mark, f"{key}: there is no tag {shown(name)}", did_you_mean(name, known))
        elif not getattr(tag, "enabled", True):
            scope.add(mark, f"{key}: the tag {shown(name)} is not read", "it is `enabled: false`")
        elif key != "state":
            _counts(key, name, tag, said, mark, scope)
    _running(said, known, scope)
    calendar = said.get("calendar")
    if isinstance(calendar, str) and calendars is not None and calendar not in calendars:
        hint = known_calendar(calendar, dict.fromkeys(calendars))
        scope.add(said.value_marks["calendar"], f"calendar: there is no calendar {shown(calendar)}", hint)


def _counts(key: str, name: str, tag: Any, said: Mapping, mark: Mark, scope: Scope) -> None:
    """Whether a tag can count pieces."""
    if isinstance(tag, ValueConfig) and dtype_of(tag) in ("str", "bool"):
        scope.add(mark, f"{key}: the tag {shown(name)} is {_A[str(dtype_of(tag))]}", "only numbers can be counted")
    elif key == "rejects" and name == said.get("produced"):
        scope.add(mark, f"{key}: {shown(name)} is the tag of `produced`, too", "not all pieces are rejected")


def _running(said: Mapping, known: Table[str, Any], scope: Scope) -> None:
    """Whether the state tag has states, and those in which the machine is to run."""
    tag = known.get(str(said.get("state")))
    if tag is None:
        return
    states = tag.get("state") if isinstance(tag, Mapping) else getattr(tag, "state", None)
    if not isinstance(states, Table):
        hint = "such as state: {run: [1], idle: [2], fault: [3]}"
        scope.add(said.value_marks["state"], f"state: the tag {shown(said['state'])} has no `state:`", hint)
        return
    names, run = names_in(dict(states)), said.get("run", "run")
    for name in run if isinstance(run, list) else [run]:
        if isinstance(name, str) and name not in names:
            place = said.value_marks.get("run", said.value_marks["state"])
            known_ones = f"it has {', '.join(names)}"
            scope.add(place, f"run: the tag {shown(said['state'])} has no state {shown(name)}", known_ones)
