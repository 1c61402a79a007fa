"""Small turns of phrase that messages share."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from heapq import nlargest
from typing import Any

from agent.config.references import Expanded

LONGEST = 60
MOST = 200  # names that are compared letter by letter


def shown(value: Any) -> str:
    """A value as a message may quote it: short, and never what a reference brought in."""
    if isinstance(value, Expanded):
        return f"'{value.source[:LONGEST]}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _likely(word: str, names: list[str]) -> Sequence[str]:
    """Of very many those that begin and end most alike: to compare all of them, letter by letter, takes too long."""
    return names if len(names) <= MOST else nlargest(MOST, names, key=lambda name: _alike(word, name.lower()))


def _alike(one: str, other: str) -> int:
    begin = sum(one[:size] == other[:size] for size in (1, 2, 4, 8, 16))
    return begin + sum(one[-size:] == other[-size:] for size in (1, 2, 4, 8))


def did_you_mean(word: Any, names: Iterable[str]) -> str:
    """A hint with the nearest name, or with all of them when they are few."""
    known = sorted(names)
    if isinstance(word, str) and len(word) <= LONGEST:
        lower = {name.lower(): name for name in _likely(word.lower(), known)}
        if near := get_close_matches(word.lower(), lower, n=1, cutoff=0.6):
            return f"did you mean {lower[near[0]]!r}?"
    return f"one of: {', '.join(known)}" if known and len(known) <= 30 else ""
