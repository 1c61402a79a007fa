"""JSON as people leave it behind: with comments and with commas too many, and still with line and column."""

import json
import re
from typing import Any

from agent.imports.notes import Notes
from agent.model.errors import AgentError

_PIECES = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)


def read(text: str, name: str, notes: Notes) -> Any:
    """Raises AgentError with `name:line:column`."""
    text = text.removeprefix("\ufeff")
    try:
        return _strict(text, name, notes)
    except json.JSONDecodeError as first:
        plain = _plain(text)
        if plain == text:
            raise _error(name, first) from None
    try:
        found = _strict(plain, name, notes)
    except json.JSONDecodeError as error:
        raise _error(name, error) from None
    notes.add("changed", name, "comments, or commas before a closing bracket, are no JSON and were passed over")
    return found


def _strict(text: str, name: str, notes: Notes) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(found)
        if len(table) < len(found):
            keys = [key for key, _ in found]
            for key in dict.fromkeys(key for key in keys if keys.count(key) > 1) if len(keys) < 1000 else keys[:1]:
                notes.add("assumed", name, f"the key {key[:80]!r} is written twice in one object: the last one counts")
        return table

    def constant(word: str) -> Any:
        raise AgentError(f"{name}: {word} is no number in JSON", hint="write a number, or leave the key out")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError:
        raise AgentError(f"{name}: nested too deep to be read", hint="is it the file that was exported?") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # more digits than Python turns into a number
        raise AgentError(f"{name}: it has a number with more digits than can be read") from None


def _plain(text: str) -> str:
    """The same with blanks in place of comments and commas before a bracket, so that places stay."""
    without = _PIECES.sub(_blank, text)
    return without if without == text else _PIECES.sub(_blank, without)  # a comma may stand before a comment


def _blank(found: re.Match[str]) -> str:
    piece = found[0]
    return piece if piece[0] == '"' else re.sub(r"[^\n]", " ", piece)


def _error(name: str, error: json.JSONDecodeError) -> AgentError:
    what = error.msg[:1].lower() + error.msg[1:]
    return AgentError(
        f"{name}:{error.lineno}:{error.colno}: this is not JSON: {what}", hint="correct it there, or export it anew"
    )
