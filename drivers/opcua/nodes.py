"""Node ids as people write them: `ns=3;s=Temp`, `nsu=urn:press;s=Temp`, `i=2258` (OPC UA part 6, 5.1.12)."""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import Literal
from uuid import UUID

Kind = Literal["i", "s", "g", "b"]
Identifier = int | str | UUID | bytes

_NODE = re.compile(r"(?:ns=(?P<index>\d{1,5});|nsu=(?P<uri>.+?);)?(?P<kind>[isgb])=(?P<identifier>.+)")
_EXAMPLES = "write ns=3;s=Temp, nsu=urn:press;s=Temp or i=2258"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a value lives on a server; `namespace` is an index, or a URI that each session looks up."""

    namespace: int | str
    kind: Kind
    identifier: Identifier


def parse(text: str) -> NodeAddress:
    """The parts of a node id. Raises ValueError."""
    match = _NODE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a node id: {_EXAMPLES}")
    index = int(match["index"] or 0)
    if index > 0xFFFF:
        raise ValueError(f"{text!r}: a namespace index goes up to 65535")
    kind: Kind = match["kind"]  # type: ignore[assignment]  # the pattern allows just these letters
    try:
        identifier = _IDENTIFIERS[kind](match["identifier"])
    except ValueError as error:
        raise ValueError(f"{text!r} is not a node id: {error}") from None
    return NodeAddress(intern(match["uri"]) if match["uri"] else index, kind, identifier)


def spellings(uri: str) -> tuple[str, ...]:
    """A namespace URI as written, and with the two escapes undone that a node id prescribes for `;` and `%`."""
    plain = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
    return (uri,) if plain == uri else (uri, plain)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFFFFFF):
        raise ValueError("after i= stands a number from 0 to 4294967295")
    return int(text)


def _name(text: str) -> str:
    if len(text) > 4096:
        raise ValueError("after s= stand at most 4096 characters")
    return text


def _guid(text: str) -> UUID:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError("after g= stands a GUID such as 09087e75-8e5e-499b-954f-f2a9603db28a")
    return UUID(text)


def _opaque(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ValueError("after b= stands base64") from None


_IDENTIFIERS: dict[str, Callable[[str], Identifier]] = {"i": _number, "s": _name, "g": _guid, "b": _opaque}
