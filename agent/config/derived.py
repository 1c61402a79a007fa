"""Formulas of derived tags: that each can be read, that what it uses is there, and that none uses itself.

A name in a formula is one of the `inputs` of its tag or its virtual device, or else a tag of its own device.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from keyword import iskeyword
from pathlib import Path
from typing import Any

from agent.config.asks import check_asks
from agent.config.dtypes import dtype_of
from agent.config.known import Known
from agent.config.lists import in_file
from agent.config.naming import check_naming
from agent.config.problems import Mark, Scope
from agent.config.recipes import Owner, source_of
from agent.config.references import Expanded, Unresolved
from agent.config.tree import Mapping
from agent.config.units import check_units
from agent.config.virtual import VirtualConfig
from agent.config.words import did_you_mean, shown
from agent.model.tag import Tag
from agent.normalise.calculated import Calculated, Derived, Source
from agent.normalise.expression import CONSTANTS, Formula, Wrong, parse
from agent.registry import names_of
from drivers.rules.derived import DerivedConfig

_WORD = re.compile(r"\w+")
_QUOTES = "'\""


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
    pairs: Sequence[tuple[Owner, Mapping]], known: Known, calendars: Collection[str] | None, scope: Scope
) -> tuple[Calculated, ...]:
    """What the enabled devices and the virtual ones ask to be worked out; all problems of it go to `scope`. `pairs` has
    each with what the files say of it."""
    pairs = [(owner, raw) for owner, raw in pairs if owner.derived or getattr(owner, "inputs", None)]
    scopes = {owner.name: in_file(owner_title(owner), raw.mark.file, scope) for owner, raw in pairs}
    for owner, raw in pairs:
        _check_inputs(owner, raw, known, scopes[owner.name])
    asked = [each for owner, raw in pairs for each in _read(owner, raw, scopes[owner.name])]
    right = [each for each in asked if _resolve(each, known)]
    _refuse_circles(right, known)
    found: list[Calculated] = []
    ours: dict[str, list[_Asked]] = {}
    for each in right:
        ours.setdefault(each.owner.name, []).append(each)
    for owner, raw in pairs:
        tags = tuple(map(_told, ours.get(owner.name, ())))
        held = raw.get("derived")
        if tags and isinstance(held, Mapping):
            told = [(tag, each.config, held[each.name]) for tag, each in zip(tags, ours[owner.name], strict=True)]
            check_asks(told, known[owner.name].read, calendars, held, scopes[owner.name])
        if tags and getattr(owner, "enabled", True):
            found.append(Calculated(owner.name, tags, owner.every if isinstance(owner, VirtualConfig) else 0.0))
    return tuple(found)


def _check_inputs(owner: Owner, raw: Mapping, known: Known, scope: Scope) -> None:
    """Names for tags: that they can stand in a formula, that somebody uses them, and that the tags are there."""
    texts = [config.expr for config in owner.derived.values()]
    if isinstance(owner, VirtualConfig):
        said = owner.oee
        texts += [name for name in (said.state, said.produced, said.good, said.rejects) if name] if said else []
        _check_aliases(owner.inputs, raw.get("inputs"), texts, owner, known, scope)
    listed = raw.get("derived")
    for name, config in owner.derived.items():
        if config.inputs and isinstance(listed, Mapping):
            inner = scope.within(f"derived tag {shown(name)}")
            _check_aliases(config.inputs, listed[name].get("inputs"), [config.expr], owner, known, inner)


def _check_aliases(
    aliases: Table[str, str], raw: Any, texts: Sequence[str], owner: Owner, known: Known, scope: Scope
) -> None:
    if not isinstance(raw, Mapping):
        return
    used = {word for text in texts for word in _WORD.findall(text)}
    for alias, text in aliases.items():
        if scope.full:
            return
        if not alias.isidentifier() or iskeyword(alias) or alias in CONSTANTS:
            what = f"inputs: {shown(alias)} cannot stand in a formula"
            scope.add(raw.key_marks[alias], what, "a word of letters, digits and _, such as p_l1")
        elif wrong := _missing(source_of(text, owner.name), known):
            if not isinstance(raw[alias], Unresolved):
                scope.add(raw.value_marks[alias], f"inputs: {alias}: {wrong[0]}", wrong[1])
        elif alias not in used:
            scope.warn(raw.key_marks[alias], f"inputs: no formula uses {shown(alias)}", "leave it out")


def _missing(source: Source, known: Known) -> tuple[str, str] | None:
    """Message and hint where there is no such tag."""
    device, tag = source
    if device not in known:
        return f"there is no device {shown(device)}", did_you_mean(device, known)
    if known[device].has(tag):
        return None
    message, hint = known[device].missing(tag)
    return f"device {shown(device)}: {message}", hint


def _read(owner: Owner, raw: Mapping, scope: Scope) -> Iterator[_Asked]:
    """The derived tags of a device whose formulas can be read."""
    listed, read = raw.get("derived"), _names(owner)
    for name, config in owner.derived.items():
        inner = scope.within(f"derived tag {shown(name)}")
        held, mark = listed[name] if isinstance(listed, Mapping) else config.expr, raw.mark  # as of a device map
        if isinstance(listed, Mapping):
            mark = listed.value_marks[name]
            whole = held if isinstance(held, Mapping) else Mapping(mark)
            check_units(config, whole, inner, dtype_of(config))
            check_naming(config, name, whole, listed.key_marks[name], inner)
            if isinstance(held, Mapping):
                held, mark = held["expr"], held.value_marks["expr"]
        if name in read:
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


def _resolve(asked: _Asked, known: Known) -> bool:
    """Find the tag of each name in the formula; False after a problem was reported."""
    outer = asked.owner.inputs if isinstance(asked.owner, VirtualConfig) else {}
    aliases, formula = {**outer, **asked.config.inputs}, asked.formula
    for name, column in zip(formula.names, formula.columns, strict=True):
        if asked.scope.full:
            return False
        source = source_of(aliases[name], asked.owner.name) if name in aliases else (asked.owner.name, name)
        if _missing(source, known):
            if name not in aliases:
                asked.add(column, *_unknown(name, asked, known))
            return False
        is_text = known[source[0]].is_text(source[1])
        if is_text and name in formula.numbers:
            asked.add(column, f"{name} is text, and a number is needed here", "text is compared: mode == 'auto'")
            return False
        if is_text is False and name in formula.words:
            asked.add(column, f"{name} is compared with text, and has none", "compare it with a number")
            return False
        asked.inputs[name] = source
    return True


def _unknown(name: str, asked: _Asked, known: Known) -> tuple[str, str]:
    """Message and hint for a name that is neither a tag of the device nor one of the inputs."""
    has = known[asked.owner.name]
    message, hint = has.missing(name)
    odd = max((tag for tag in has.names if not tag.isidentifier() and tag in asked.config.expr), key=len, default="")
    if name in has.off:
        return message, hint
    if odd:
        alias = re.sub(r"\W", "_", odd)
        return message, f"{odd!r} needs another name here: inputs: {{{alias}: {odd}}}"
    if name in known:
        return message, f"a tag of the device {name!r} needs a name here: inputs: {{x: {name}/TAG}}"
    return message, hint if hint.startswith("did") else "a tag that is called otherwise is named in `inputs`"


def _refuse_circles(asked: Sequence[_Asked], known: Known) -> None:
    by_source = {each.source: each for each in asked}
    uses = _uses(by_source, known)
    while True:
        try:
            TopologicalSorter(uses).prepare()
        except CycleError as error:
            circle: list[Source] = error.args[1][::-1]
        else:
            return
        first = min((source for source in circle if source in by_source), key=lambda source: by_source[source].mark)
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


def _uses(asked: Table[Source, _Asked], known: Known) -> dict[Source, list[Source]]:
    """What each derived tag is made of, over all that is made of others in between, such as totals and alarms."""
    found: dict[Source, list[Source]] = {}
    left = list(asked)
    while left:
        source = left.pop()
        if source in found:
            continue
        device, tag = source
        if source in asked:
            found[source] = list(asked[source].inputs.values())
        else:
            has = known.get(device)
            is_made = has is not None and tag not in has.read and tag not in has.own
            found[source] = list(has.makes.get(tag, ())) if has is not None and is_made else []
        left += found[source]
    return found


def _told(asked: _Asked) -> Derived:
    config = asked.config
    dtype = dtype_of(config) or "float64"
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
