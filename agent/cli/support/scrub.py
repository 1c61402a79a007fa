"""Takes secrets out of text: those that are known, in whatever spelling, and what looks like one.

A known secret is looked for as it is, and as it stands in an address, in JSON, in HTML, in hex and in Base64, where
what is around it moves its letters: each of the three ways is looked for without those that its neighbours share.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "(a secret)"
SHORTEST = 4  # characters of what is looked for: less would be found everywhere
_LINE = 8  # characters of a line of a secret that is looked for alone
_CORE = 8  # letters of Base64
NAMES = (
    r"pass(?:word|wd|phrase|code)|(?<![A-Za-z])pass|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|shared[_-]?key|"
    r"(?<![A-Za-z])pw(?![A-Za-z])|psk|credentials?|authorization|cookie|signature"
)
_REFERENCE = r"\$\{|(?:file|credential):"
_VALUE = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"',;&}\])]+"
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_HEADER = re.compile(
    r"(?i)((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:basic|bearer|digest|token)\s+)?[^\s\"',}]+"
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_QUERY = re.compile(r"([?&](?:sig|key|auth|code)=)(?!\()[^&\s\"'<>]{6,}")
_USER = re.compile(r"(?<![\w+.-])([A-Za-z][A-Za-z0-9+.-]{0,20}://)[^/@\s\"']{0,500}@")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?")
_WORD = re.compile(r"(?i)pass|pwd?|secret|token|key|psk|credential|authorization|cookie|signature")
_NAMED = re.compile(
    rf"(?i)((?<![\w.-])(?!(?:file|credential):\S)[\w.-]{{0,40}}?(?:{NAMES})(?![a-z])[\w.-]{{0,40}}\\?[\"']?\s*[:=]\s*\\?)(?!{re.escape(HIDDEN)})"
    rf"(?![\"']?(?:{_REFERENCE}|null\b|true\b|false\b|[\[{{(]))({_VALUE})"
)


class Scrubber:
    """`scrub(text)` is the text without them; `hidden` counts what was taken out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets for form in forms(secret)}
        self._forms = sorted(known, key=len, reverse=True)  # what holds another one comes first
        self.hidden = 0

    def __call__(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                self.hidden += text.count(form)
                text = text.replace(form, HIDDEN)
        return self._looks(text)

    def _looks(self, text: str) -> str:
        for pattern, instead in (
            (_PEM, HIDDEN),
            (_HEADER, rf"\1{HIDDEN}"),
            (_BEARER, rf"\1 {HIDDEN}"),
            (_USER, rf"\1{HIDDEN}@"),
            (_JWT, HIDDEN),
            (_QUERY, rf"\1{HIDDEN}"),
        ):
            text, count = pattern.subn(instead, text)
            self.hidden += count
        return "\n".join(self._named(line) if _WORD.search(line) else line for line in text.split("\n"))

    def _named(self, line: str) -> str:
        line, count = _NAMED.subn(rf"\1{HIDDEN}", line)
        self.hidden += count
        return line


def forms(secret: str) -> Iterator[str]:
    """All spellings of a secret that are looked for; none for one that is too short."""
    lines = [line.strip() for line in secret.splitlines() if len(line.strip()) >= _LINE]
    for text in dict.fromkeys((secret, secret.strip(), *lines)):
        if len(text) >= SHORTEST:
            yield from (form for form in _spelt(text) if len(form) >= SHORTEST)


def _spelt(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogateescape")
    yield text
    for safe in ("", "/"):
        yield from _both(quote(text, safe=safe, errors="replace"))
    yield from _both(quote_plus(text, errors="replace"))
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(text)[1:-1])[1:-1]  # JSON in JSON, as a line of a log in an answer
    yield html.escape(text)
    yield repr(text)[1:-1]
    if len(raw) >= SHORTEST:
        yield raw.hex()
        yield raw.hex().upper()
        yield from _base64(raw)


def _both(quoted: str) -> Iterator[str]:
    """`%2F` may be `%2f`."""
    yield quoted
    yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def _base64(raw: bytes) -> Iterator[str]:
    for ahead in range(3):
        coded = base64.b64encode(b"\0" * ahead + raw)
        core = coded[-(-ahead * 8 // 6) : (ahead + len(raw)) * 8 // 6].decode()
        if len(core) >= _CORE:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))
            yield from _both(quote(core, safe=""))
