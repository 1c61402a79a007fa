"""Maps that extend others: what a base says lies below what the map itself says, key by key and tag by tag."""

from typing import Any

from agent.config.defaults import layered
from agent.config.lists import name_of, unique_names
from agent.config.problems import Mark, Scope
from agent.config.tags import spelt_out
from agent.config.tree import Mapping, Sequence, merge

DEEPEST = 8  # maps, one on the other
SECTIONS = ("quirks", "defaults", "groups", "areas")


def joined(base: Mapping, own: Mapping, kind: Any, scope: Scope) -> Mapping:
    """The map `own` with `base` below it: its quirks, defaults, groups, areas, and tags by their names. `kind` is the
    class of a tag. Everything else, such as sources and status, is said of one map alone."""
    root = own.without()
    for name in SECTIONS:
        below, above = base.get(name), own.get(name)
        if isinstance(below, Mapping) and (above is None or isinstance(above, Mapping)):
            both = below if above is None else _over(name, below, above)
            mark = base.value_marks[name] if above is None else own.value_marks[name]
            root.put(name, both, mark, mark)
    below, above = base.get("tags"), own.get("tags")
    if isinstance(below, Sequence) and (above is None or isinstance(above, Sequence)):
        mark = base.value_marks["tags"] if above is None else own.value_marks["tags"]
        root.put("tags", _tags(below, above, kind, scope), mark, mark)
    return root


def _over(name: str, below: Mapping, above: Mapping) -> Any:
    return layered(below, above) if name == "groups" else merge(below, above)


def _tags(below: Sequence, above: Sequence | None, kind: Any, scope: Scope) -> Sequence:
    below = spelt_out(below, kind, scope) if kind else below
    unique_names(below, "tag", scope)
    if above is None:
        return below
    above = spelt_out(above, kind, scope) if kind else above
    unique_names(above, "tag", scope)
    laid: list[tuple[Any, Mark]] = []
    at: dict[str, int] = {}
    for raw, mark in (*zip(below, below.item_marks, strict=True), *zip(above, above.item_marks, strict=True)):
        name = name_of(raw)
        if name in at:
            laid[at[name]] = merge(laid[at[name]][0], raw), mark
        else:
            if name:
                at[name] = len(laid)
            laid.append((raw, mark))
    tags = Sequence(above.mark)
    for raw, mark in laid:
        tags.put(raw, mark)
    return tags
