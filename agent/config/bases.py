"""Maps that extend others: what a base says lies below what the map itself says, key by key and tag by tag."""

from typing import Any

from agent.config.defaults import TagDefaults
from agent.config.lists import unique_names
from agent.config.problems import Scope
from agent.config.tags import overlay, spelt_out
from agent.config.tree import Mapping, Sequence, merge

DEEPEST = 8  # maps, one on the other
SECTIONS = ("quirks", "defaults", "groups")


def joined(base: Mapping, own: Mapping, kind: Any, scope: Scope) -> Mapping:
    """The map `own` with `base` below it: its quirks, defaults, groups, and tags by their names. `kind` is the class of
    a tag. Everything else, such as sources and status, is said of one map alone."""
    root = own.without()
    for name in SECTIONS:
        below, above = base.get(name), own.get(name)
        if isinstance(below, Mapping) and (above is None or isinstance(above, Mapping)):
            both = below if above is None else merge(below, above)
            mark = base.value_marks[name] if above is None else own.value_marks[name]
            root.put(name, both, mark, mark)
    below, above = base.get("tags"), own.get("tags")
    if isinstance(below, Sequence) and (above is None or isinstance(above, Sequence)):
        mark = base.value_marks["tags"] if above is None else own.value_marks["tags"]
        root.put("tags", _tags(below, above, kind, scope), mark, mark)
    return root


def _tags(below: Sequence, above: Sequence | None, kind: Any, scope: Scope) -> Sequence:
    below = spelt_out(below, kind, scope) if kind else below
    unique_names(below, "tag", scope)
    if above is None:
        return below
    above = spelt_out(above, kind, scope) if kind else above
    unique_names(above, "tag", scope)
    nothing = Mapping(above.mark)
    return overlay(below, below, above, TagDefaults(nothing, nothing), ())[0]
