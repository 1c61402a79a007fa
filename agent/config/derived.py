"""Formulas of derived tags: that each can be read, that what it uses is there, and that none uses itself.

A name in a formula is one of the `inputs` of its tag or its virtual device, or else a tag of its own device.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from agent.config.asks import check_asks
from agent.config.lists import name_of
from agent.config.naming import check_naming
from agent.config.problems import Mark, Scope
from agent.config.references import Expanded
from agent.config.tree import Mapping
from agent.config.units import check_units
from agent.config.virtual import VirtualConfig, source_of
from agent.config.words import did_you_mean, shown
from agent.model.tag import DType, Tag
from agent.normalise.calculated import Calculated, Derived, Source
from agent.normalise.expression import Formula, Wrong, parse
from agent.registry import DriverConfig, names_of
from drivers.rules.derived import DerivedConfig
from drivers.rules.value import ValueConfig

Owner = DriverConfig | VirtualConfig
_QUOTES = "'\""
_MAKING = ("counter", "alarms", "aggregate", "state")  # keys of a tag of which other tags come


@dataclass(slots=True)
class Tags:
    """The tags of a device: `listed` are all of them unless it `is_open`, `own` those that are derived. Of what begins
    as one of `more` something else is made, such as totals."""

    listed: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    more: tuple[str, ...] = ()
    is_open: bool = True

    def has(self, tag: str) -> bool:
        return self.is_open or tag in self.names or tag.startswith(self.more)

    @property
    def names(self) -> frozenset[str]:
        return self.listed | self.own


@dataclass(frozen=True, slots=True)
class _Asked:
    """A derived tag as it stands in the file, and its formula."""

    owner: Owner
    name: str
    config: DerivedConfig
    formula: Formula
    raw: Any
    mark: Mark
    scope: Scope
    inputs: dict[str, Source] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        return self.owner.name, self.name

    def add(self, column: int, message: str, hint: str = "") -> None:
        self.scope.add(_within(self.mark, self.config.expr, self.raw, column), message, hint)


def calculated(
    root: Mapping,
    devices: Sequence[DriverConfig],
    virtual: Sequence[VirtualConfig],
    raws: Sequence[Mapping],
    calendars: Collection[str],
    scope: Scope,
) -> tuple[Calculated, ...]:
    """What the enabled devices and the virtual ones ask to be worked out; all problems of it go to `scope`."""
    if not virtual and not any(device.derived for device in devices):
        return ()
    known = known_tags(root, devices, virtual)
    owners: list[Owner] = [*devices, *virtual]
    pairs = list(zip(owners, [*raws_of(root, devices), *raws], strict=True))
    asked = [each for owner, raw in pairs for each in _read(owner, raw, scope)]
    right = [each for each in asked if _resolve(each, known)]
    _refuse_circles(right)
    found: list[Calculated] = []
    for owner, raw in pairs:
        ours = [each for each in right if each.owner is owner]
        tags = tuple(map(_told, ours))
        held = raw.get("derived")
        if tags and isinstance(held, Mapping):
            told = [(tag, each.config, held[each.name]) for tag, each in zip(tags, ours, strict=True)]
            check_asks(told, known[owner.name].listed, calendars, held, scope.within(owner_title(owner)))
        if tags and getattr(owner, "enabled", True):
            found.append(Calculated(owner.name, tags, owner.every if isinstance(owner, VirtualConfig) else 0.0))
    return tuple(found)


def known_tags(root: Mapping, devices: Sequence[DriverConfig], virtual: Sequence[VirtualConfig]) -> dict[str, Tags]:
    """By device. Of one that is wrong nobody knows what it has, and one with patterns or events has what it finds."""
    found = {name: Tags() for name in _listed(root)}
    for device in devices:
        tags = getattr(device, "tags", ())
        names = frozenset(name for tag in tags if tag.enabled for name in names_of(tag))
        is_open = bool(getattr(device, "events", ())) or any(getattr(tag, "match", "") for tag in tags)
        more = _makers((tag.name, tag) for tag in tags) + _of_whole(device) + _of_shifts(device)
        found[device.name] = Tags(names, frozenset(device.derived), more, is_open)
    for each in virtual:
        found[each.name] = Tags(own=frozenset(each.derived), more=_of_whole(each) + _of_shifts(each), is_open=False)
    return found


def _of_whole(owner: Owner) -> tuple[str, ...]:
    """How the names begin of what is made of its derived tags, and of energy and carbon."""
    weighed = [*owner.energy.coal_equivalent, *owner.energy.co2] if owner.energy else []
    return _makers(owner.derived.items()) + tuple(each.name or f"{each.tag.rpartition('/')[2]}_" for each in weighed)


def _of_shifts(owner: Owner) -> tuple[str, ...]:
    return ("oee", "shift") if owner.oee else ()


def _makers(values: Iterable[tuple[str, ValueConfig]]) -> tuple[str, ...]:
    """How the names begin of what is made of these."""
    return tuple(f"{name}_" for name, value in values if any(getattr(value, key, None) for key in _MAKING))


def _listed(root: Mapping) -> dict[str, Mapping]:
    """What the file says of each device, by its name."""
    listed = root.get("devices")
    return {name_of(raw): raw for raw in listed if name_of(raw)} if isinstance(listed, list) else {}


def raws_of(root: Mapping, devices: Sequence[DriverConfig]) -> list[Mapping]:
    listed = _listed(root)
    return [listed[device.name] for device in devices]


def _read(owner: Owner, raw: Mapping, scope: Scope) -> Iterator[_Asked]:
    """The derived tags of a device whose formulas can be read."""
    listed = raw.get("derived")
    for name, config in owner.derived.items():
        inner = scope.within(f"{owner_title(owner)}, derived tag {shown(name)}")
        held, mark = listed[name] if isinstance(listed, Mapping) else config.expr, raw.mark  # as of a device map
        if isinstance(listed, Mapping):
            mark = listed.value_marks[name]
            whole = held if isinstance(held, Mapping) else Mapping(mark)
            check_units(config, whole, inner)
            check_naming(config, name, whole, listed.key_marks[name], inner)
            if isinstance(held, Mapping):
                held, mark = held["expr"], held.value_marks["expr"]
        if name in _names(owner):
            key = listed.key_marks[name] if isinstance(listed, Mapping) else mark
            inner.add(key, "the device has a tag of this name", "choose another name")
        try:
            formula = parse(config.expr)
        except Wrong as error:
            inner.add(_within(mark, config.expr, held, error.column), str(error), error.hint)
        else:
            yield _Asked(owner, name, config, formula, held, mark, inner)


def owner_title(owner: Owner) -> str:
    return f"{'virtual device' if isinstance(owner, VirtualConfig) else 'device'} {shown(owner.name)}"


def _names(owner: Owner) -> frozenset[str]:
    return frozenset(name for tag in getattr(owner, "tags", ()) for name in names_of(tag))


def _resolve(asked: _Asked, known: Table[str, Tags]) -> bool:
    """Find the tag of each name in the formula; False after a problem was reported."""
    outer = asked.owner.inputs if isinstance(asked.owner, VirtualConfig) else {}
    aliases = {**outer, **asked.config.inputs}
    for name, column in zip(asked.formula.names, asked.formula.columns, strict=True):
        source = source_of(asked.owner.name, aliases.get(name, name))
        wrong = missing(source, known, asked.config.expr if name not in aliases else "")
        if wrong:
            asked.add(column, f"{name}: {wrong[0]}" if name in aliases else wrong[0], wrong[1])
            return False
        asked.inputs[name] = source
    return True


def missing(source: Source, known: Table[str, Tags], text: str = "") -> tuple[str, str] | None:
    """Message and hint where there is no such tag; `text` is the formula that has its name."""
    device, tag = source
    if device not in known:
        return f"there is no device {shown(device)}", did_you_mean(device, known)
    has = known[device]
    if has.has(tag):
        return None
    if not text:
        return f"device {shown(device)} has no tag {shown(tag)}", did_you_mean(tag, has.names)
    odd = max((name for name in has.names if not name.isidentifier() and name in text), key=len, default="")
    if odd:
        alias = re.sub(r"\W", "_", odd)
        return f"there is no tag {shown(tag)}", f"{odd!r} needs another name here: inputs: {{{alias}: {odd}}}"
    near = did_you_mean(tag, has.names)
    hint = near if near.startswith("did") else "a tag that is called otherwise is named in `inputs`"
    return f"there is no tag {shown(tag)}", hint


def _refuse_circles(asked: Sequence[_Asked]) -> None:
    by_source = {each.source: each for each in asked}
    uses = {each.source: {source for source in each.inputs.values() if source in by_source} for each in asked}
    while True:
        try:
            TopologicalSorter(uses).prepare()
        except CycleError as error:
            circle: list[Source] = error.args[1][::-1]
        else:
            return
        first = min(circle[:-1], key=lambda source: by_source[source].mark)
        at = circle.index(first)
        circle = [*circle[at:-1], *circle[:at], first]
        each = by_source[first]
        same = len({device for device, _ in circle}) == 1
        told = " → ".join(tag if same else f"{device}/{tag}" for device, tag in circle)
        name = next(name for name, source in each.inputs.items() if source == circle[1])
        column = each.formula.columns[each.formula.names.index(name)]
        each.add(column, f"it uses itself: {told}", "take one of them out of a formula")
        for source in circle:
            uses.pop(source, None)


def _told(asked: _Asked) -> Derived:
    config = asked.config
    dtype: DType = config.dtype or ("bool" if asked.formula.truth else "float64")
    kind = "state" if dtype == "bool" and "kind" not in config.model_fields_set else config.kind
    tag = Tag(asked.name, dtype, config.unit, kind)
    return Derived(tag, config.expr, tuple(asked.inputs.items()), config.max_age)


def _within(mark: Mark, text: str, raw: Any, column: int) -> Mark:
    """The place of a character of a text: the file is looked at, for it may be quoted, or stand somewhere else."""
    if isinstance(raw, Expanded):
        return mark
    try:
        line = Path(mark.file).read_text("utf-8-sig", "replace").splitlines()[mark.line - 1]
    except (OSError, IndexError):
        return mark
    begin = mark.column - 1
    begin += line[begin : begin + 1] in _QUOTES
    return mark._replace(column=begin + 1 + column) if line.startswith(text, begin) else mark
