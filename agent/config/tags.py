"""Tags of a device or a map: defaults and overrides laid over one another, groups looked up, then validated."""

from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import FailFast, TypeAdapter, ValidationError

from agent.config.areas import NOWHERE, Places
from agent.config.bounds import check_limits
from agent.config.defaults import TagDefaults
from agent.config.equal import with_known
from agent.config.explain import validate
from agent.config.lists import name_of, of_item
from agent.config.naming import check_naming
from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping, Sequence, merge
from agent.config.units import check_units
from agent.config.words import did_you_mean, shown
from agent.model.text import is_name
from agent.normalise.rules import RESERVED
from agent.registry import DriverConfig


def item_type(config: type[DriverConfig]) -> Any:
    """The class of one tag of a driver, or None when its devices have no tags of their own."""
    field = config.model_fields.get("tags")
    return get_args(field.annotation)[0] if field else None


def spelt_out(raws: Sequence, kind: Any, scope: Scope) -> Sequence:
    """Texts in the list as the mappings that they stand for, if the driver knows such a short form."""
    if not any(isinstance(raw, str) for raw in raws):
        return raws
    found = Sequence(raws.mark)
    for index, (raw, mark) in enumerate(zip(raws, raws.item_marks, strict=True)):
        found.put(_spelt(raw, kind, mark, index, scope) if isinstance(raw, str) else raw, mark)
    return found


def _spelt(raw: str, kind: Any, mark: Mark, index: int, scope: Scope) -> Any:
    """The mapping, all of it at the place of the text; after a problem something of which no more is said."""
    try:
        keys: dict[str, Any] | None = None if isinstance(raw, Unresolved) else kind.spelt(str(raw))
    except ValueError as error:
        scope.add(mark, f"tags[{index}]: {error}")
        return Unresolved(raw)
    if keys is None:
        return raw
    mapping = Mapping(mark)
    for key, value in keys.items():
        mapping.put(key, value, mark, mark)
    return mapping


def with_defaults(raws: Sequence, defaults: TagDefaults) -> Sequence:
    """Each tag with the defaults below it."""
    if not defaults.some:
        return raws
    filled = Sequence(raws.mark)
    for raw, mark in zip(raws, raws.item_marks, strict=True):
        filled.put(defaults.below(raw), mark)
    return filled


def overlay(
    plain: Sequence, filled: Sequence, own: Sequence, defaults: TagDefaults, anew: Collection[str]
) -> tuple[Sequence, list[int]]:
    """The tags of a map with a device's own laid over them by name, and the positions that differ from the map.

    `filled` are those of the map with its defaults; in the groups of `anew` the device's `defaults` are others.
    """
    tags = Sequence(own.mark)
    changed: dict[int, None] = {}
    for index, (raw, mark) in enumerate(zip(filled, filled.item_marks, strict=True)):
        is_other = isinstance(raw, Mapping) and isinstance(raw.get("group"), str) and raw["group"] in anew
        tags.put(defaults.below(plain[index]) if is_other else raw, mark)
        if is_other:
            changed[index] = None
    at = {name_of(raw): index for index, raw in enumerate(plain) if name_of(raw)}
    for raw, mark in zip(own, own.item_marks, strict=True):
        index = at.get(name_of(raw), len(tags))
        if index < len(tags):
            tags.replace(index, defaults.below(merge(plain[index], raw)), mark)
        else:
            tags.put(defaults.below(raw), mark)
        changed[index] = None
    return tags, list(changed)


def group_names(groups: Any, scope: Scope) -> None:
    """A group's name becomes part of topics, so it obeys the rule of all names."""
    for name in groups if isinstance(groups, Mapping) else ():
        if not is_name(name):
            scope.add(groups.key_marks[name], f"groups: {shown(name)} is not a name", "no spaces, none of / + #")
        else:
            free_group(name, groups.key_marks[name], scope.within("groups"))


def free_group(name: str, mark: Mark, scope: Scope) -> None:
    """Groups of what is made here have names that no other may have."""
    if RESERVED.fullmatch(name):
        scope.add(mark, f"{shown(name)} is the name of what is made here", "choose another name")


def known_groups(raws: Sequence, groups: Any, scope: Scope) -> None:
    """Every group that a tag names is defined."""
    known = groups if isinstance(groups, Mapping) else {}
    for index, raw in enumerate(raws):
        group = raw.get("group") if isinstance(raw, Mapping) else None
        if group and isinstance(group, str) and group not in known:
            hint = did_you_mean(group, known) or "define it under `groups:` of the device or the map"
            tag = of_item(raw, "tag", index, scope)
            tag.add(raw.value_marks["group"], f"there is no group {shown(group)}", hint)


def checked(
    kind: Any, raws: Sequence, scope: Scope, indexes: list[int] | None = None, places: Places = NOWHERE
) -> list[Any] | None:
    """The tags (only those at `indexes`) as objects of `kind`, or None after all their problems were reported."""
    if places.broken:  # where they are, nobody knows
        return None
    wanted = list(range(len(raws))) if indexes is None else indexes
    placed, fine = places.of(raws, wanted, scope)
    try:
        known = scope.report.sections
        found: list[Any] = _list_of(kind).validate_python([with_known(kind, raw, known) for raw in placed])
    except ValidationError:
        found = [
            None if scope.full else validate(kind, raw, raws.item_marks[at], of_item(raws[at], "tag", at, scope))
            for at, raw in zip(wanted, placed, strict=True)
        ]
    if not fine or None in found:
        return None
    for index, tag in zip(wanted, found, strict=True):
        raw, inner = raws[index], of_item(raws[index], "tag", index, scope)
        check_units(tag, raw, inner)
        if tag.enabled:
            check_naming(tag, tag.name, raw, raw.value_marks.get("name", raw.mark), inner)
        if tag.limits is not None:
            check_limits(raw, tag, inner)
    return found


@cache
def _list_of(kind: Any) -> TypeAdapter[list[Any]]:
    return TypeAdapter(Annotated[list[kind], FailFast()])
