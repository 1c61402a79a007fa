"""The address space of a simulated server: a node for each tag, by its id or at the end of its browse path."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server

from agent.config import Site
from agent.simulate.device import Simulated, bounds
from agent.simulate.model import Asked
from drivers.opcua.config import Config, Tag
from drivers.opcua.nodes import NodeAddress, spellings
from drivers.opcua.spots import BrowsePath, Spot, locate

VARIANTS = {
    "bool": ua.VariantType.Boolean,
    "int8": ua.VariantType.SByte,
    "uint8": ua.VariantType.Byte,
    "int16": ua.VariantType.Int16,
    "uint16": ua.VariantType.UInt16,
    "int32": ua.VariantType.Int32,
    "uint32": ua.VariantType.UInt32,
    "int64": ua.VariantType.Int64,
    "uint64": ua.VariantType.UInt64,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
    "str": ua.VariantType.String,
}
STATES = ("off", "running", "waiting", "fault")
_OWN = "urn:floorgate:simulated:places"
_LONGEST = 10_000  # elements of an array
_RANGES = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
}
_KINDS = {"i": ua.NodeIdType.Numeric, "s": ua.NodeIdType.String, "g": ua.NodeIdType.Guid, "b": ua.NodeIdType.ByteString}


@dataclass(slots=True)
class Leaf:
    """A variable: the tags that it holds, several where it is an array; `enum` has EnumStrings."""

    device: Simulated
    spot: NodeAddress | BrowsePath
    dtype: str
    tags: list[str]
    array: bool = False
    enum: bool = False
    writable: bool = False
    node: ua.NodeId | None = field(default=None)


def asked(site: Site, config: Config) -> list[Asked]:
    """What the values of a device can be; a pattern stands for two tags that are made up."""
    return [_asked(site, config.name, tag, name) for tag in config.tags for name, _ in _places(tag, config)]


def _asked(site: Site, device: str, tag: Tag, name: str) -> Asked:
    limits = bounds(site, device, tag)
    dtype = "int32" if tag.type == "enum" else tag.dtype
    low, high = _RANGES.get(dtype, (-inf, inf))
    if tag.type == "enum":
        return Asked(name, "int32", kind="state", low=0, high=len(STATES) - 1)
    return Asked(
        name, dtype, tag.unit, tag.kind, low=max(low, limits.low), high=min(high, limits.high), rate=limits.rate
    )


def leaves(config: Config, device: Simulated, omitted: dict[str, str]) -> list[Leaf]:
    """The variables of a device; what cannot be simulated goes to `omitted`."""
    found: dict[object, Leaf] = {}
    for tag in config.tags:
        for name, node in _places(tag, config):
            spot = locate(node)
            why = _unable(spot)
            if why:
                omitted[f"{config.name}/{name}"] = why
            elif not _is_standard(spot):
                _add(found, device, tag, name, spot)
    for kind, listed in (("events", config.events), ("methods", config.methods)):
        if listed:
            omitted[f"{config.name}, {kind}"] = "are not simulated"
    return list(found.values())


def _add(found: dict[object, Leaf], device: Simulated, tag: Tag, name: str, spot: Spot) -> None:
    dtype = "int32" if tag.type == "enum" else tag.dtype
    leaf = found.setdefault(spot.node, Leaf(device, spot.node, dtype, [name], bool(spot.inner)))
    leaf.enum, leaf.writable = leaf.enum or tag.type == "enum", leaf.writable or tag.write is not None
    if spot.inner:
        at = int(spot.inner[0])
        leaf.tags += [leaf.tags[0]] * (at + 1 - len(leaf.tags))
        leaf.tags[at] = name


def _unable(spot: Spot) -> str:
    if any(isinstance(step, str) for step in spot.inner):
        return "lies within a structure, and these are not simulated"
    if len(spot.inner) > 1 or any(int(step) >= _LONGEST for step in spot.inner):
        return "lies too deep in an array to be simulated"
    return ""


def _is_standard(spot: Spot) -> bool:
    """Nodes of the standard are on every server."""
    return isinstance(spot.node, NodeAddress) and spot.node.namespace == 0 and spot.node.kind == "i"


def _places(tag: Tag, config: Config) -> Iterator[tuple[str, str]]:
    """(name, node) of a tag: itself, or two for a pattern, with the wildcards filled in."""
    if not tag.match:
        yield tag.name, tag.node
        return
    root = (config.root or "/Objects") if tag.match.startswith("./") else "/Objects"
    pattern = tag.match.removeprefix("./").strip("/")
    levels = [level for level in pattern.split("/") if level not in ("**", "…", "")]
    inside = "" if tag.match.startswith(("/", "./")) else f"/nsu={_OWN};{config.name}"
    for number in "12" if any("*" in level or "?" in level for level in levels) else "1":
        names = [level.replace("*", number).replace("?", number) for level in levels]
        path = "".join(f"/{name}" if ":" in name.split("&")[0] else f"/nsu={_OWN};{name}" for name in names)
        yield f"{tag.match} {number}", f"{root}{inside}{path}"


class Space:
    """Puts leaves into the address space of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._spaces: dict[str, int] = {}
        self._made: dict[tuple[tuple[int, str], ...], Node] = {}
        self._folders: dict[str, Node] = {}

    async def build(self, leaves: Sequence[Leaf]) -> None:
        await self._name_spaces(leaves)
        for leaf in sorted(leaves, key=_depth):  # a variable may lie below another one
            variable = await self._variable(leaf)
            leaf.node = variable.nodeid
            if leaf.writable:
                await variable.set_writable()
            if leaf.enum:
                texts = [ua.LocalizedText(text) for text in STATES]
                await variable.add_property(ua.NodeId(), ua.QualifiedName("EnumStrings", 0), texts)

    async def _name_spaces(self, leaves: Sequence[Leaf]) -> None:
        """Those with a number are where the file has them; those with a URI come behind."""
        named = [space for leaf in leaves for space in _spaces(leaf.spot)]
        most = max((space for space in named if isinstance(space, int)), default=0)
        while len(await self._server.get_namespace_array()) <= most:
            await self._server.register_namespace(f"urn:floorgate:simulated:{len(self._spaces)}")
            self._spaces[f"filler {len(self._spaces)}"] = 0
        for uri in dict.fromkeys([_OWN, *(space for space in named if isinstance(space, str))]):
            self._spaces[uri] = await self._server.register_namespace(spellings(uri)[-1])

    async def _variable(self, leaf: Leaf) -> Node:
        kind = VARIANTS[leaf.dtype]
        start = [_zero(leaf.dtype)] * len(leaf.tags) if leaf.array else _zero(leaf.dtype)
        if isinstance(leaf.spot, NodeAddress):
            address: Any = ua.NodeId(leaf.spot.identifier, self._index(leaf.spot.namespace), _KINDS[leaf.spot.kind])  # type: ignore[arg-type]  # as the kind says
            name = ua.QualifiedName(str(leaf.spot.identifier)[:120], address.NamespaceIndex)
            return await (await self._folder(leaf.device.name)).add_variable(address, name, start, kind)
        names = [(self._index(space), name) for space, name in leaf.spot.names]
        parent = await self._parent(names[:-1])
        made = await parent.add_variable(*self._address(names), start, kind)
        self._made[tuple(names)] = made
        return made

    async def _folder(self, device: str) -> Node:
        if device not in self._folders:
            names = [(0, "Objects"), (self._spaces[_OWN], device)]
            self._folders[device] = await self._parent(names)
        return self._folders[device]

    async def _parent(self, names: list[tuple[int, str]]) -> Node:
        """The object at this path from the root; it is made if need be."""
        if not names:
            return self._server.nodes.root
        known = self._made.get(tuple(names))
        if known is None:
            above = await self._parent(names[:-1])
            space, name = names[-1]
            children = await above.get_children_descriptions() if space == 0 or not self._made else []
            found = next((each for each in children if each.BrowseName == ua.QualifiedName(name, space)), None)
            known = self._server.get_node(found.NodeId) if found else await above.add_object(*self._address(names))
            self._made[tuple(names)] = known
        return known

    def _address(self, names: list[tuple[int, str]]) -> tuple[ua.NodeId, ua.QualifiedName]:
        text = "/".join(f"{space}:{name}" for space, name in names)
        address: Any = ua.NodeId
        return address(text, self._spaces[_OWN]), ua.QualifiedName(names[-1][1], names[-1][0])

    def _index(self, space: int | str) -> int:
        return space if isinstance(space, int) else self._spaces[space]


def _spaces(spot: NodeAddress | BrowsePath) -> Iterator[int | str]:
    if isinstance(spot, BrowsePath):
        yield from (space for space, _ in spot.names)
    else:
        yield spot.namespace


def _depth(leaf: Leaf) -> int:
    return len(leaf.spot.names) if isinstance(leaf.spot, BrowsePath) else 0


def _zero(dtype: str) -> object:
    return {"bool": False, "str": "", "float32": 0.0, "float64": 0.0}.get(dtype, 0)
