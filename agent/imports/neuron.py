"""Neuron and NeuronEX: nodes as JSON (API, export, template), and tags as Excel."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from agent.imports import modbus, neuron_params, nodes
from agent.imports.draft import Device, Draft
from agent.imports.node import Node, Skip
from agent.imports.numbers import unit as ucum
from agent.imports.sources import Source

NAME, TITLE = "neuron", "Neuron / NeuronEX"
TYPES: tuple[str, ...] = (
    "",
    "INT8",
    "UINT8",
    "INT16",
    "UINT16",
    "INT32",
    "UINT32",
    "INT64",
    "UINT64",
    "FLOAT",
    "DOUBLE",
    "BIT",
    "BOOL",
)
TYPES += ("STRING", "BYTES", "", "WORD", "DWORD", "LWORD")
KINDS = {name: name.lower() for name in TYPES if "INT" in name and "8" not in name}
KINDS |= {"FLOAT": "float32", "DOUBLE": "float64", "BIT": "bool", "BOOL": "bool", "STRING": "string", "BYTES": "bytes"}
KINDS |= {"WORD": "uint16", "DWORD": "uint32", "LWORD": "uint64"}
OPCUA = {**KINDS, "INT8": "int8", "UINT8": "uint8", "BYTES": ""}
ENDIAN_32 = {"LL": "ABCD", "LB": "BADC", "BL": "CDAB", "BB": "DCBA"}
ADDRESS = re.compile(
    r"(?P<unit>\d{1,3})!(?P<area>[0134])(?P<number>\d{1,6})(?:\.(?P<bit>\d{1,3})(?P<bits_way>[HLDE])?)?"
    r"(?:#(?P<endian>[BL]{1,2}))?(?:\.(?P<length>\d{1,3})(?P<way>[HLDE])?)?",
    re.IGNORECASE,
)
READ, WRITE, SUBSCRIBE, STATIC = 1, 2, 4, 8
COLUMNS = ("group", "name", "address", "attribute", "type")


def is_one(source: Source) -> bool:
    if source.kind in ("xlsx", "csv"):
        return any(set(COLUMNS) <= _header(row.cells) for row in source.rows[:5])
    return any("plugin" in each or "groups" in each for each in _nodes(source.data))


def _header(cells: Sequence[Any]) -> set[str]:
    return {str(cell).strip().lower() for cell in cells if isinstance(cell, str)}


def _nodes(data: Any) -> list[Mapping[str, Any]]:
    """The nodes, where one may stand alone, in a list, or under `nodes` or `templates`."""
    if isinstance(data, Mapping):
        inner = next((data[key] for key in ("nodes", "templates") if isinstance(data.get(key), list)), None)
        data = [data] if inner is None else inner
    return [each for each in data if isinstance(each, Mapping)] if isinstance(data, list) else []


def build(sources: Sequence[Source], draft: Draft) -> None:
    for source in sources:
        if source.kind in ("xlsx", "csv"):
            _table(source, draft)
            continue
        data = source.data if isinstance(source.data, Mapping) else {"nodes": source.data}
        root = Node(data, source.name, "", draft.notes)
        key = next((key for key in ("nodes", "templates") if isinstance(data.get(key), list)), "")
        for node in root.children(key) if key else [root]:
            with node.or_none_of_it(strict=False):
                _node(node, draft)
        root.drop(("subscriptions", "rules", "version"), "what goes north, or of the export itself")
        root.close()


def _node(node: Node, draft: Draft) -> None:
    plugin, params = node.text("plugin"), node.child("params")
    node.drop(("state", "running", "node", "id", "delay", "type"), "the state of a node")
    name = node.text("name", plugin)
    lower = plugin.lower()
    if "modbus" in lower:
        way: Way = Units(node, draft, name, *neuron_params.modbus_way(node, params, lower, draft))
    elif lower.replace(" ", "").startswith("opcua"):
        way = Server(draft, neuron_params.opcua_device(node, params, name, draft))
    else:
        raise Skip(f"a node with the plug-in {plugin[:60]!r}", "Floorgate has drivers for Modbus and OPC UA so far")
    groups = node.children("groups")
    for group in groups:
        ms = group.number("interval")
        if ms is None:
            group.note("assumed", "no `interval`: 1s, as Neuron has it")
        for tag in group.children("tags"):
            with tag.or_none_of_it():
                way.tag(tag, group.text("name") or group.text("group"), (ms or 1000) / 1000)
        group.drop(("tag_count", "driver"), "the state of a group")
    for tag in node.children("tags"):  # a template may have them without groups
        with tag.or_none_of_it():
            way.tag(tag, tag.text("group"), 1.0)


def _table(source: Source, draft: Draft) -> None:
    """A table has tags alone: how they are reached comes from the command line."""
    header: list[str] = []
    way: Units | None = None
    for row in source.rows:
        if set(COLUMNS) <= _header(row.cells):
            header = [str(cell).strip().lower() for cell in row.cells]
            continue
        node = row.node(header, source.name, draft.notes)
        if not header:
            node.give_up("a row before the one with the names of the columns")
            continue
        if way is None:
            name = source.name.rpartition(".")[0]
            endpoint = draft.endpoint(node)
            order = draft.options.order or "ABCD"
            if not draft.options.order:
                node.note("assumed", "a table does not say in what order bytes lie: ABCD", "say --order")
            base = 1 if draft.options.base is None else draft.options.base
            way = Units(node, draft, name, endpoint, order, order, base)
        with node.or_none_of_it():
            way.tag(node, node.text("group"), None)
        node.close()


class Way(Protocol):
    """How the tags of a node are reached."""

    def tag(self, node: Node, group: str, every: float | None) -> None: ...


class Units:
    """Modbus: a device for each unit that an address names. `order` and `order64` are those of the node."""

    def __init__(
        self,
        node: Node,
        draft: Draft,
        name: str,
        endpoint: str,
        order: str,
        order64: str,
        base: int,
    ) -> None:
        self._node, self._draft, self._name, self._endpoint = node, draft, name, endpoint
        self._order, self._order64, self._base = order, order64, base
        self._found: dict[int, Device] = {}

    def _device(self, unit: int) -> Device:
        if unit not in self._found:
            name = f"{self._name}-{unit}" if self._found else self._name
            order = None if self._order == "ABCD" else self._order
            keys = {"endpoint": self._endpoint, "unit": unit, "order": order}
            self._found[unit] = self._draft.device(name, "modbus", self._node, **keys)
        return self._found[unit]

    def tag(self, node: Node, group: str, every: float | None) -> None:
        name, kind, more = _common(node)
        text = node.text("address")
        found = ADDRESS.fullmatch(text)
        register = modbus.TABLES.get(int(found["area"])) if found else None
        if found is None or register is None:
            raise Skip(f"the address {text[:60]!r} is none", "UNIT!400001, 1!300004.3, 1!400001#BL")
        number = int(found["number"]) - self._base
        if not 0 <= number <= 65535 or int(found["unit"]) > 255:
            raise Skip(f"the address {text[:60]!r} is beyond what there is")
        if register in modbus.BIT_TABLES and kind != "bool":
            raise Skip(f"a {kind} at the address {text[:60]!r}, which is one bit")
        order, keys = self._placed(node, found, kind, register)
        device = self._device(int(found["unit"]))
        if group:
            more["group"] = device.group(group, node, every)
        scaling = modbus.Scaling().times(node.number("decimal")).plus(node.number("bias"))
        modbus.add(
            self._draft, device, node, name=name, register=register, address=number, kind=kind, order=order,
            scaling=scaling, unit=node.text("unit"), more={**keys, **more},
        )  # fmt: skip

    def _placed(self, node: Node, found: re.Match[str], kind: str, register: str) -> tuple[str, dict[str, Any]]:
        """(order, keys of the bit or the length)"""
        endian = (found["endian"] or "").upper()
        if kind in modbus.SIZED:
            return _text(node, found)
        if kind == "bool":
            bit = int(found["bit"] or 0)
            if bit > 15:
                raise Skip(f"bit {bit} of a register")
            return "ABCD", {} if register in modbus.BIT_TABLES else {"bit": bit}
        by_words = {
            1: "BADC" if endian == "B" else "ABCD",
            2: ENDIAN_32.get(endian, self._order),
            4: {"B": "DCBA", "L": "ABCD", **ENDIAN_32}.get(endian, self._order64),
        }
        if modbus.WORDS[kind] == 4 and len(endian) > 1:
            node.note(
                "assumed",
                f"#{endian} of 64 bits is {by_words[4]}, as in Neuron from 2.12 on (before, its first letter counted)",
                "compare a value",
                "address",
            )
        order = by_words[modbus.WORDS[kind]]
        if not order:
            raise Skip("eight bytes in an order that Floorgate does not have", "read it as two uint32, and `derived`")
        return order, {}


class Server:
    """OPC UA."""

    def __init__(self, draft: Draft, device: Device) -> None:
        self._draft, self._device = draft, device

    def tag(self, node: Node, group: str, every: float | None) -> None:
        name, kind, more = _common(node, OPCUA)
        text = node.text("address")
        space, found, identifier = text.partition("!")
        index = re.fullmatch(r"(\d+)\[(\d+)\]", space)
        space, end = (index[1], f"[{index[2]}]") if index else (space, "")
        if not found or not space.isdecimal() or text.startswith(("cond:", "alarm:", "method:")):
            raise Skip(f"the address {text[:60]!r} is no node", "see `events` and `methods` in drivers/opcua/README.md")
        letter = identifier if identifier[:2] in ("s=", "i=", "g=", "b=") else ""
        letter = letter or (f"i={identifier}" if identifier.isdecimal() else f"s={identifier}")
        if identifier.isdecimal():
            node.note("assumed", "an id of digits alone is a number: i=, not s=")
        keys = {
            "node": nodes.node_id(f"ns={space};{letter}{end}"),
            "type": kind or None,
            "unit": ucum(node, node.text("unit")),
        }
        if group:
            more["group"] = self._device.group(group, node, every)
        scaled = modbus.Scaling().times(node.number("decimal")).plus(node.number("bias"))
        if scaled.scale != 1 or scaled.offset:
            node.note("not carried", "a scale of a value of OPC UA", "a formula in `derived`")
        self._draft.tag(self._device, name, node, {**keys, **more})


def _text(node: Node, found: re.Match[str]) -> tuple[str, dict[str, Any]]:
    """(order, length): the address says it in bytes, and which of two comes first."""
    size = found["length"] or found["bit"]
    way = (found["way"] or found["bits_way"] or "H").upper()
    if not size or not int(size) or way in "DE":
        raise Skip("a text without a length, or with one character in a register")
    if int(size) % 2:
        node.note("changed", "an odd number of bytes is a whole number of registers here")
    return "BADC" if way == "L" else "ABCD", {"length": -(-int(size) // 2)}


def _common(node: Node, kinds: Mapping[str, str] = KINDS) -> tuple[str, str, dict[str, Any]]:
    """(name, type, keys) of what all tags have."""
    attribute, kind = _attribute(node), _type(node)
    node.drop(
        ("precision", "precison"), "values leave as they are read", "`report: {deadband: …}` where that is no matter"
    )
    if kind not in kinds or (attribute & STATIC and not attribute & (READ | SUBSCRIBE)):
        raise Skip("a static tag" if attribute & STATIC else f"a tag of type {kind or 'unknown'}")
    node.drop(("value",), "a fixed value")
    if attribute & WRITE:
        node.note("not carried", modbus.NO_WRITE, modbus.ALLOW_WRITE, "attribute")
    if not attribute & (READ | SUBSCRIBE):
        raise Skip("a tag that is only written", modbus.ALLOW_WRITE)
    more: dict[str, Any] = {"description": node.text("description")}
    if attribute & SUBSCRIBE:
        more["report"] = "on_change"
    return node.text("name"), kinds[kind], more


def _attribute(node: Node) -> int:
    """The bits; tables have words, `Read Write`."""
    said = node.raw("attribute")
    if isinstance(said, str) and not said.strip().isdecimal():
        words = said.lower().replace("/", " ").split()
        return sum(bit for bit, word in ((1, "read"), (2, "write"), (4, "subscribe"), (8, "static")) if word in words)
    found = node.whole("attribute", 0, 15)
    if found is None:
        node.note("assumed", "no `attribute`: it is read")
    return READ if found is None else found


def _type(node: Node) -> str:
    said = node.text("type").upper()
    return (TYPES[int(said)] if int(said) < len(TYPES) else "") if said.isdecimal() and len(said) < 4 else said
