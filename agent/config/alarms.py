"""The `alarms:` of tags: what the steps are to do, and what a single one cannot know to be wrong."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from typing import Any

from agent.config.lists import title
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown
from agent.normalise.alarms import Alarm, Kind, columns_of

SEVERITY: dict[Kind, int] = {"hh": 750, "ll": 750}
MEDIUM = 500
NUMERIC = ("hh", "h", "l", "ll", "deviation", "rate")
SECOND = 10**9  # ns


def alarms_of(sections: Several[Any] | None) -> tuple[Alarm, ...]:
    """What an `alarms:` says, in the words of `agent.normalise`."""
    return tuple(_alarm(each, kind) for each in sections or () for kind in each.kinds())


def _alarm(section: Any, kind: Kind) -> Alarm:
    what: dict[str, Any] = {}
    if kind in ("h", "hh"):
        what = {"high": getattr(section, kind)}
    elif kind in ("l", "ll"):
        what = {"low": getattr(section, kind)}
    elif kind == "deviation":
        start, by = section.deviation.from_, section.deviation.by
        middle = 0 if isinstance(start, str) else start
        what = {"low": middle - by, "high": middle + by, "other": start if isinstance(start, str) else ""}
    elif kind == "rate":
        what = {"low": -section.rate.above, "high": section.rate.above, "over": round(section.rate.over * SECOND)}
    elif kind == "state":
        what = {"states": frozenset(section.state)}
    if kind in NUMERIC:
        what["hysteresis"] = section.hysteresis
    return Alarm(
        kind,
        section.name or "",
        severity=section.severity or SEVERITY.get(kind, MEDIUM),
        text=section.text,
        on_delay=round(section.on_delay * SECOND),
        off_delay=round(section.off_delay * SECOND),
        chatter=section.chatter,
        **what,
    )


def check_alarms(raws: Several[Any], tags: Several[Any], more: Iterable[str], scope: Scope) -> None:
    """What is wrong with the alarms of the tags of one device. `more` are names of what else is told of it."""
    if not any(getattr(tag, "alarms", None) for tag in tags):
        return
    names = {tag.name: getattr(tag, "dtype", "float64") for tag in tags} | dict.fromkeys(more, "float64")
    taken = {name: f"the tag {shown(name)} of this device has that name" for name in names}
    for index, (raw, tag) in enumerate(zip(raws, tags, strict=True)):
        if not getattr(tag, "alarms", None) or not isinstance(raw, Mapping):
            continue
        inner = scope.within(title(raw, "tag", index))
        for section, item, mark in _items(tag.alarms, raw):
            if getattr(tag, "match", ""):
                if section.name:
                    inner.add(mark, "alarms: name: this tag stands for many: their alarms cannot all have one name")
            else:
                _names(section, tag.name, taken, mark, inner)
            _fits(section, names.get(tag.name, "float64"), item, mark, inner)
            _other(section, tag.name, names, item, mark, inner)


def _items(sections: Several[Any], raw: Mapping) -> Iterator[tuple[Any, Mapping, Mark]]:
    """Each with what the file has for it, and where."""
    given = raw.get("alarms")
    mark = raw.value_marks.get("alarms", raw.mark)
    for index, section in enumerate(sections):
        item, place = (given[index], given.item_marks[index]) if isinstance(given, Sequence) else (given, mark)
        yield section, item if isinstance(item, Mapping) else Mapping(place), place


def _names(section: Any, tag: str, taken: dict[str, str], mark: Mark, scope: Scope) -> None:
    for kind in section.kinds():
        name = section.name or f"{tag}_{kind}"
        for column in columns_of(name, kind, section.text):
            if column in taken:
                what = f"alarms: {shown(name)} needs the name {shown(column)}" if column != name else "alarms"
                scope.add(mark, f"{what}: {taken[column]}", f"give the alarm another `name` than {shown(name)}")
                break
            taken[column] = f"the alarm {shown(name)} on line {mark.line} has that name"


def _fits(section: Any, dtype: str, item: Mapping, mark: Mark, scope: Scope) -> None:
    """Limits are for numbers, and a state must be one that the tag can have."""
    if dtype == "str":
        wrong = next((kind for kind in section.kinds() if kind in NUMERIC), None)
        if wrong:
            hint = "a text has alarms such as `state: [fault, jam]`"
            scope.add(item.key_marks.get(wrong, mark), f"alarms: {wrong}: the tag is a text", hint)
    for state in section.state or ():
        if isinstance(state, str) != (dtype == "str"):
            place = item.value_marks.get("state", mark)
            kind = "a text" if dtype == "str" else f"a number ({dtype})"
            scope.add(place, f"alarms: state: {shown(state)}: the tag is {kind}, and never has this value")


def _other(section: Any, tag: str, names: dict[str, str], item: Mapping, mark: Mark, scope: Scope) -> None:
    other = section.deviation and section.deviation.from_
    if not isinstance(other, str):
        return
    inner = item.get("deviation")
    place = inner.value_marks.get("from", mark) if isinstance(inner, Mapping) else mark
    if other not in names:
        numbers = [name for name, dtype in names.items() if dtype != "str"]
        scope.add(place, f"alarms: deviation: from: there is no tag {shown(other)}", did_you_mean(other, numbers))
    elif names[other] == "str":
        scope.add(place, f"alarms: deviation: from: the tag {shown(other)} is a text")
    elif other == tag:
        scope.add(place, "alarms: deviation: from: it is the tag itself", "name another one, or a number")
