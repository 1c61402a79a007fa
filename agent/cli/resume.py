"""A walk that was broken off, kept in a file so that it can be gone on with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.cli.draft import draft
from agent.model.errors import AgentError
from drivers.browsing import Place

MOST = 512 << 20  # bytes of such a file


@dataclass(slots=True)
class Broken:
    """`asked` is what makes a walk another one: the endpoint, where it began, what it left out."""

    asked: list[str]
    expanded: int = 0
    found: list[Place] = field(default_factory=list)


_START = b'{"asked":['
_decode = msgspec.json.Decoder(Broken).decode


def free(path: Path) -> None:
    """Raises AgentError for a file that is something else: it will be overwritten, or deleted when a walk is whole."""
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_START)) in (_START, b""):
                return
    raise AgentError(f"{path}: is no broken-off walk, and stays as it is", hint="name another file with --state")


def keep(path: Path, asked: Sequence[str], expanded: int, found: list[Place]) -> None:
    """Raises AgentError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise AgentError(f"{path.parent}: {error.strerror}", hint="name a file with --state") from error
    try:
        content = msgspec.json.encode(Broken(list(asked), expanded, found))
    except UnicodeEncodeError as error:
        raise AgentError(f"{path}: what was asked for is no text in UTF-8, so the walk is not kept") from error
    with draft(path) as file:
        file.write(content)


def resumed(path: Path, asked: Sequence[str]) -> Broken:
    """Raises AgentError when there is none, or it is one of another walk."""
    try:
        if path.stat().st_size > MOST:
            raise AgentError(f"{path}: too large for a broken-off walk")
        found = _decode(path.read_bytes())
    except FileNotFoundError as error:
        raise AgentError(f"{path}: there is nothing to go on with", hint="begin without --resume") from error
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        raise AgentError(f"{path}: cannot be read: {error}", hint="begin without --resume") from error
    if found.asked != list(asked):
        hint = "give the same device, --start, --match, --depth and --all, or begin without --resume"
        raise AgentError(f"{path}: belongs to another walk", hint=hint)
    parents = all(-1 <= place.parent < at for at, place in enumerate(found.found))
    types = all(place.type.isalnum() or not place.type for place in found.found)  # it goes into a map as it is
    if not parents or not types or not 0 <= found.expanded <= len(found.found):
        raise AgentError(f"{path}: makes no sense", hint="begin without --resume")
    return found
