"""benthos-umh: the input `modbus` of a data flow, with `addresses` or `unifiedAddresses`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.imports import modbus, telegraf_modbus
from agent.imports.draft import Draft, Kept
from agent.imports.node import Node
from agent.imports.numbers import go_duration
from agent.imports.sources import Source

NAME, TITLE = "benthos-umh", "benthos-umh"
MODES = {"RTUOVERTCP": "rtu+tcp", "ASCIIOVERTCP": "ascii+tcp"}


def is_one(source: Source) -> bool:
    return source.kind in ("yaml", "json") and any(_inputs(source.root))


def _inputs(data: Mapping[str, Any]) -> Iterator[Any]:
    found = data.get("input", data)
    if isinstance(found, Mapping):
        yield from (
            [found["modbus"]] if isinstance(found.get("modbus"), Mapping) and "controller" in found["modbus"] else []
        )
        broker = found.get("broker")
        inputs = broker.get("inputs") if isinstance(broker, Mapping) else None
        for each in inputs if isinstance(inputs, list) else ():
            yield from _inputs(each if isinstance(each, Mapping) else {})


def build(sources: Sequence[Source], draft: Draft) -> None:
    for source in sources:
        root = source.node(draft.notes)
        _input(root.child("input") if root.has("input") else root, draft)
        root.drop(
            ("pipeline", "output", "buffer", "http", "logger", "metrics", "tracer", "resources"),
            "what becomes of the values",
            "see the sinks in README.md",
        )
        root.close()


def _input(node: Node, draft: Draft) -> None:
    if node.has("modbus"):
        _modbus(node.child("modbus"), draft)
    broker = node.child("broker")
    for each in broker.children("inputs"):
        _input(each, draft)
    node.drop(("processors", "label", "batching"), "what becomes of the values")


def _modbus(plugin: Node, draft: Draft) -> None:
    endpoint = _endpoint(plugin, draft)
    name = "modbus"
    every = go_duration(plugin, "timeBetweenReads") or 1.0
    work = plugin.child("workarounds")
    waits = {"pause": go_duration(work, "timeBetweenRequests"), "connect_delay": go_duration(work, "pauseAfterConnect")}
    draft.line(endpoint, plugin, timeout=go_duration(plugin, "timeout"), **waits)
    strings, order = work.text("stringRegisterLocation"), telegraf_modbus.order_said(plugin, "byteOrder")
    ids = _ids(plugin, draft)
    units = telegraf_modbus.Units(draft, plugin, name, endpoint, every)
    addresses = plugin.children("addresses")
    for unit in ids:
        for address in addresses:
            node = address if unit == ids[0] else Node(address.data, address.place, "", draft.notes)
            with node.or_none_of_it():
                table = node.text("register", "holding")
                telegraf_modbus.of_field(node, draft, units.device(unit), table, order, strings)
    _unified(plugin, draft, units, ids, order, strings)
    work.drop(("oneRequestPerField",), modbus.OWN_PLAN, "`max_gap: 0`, or a small `max_registers` of the device")
    work.drop(("readCoilsStartingAtZero",), modbus.OWN_PLAN)
    plugin.drop(("optimization", "optimizationMaxRegisterFill"), modbus.OWN_PLAN)
    plugin.drop(("busyRetries", "busyRetriesWait"), modbus.NO_RETRY)


def _endpoint(plugin: Node, draft: Draft) -> str:
    controller = plugin.text("controller")
    scheme = MODES.get(plugin.text("transmissionMode").upper(), "tcp")
    rest = controller.partition("://")[2] or controller
    if not rest:
        return draft.endpoint(plugin)
    if "${" in rest:
        return Kept(f"{scheme}://{rest}")
    host, port = telegraf_modbus.split_host(rest)
    return modbus.network(scheme, host, port, plugin, "controller")


def _ids(plugin: Node, draft: Draft) -> list[int]:
    said = plugin.raw("slaveIDs")
    one = plugin.whole("slaveID", 0, 255, draft.options.unit)
    listed = said if isinstance(said, list) else [] if said is None else [said]
    ids = [unit for unit in listed if isinstance(unit, int) and not isinstance(unit, bool) and 0 <= unit <= 255]
    if len(ids) < len(listed):
        plugin.note("not carried", "unit ids that are no numbers from 0 to 255", key="slaveIDs")
    if not ids and one is None:
        plugin.note("assumed", "no `slaveIDs`: 1", "say --unit")
    return list(dict.fromkeys(ids)) or [1 if one is None else one]


def _unified(
    plugin: Node, draft: Draft, units: telegraf_modbus.Units, ids: list[int], order: str, strings: str
) -> None:
    """`voltage.holding.12.FLOAT32:scale=0.1:slaveID=2`"""
    said = plugin.raw("unifiedAddresses")
    for index, text in enumerate(said if isinstance(said, list) else [] if said is None else [said]):
        place, *options = str(text).split(":")
        parts = place.split(".")
        keys = dict(zip(("name", "register", "address", "type"), parts, strict=False))
        keys |= {key: value for key, found, value in (option.partition("=") for option in options) if found}
        for unit in ids:
            node = Node(keys, plugin.at(f"unifiedAddresses[{index}]"), "", draft.notes)
            if len(parts) != 4:
                node.give_up(f"{str(text)[:60]!r} is no address", "name.register.address.TYPE:option=value")
                break
            own = node.whole("slaveID", 0, 255, unit)
            table = node.text("register", "holding")
            with node.or_none_of_it():
                device = units.device(unit if own is None else own)
                telegraf_modbus.of_field(node, draft, device, table, order, strings)
            node.close()
            if node.has("slaveID"):
                break
