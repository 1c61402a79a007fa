"""Tags whose names nearly are, or are, in the vocabulary: warnings, for a name of one's own is as good."""

from collections.abc import Iterator

from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.vocabulary import Term, Vocabulary
from agent.config.words import shown
from agent.model.units import conversion
from agent.registry import ValueConfig


def check_naming(value: ValueConfig, name: str, raw: Mapping, mark: Mark, scope: Scope) -> None:
    """Where somebody asks, warn of what is odd about a value: its name stands at `mark`, the rest of it in `raw`."""
    vocabulary = scope.report.vocabulary
    for key, message, hint in _oddities(value, name, vocabulary) if vocabulary else ():
        scope.warn(raw.value_marks.get(key, mark), message, hint)


def _oddities(value: ValueConfig, name: str, vocabulary: Vocabulary) -> Iterator[tuple[str, str, str]]:
    """(key, message, hint)"""
    term = vocabulary.terms.get(name)
    if term is not None:
        yield from _unlike(value, term)
    elif meant := vocabulary.meant(name):
        near = vocabulary.terms[meant]
        if _may_be(value, near):
            what = ", ".join(filter(None, (near.unit, near.kind)))
            yield "name", f"{shown(name)} is not in the vocabulary", f"did you mean {meant!r} ({what}: {near.en})?"


def _may_be(value: ValueConfig, term: Term) -> bool:
    """A `p` in bar is no power, whatever it is near to."""
    unit = value.as_ or value.unit
    return not unit or not term.unit or _converts(unit, term.unit)


def _unlike(value: ValueConfig, term: Term) -> Iterator[tuple[str, str, str]]:
    unit, key = (value.as_, "as") if value.as_ else (value.unit, "unit")
    is_number = getattr(value, "dtype", "") not in ("str", "bool") and term.type not in ("str", "bool")
    if is_number and term.unit and not _converts(unit, term.unit):
        what = f"{shown(unit)} is of another dimension than" if unit else "there is none, and it should be one like"
        yield key, f"unit: {what} {term.unit!r}", f"{term.name} is in the vocabulary: {term.en}"
    if (value.kind == "counter") != (term.kind == "counter"):
        said = f"kind: {value.kind}, and {term.name} is a {term.kind} in the vocabulary"
        yield "kind", said, f"`kind: {term.kind}`, or another name"


def _converts(unit: str, other: str) -> bool:
    """A tag without a unit is a plain number."""
    try:
        conversion(unit or "1", other)
    except ValueError:
        return False
    return True
