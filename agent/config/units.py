"""Units of a tag: both are known, one becomes the other, and nothing is written in a unit that it does not have."""

from typing import Any

from agent.config.lists import title
from agent.config.problems import Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.unit_hints import hint
from agent.model.units import conversion, parse
from agent.registry import TagConfig


def check_units(tag: TagConfig, raw: Any, scope: Scope, index: int) -> None:
    """Report what is wrong with the units of a tag that stands as `raw` in the file."""
    if isinstance(raw, Mapping) and (tag.unit or tag.as_ or tag.ratio):
        for key, message, help_ in _problems(tag):
            if not isinstance(raw.get(key), Unresolved):
                scope.within(title(raw, "tag", index)).add(raw.value_marks.get(key, raw.mark), message, help_)


def _problems(tag: TagConfig) -> list[tuple[str, str, str]]:
    """(key, message, hint)"""
    found = [*_unknown("unit", tag.unit), *_unknown("as", tag.as_)]
    if tag.as_ and not found:
        found += _other(tag)
    asks = "as" if tag.as_ else "ratio" if tag.ratio else ""
    if asks and getattr(tag, "dtype", "") in ("str", "bool"):
        found.append((asks, f"{asks}: text, true and false have no unit", "leave it out"))
    if asks and getattr(tag, "write", None) is not None:
        what = "values would be written in another unit than they are read in"
        found.append((asks, f"{asks}: {what}", f"leave out `{asks}` or `write`, or make two tags of it"))
    return found


def _other(tag: TagConfig) -> list[tuple[str, str, str]]:
    if not tag.unit:
        return [("as", f"as: what would become {shown(tag.as_)} has no unit", "`unit` is that of the device")]
    try:
        conversion(tag.unit, tag.as_)
    except ValueError as error:
        return [("as", f"as: {error}", f"{shown(tag.unit)} is what the device says, `as` what leaves")]
    return []


def _unknown(key: str, code: str) -> list[tuple[str, str, str]]:
    try:
        if code:
            parse(code)
    except ValueError as error:
        return [(key, f"{key}: {error}", hint(code))]
    return []
