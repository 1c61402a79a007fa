"""Pydantic's errors in plain words: what is wrong and what would be right, without a value that must stay secret."""

import re
from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from agent.config.references import Expanded
from agent.config.tree import leaves
from agent.config.words import LONGEST, did_you_mean, shown
from agent.model.text import LONGEST_NAME, NAME_PATTERN

Said = tuple[str, str]  # message and hint

_CREDENTIALS = re.compile(r"(//|['\"\s])[^\s'\"]*@")
_MUST_BE = {
    "string_type": "text",
    "string_unicode": "valid text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
}
LONGEST_NUMBER = 40  # characters; of more the file makes text
_NUMBERS = frozenset({_MUST_BE["float_type"], _MUST_BE["finite_number"]})
_LIMITS = {
    "greater_than": ("gt", "{value} is not more than {limit}"),
    "greater_than_equal": ("ge", "{value} is less than {limit}"),
    "less_than": ("lt", "{value} is not less than {limit}"),
    "less_than_equal": ("le", "{value} is more than {limit}"),
    "multiple_of": ("multiple_of", "{value} is not a multiple of {limit}"),
    "string_too_short": ("min_length", "is shorter than {limit} characters"),
    "string_too_long": ("max_length", "is longer than {limit} characters"),
    "too_short": ("min_length", "has fewer than {limit} items"),
    "too_long": ("max_length", "has more than {limit} items"),
}


def said(detail: ErrorDetails, value: Any) -> Said:
    """What an error about `value` says."""
    if value is None:
        return "has no value", "write one, or leave the line out"
    what = detail["type"]
    if what in _MUST_BE:
        return f"must be {_MUST_BE[what]}", _type_hint(what, value)
    return _TELL.get(what, _other)(detail, value)


def joined(told: list[Said]) -> list[Said]:
    """What several branches of a union say of one value: `must be text` and `must be a number` are one sentence."""
    lead = "must be "
    kinds = list(dict.fromkeys(message.removeprefix(lead) for message, _ in told if message.startswith(lead)))
    if len(kinds) < 2:
        return list(dict.fromkeys(told))
    if not _NUMBERS.isdisjoint(kinds):
        kinds = [kind for kind in kinds if kind != _MUST_BE["int_type"]]  # it is one of them
    return [(lead + " or ".join(kinds), told[0][1])]


def scrubbed(message: str, value: Any) -> str:
    """Without anything that a reference in or below `value` brought in, and without the credentials of a URL."""
    for leaf in leaves(value):
        if isinstance(leaf, Expanded):
            for part in sorted({str(leaf), *leaf.parts} - {""}, key=len, reverse=True):
                for spelling in (repr(part), repr(part)[1:-1], part):
                    message = message.replace(spelling, leaf.source[:LONGEST])
    return _CREDENTIALS.sub(r"\1…@", message)


def _type_hint(what: str, value: Any) -> str:
    if isinstance(value, Expanded):
        return "what a reference brings in is always text"
    if isinstance(value, dict | list):
        return ""
    if what == "string_type":
        return "put it in quotes"
    if isinstance(value, str) and "number" in _MUST_BE[what] and re.fullmatch(r"[-+]?[0-9.]+", value):
        return "leave the quotes away" if len(value) <= LONGEST_NUMBER else "it has too many digits"
    return f"{shown(value)} is not"


def _limit(detail: ErrorDetails, value: Any) -> Said:
    name, text = _LIMITS[detail["type"]]
    limit = detail["ctx"][name]
    return text.format(value=shown(value), limit=f"{limit:g}" if isinstance(limit, float) else limit), ""


def _validator(detail: ErrorDetails, _value: Any) -> Said:
    return str(detail["ctx"]["error"]), ""


def _literal(detail: ErrorDetails, value: Any) -> Said:
    return f"{shown(value)} is not known here", did_you_mean(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))


def _pattern(detail: ErrorDetails, value: Any) -> Said:
    pattern = detail["ctx"]["pattern"]
    if pattern == NAME_PATTERN:
        return (
            f"{shown(value)} is not a name",
            f"1 to {LONGEST_NAME} characters, none of them a space or / + #, and no $ at the start",
        )
    return f"{shown(value)} does not have the right form", f"it must match {pattern}"


def _other(detail: ErrorDetails, _value: Any) -> Said:
    return detail["msg"][:1].lower() + detail["msg"][1:], ""


_TELL: dict[str, Callable[[ErrorDetails, Any], Said]] = {
    **dict.fromkeys(_LIMITS, _limit),
    "value_error": _validator,
    "assertion_error": _validator,
    "literal_error": _literal,
    "enum": _literal,
    "string_pattern_mismatch": _pattern,
}
