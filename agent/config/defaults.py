"""What devices and tags are unless they say otherwise: `defaults` of a line, of a scan group and of a device map.

Nearer is stronger. A key of a tag is that of the device's own `tags`, else of the map's; else of the `defaults` of its
group, the device's before the map's; else of the map's `defaults`. A key of a device is its own, else one of its map's
`quirks`, else of the `defaults` of its line. What is wrong with a default is said once, where it stands.
"""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from agent.config.endpoint import shared
from agent.config.explain import adapter, explain
from agent.config.lists import mappings
from agent.config.problems import Mark, Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping, merge
from agent.config.words import shown

DEFAULTS = "defaults"
NOT_OF_TAGS = ("name", "group")
NOT_OF_DEVICES = ("name", "endpoint", "tags")


class TagDefaults:
    """Those of a map and, over them, those of each of the groups."""

    def __init__(self, of_map: Mapping, groups: Any) -> None:
        self._of_map = of_map
        self._of_group = {
            name: merge(of_map, said) for name, said in _said(groups) if isinstance(said, Mapping) and len(said)
        }

    @property
    def some(self) -> bool:
        return bool(self._of_map or self._of_group)

    def group(self, raw: Mapping) -> Any:
        """The group of a tag, which may be a default itself."""
        return raw.get("group", self._of_map.get("group"))

    def below(self, raw: Any) -> Any:
        """A tag with what it does not say itself."""
        if not isinstance(raw, Mapping):
            return raw
        group = self.group(raw)
        found = self._of_group.get(group, self._of_map) if isinstance(group, str) else self._of_map
        return merge(found, raw, origin=DEFAULTS) if found else raw


def bare(groups: Any) -> Any:
    """Groups as their class knows them."""
    if not any(True for _ in _said(groups)):
        return groups
    found = Mapping(groups.mark)
    for name, group in groups.items():
        plain = group.without(DEFAULTS) if isinstance(group, Mapping) else group
        found.put(name, plain, groups.key_marks[name], groups.value_marks[name])
    return found


def layered(weaker: Any, stronger: Any) -> Any:
    """Groups of two places as one, key by key, and their `defaults` key by key."""
    if not isinstance(weaker, Mapping) or not isinstance(stronger, Mapping):
        return weaker if stronger is None else stronger
    found = merge(weaker, stronger)
    for name in weaker.keys() & stronger.keys():
        old, new = weaker[name], stronger[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            both = merge(old, new)
            if isinstance(old.get(DEFAULTS), Mapping) and isinstance(new.get(DEFAULTS), Mapping):
                inner = merge(old[DEFAULTS], new[DEFAULTS])
                both.put(DEFAULTS, inner, new.key_marks[DEFAULTS], new.value_marks[DEFAULTS])
            found[name] = both
    return found


def unlike(groups: Any, others: Any) -> set[str]:
    """The groups whose `defaults` are not those that the others have."""
    known = dict(_said(others))
    return {name for name, said in _said(groups) if said is not known.get(name)}


def check_groups(kind: Any, groups: Any, scope: Scope) -> None:
    """Say what is wrong with the `defaults` of groups for tags of a class, whether a tag uses them or not."""
    for name, said in _said(groups):
        mark = groups[name].value_marks[DEFAULTS]
        _check(kind, said, mark, NOT_OF_TAGS, "it belongs to a tag", scope.within(f"group {shown(name)}"))


def check_line(kind: Any, item: Any, said: Mapping, scope: Scope) -> None:
    """The same for the `defaults` of a line, for devices of a class and, if it has any, its class of tags."""
    groups = said.get("groups")
    plain = said.without("groups")
    if groups is not None:
        plain.put("groups", bare(groups), said.key_marks["groups"], said.value_marks["groups"])
    _check(kind, plain, said.mark, (), "", scope)
    if item is not None:
        check_groups(item, groups, scope)


def of_lines(root: Mapping, scope: Scope) -> dict[str, Mapping]:
    """The `defaults` of each wire that is listed with some; problems of their form go to `scope`."""
    found: dict[str, Mapping] = {}
    for raw, inner in mappings(root, "line", scope):
        said, endpoint = raw.get(DEFAULTS), raw.get("endpoint")
        if isinstance(said, Mapping):
            _refuse(said, NOT_OF_DEVICES, "it belongs to a device", inner)
            if isinstance(endpoint, str):
                found.setdefault(shared(endpoint), said.without(*NOT_OF_DEVICES))
        elif said is not None and not isinstance(said, Unresolved):
            inner.add(raw.value_marks[DEFAULTS], "defaults: must be a mapping (key: value)")
    return found


def _check(kind: Any, said: Any, mark: Mark, refused: Collection[str], hint: str, scope: Scope) -> None:
    if not isinstance(said, Mapping):
        if said is not None and not isinstance(said, Unresolved):
            scope.add(mark, "defaults: must be a mapping (key: value)")
        return
    _refuse(said, refused, hint, scope)
    plain = merge(said.without(*refused), Mapping(mark), origin=DEFAULTS)
    try:
        adapter(kind).validate_python(plain)
    except ValidationError as error:
        explain(error, kind, plain, mark, scope, only=lambda loc: bool(loc) and loc[0] in plain)


def _refuse(said: Mapping, refused: Collection[str], hint: str, scope: Scope) -> None:
    for name in refused:
        if name in said:
            scope.add(said.key_marks[name], f"defaults: {name} cannot be set here", hint)


def _said(groups: Any) -> list[tuple[str, Any]]:
    """Each group that says `defaults`, with them."""
    if not isinstance(groups, Mapping):
        return []
    held = ((name, group) for name, group in groups.items() if isinstance(group, Mapping))
    return [(name, group[DEFAULTS]) for name, group in held if DEFAULTS in group]
