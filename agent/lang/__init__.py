"""What the command line says, in the language of whoever reads it.

Messages are written in English where they arise. At the border, where text goes to a person, `said` looks the finished
text up in the catalogue of the language that is spoken; what the catalogue does not know stays English.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.lang.catalogue import Catalogue

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
VARIABLE = "FLOORGATE_LANG"
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts (POSIX, XBD 8.2)
_SAMPLE = "点表"

_spoken: ContextVar["Catalogue | None"] = ContextVar("spoken", default=None)


def said(text: str) -> str:
    """`text` as the person reads it."""
    catalogue = _spoken.get()
    return catalogue.said(text) if catalogue else text


def word(text: str) -> str:
    """A word that messages are made with."""
    catalogue = _spoken.get()
    return catalogue.word(text) if catalogue else text


def column(text: str) -> str:
    """The head of a column."""
    catalogue = _spoken.get()
    return catalogue.column(text) if catalogue else text


def between(text: str) -> str:
    """What stands between two messages, such as `; `."""
    catalogue = _spoken.get()
    return catalogue.between(text) if catalogue else text


def foreign() -> bool:
    """Whether another language than English is spoken."""
    return _spoken.get() is not None


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """The block speaks `language`, one of LANGUAGES."""
    token = _spoken.set(None if language == ENGLISH else load(language))
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def load(language: str) -> "Catalogue":
    """Read when it is first needed."""
    from agent.lang.catalogue import Catalogue  # noqa: PLC0415  # who speaks English never needs it
    from agent.lang.po import entries  # noqa: PLC0415  # as above

    return Catalogue(entries(path(language).read_text("utf-8")))


def path(language: str) -> Path:
    return Path(__file__).with_name(f"{language}.po")


def chosen(arguments: Sequence[str], environ: Mapping[str, str], encodings: Sequence[str | None]) -> str:
    """By `--lang` before the command, or FLOORGATE_LANG, or the locale; English where the terminal shows no other."""
    wanted = _known(_option(arguments)) or _known(environ.get(VARIABLE, "")) or _of_locale(environ)
    return wanted if wanted == ENGLISH or all(map(_shows, encodings)) else ENGLISH


def _of_locale(environ: Mapping[str, str]) -> str:
    return _known(next(filter(None, map(environ.get, _LOCALE)), "")) or ENGLISH


def _option(arguments: Sequence[str]) -> str:
    """The value of `--lang`; the first word without a dash ends the search, for it is the command."""
    for at, argument in enumerate(arguments):
        if argument == "--lang":
            return next(iter(arguments[at + 1 :]), "")
        if argument.startswith("--lang="):
            return argument.partition("=")[2]
        if not argument.startswith("-"):
            break
    return ""


def _known(name: str) -> str:
    """`zh` of `zh`, `zh_CN.UTF-8`, `zh-Hans`; empty for a language that we have not."""
    language = name.lower().replace("-", "_").partition(".")[0].partition("_")[0]
    return language if language in LANGUAGES else ""


def _shows(encoding: str | None) -> bool:
    try:
        return bool(_SAMPLE.encode(encoding or "ascii"))
    except (UnicodeEncodeError, LookupError):
        return False
