"""What tags ask of their values, beside what a section can know of itself; derived tags as those that are read."""

from collections.abc import Collection, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from agent.config.bounds import check_limits
from agent.config.counters import check_counters
from agent.config.problems import Scope
from agent.config.states import check_states
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.windows import check_windows
from agent.config.words import shown
from agent.normalise.calculated import Derived
from drivers.rules.derived import DerivedConfig


def check_tags(
    raws: Sequence[Any], tags: Sequence[Any], more: Iterable[str], calendars: Collection[str] | None, scope: Scope
) -> None:
    """Those of a device, or of a map. `more` are names of its other tags; `calendars` may be unknown."""
    check_windows(raws, tags, more, scope)
    check_states(raws, tags, scope)
    check_counters(raws, tags, calendars, scope)


def check_asks(
    told: Sequence[tuple[Derived, DerivedConfig, Any]],
    names: Iterable[str],
    calendars: Collection[str] | None,
    mapping: Mapping,
    scope: Scope,
) -> None:
    """`told` are the derived tags of one device, each with what the file says of it; `names` are its other tags."""
    tags: list[Any] = []
    raws = Raws(mapping.mark)
    for derived, config, raw in told:
        own = {"name": derived.tag.name, "dtype": derived.tag.dtype, "kind": derived.tag.kind, "ratio": ""}
        tags.append(SimpleNamespace(**{name: getattr(config, name) for name in type(config).model_fields} | own))
        raws.put(_named(raw, derived.tag.name, mapping), mapping.mark)
    check_tags(raws, tags, list(names), calendars, scope)
    for tag, raw in zip(tags, raws, strict=True):
        check_limits(raw, tag, scope.within(f"derived tag {shown(tag.name)}"))


def _named(raw: Any, name: str, mapping: Mapping) -> Mapping:
    """As a tag of a list, which says its name itself."""
    found = raw.without() if isinstance(raw, Mapping) else Mapping(mapping.value_marks.get(name, mapping.mark))
    found.put("name", name, mapping.key_marks.get(name, mapping.mark), mapping.key_marks.get(name, mapping.mark))
    return found
