"""The `oee:` of devices: as `agent.normalise` wants it, and whether the device has what it names."""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from typing import Any

from agent.config.calendars import known_calendar
from agent.config.derived import Owner, Tags, known_tags, missing, owner_title
from agent.config.problems import Scope
from agent.config.states import is_text
from agent.config.tree import Mapping
from agent.config.virtual import VirtualConfig, source_of
from agent.config.words import did_you_mean, shown
from agent.normalise.calculated import Source
from agent.normalise.shift import Oee
from agent.registry import DriverConfig, names_of
from drivers.rules.state import OTHER, names_in

SECOND = 10**9  # ns
TAGS = ("state", "produced", "good", "rejects")  # keys that name one


def oee_of(owner: Owner) -> Oee:
    """What a device asks that has an `oee:`; of two names for the same counter one."""
    said: Any = owner.oee
    aliases = owner.inputs if isinstance(owner, VirtualConfig) else {}
    inputs = {name: source_of(owner.name, aliases[name]) for name in _names(said) if name in aliases}
    good, rejects = (
        said.produced if name and inputs.get(name, "") == inputs.get(said.produced) else name or ""
        for name in (said.good, said.rejects)
    )
    cycle = round(said.cycle * SECOND)
    return Oee(said.state, tuple(said.run), said.produced, cycle, said.calendar, good, rejects, tuple(inputs.items()))


def _names(said: Any) -> Several[str]:
    return [name for name in (getattr(said, key) for key in TAGS) if name]


def check_oee(
    raw: Mapping, tags: Several[Any], derived: Table[str, Any], calendars: Collection[str], scope: Scope
) -> None:
    """Whether a device has what its `oee:` names. `derived` is what the file says of tags that are worked out."""
    is_open = any(getattr(tag, "match", "") for tag in tags)
    _check(raw, {} if is_open else dict(derived) | {tag.name: tag for tag in tags}, calendars, scope)


def check_virtual_oee(
    root: Mapping,
    devices: Several[DriverConfig],
    virtual: Several[VirtualConfig],
    raws: Several[Mapping],
    calendars: Collection[str],
    scope: Scope,
) -> None:
    """The same of virtual devices, which name inputs or derived tags. `raws` is what the file says of them."""
    if not any(each.oee for each in virtual):
        return
    tags = known_tags(root, devices, virtual)
    owners: list[Owner] = [*devices, *virtual]
    values = {(owner.name, name): value for owner in owners for name, value in _values(owner)}
    for owner, raw in zip(virtual, raws, strict=True):
        if owner.oee is not None:
            inner = scope.within(owner_title(owner))
            if _has_inputs(owner, raw, tags, inner):
                inputs = {name: source_of(owner.name, said) for name, said in owner.inputs.items()}
                known = {name: values.get(source, _made(source, tags)) for name, source in inputs.items()}
                _check(raw, {**owner.derived, **known}, calendars, inner)


def _has_inputs(owner: VirtualConfig, raw: Mapping, tags: Table[str, Tags], scope: Scope) -> bool:
    """Whether there are the tags that its `oee:` takes from others."""
    problems = 0
    for key in TAGS:
        name = getattr(owner.oee, key)
        wrong = missing(source_of(owner.name, owner.inputs[name]), tags) if name in owner.inputs else None
        if wrong is not None:
            problems += 1
            scope.add(raw["oee"].value_marks[key], f"oee: {key}: {name}: {wrong[0]}", wrong[1])
    return not problems


def _made(source: Source, tags: Table[str, Tags]) -> Any:
    """What is known of a tag that the file does not list: one that is made asks for nothing."""
    device = tags.get(source[0])
    return None if device is None or device.is_open else {}


def _values(owner: Owner) -> Iterator[tuple[str, Any]]:
    for tag in getattr(owner, "tags", ()):
        for name in names_of(tag):
            yield name, tag
    yield from owner.derived.items()


def _check(raw: Mapping, known: Table[str, Any], calendars: Collection[str], scope: Scope) -> None:
    """`known` has what is said of the tags by their names: None where nobody can know, nothing where it has any."""
    said = raw.get("oee")
    if not isinstance(said, Mapping):
        return
    scope = scope.within("oee")
    for key in TAGS:
        name = said.get(key)
        if isinstance(name, str) and known and name not in known:
            scope.add(said.value_marks[key], f"{key}: there is no tag {shown(name)}", did_you_mean(name, known))
        elif key != "state" and isinstance(name, str) and is_text(known.get(name)):
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
