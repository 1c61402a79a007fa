"""Catalogues as files: gettext's PO, of which the parts that we use are read here.

An entry is a `msgid` with the English text, perhaps a `msgctxt` before it, and a `msgstr`; texts are quoted as in C and
may go on over several lines; lines with `#` are for people. (GNU gettext manual, The Format of PO Files)
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(r'(?:(msgctxt|msgid|msgstr) )?"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t", "b": "\b"}


class Entry(NamedTuple):
    """`context` is empty, or what keeps texts apart that are the same in English."""

    context: str
    text: str
    translation: str


def entries(po: str) -> Iterator[Entry]:
    """All but the head. Raises ValueError with the number of a line that is none."""
    fields: dict[str, str] = {}
    name = ""
    for number, line in enumerate(po.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not (match[1] or name):
            raise ValueError(f"line {number} is no line of a PO file: {line[:60]!r}")
        if match[1] in {"msgctxt", "msgid"} and "msgstr" in fields:
            yield from _entry(fields)
            fields = {}
        name = match[1] or name
        text = _ESCAPED.sub(_meant, match[2]) if "\\" in match[2] else match[2]
        fields[name] = fields.get(name, "") + text
    yield from _entry(fields)


def _entry(fields: dict[str, str]) -> Iterator[Entry]:
    if fields.get("msgid"):  # the head has none
        yield Entry(fields.get("msgctxt", ""), fields["msgid"], fields.get("msgstr", ""))


def _meant(match: re.Match[str]) -> str:
    return _MEANS.get(match[1], match[1])


def quoted(text: str) -> str:
    """As it stands in a file, on one line."""
    for old, new in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\b", "\\b")):
        text = text.replace(old, new)
    return f'"{text}"'
