"""The `state:` of tags and the `oee:` of devices: as `agent.normalise` wants them, and whether they can be."""

from collections.abc import Collection
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.lists import title
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.model.text import LONGEST_NAME
from agent.normalise.shift import Oee
from agent.normalise.state import States
from agent.normalise.states import columns_of
from drivers.rules.state import OTHER, names_in

SECOND = 10**9  # ns


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
    is_text = _text(tag)
    said = raw.get("state")
    for name, values in tag.state.items():
        for value in values if name != OTHER else ():
            if isinstance(value, str) != is_text:
                place = said.value_marks.get(name, mark) if isinstance(said, Mapping) else mark
                kind = "a text" if is_text else "no text"
                scope.add(place, f"state: {name}: {shown(value)}: the tag is {kind}, and never has this value")


def _text(tag: Any) -> bool:
    return (getattr(tag, "dtype", "") or getattr(tag, "type", "")) == "str" or getattr(tag, "wave", "") == "text"


def check_oee(
    raw: Mapping, tags: Several[Any], derived: Table[str, Any], calendars: Collection[str], scope: Scope
) -> None:
    """Whether a device has what its `oee:` names. `derived` is what the file says of tags that are worked out."""
    said = raw.get("oee")
    if not isinstance(said, Mapping):
        return
    scope = scope.within("oee")
    if any(getattr(tag, "match", "") for tag in tags):
        known: dict[str, Any] = {}
    else:
        known = dict(derived) | {tag.name: tag for tag in tags}
    for key in ("state", "produced", "good", "rejects"):
        name = said.get(key)
        if isinstance(name, str) and known and name not in known:
            scope.add(said.value_marks[key], f"{key}: there is no tag {shown(name)}", did_you_mean(name, known))
        elif key != "state" and isinstance(name, str) and name in known and _text(known[name]):
            scope.add(said.value_marks[key], f"{key}: the tag {shown(name)} is a text", "only numbers can be counted")
    _running(said, known, scope)
    calendar = said.get("calendar")
    if isinstance(calendar, str) and calendar not in calendars:
        hint = known_calendar(calendar, dict.fromkeys(calendars))
        scope.add(said.value_marks["calendar"], f"calendar: there is no calendar {shown(calendar)}", hint)


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
