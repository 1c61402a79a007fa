"""Units of a value: both are known, one becomes the other, and nothing is written in a unit that it does not have."""

from agent.config.problems import Scope
from agent.config.references import Unresolved
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.unit_hints import hint
from agent.model.units import conversion, parse
from agent.registry import ValueConfig


def check_units(value: ValueConfig, raw: Mapping, scope: Scope, dtype: str | None = None) -> None:
    """Report what is wrong with the units of a value that stands as `raw` in the file."""
    if value.unit or value.as_ or getattr(value, "ratio", None):
        for key, message, help_ in _problems(value, dtype or getattr(value, "dtype", "") or ""):
            if not isinstance(raw.get(key), Unresolved):
                scope.add(raw.value_marks.get(key, raw.mark), message, help_)


def _problems(value: ValueConfig, dtype: str) -> list[tuple[str, str, str]]:
    """(key, message, hint)"""
    found = [*_unknown("unit", value.unit), *_unknown("as", value.as_)]
    if value.as_ and not found:
        found += _other(value)
    asks = "as" if value.as_ else "ratio" if getattr(value, "ratio", None) else ""
    if asks and dtype in ("str", "bool"):
        found.append((asks, f"{asks}: text, true and false have no unit", "leave it out"))
    if asks and getattr(value, "write", None) is not None:
        what = "values would be written in another unit than they are read in"
        found.append((asks, f"{asks}: {what}", f"leave out `{asks}` or `write`"))
    return found


def _other(value: ValueConfig) -> list[tuple[str, str, str]]:
    if not value.unit:
        return [("as", f"as: what would become {shown(value.as_)} has no unit", "`unit` is that of the device")]
    try:
        conversion(value.unit, value.as_)
    except ValueError as error:
        return [("as", f"as: {error}", f"{shown(value.unit)} is what the device says, `as` what leaves")]
    return []


def _unknown(key: str, code: str) -> list[tuple[str, str, str]]:
    try:
        if code:
            parse(code)
    except ValueError as error:
        return [(key, f"{key}: {error}", hint(code))]
    return []
