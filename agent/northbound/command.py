"""Commands as JSON, for sinks that carry no dialect of their own (MQTT topics, HTTP): bytes to a Command, an Answer to
bytes.

    {"id": "7f3a", "device": "press-3", "tag": "setpoint", "value": 22.5, "issued_at": 1700000000123, "ttl": "10s"}

`issued_at` is milliseconds since 1970 UTC. `ttl` and `who` may be left out; `select` and `nonce` are for commands in
two steps; nothing else may be there. The answer:

    {"id", "device", "tag", "outcome", "value", "message", "hint", "audit", "ts"}
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from agent.model.errors import AgentError
from agent.model.frame import Value
from agent.model.text import duration
from agent.northbound.house import Answer, Command

LARGEST = 64 << 10  # bytes of a payload
LONGEST = 128  # characters of an id, of a name, and of who
DIGITS = 24  # of a whole number: more than any tag has
LATEST = 253_402_300_799_999  # ms: the end of the year 9999
MAX_TTL = 86400.0  # seconds
SAID = 1000  # characters of a message or a hint in an answer
NEEDED = ("id", "device", "tag", "value", "issued_at")
KEYS = (*NEEDED, "ttl", "who", "select", "nonce")
_MS = 1_000_000
_EXAMPLE = '{"id": "1", "device": "press-3", "tag": "setpoint", "value": 22.5, "issued_at": 1700000000123}'


class Unreadable(AgentError):
    """A payload that is no command. `told` is what it says of itself as far as that can be repeated."""

    def __init__(self, message: str, *, hint: str = "", told: Command = Command("", "", None)) -> None:  # noqa: B008  # frozen
        super().__init__(message, hint=hint)
        self.told = told

    @property
    def answer(self) -> Answer:
        return Answer("forbidden", message=self.message, hint=self.hint)


def parse(payload: bytes) -> Command:
    """What the payload asks for. Raises Unreadable for whatever is not exactly a command."""
    return checked(decode(payload))


def decode(payload: bytes) -> dict[str, Any]:
    """A JSON object, read strictly. Raises Unreadable for whatever is none."""
    if len(payload) > LARGEST:
        raise Unreadable(f"{len(payload):,} bytes are too many for a command", hint=f"{LARGEST:,} at most")
    try:
        found = _decode(payload.decode())
    except RecursionError:
        raise Unreadable("this is nested too deeply for a command", hint=f"such as {_EXAMPLE}") from None
    except ValueError as error:  # text that is not UTF-8, and JSONDecodeError, are such
        raise Unreadable(f"this is no command: {str(error)[:200]}", hint=f"such as {_EXAMPLE}") from None
    if not isinstance(found, dict):
        raise Unreadable("a command is a JSON object", hint=f"such as {_EXAMPLE}")
    return found


def checked(found: dict[str, Any], needed: Sequence[str] = NEEDED) -> Command:
    """The command that an object of these keys is; of those that are not `needed` any may be missing."""
    try:
        return _command(found, needed)
    except ValueError as error:
        raise Unreadable(f"this is no command: {error}", hint=f"such as {_EXAMPLE}", told=_told(found)) from None


def reply(command: Command, answer: Answer, now: int) -> bytes:
    """The answer to a command at this moment (ns UTC); of an unreadable one, `error.told` and `error.answer`."""
    value = answer.value
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    row = {"id": command.id, "device": command.device, "tag": command.tag, "outcome": answer.outcome, "value": value}
    row |= {"message": answer.message[:SAID], "hint": answer.hint[:SAID], "audit": answer.audit, "ts": now // _MS}
    row |= {"nonce": answer.nonce} if answer.nonce else {}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _command(found: dict[str, Any], needed: Sequence[str]) -> Command:
    missing = [key for key in needed if key not in found]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    for key in found:
        if key not in KEYS:
            raise ValueError(f"there is no {key[:LONGEST]!r} in a command: {', '.join(KEYS)}")
    return Command(
        device=_text(found, "device"),
        tag=_text(found, "tag"),
        value=_value(found["value"]),
        id=_text(found, "id") if "id" in found else "",
        issued=_issued(found["issued_at"]) if "issued_at" in found else 0,
        ttl=_ttl(found["ttl"]) if "ttl" in found else 0.0,
        who=_text(found, "who") if "who" in found else "",
        select=_yes(found["select"]) if "select" in found else False,
        nonce=_text(found, "nonce") if "nonce" in found else "",
    )


def _text(found: dict[str, Any], key: str) -> str:
    text = found[key]
    if not isinstance(text, str) or not text:
        raise ValueError(f"`{key}` must be text")
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"`{key}` must be at most {LONGEST} characters that can be printed")
    return text


def _value(value: Any) -> Value:
    if value is None or isinstance(value, dict | list):
        raise ValueError("`value` must be true, false, a number or text")
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text: a ValueError
    return value  # type: ignore[no-any-return]  # JSON has no other


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("`select` must be true or false")
    return value


def _issued(ms: Any) -> int:
    if not isinstance(ms, int) or isinstance(ms, bool) or not 0 < ms <= LATEST:
        raise ValueError("`issued_at` must be whole milliseconds since 1970 UTC, such as 1700000000123")
    return ms * _MS


def _ttl(text: Any) -> float:
    seconds = duration(text if isinstance(text, str) and len(text) <= LONGEST else None)
    if not 0 < seconds <= MAX_TTL:
        raise ValueError(f"`ttl` must be more than 0 and at most {MAX_TTL:g}s")
    return seconds


def _told(found: dict[str, Any]) -> Command:
    """Of a command that is none, what can be repeated so that its sender knows which it was."""
    texts = {}
    for key in ("id", "device", "tag"):
        try:
            texts[key] = _text(found, key)
        except (ValueError, KeyError):
            texts[key] = ""
    return Command(texts["device"], texts["tag"], None, id=texts["id"])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is too long")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is too large")
    return number


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_decimal, parse_constant=_constant
).decode
