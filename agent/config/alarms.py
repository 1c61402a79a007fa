"""The `alarms:` of tags: what the steps are to do, and what a single one cannot know to be wrong."""

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Table
from collections.abc import Sequence as Several
from functools import partial
from typing import Any, NamedTuple

from agent.config.dtypes import dtype_of, never, range_of
from agent.config.lists import of_item
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import did_you_mean, shown
from agent.model.text import LONGEST_NAME
from agent.normalise.alarms import Alarm, Kind, columns_of
from agent.registry import TagConfig, ValueConfig, names_of, pattern_of

SEVERITY: dict[Kind, int] = {"hh": 750, "ll": 750}
MEDIUM = 500
LIMITS = ("ll", "l", "h", "hh")
NUMERIC = (*LIMITS, "deviation", "rate")
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


class Asked(NamedTuple):
    """A value with its section, as it stands in the file; several names where its bits are told apart."""

    names: Several[str]
    value: ValueConfig
    raw: Any
    within: Callable[[Scope], Scope]
    dtype: str | None = None
    many: bool = False  # a pattern, of which nobody knows the names


def asked_of(tags: Several[TagConfig], raws: Several[Any]) -> list[Asked]:
    """The tags of a device that are read."""
    pairs = enumerate(zip(tags, raws, strict=True))
    return [
        Asked(
            names_of(tag),
            tag,
            raw,
            partial(of_item, raw, "tag", index),
            dtype_of(tag),
            many=bool(pattern_of(tag)),
        )
        for index, (tag, raw) in pairs
        if tag.enabled
    ]


def derived_of(derived: Table[str, ValueConfig], listed: Any) -> list[Asked]:
    """The tags of a device that are worked out; `listed` is its `derived:` in the file."""
    raws = listed if isinstance(listed, Mapping) else {}
    return [
        Asked([name], value, raws.get(name), partial(_derived, name), dtype_of(value))
        for name, value in derived.items()
    ]


def _derived(name: str, scope: Scope) -> Scope:
    return scope.within(f"derived tag {shown(name)}")


def check_alarms(asked: Several[Asked], scope: Scope) -> None:
    """What is wrong with the alarms of the tags of one device."""
    if not any(each.value.alarms for each in asked):
        return
    dtypes = {name: each.dtype for each in asked for name in each.names}
    taken = {name: f"the tag {shown(name)} of this device has that name" for name in dtypes}
    is_open = any(each.many for each in asked)
    for each in asked:
        if each.value.alarms and isinstance(each.raw, Mapping) and not scope.full:
            inner = each.within(scope)
            for section, item, mark in _items(each.value.alarms, each.raw):
                if section.name and (each.many or len(each.names) > 1):
                    inner.add(mark, "alarms: name: this tag stands for many: their alarms cannot all have one name")
                elif not each.many:
                    for name in each.names:
                        _names(section, name, taken, mark, inner)
                _fits(section, each, item, mark, inner)
                _other(section, each.names, dtypes, item, mark, inner, is_open=is_open)


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
        longest = max(columns_of(name, kind, section.text), key=len)
        if len(longest) > LONGEST_NAME:
            what = f"alarms: {shown(longest)} would have {len(longest)} characters, {LONGEST_NAME} at most"
            scope.add(mark, what, "give the alarm a shorter `name`")
            continue
        for column in columns_of(name, kind, section.text):
            if column in taken:
                what = f"alarms: {shown(name)} needs the name {shown(column)}" if column != name else "alarms"
                scope.add(mark, f"{what}: {taken[column]}", f"give the alarm another `name` than {shown(name)}")
                break
            taken[column] = f"the alarm {shown(name)} on line {mark.line} has that name"


def _fits(section: Any, asked: Asked, item: Mapping, mark: Mark, scope: Scope) -> None:
    """Limits are for numbers that can be beyond them, and a state must be one that the tag can have."""
    dtype, value = asked.dtype, asked.value
    if dtype in ("str", "bool"):
        wrong = next((kind for kind in section.kinds() if kind in NUMERIC), None)
        if wrong:
            what, such = ("text", "[fault, jam]") if dtype == "str" else ("bool", "true")
            scope.add(item.key_marks.get(wrong, mark), f"alarms: {wrong}: the tag is a {what}", f"`state: {such}`")
    elif dtype:
        for key, message, hint in _beyond(section, dtype, value):
            scope.add(item.value_marks.get(key, mark), f"alarms: {key}: {message}", hint)
    for state in (section.state or ()) if dtype else ():
        if told := never(state, dtype or "", value):
            scope.add(item.value_marks.get("state", mark), f"alarms: state: {told[0]}", told[1])


def _beyond(section: Any, dtype: str, value: ValueConfig) -> Iterator[tuple[str, str, str]]:
    """(key, message, hint) for limits beyond which no value ever is."""
    is_other = value.as_ or getattr(value, "ratio", None)
    least, most = range_of("float64" if is_other else dtype)
    why = f"the tag is of the type {dtype}"
    for key in LIMITS:
        limit = getattr(section, key)
        if limit is None:
            continue
        is_high = key in ("h", "hh")
        edge = (value.limits.max if is_high else value.limits.min) if value.limits else None
        if limit >= most if is_high else limit <= least:
            yield key, f"{limit:g} is a limit that no value is ever beyond", why
        elif edge is not None and (limit >= edge if is_high else limit <= edge):
            name = "max" if is_high else "min"
            yield key, f"no value is ever beyond {limit:g}: `limits` has `{name}: {edge:g}`", "change one of the two"


def _other(
    section: Any,
    names: Several[str],
    dtypes: Table[str, str | None],
    item: Mapping,
    mark: Mark,
    scope: Scope,
    *,
    is_open: bool,
) -> None:
    """A deviation is from a number, or from a tag that has numbers. One that is `open` may have more tags."""
    other = section.deviation and section.deviation.from_
    if not isinstance(other, str):
        return
    inner = item.get("deviation")
    place = inner.value_marks.get("from", mark) if isinstance(inner, Mapping) else mark
    if other not in dtypes:
        if not is_open:
            numbers = [name for name, dtype in dtypes.items() if dtype != "str" and name not in names]
            what = f"alarms: deviation: from: there is no tag {shown(other)} that is read"
            scope.add(place, what, did_you_mean(other, numbers))
    elif dtypes[other] == "str":
        scope.add(place, f"alarms: deviation: from: the tag {shown(other)} is a text")
    elif other in names:
        scope.add(place, "alarms: deviation: from: it is the tag itself", "name another one, or a number")
