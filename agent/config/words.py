"""Small turns of phrase that messages share."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from agent.config.references import Expanded

LONGEST = 60


def shown(value: Any) -> str:
    """A value as a message may quote it: short, and never what a reference brought in."""
    if isinstance(value, Expanded):
        return f"'{value.source[:LONGEST]}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def did_you_mean(word: Any, names: Iterable[str]) -> str:
    """A hint with the nearest name, or with all of them when they are few."""
    known = sorted(names)
    if isinstance(word, str) and len(word) <= LONGEST:
        lower = {name.lower(): name for name in known}
        if near := get_close_matches(word.lower(), lower, n=1, cutoff=0.6):
            return f"did you mean {lower[near[0]]!r}?"
    return f"one of: {', '.join(known)}" if known and len(known) <= 30 else ""
