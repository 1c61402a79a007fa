"""Where a tag's value is: a node by its id or by the names on the way to it, and a place within what the node holds.

`ns=3;s=Row[2]` may be a node whose name ends like this (Siemens and others have many), or the third element of `Row`.
The server knows: the name as it is goes first, and only where there is no such node is it taken apart from its end.
"""

import re
from dataclasses import dataclass, replace

from drivers.opcua.nodes import NodeAddress, parse

Step = int | str

_PLAIN = re.compile(r"(?P<node>(?:ns=\d+;|nsu=.+?;)?[igb]=[^.\[\]]+)(?P<inner>(?:\[\d+\]|\.\w+)*)")
_INNER = re.compile(r"\[(\d{1,9})\]|\.(\w+)")
_LAST = re.compile(r"(?P<node>.+?)(?:\[(?P<index>\d{1,9})\]|\.(?P<field>\w+))", re.DOTALL)
_NAME = re.compile(r"/(?:nsu=(?P<uri>[^;]+);|(?P<index>\d{1,5}):)?(?P<name>(?!nsu=)(?:&.|[^/&])+)", re.DOTALL)
_EXAMPLE = "write /Objects/2:Press/2:Temp or /Objects/nsu=urn:press;Press/nsu=urn:press;Temp"


@dataclass(frozen=True, slots=True)
class BrowsePath:
    """Names from the root down, each with the index or the URI of its namespace."""

    names: tuple[tuple[int | str, str], ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """`inner` leads from what the node holds to the value: indices of arrays, names of fields."""

    node: NodeAddress | BrowsePath
    inner: tuple[Step, ...] = ()


def locate(text: str) -> Spot:
    """The place that a tag's `node` means. Raises ValueError."""
    if text.startswith("/"):
        return Spot(_path(text))
    plain = _PLAIN.fullmatch(text)
    if plain is None:
        return Spot(parse(text))
    inner = tuple(int(index) if index else field for index, field in _INNER.findall(plain["inner"]))
    return Spot(parse(plain["node"]), inner)


def shorter(spot: Spot) -> Spot | None:
    """The spot with the end of its last name taken as a place within; None where there is nothing to take."""
    found = _LAST.fullmatch(_last(spot.node))
    if found is None:
        return None
    step: Step = found["field"] if found["index"] is None else int(found["index"])
    return Spot(_renamed(spot.node, found["node"]), (step, *spot.inner))


def _path(text: str) -> BrowsePath:
    names: list[tuple[int | str, str]] = []
    at = 0
    while at < len(text):
        found = _NAME.match(text, at)
        if found is None:
            raise ValueError(f"{text!r} is not a browse path: {_EXAMPLE}")
        if int(found["index"] or 0) > 0xFFFF:
            raise ValueError(f"{text!r}: a namespace index goes up to 65535")
        names.append((found["uri"] or int(found["index"] or 0), re.sub(r"&(.)", r"\1", found["name"])))
        at = found.end()
    return BrowsePath(tuple(names))


def _last(node: NodeAddress | BrowsePath) -> str:
    if isinstance(node, BrowsePath):
        return node.names[-1][1]
    return node.identifier if isinstance(node.identifier, str) else ""


def _renamed(node: NodeAddress | BrowsePath, name: str) -> NodeAddress | BrowsePath:
    if isinstance(node, BrowsePath):
        return BrowsePath((*node.names[:-1], (node.names[-1][0], name)))
    return replace(node, identifier=name)
