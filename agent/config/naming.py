"""Tags whose names nearly are, or are, in the vocabulary: warnings, for a name of one's own is as good."""

from collections.abc import Iterator
from typing import Any

from agent.config.lists import title
from agent.config.problems import Scope
from agent.config.tree import Mapping
from agent.config.vocabulary import Term, Vocabulary
from agent.config.words import shown
from agent.model.units import conversion
from agent.registry import TagConfig


def check_naming(tag: TagConfig, raw: Any, scope: Scope, index: int) -> None:
    """Warn of what is odd about a tag that stands as `raw` in the file, where somebody wants to know."""
    vocabulary = scope.report.vocabulary
    if vocabulary is None or not tag.enabled or not isinstance(raw, Mapping):
        return
    for key, message, hint in _oddities(tag, vocabulary):
        mark = raw.value_marks.get(key, raw.value_marks.get("name", raw.mark))
        scope.within(title(raw, "tag", index)).warn(mark, message, hint)


def _oddities(tag: TagConfig, vocabulary: Vocabulary) -> Iterator[tuple[str, str, str]]:
    """(key, message, hint)"""
    term = vocabulary.terms.get(tag.name)
    if term is not None:
        yield from _unlike(tag, term)
    elif meant := vocabulary.meant(tag.name):
        term = vocabulary.terms[meant]
        what = ", ".join(filter(None, (term.unit, term.kind)))
        yield "name", f"{shown(tag.name)} is not in the vocabulary", f"did you mean {meant!r} ({what}: {term.en})?"


def _unlike(tag: TagConfig, term: Term) -> Iterator[tuple[str, str, str]]:
    unit, key = (tag.as_, "as") if tag.as_ else (tag.unit, "unit")
    is_number = getattr(tag, "dtype", "") not in ("str", "bool") and term.type not in ("str", "bool")
    if is_number and term.unit and not _converts(unit, term.unit):
        what = f"{shown(unit)} is of another dimension than" if unit else "there is none, and it should be one like"
        yield key, f"unit: {what} {term.unit!r}", f"{term.name} is in the vocabulary: {term.en}"
    if (tag.kind == "counter") != (term.kind == "counter"):
        said = f"kind: {tag.kind}, and {term.name} is a {term.kind} in the vocabulary"
        yield "kind", said, f"`kind: {term.kind}`, or another name"


def _converts(unit: str, other: str) -> bool:
    """A tag without a unit is a plain number."""
    try:
        conversion(unit or "1", other)
    except ValueError:
        return False
    return True
