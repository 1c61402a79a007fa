"""A finished English text back to the template that it was made from, and from there into another language.

A template is a text with numbered holes, `{0} is more than {1}`; what filled a hole is taken over, and looked up in
turn where it is a message itself. What messages are put together of is taken apart: `place: message (hint)`, lists. Of
all ways to read a text the one that knows most of its letters counts. A template is looked for by its rarest word, and
matched piece by piece from the left without a second try, so a text costs microseconds whoever wrote it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import NamedTuple

from agent.lang.po import Entry

COLUMN = "column"  # the context of heads of columns
WORD = "word"  # of words that messages are made with
BETWEEN = "between"  # of what stands between messages
BETWEENS = (": ", " ({0})", "; ", ", or ", ", ", " or ", " and ")
LONGEST = 4000  # characters of a text that is looked up
DEEPEST = 8  # messages within messages

_BULLET = re.compile(r"[-+~] ")
_WORDS = re.compile(r"\w+")
_PROSE = re.compile(r"(?<![\w'])[a-z]{2,} [a-z]{2,}(?![\w'])")
_SMALL = {
    *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have", "in", "is", "it", "no", "not"),
    *("of", "on", "or", "such", "than", "the", "this", "to", "was", "with"),
}
Known = tuple[int, str] | None  # how many letters are known, and the translation; None: nothing is


class Hole(NamedTuple):
    """`{0:word}` in a translation: what fills it is one of the words, if it is known as one."""

    number: int
    is_word: bool


class Template(NamedTuple):
    """`literals` stand around the holes, one more than there are; `made` is the translation."""

    literals: tuple[str, ...]
    made: tuple[str | Hole, ...]
    size: int
    is_weak: bool  # without a word of its own: it fits much that it was not meant for
    is_count: bool  # `{0} tags`

    @classmethod
    def of(cls, literals: tuple[str, ...], translation: str) -> "Template":
        words = {word for literal in literals for word in _WORDS.findall(literal)}
        is_count = len(literals) == 2 and not literals[0] and re.fullmatch(r" \w+", literals[1]) is not None
        return cls(literals, tuple(made_of(translation)), sum(map(len, literals)), words <= _SMALL, is_count)


class Catalogue:
    """All that one language knows."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._words: dict[str, str] = {}
        self._columns: dict[str, str] = {}
        self._between = {text: text for text in BETWEENS}
        self._exact: dict[str, str] = {}
        tables = {WORD: self._words, COLUMN: self._columns, BETWEEN: self._between}
        templates = []
        for context, text, translation in filter(lambda entry: entry.translation, entries):
            if context in tables:
                tables[context][text] = translation
            elif "{" in text and len(literals := literals_of(text)) > 1:
                templates.append((literals, translation))
            else:
                self._exact[_bare(text)] = _bare(translation)
        for literals, translation in templates:
            self._behind(literals, translation)
        self._templates = _by_rarest([Template.of(*each) for each in templates])

    def _behind(self, literals: tuple[str, ...], translation: str) -> None:
        """Of `{0}: cannot connect` what stands behind the colon is known, too: another message may follow it."""
        place = "{0}" + self._between[": "]
        if len(literals) == 2 and not literals[0] and literals[1].startswith(": ") and translation.startswith(place):
            self._exact.setdefault(literals[1][2:], _bare(translation.removeprefix(place)))

    def said(self, text: str) -> str:
        """Line by line; the spaces around a line stay."""
        return "\n".join(map(self._line, text.split("\n"))) if "\n" in text else self._line(text)

    def word(self, text: str) -> str:
        return self._words.get(text, text)

    def column(self, text: str) -> str:
        return self._columns.get(text, text)

    def between(self, text: str) -> str:
        return self._between[text]

    def _line(self, line: str) -> str:
        known = self.reading().of(line) if len(line) <= LONGEST else None
        return known[1] if known else line

    def reading(self) -> "Reading":
        return Reading(self)

    def exact(self, text: str) -> str | None:
        return self._exact.get(text)

    def fitting(self, text: str) -> Iterator[tuple[Template, list[str]]]:
        """The templates that may have made `text`, each with what filled its holes."""
        for token in dict.fromkeys(_WORDS.findall(text)):
            for template in self._templates.get(token, ()):
                filled = fillings(text, template.literals)
                if filled is not None:
                    yield template, filled


class Reading:
    """Of one line: what was read once is remembered."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._read: dict[str, Known] = {}

    def of(self, text: str, depth: int = 0) -> Known:
        if depth > DEEPEST or not text or text.isspace():
            return None
        if text not in self._read:
            self._read[text] = None  # what stands within itself is not looked up again
            self._read[text] = self._padded(text, depth) if text != text.strip() else self._best(text, depth)
        return self._read[text]

    def _padded(self, text: str, depth: int) -> Known:
        exact = self._catalogue.exact(text)
        if exact is not None:
            return len(text), exact
        whole = max(self._wholes(text, depth), key=lambda way: way[0], default=None)
        core = text.strip()
        inner = self.of(core, depth + 1)
        at = text.index(core)
        padded = inner and (inner[0], text[:at] + inner[1] + text[at + len(core) :])
        return max(filter(None, (whole, padded)), key=lambda way: way[0], default=None)

    def _best(self, text: str, depth: int) -> Known:
        exact = self._catalogue.exact(text)
        if exact is not None:
            return len(text), exact
        ways = [*self._wholes(text, depth), *self._lists(text, depth), *self._parts(text, depth)]
        return max(filter(None, ways), key=lambda way: way[0], default=None)

    def _wholes(self, text: str, depth: int) -> Iterator[tuple[int, str]]:
        for template, filled in sorted(self._catalogue.fitting(text), key=lambda fit: -fit[0].size):
            known = [self.of(each, depth + 1) if " " in each else None for each in filled]
            if template.is_count and " " not in filled[0] and not filled[0].rstrip("%")[-1:].isdigit():
                continue
            if not (template.is_weak and _leaves_prose(filled, known)):
                beyond = any(map(_is_more, filled))
                size = template.size - beyond + sum(each[0] for each in known if each)
                yield size, "".join(self._filled(piece, filled, known) for piece in template.made)

    def _filled(self, piece: str | Hole, filled: list[str], known: list[Known]) -> str:
        if isinstance(piece, str):
            return piece
        text, ours = filled[piece.number], known[piece.number]
        return ours[1] if ours else self._catalogue.word(text) if piece.is_word else text

    def _parts(self, text: str, depth: int) -> Iterator[Known]:
        """`message (hint)` and `place: message`."""
        at = _opening(text) if text[-1] == ")" else -1
        if at > 1 and text[at - 1] == " ":
            yield self._hinted(text[: at - 1], text[at + 1 : -1], depth)
        place, colon, rest = text.partition(": ")
        if colon:
            yield self._placed(place, rest, depth)
        if _BULLET.match(text):
            listed = self.of(text[2:], depth + 1)
            yield listed and (listed[0] + 2, text[:2] + listed[1])

    def _lists(self, text: str, depth: int) -> Iterator[Known]:
        """`one; another`, `one, another`, `one or another`."""
        for between in BETWEENS[2:]:
            if between in text:
                yield self._joined(_split(text, between), between, depth)

    def _hinted(self, message: str, hint: str, depth: int) -> Known:
        ours, theirs = self.of(message, depth + 1), self.of(hint, depth + 1)
        if ours is None and theirs is None:
            return None
        around = self._catalogue.between(" ({0})").replace("{0}", theirs[1] if theirs else hint)
        return (ours[0] if ours else 0) + (theirs[0] if theirs else 0) + 3, (ours[1] if ours else message) + around

    def _placed(self, place: str, message: str, depth: int) -> Known:
        """A colon after a place stays as it is where the place does."""
        before, after = self.of(place, depth + 1), self.of(message, depth + 1)
        if before is None:
            return after and (after[0] + 2, f"{place}: {after[1]}")
        size, told = after or (0, message)
        return before[0] + size + 2, f"{before[1]}{self._catalogue.between(': ')}{told}"

    def _joined(self, parts: list[str], between: str, depth: int) -> Known:
        """Of what a word stands between, all parts have to be known."""
        found = [self.of(part, depth + 1) for part in parts]
        if not (any if between.strip() in ",;" else all)(found) or _leaves_prose(parts, found):
            return None
        size = sum(each[0] for each in found if each) + len(between) * (sum(map(bool, found)) - 1)
        texts = (ours[1] if ours else part for ours, part in zip(found, parts, strict=True))
        return size, _glued(texts, self._catalogue.between(between))


def _is_more(filling: str) -> bool:
    """What fills a hole is seldom more than one message, or has a hint of its own."""
    return ": " in filling or (filling.endswith(")") and " (" in filling)


def _glued(texts: Iterable[str], glue: str) -> str:
    """A word between two texts keeps off Latin letters; a comma does not."""
    made, *others = texts
    for text in others:
        before, after = (" " * (glue.isalnum() and end.isascii() and end.isalnum()) for end in (made[-1:], text[:1]))
        made += before + glue + after + text
    return made


def _split(text: str, between: str) -> list[str]:
    """At those that stand in no brackets."""
    parts = [""]
    for piece in text.split(between):
        inside = parts[-1].count("(") > parts[-1].count(")")
        parts = [*parts[:-1], parts[-1] + between + piece] if inside else [*parts, piece]
    return parts[1:]


def _leaves_prose(texts: Iterable[str], known: Iterable[Known]) -> bool:
    """Whether English sentences would remain among what is known."""
    return any(ours is None and _PROSE.search(text) for text, ours in zip(texts, known, strict=True))


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


def made_of(translation: str) -> Iterator[str | Hole]:
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
