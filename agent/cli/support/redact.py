"""A configuration file as it was written, without what may be a secret in it; its lines keep their numbers.

It need not be YAML: a file that cannot be read is just the one that somebody has to look at. So this goes by lines and
words, and rather takes out too much. Comments go as a whole: nobody knows what people write there.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.cli.support.scrub import HIDDEN, NAMES
from agent.config.listed import address

COMMENT = "# (a comment)"
LONGEST = 2000  # characters of a line: one that is longer goes as a whole
LONG = 8  # characters of a piece of what was taken out that is a secret of its own
DEEPER = "deeper"
_REFERENCE = re.compile(r"(\s*[\"']?(?:\$\{\w+\}|(?:file|credential):[^\s\"'#,}]+)[\"']?)\s*(?:$|[,}\]])")
_NAMED = rf"(?<![\w.-])(?!(?:file|credential):\S)[\w.-]{{0,40}}?(?:{NAMES})(?![a-rt-z])[\w.-]{{0,40}}[\"']?"
_KEY = re.compile(rf"(?i)(?:{_NAMED}(?:\s*[:=][ \t]*|[ \t]+)|[\"']?headers[\"']?\s*:[ \t]*)")
_COMMENT = re.compile(r"(^|\s)#.*$")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")
_BLOCK = re.compile(r"[|>][0-9+-]*")
_HEAD = re.compile(r"\s*(?:-\s+)*")


class Line(NamedTuple):
    """As it is shown, and what was taken out. `more`: all that is indented further goes, too (`DEEPER`), or all up to
    this quotation mark."""

    shown: str
    secret: str = ""
    more: str = ""


def redacted(text: str) -> str:
    return "\n".join(line.shown for line in _lines(text))


def literals(text: str) -> Iterator[str]:
    """What `redacted` takes out: it should not stand there, and is to be looked for everywhere."""
    for line in _lines(text):
        yield line.secret.strip().strip("\"'")
        for piece in re.split(r"[{},\n]|:\s", line.secret):
            bare = piece.strip().strip("\"'")
            yield bare if len(bare) >= LONG else ""


def _lines(text: str) -> Iterator[Line]:
    more, depth = "", 0
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        beside = indent == depth and line.lstrip().startswith("- ")  # a list may stand as far left as its key
        if more == DEEPER and line.strip() and indent <= depth and not beside:
            more = ""
        if more:
            yield Line(f"{line[:indent]}{HIDDEN}" if line.strip() else line, line)
            more = "" if more != DEEPER and more in line else more
            continue
        found = _line(line)
        more, depth = found.more, len(_HEAD.match(line)[0])  # type: ignore[index]  # it always matches
        yield found


def _line(line: str) -> Line:
    if len(line) > LONGEST:
        return Line(HIDDEN, line)
    comment = _COMMENT.search(line)
    code = line[: comment.start()] if comment else line
    tail = f"{comment[1]}{COMMENT}" if comment else ""
    found = _code(code)
    if found.secret and comment:  # where does the secret end, and the comment begin?
        return found._replace(shown=f"{found.shown}{tail}", secret=f"{found.secret}{comment[0]}")
    return found._replace(shown=f"{found.shown}{tail}")


def _code(code: str, *, flow: bool = False) -> Line:
    """A line without its comment, or what is left of it; `flow`: within braces."""
    key = _KEY.search(code)
    if key is None:
        return Line(address(code))
    head, rest = code[: key.end()], code[key.end() :]
    flow = flow or head.count("{") > head.count("}")
    reference = _REFERENCE.match(rest)
    if reference and not key[0].lower().lstrip("\"'").startswith("headers"):
        after = _code(rest[reference.end(1) :], flow=flow)
        return after._replace(shown=f"{address(head)}{reference[1]}{after.shown}")
    secret, rest, more = _value(rest, flow=flow)
    after = _code(rest, flow=flow) if rest else Line("", more=more)
    secret = "\n".join(filter(None, (secret, after.secret)))
    space = "" if head[-1:].isspace() else " "
    return Line(f"{address(head)}{space}{HIDDEN}{after.shown}", secret or " ", after.more)


def _value(text: str, *, flow: bool) -> tuple[str, str, str]:
    """The value at the beginning of `text`, what follows it on the line, and `more`."""
    quoted = _QUOTED.match(text)
    if quoted:
        return quoted[0], text[quoted.end() :], ""
    if text[:1] in {'"', "'"}:
        return text, "", text[0]
    if not text.strip() or _BLOCK.fullmatch(text.strip()) or text.startswith("{"):
        return text, "", DEEPER
    end = re.search(r"[,}]", text) if flow else None
    return (text[: end.start()], text[end.start() :], "") if end else (text, "", DEEPER)
