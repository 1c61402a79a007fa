"""Nodes told by the names on the way from an instance: `./imm:Jobs/pr:ActiveJob/pr:JobName`, on any server.

Where the instance is, its device says (`root`, a browse path), and which namespace a prefix stands for its map does
(`namespaces`). Both are put together when the file is read: what a driver gets is a browse path with the URIs of the
namespaces, which holds on every server and through every restart.
"""

import re
from collections.abc import Collection, Mapping

HERE = "./"
PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
STANDARD = "ua"  # the prefix of the standard's own namespace
_LEVEL = re.compile(r"(?:(?P<prefix>[A-Za-z_][A-Za-z0-9_.-]*|\d{1,5}):)?(?P<name>(?:&.|[^/&])+)(?:/|$)", re.DOTALL)
_EXAMPLE = "write the names on the way, such as ./imm:Jobs/pr:ActiveJob/pr:JobName"


def levels(text: str) -> list[tuple[str, str]]:
    """(prefix, name) of each level of a relative path. Raises ValueError."""
    found: list[tuple[str, str]] = []
    at = len(HERE)
    while at < len(text) or not found:
        match = _LEVEL.match(text, at)
        if match is None or (match.end() == len(text) and text.endswith("/") and not text.endswith("&/")):
            raise ValueError(f"{text!r} is no path: {_EXAMPLE}")
        found.append((match["prefix"] or "", match["name"]))
        at = match.end()
    return found


def absolute(text: str, root: str, namespaces: Mapping[str, str]) -> str:
    """The browse path that a relative one means below `root`. Raises ValueError."""
    parts = [root.rstrip("/")]
    for prefix, name in levels(text):
        if prefix.isdigit() or prefix in ("", STANDARD):
            parts.append(f"{prefix}:{name}" if prefix.isdigit() and int(prefix) else name)
        elif prefix in namespaces:
            parts.append(f"nsu={namespaces[prefix]};{name}")
        else:
            raise ValueError(f"{text!r}: {prefix!r} is not among the `namespaces` {', '.join(namespaces) or '(none)'}")
    return "/".join(parts)


def prefixed(text: str, prefixes: Collection[str]) -> str:
    """The first of these prefixes that a level of `text` begins with; empty if none does."""
    begins = (level.partition(":") for level in text.split("/"))
    return next((prefix for prefix, colon, _ in begins if colon and prefix in prefixes), "")
