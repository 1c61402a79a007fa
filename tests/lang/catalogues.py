"""The catalogues beside the source: the English one is written from it, the others are held against it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from string import Formatter

from agent.lang import ENGLISH, LANGUAGES, path
from agent.lang.catalogue import WORD
from agent.lang.po import Entry, entries, quoted
from tests.house import ROOT, parsed, sources
from tests.lang import foreign
from tests.lang.extract import Found, Key

ENGLISH_CATALOGUE = ROOT / "agent/lang/en.pot"
TRANSLATED = tuple(language for language in LANGUAGES if language != ENGLISH)
_HEAD = """\
# What Floorgate says to people, as templates. Written from the source by `python -m tests.lang --write`.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def english(found: Mapping[Key, Found]) -> str:
    """The catalogue of the source, for translators: each message, where it stands and what fills its holes."""
    lines = [_HEAD]
    for (context, text), about in found.items():
        lines += [f"#. {{{number}}}: {' '.join(hole.split())[:100]}" for number, hole in enumerate(about.holes)]
        lines += [f"#: {' '.join(about.files)}"]
        lines += _entry(Entry(context, text, ""))
    return "\n".join(lines)


def translated(found: Mapping[Key, Found], language: str) -> str:
    """The catalogue of `language` brought up to date: what the source has lost goes, what is new waits.

    Its head stays, and so do words that were added by hand.
    """
    old = path(language).read_text("utf-8")
    known = {(each.context, each.text): each.translation for each in entries(old)}
    by_hand = {key for key in known if key[0] == WORD and key not in found}
    lines = [old[: _after_head(old)].rstrip("\n"), ""]
    section = ""
    for (context, text), about in [*found.items(), *((key, Found({"words": None})) for key in sorted(by_hand))]:
        file = next(iter(about.files))
        if file != section:
            lines += [f"# {file}", ""]
            section = file
        lines += _entry(Entry(context, text, known.get((context, text), "")))
    return "\n".join(lines)


def _after_head(po: str) -> int:
    """Where the first entry begins, with the comments before it."""
    head = po.index("\n\n", po.index('msgid ""'))
    return head + 1


def _entry(entry: Entry) -> list[str]:
    context = [f"msgctxt {quoted(entry.context)}"] if entry.context else []
    return [*context, f"msgid {quoted(entry.text)}", f"msgstr {quoted(entry.translation)}", ""]


def faults(found: Mapping[Key, Found], catalogue: Iterable[Entry]) -> Iterator[str]:
    """What a translated catalogue lacks, has too much or has wrong, one line each."""
    known: dict[Key, Entry] = {}
    for entry in catalogue:
        key = entry.context, entry.text
        if key in known:
            yield f"is there twice: {entry.text!r}"
        known[key] = entry
    constants = _constants() | set(foreign.WORDS)
    for key, about in found.items():
        if key not in known or not known[key].translation:
            yield f"is not translated: {next(iter(about.files))}: {key[1]!r}"
    for key, entry in known.items():
        if key not in found and not (key[0] == WORD and key[1] in constants):
            yield f"is not said any more: {entry.text!r}"
        elif entry.translation and (wrong := _wrong_holes(entry)):
            yield f"{wrong}: {entry.text!r}: {entry.translation!r}"


def _wrong_holes(entry: Entry) -> str:
    try:
        there = {field for _, field, spec, _ in Formatter().parse(entry.translation) if field and spec in {"", WORD}}
    except ValueError as error:
        return f"its braces are wrong ({error})"
    wanted = {field for _, field, _, _ in Formatter().parse(entry.text) if field}
    return "" if there == wanted else "has other placeholders"


@cache
def _constants() -> set[str]:
    """Every text that stands alone in the source."""
    nodes = (node for path_ in sources("agent", "drivers", "buffer") for node in ast.walk(parsed(path_)))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
