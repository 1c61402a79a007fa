"""A finished English text back to the template that it was made from, and from there into another language.

A template is a text with numbered holes, `{0} is more than {1}`; what filled a hole is taken over, and looked up in
turn where it is a message itself. Of the templates that fit, the one with most text counts. A template is looked for by
its rarest word, and matched piece by piece from the left without a second try, so a text costs microseconds whoever
wrote it.
What no template fits is taken apart where messages are put together: `place: message (hint)`, lists.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import NamedTuple

from agent.lang.po import Entry

WORD = "word"  # the context of words that stand alone
BETWEEN = "between"  # the context of what stands between messages
BETWEENS = (": ", " ({0})", "; ", ", ", " or ", " and ")
LONGEST = 4000  # characters of a text that is looked up
DEEPEST = 8  # messages within messages

_WORDS = re.compile(r"\w+")


class Hole(NamedTuple):
    """`{0:word}` in a translation: what fills it is one of the words, if it is known as one."""

    number: int
    is_word: bool


class Template(NamedTuple):
    """`literals` stand around the holes, one more than there are; `made` is the translation."""

    literals: tuple[str, ...]
    made: tuple[str | Hole, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.literals))


class Catalogue:
    """All that one language knows."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._words: dict[str, str] = {}
        self._between = {text: text for text in BETWEENS}
        self._exact: dict[str, str] = {}
        templates = []
        for entry in entries:
            if not entry.translation:
                continue
            if entry.context == WORD:
                self._words[entry.text] = entry.translation
            elif entry.context == BETWEEN:
                self._between[entry.text] = entry.translation
            elif "{" in entry.text and len(literals := literals_of(entry.text)) > 1:
                templates.append(Template(literals, tuple(_made(entry.translation))))
            else:
                self._exact[_bare(entry.text)] = _bare(entry.translation)
        self._templates = _by_rarest(templates)

    def said(self, text: str) -> str:
        """Line by line; the spaces around a line stay."""
        return "\n".join(map(self._line, text.split("\n"))) if "\n" in text else self._line(text)

    def word(self, text: str) -> str:
        return self._words.get(text, text)

    def between(self, text: str) -> str:
        return self._between[text]

    def knows(self, text: str) -> bool:
        """Whether there is a template for the text as a whole."""
        return self._whole(text, 0) is not None

    def _line(self, line: str) -> str:
        if len(line) > LONGEST:
            return line
        return self._any(line, 0) or line

    def _any(self, text: str, depth: int) -> str | None:
        """None: nothing of it is known."""
        if depth > DEEPEST or not text or text.isspace():
            return None
        found = self._whole(text, depth)
        if found is None and (text[0] == " " or text[-1] == " "):
            core = text.strip()
            at = text.index(core)
            inner = self._any(core, depth + 1)
            return inner and text[:at] + inner + text[at + len(core) :]
        return found if found is not None else self._parts(text, depth)

    def _whole(self, text: str, depth: int) -> str | None:
        exact = self._exact.get(text)
        if exact is not None:
            return exact
        template, filled = self._matched(text)
        if template is None:
            return None
        return "".join(
            piece if isinstance(piece, str) else self._filling(filled[piece.number], depth, is_word=piece.is_word)
            for piece in template.made
        )

    def _matched(self, text: str) -> tuple[Template | None, list[str]]:
        candidates: dict[Template, None] = {}
        for token in dict.fromkeys(_WORDS.findall(text)):
            candidates |= dict.fromkeys(self._templates.get(token, ()))
        for template in sorted(candidates, key=lambda each: -each.size):
            filled = fillings(text, template.literals)
            if filled is not None:
                return template, filled
        return None, []

    def _filling(self, text: str, depth: int, *, is_word: bool) -> str:
        if is_word and text in self._words:
            return self._words[text]
        return (" " in text and self._any(text, depth + 1)) or text

    def _parts(self, text: str, depth: int) -> str | None:
        """`message (hint)`, `place: message`, `one; another`, `one, another`, `one or another`."""
        at = _opening(text) if text[-1] == ")" else -1
        if at > 1 and text[at - 1] == " ":
            return self._hinted(text[: at - 1], text[at + 1 : -1], depth)
        place, colon, rest = text.partition(": ")
        if colon:
            before, after = self._any(place, depth + 1), self._any(rest, depth + 1)
            if before is not None:
                return f"{before}{self._between[colon]}{after or rest}"
            return after and f"{place}{colon}{after}"
        for between in ("; ", ", "):
            if between in text:
                return self._joined(text.split(between), between, depth)
        for between in (" or ", " and "):
            if between in text and (found := self._joined(text.split(between), between, depth, whole=True)):
                return found
        return None

    def _hinted(self, message: str, hint: str, depth: int) -> str | None:
        ours, theirs = self._any(message, depth + 1), self._any(hint, depth + 1)
        if ours is None and theirs is None:
            return None
        return (ours or message) + self._between[" ({0})"].replace("{0}", theirs or hint)

    def _joined(self, parts: list[str], between: str, depth: int, *, whole: bool = False) -> str | None:
        """None where no part is known; with `whole` all have to be."""
        found = [self._any(part, depth + 1) for part in parts]
        if not (all if whole else any)(found):
            return None
        return self._between[between].join(ours or part for ours, part in zip(found, parts, strict=True))


def literals_of(text: str) -> tuple[str, ...]:
    """What stands around the holes of a template: one more than there are holes."""
    literals = [""]
    for literal, field, _, _ in Formatter().parse(text):
        literals[-1] += literal
        if field is not None:
            literals.append("")
    return tuple(literals)


def fillings(text: str, literals: tuple[str, ...]) -> list[str] | None:
    """What filled each hole; None where the text was not made from this. Each literal is taken where it comes first."""
    first, *inner, last = literals
    if not (text.startswith(first) and text.endswith(last)) or len(text) < len(first) + len(last):
        return None
    at, end = len(first), len(text) - len(last)
    filled = []
    for literal in inner:
        found = text.find(literal, at, end)
        if found < 0:
            return None
        filled.append(text[at:found])
        at = found + len(literal)
    return [*filled, text[at:end]]


def tokens(literals: tuple[str, ...]) -> Iterator[str]:
    """The words that stand whole in a text made from these."""
    last = len(literals) - 1
    for place, literal in enumerate(literals):
        for match in _WORDS.finditer(literal):
            if (match.start() > 0 or place == 0) and (match.end() < len(literal) or place == last):
                yield match[0]


def _by_rarest(templates: list[Template]) -> dict[str, list[Template]]:
    count = Counter(token for template in templates for token in set(tokens(template.literals)))
    found: defaultdict[str, list[Template]] = defaultdict(list)
    for template in templates:
        rarest = min(tokens(template.literals), key=lambda token: (count[token], token), default=None)
        if rarest is not None:
            found[rarest].append(template)
    return dict(found)


def _made(translation: str) -> Iterator[str | Hole]:
    for literal, field, spec, _ in Formatter().parse(translation):
        if literal:
            yield literal
        if field is not None:
            yield Hole(int(field), spec == WORD)


def _bare(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def _opening(text: str) -> int:
    """Where the bracket begins that the last letter closes; -1: nowhere."""
    open_ = 0
    for at in range(len(text) - 1, -1, -1):
        open_ += (text[at] == ")") - (text[at] == "(")
        if open_ == 0:
            return at
    return -1
