"""The `oee:` of devices: whether there is what it names."""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.derived import owner_title
from agent.config.dtypes import dtype_of
from agent.config.known import Known
from agent.config.problems import Mark, Scope
from agent.config.recipes import source_of
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.virtual import VirtualConfig
from agent.config.words import did_you_mean, shown
from agent.registry import ValueConfig, names_of, pattern_of
from drivers.rules.state import OTHER, names_in

TAGS = ("state", "produced", "good", "rejects")  # keys that name one
_A = {"str": "a text", "bool": "a bool"}
_NOBODY_KNOWS, _ASKS_NOTHING = None, dict[str, Any]()  # what is said of a tag that the file does not list


def check_oee(
    raw: Mapping, tags: Several[Any], derived: Table[str, Any], calendars: Collection[str] | None, scope: Scope
) -> None:
    """Whether a device has what its `oee:` names. `derived` is what the file says of tags that are worked out."""
    is_open = any(pattern_of(tag) for tag in tags)
    known = dict(derived) | {name: tag for tag in tags for name in names_of(tag)}
    _check(raw, known, calendars, scope, is_open=is_open)


def check_virtual_oee(
    virtual: Several[tuple[VirtualConfig, Mapping]], known: Known, calendars: Collection[str] | None, scope: Scope
) -> None:
    """The same of devices by calculation, which name inputs and derived tags; whether inputs are there is asked
    elsewhere."""
    for owner, raw in virtual:
        if owner.oee is not None:
            tags = {**owner.derived, **dict(_inputs(owner, known))}
            _check(raw, tags, calendars, scope.within(owner_title(owner)), is_open=False)


def _inputs(owner: VirtualConfig, known: Known) -> Iterator[tuple[str, Any]]:
    """What is said of them."""
    for name, text in owner.inputs.items():
        source = source_of(text, owner.name)
        device = known.get(source[0])
        is_made = device is not None and not device.is_open and source[1] in device.makes
        yield name, known.value(source) or (_ASKS_NOTHING if is_made else _NOBODY_KNOWS)


def _check(
    raw: Mapping, known: Table[str, Any], calendars: Collection[str] | None, scope: Scope, *, is_open: bool
) -> None:
    said = raw.get("oee")
    if not isinstance(said, Mapping):
        return
    scope = scope.within("oee")
    for key in TAGS:
        name = said.get(key)
        if not isinstance(name, str) or isinstance(name, Unresolved):
            continue
        mark = said.value_marks[key]
        if name not in known:
            if not is_open:
                scope.add(mark, f"{key}: there is no tag {shown(name)}", did_you_mean(name, known))
        elif not getattr(known[name], "enabled", True):
            scope.add(mark, f"{key}: the tag {shown(name)} is not read", "it is `enabled: false`")
        elif key != "state":
            _counts(key, name, known[name], said, mark, scope)
    _running(said, known, scope)
    calendar = said.get("calendar")
    if isinstance(calendar, str) and calendars is not None and calendar not in calendars:
        hint = known_calendar(calendar, dict.fromkeys(calendars))
        scope.add(said.value_marks["calendar"], f"calendar: there is no calendar {shown(calendar)}", hint)


def _counts(key: str, name: str, tag: Any, said: Mapping, mark: Mark, scope: Scope) -> None:
    """Whether a tag can count pieces."""
    if isinstance(tag, ValueConfig) and dtype_of(tag) in _A:
        scope.add(mark, f"{key}: the tag {shown(name)} is {_A[str(dtype_of(tag))]}", "only numbers can be counted")
    elif key == "rejects" and name == said.get("produced"):
        scope.add(mark, f"{key}: {shown(name)} is the tag of `produced`, too", "not all pieces are rejected")


def _running(said: Mapping, known: Table[str, Any], scope: Scope) -> None:
    """Whether the state tag has states, and those in which the machine is to run."""
    tag = known.get(str(said.get("state")))
    if tag is None:
        return
    states = tag.get("state") if isinstance(tag, Table) else getattr(tag, "state", None)
    if not isinstance(states, Table):
        hint = "such as state: {run: [1], idle: [2], fault: [3]}"
        scope.add(said.value_marks["state"], f"state: the tag {shown(said['state'])} has no `state:`", hint)
        return
    names, run = names_in(_spelt(states)), said.get("run", "run")
    for name in run if isinstance(run, list) else [run]:
        if isinstance(name, str) and name not in names:
            place = said.value_marks.get("run", said.value_marks["state"])
            known_ones = f"it has {', '.join(names)}"
            scope.add(place, f"run: the tag {shown(said['state'])} has no state {shown(name)}", known_ones)


def _spelt(states: Table[str, Any]) -> dict[str, Any]:
    """With `other` as the list that it is short for."""
    other = states.get(OTHER)
    return {**states, OTHER: [other]} if isinstance(other, str) else dict(states)
