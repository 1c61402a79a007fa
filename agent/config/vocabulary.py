"""The names under which quantities leave every gateway: what a tag is called, and what it should be called."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field

from agent.config.explain import validate
from agent.config.files import configs_dir, read_bytes
from agent.config.problems import Mark, Report, Scope
from agent.config.reader import read
from agent.config.tree import Mapping, Sequence
from agent.model.tag import DType, Kind
from agent.model.text import is_name
from agent.model.units import parse
from agent.registry import Section

MAX_FILE = 1 << 20
MOST = 5000  # names
SHORTEST = 6  # characters of a name that may be a letter beside another
_BRACES = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Term:
    """One canonical name; `unit` is the usual one, any other of its dimension is as good."""

    name: str
    unit: str
    type: DType
    kind: Kind
    en: str
    zh: str


class _Entry(Section):
    name: str = Field(max_length=200)
    unit: str = Field(max_length=32)
    type: DType
    kind: Kind
    en: str = Field(min_length=1, max_length=200)
    zh: str = Field(min_length=1, max_length=200)
    aka: list[str] = Field([], max_length=32)


class Vocabulary:
    """Terms by name, and how else each may be spelt."""

    def __init__(self, terms: Iterable[tuple[Term, Iterable[str]]]) -> None:
        self.terms: dict[str, Term] = {}
        self.spellings: dict[str, str] = {}  # without case and marks, words in order and sorted
        for term, others in terms:
            self.terms[term.name] = term
            for spelling in (term.name, *others):
                for key in (_squashed(spelling), _sorted(spelling)):
                    self.spellings.setdefault(key, term.name)
        self._beside: dict[str, list[str]] = {}
        for name in self.terms:
            for key in (name, *_shorter(name)):
                self._beside.setdefault(key, []).append(name)
        self._meant: dict[str, str] = {}

    def meant(self, name: str) -> str:
        """The canonical name that is nearly this one; empty for one that is canonical, or like none."""
        if name not in self._meant:
            self._meant[name] = self._look(name)
        return self._meant[name]

    def _look(self, name: str) -> str:
        if name in self.terms:
            return ""
        return self.spellings.get(_squashed(name)) or self.spellings.get(_sorted(name)) or self._neighbour(name)

    def _neighbour(self, name: str) -> str:
        """A name that is one letter away; numbers are never a slip, nor is the first letter."""
        if not SHORTEST <= len(name) <= 128:
            return ""
        for key in (name, *_shorter(name)):
            for other in self._beside.get(key, ()):
                same = name[0] == other[0] and "".join(_DIGITS.findall(name)) == "".join(_DIGITS.findall(other))
                if same and len(other) >= SHORTEST and _is_one_away(name, other):
                    return other
        return ""


def load_vocabulary(path: Path | None = None) -> Vocabulary:
    """The vocabulary in `path`, by default the one that comes with floorgate. Raises Invalid and Unreadable."""
    path = path or configs_dir() / "vocabulary.yaml"
    report = Report()
    root = read(read_bytes(path, MAX_FILE), str(path), report)
    found = list(_terms(root, Mark(str(path), 1, 1), Scope(report)))
    report.settle()
    return Vocabulary(found)


def _terms(root: Any, start: Mark, scope: Scope) -> Iterator[tuple[Term, list[str]]]:
    if not isinstance(root, Mapping):
        scope.add(start, "a vocabulary is a mapping of lists")
        return
    seen: set[str] = set()
    for topic, listed in root.items():
        if not isinstance(listed, Sequence):
            scope.add(root.value_marks[topic], f"{topic}: must be a list")
            continue
        for raw, mark in zip(listed, listed.item_marks, strict=True):
            entry = None if scope.full else validate(_Entry, raw, mark, scope)
            for term, others in _expanded(entry, mark, scope) if entry else ():
                if term.name in seen or len(seen) >= MOST:
                    scope.add(mark, f"{term.name!r} is there twice" if term.name in seen else f"more than {MOST} names")
                    return
                seen.add(term.name)
                yield term, others


def _expanded(entry: _Entry, mark: Mark, scope: Scope) -> Iterator[tuple[Term, list[str]]]:
    """A term for each name that the pattern stands for; a spelling with as many belongs to each in turn."""
    try:
        names = spread(entry.name)
        others = [spread(each) for each in entry.aka]
        if entry.unit:
            parse(entry.unit)
    except ValueError as error:
        scope.add(mark, f"{entry.name}: {error}")
        return
    if bad := [name for name in names if not is_name(name)]:
        scope.add(mark, f"{bad[0]!r} is not a name")
        return
    for at, name in enumerate(names):
        term = Term(name, entry.unit, entry.type, entry.kind, entry.en, entry.zh)
        yield term, [each[at] for each in others if len(each) == len(names)]


def spread(pattern: str) -> list[str]:
    """`a_{b,c}` is a_b and a_c. Raises ValueError for more names than anybody wants."""
    parts = [part.split(",") if odd else [part] for odd, part in _parts(pattern)]
    if len(parts) > 8 or any(len(part) > 64 for part in parts):
        raise ValueError("a pattern has at most 3 lists of 64 words")
    return ["".join(each) for each in product(*parts)]


def _parts(pattern: str) -> Iterator[tuple[bool, str]]:
    for at, part in enumerate(_BRACES.split(pattern)):
        yield at % 2 == 1, part


def _squashed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _sorted(name: str) -> str:
    return " ".join(sorted(word.lower() for word in _WORD.findall(name)))


def _shorter(name: str) -> set[str]:
    return {name[:at] + name[at + 1 :] for at in range(len(name))}


def _is_one_away(one: str, other: str) -> bool:
    """Whether one letter is wrong, missing, too many, or two stand the wrong way round."""
    if len(one) == len(other):
        wrong = [at for at in range(len(one)) if one[at] != other[at]]
        if len(wrong) == 2:
            first, second = wrong
            return second == first + 1 and (one[first], one[second]) == (other[second], other[first])
        return len(wrong) == 1
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and short in _shorter(long)
