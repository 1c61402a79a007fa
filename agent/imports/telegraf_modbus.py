"""Telegraf's `[[inputs.modbus]]` in its three styles: register, request and metric; benthos-umh uses the fields too."""

from typing import Any

from agent.imports import modbus
from agent.imports.draft import Device, Draft, Kept
from agent.imports.node import Node, Skip
from agent.imports.numbers import go_duration

ORDERS = {"AB": "ABCD", "BA": "DCBA", "ABCDEFGH": "ABCD", "HGFEDCBA": "DCBA", "BADCFEHG": "BADC", "GHEFCDAB": "CDAB"}
ORDERS |= {order: order for order in modbus.ORDERS}
ORDERS |= {"MSW": "ABCD", "MSW-BE": "ABCD", "MSW-LE": "BADC", "LSW-BE": "CDAB", "LSW": "DCBA", "LSW-LE": "DCBA"}
TYPES = {
    f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in ("8L", "8H", "16", "32", "64")
}
TYPES = {key: value.lower() for key, value in TYPES.items()}
TYPES |= {"FLOAT16": "float16", "FLOAT32": "float32", "FLOAT64": "float64", "STRING": "string", "BIT": "bool"}
TYPES |= {"FLOAT16-IEEE": "float16", "FLOAT32-IEEE": "float32", "FLOAT64-IEEE": "float64"}
FIXED = {"FIXED": "int", "UFIXED": "uint", "FLOAT32": "uint", "FLOAT": "int", "UFLOAT": "uint"}  # of the register style
ARRAYS = {
    "discrete_inputs": "discrete",
    "coils": "coil",
    "holding_registers": "holding",
    "input_registers": "input",
}
PLUGIN: tuple[str, ...] = (
    "alias",
    "precision",
    "collection_jitter",
    "collection_offset",
    "name_override",
    "name_prefix",
    "name_suffix",
)
PLUGIN += (
    "tags",
    "fieldpass",
    "fieldexclude",
    "fielddrop",
    "fieldinclude",
    "namepass",
    "namedrop",
    "tagpass",
    "tagdrop",
)
PLUGIN += ("taginclude", "tagexclude", "metricpass", "log_level", "debug_connection", "startup_error_behavior")
MEASUREMENT = "measurements and tags of metrics: values go by device and tag here"


def build(plugin: Node, draft: Draft, every: float) -> None:
    """One plug-in; each of its units is a device."""
    name = plugin.text("name", "modbus")
    endpoint = _endpoint(plugin, draft)
    own = go_duration(plugin, "interval")
    work = plugin.child("workarounds")
    waits = {
        "pause": go_duration(work, "pause_between_requests"),
        "connect_delay": go_duration(work, "pause_after_connect"),
    }
    draft.line(endpoint, plugin, timeout=go_duration(plugin, "timeout"), **waits)
    most = work.whole("max_word_registers_per_request", 1, 125)
    units = Units(draft, plugin, name, endpoint, own or every, most)
    text = work.text("string_register_location")
    style = plugin.text("configuration_type") or (
        "metric" if plugin.has("metric") else "request" if plugin.has("request") else "register"
    )
    if style == "register":
        _register(plugin, draft, units)
    else:
        for part in plugin.children(style if style in ("request", "metric") else "request"):
            _part(part, draft, units, style, text)
    work.drop(("close_connection_after_gather",), "the connection stays open")
    work.drop(("read_coils_starting_at_zero", "max_bit_registers_per_request"), modbus.OWN_PLAN)
    work.drop(("one_request_per_field",), modbus.OWN_PLAN, "`max_gap: 0`, or a small `max_registers` of the device")
    plugin.drop(("optimization", "optimization_max_register_fill"), modbus.OWN_PLAN)
    plugin.drop(("busy_retries", "busy_retries_wait"), modbus.NO_RETRY)
    plugin.drop(("exclude_register_type_tag", *PLUGIN), "how metrics are named, chosen and logged")
    other = [*ARRAYS, "request", "metric"]
    plugin.drop(other, f"of another style than `configuration_type`, {style}", "Telegraf does not read it either")


class Units:
    """The devices of a plug-in: one for each unit that its fields name."""

    def __init__(
        self, draft: Draft, plugin: Node, name: str, endpoint: str, every: float, most: int | None = None
    ) -> None:
        self._draft, self._plugin, self._name, self._endpoint = draft, plugin, name, endpoint
        self._every, self._most = every, most
        self._found: dict[int, Device] = {}

    def device(self, unit: int) -> Device:
        if unit not in self._found:
            name = f"{self._name}-{unit}" if self._found else self._name
            self._found[unit] = self._draft.device(
                name, "modbus", self._plugin, endpoint=self._endpoint, unit=unit, max_registers=self._most
            )
            self._found[unit].every = self._every
        return self._found[unit]


def _endpoint(plugin: Node, draft: Draft) -> str:
    controller = plugin.text("controller")
    mode = plugin.text("transmission_mode").upper()
    if not controller:
        return draft.endpoint(plugin)
    scheme, found, rest = controller.partition("://")
    if scheme.lower() == "tcp" and found:
        plugin.drop(("baud_rate", "data_bits", "parity", "stop_bits", "rs485"), "a setting of serial ports")
        ours = {"RTUOVERTCP": "rtu+tcp", "ASCIIOVERTCP": "ascii+tcp"}.get(mode, "tcp")
        if "${" in rest:
            return Kept(f"{ours}://{rest}")
        host, port = split_host(rest)
        return modbus.network(ours, host, port, plugin, "controller")
    path = rest if scheme.lower() == "file" else controller
    told: dict[str, Any] = {"baud": plugin.whole("baud_rate", 50, 4_000_000), "parity": modbus.parity(plugin, "parity")}
    told |= {"stop": modbus.stop_bits(plugin, "stop_bits"), "data": plugin.whole("data_bits", 5, 8)}
    if told["baud"] is None:
        plugin.note("assumed", "no `baud_rate`: 9600")
        told["baud"] = 9600
    rs485 = plugin.child("rs485")
    if rs485.data:
        told |= {"rs485": "on", "before": go_duration(rs485, "delay_rts_before_send")}
        told |= {"after": go_duration(rs485, "delay_rts_after_send")}
        told["rts"] = None if rs485.flag("rts_high_during_send", True) else "off"
        rs485.drop(("rts_high_after_send", "rx_during_tx"), "a detail of the serial driver")
    return modbus.serial("ascii" if mode == "ASCII" else "rtu", path, plugin, told)


def split_host(text: str) -> tuple[str, int | None]:
    """`192.168.1.20:502`, `[fe80::1]:502`"""
    host, _, port = text.rstrip("/").rpartition(":")
    return (host, int(port)) if host and port.isdecimal() and 0 < int(port[:6]) <= 65535 else (text.rstrip("/"), None)


def _register(plugin: Node, draft: Draft, units: Units) -> None:
    unit = plugin.whole("slave_id", 0, 255, draft.options.unit)
    if unit is None:
        plugin.note("assumed", "no `slave_id`: 1", "say --unit")
    device = units.device(1 if unit is None else unit)
    for key, table in ARRAYS.items():
        for field in plugin.children(key):
            with field.or_none_of_it():
                _of_register(field, draft, device, table)


def _of_register(field: Node, draft: Draft, device: Device, table: str) -> None:
    """A field of the register style; `address` lists all registers that it takes."""
    name = field.text("name")
    field.drop(("measurement",), MEASUREMENT)
    said = field.raw("address")
    addresses = said if isinstance(said, list) else [said]
    plain = [at for at in addresses if isinstance(at, int) and not isinstance(at, bool) and 0 <= at <= 65535]
    if not plain or plain != list(range(plain[0], plain[0] + len(addresses))):
        raise Skip("an address that is no row of registers")
    written = field.text("data_type").upper()
    kind = TYPES.get(written, "") if written not in FIXED else f"{FIXED[written]}{16 * len(plain)}"
    if table in modbus.BIT_TABLES:
        kind = "bool"
        field.drop(("scale", "byte_order", "data_type", "bit"), "of no meaning for a coil")
    if kind not in modbus.WORDS and kind not in modbus.SIZED:
        raise Skip(f"the type {written[:40]!r} of {len(plain)} registers")
    if written == "FLOAT32" and table not in modbus.BIT_TABLES:
        field.note(
            "assumed", "FLOAT32 of the register style is a whole number without sign that is scaled, as in Telegraf"
        )
    scale = field.number("scale")
    if scale not in (None, 1) and kind in modbus.INTEGERS and written not in FIXED:
        field.note("changed", "Telegraf cuts what it scales to a whole number again: here it is left as it is")
    more: dict[str, Any] = {"length": len(plain)} if kind in modbus.SIZED else {}
    if written == "BIT":
        more["bit"] = field.whole("bit", 0, 15, 0)
    order = order_said(field, "byte_order")
    modbus.add(
        draft, device, field, name=name, register=table, address=plain[0], kind=kind, order=order,
        scaling=modbus.Scaling().times(scale), more=more,
    )  # fmt: skip


def order_said(node: Node, key: str) -> str:
    said = node.text(key).upper()
    order = ORDERS.get(said or "ABCD")
    if order is None:
        node.note("assumed", f"the byte order {said[:20]!r} is not known: ABCD", "compare a value", key)
    return order or "ABCD"


def _part(part: Node, draft: Draft, units: Units, style: str, strings: str) -> None:
    """A request, or a metric."""
    unit = part.whole("slave_id", 0, 255, draft.options.unit)
    if unit is None:
        part.note("assumed", "no `slave_id`: 0, as Telegraf has it", "say --unit")
        unit = 0
    table = part.text("register", "holding") if style == "request" else "holding"
    order = order_said(part, "byte_order")
    device = units.device(unit)
    for field in part.children("fields"):
        own = table if style == "request" else field.text("register", "holding")
        with field.or_none_of_it():
            of_field(field, draft, device, own, order, strings)
    part.drop(("measurement", "tags"), MEASUREMENT)
    part.drop(("optimization", "optimization_max_register_fill"), modbus.OWN_PLAN)


def of_field(field: Node, draft: Draft, device: Device, table: str, order: str, strings: str) -> None:
    """A field of the other two styles, and an address of benthos-umh."""
    field.drop(("measurement",), MEASUREMENT)
    if field.flag("omit"):
        raise Skip("a field that is read and left out: registers between tags are read along where that is cheaper")
    name, written = field.text("name"), field.text("type").upper()
    address = field.whole("address", 0, 65535)
    kind = "bool" if table in modbus.BIT_TABLES else TYPES.get(written, "")
    if table not in ("coil", "discrete", "holding", "input") or not kind or address is None:
        raise Skip(f"a field of type {written[:40]!r} in the register {table[:40]!r}")
    more: dict[str, Any] = {}
    if kind == "string":
        more["length"] = field.whole("length", 1, 125)
        if more["length"] is None or strings in ("lower", "upper"):
            raise Skip("a text without a length, or with one character in a register")
    else:
        field.drop(("length",), "only a string has one")
    if written == "BIT":
        more["bit"] = field.whole("bit", 0, 15, 0)
    else:
        field.drop(("bit",), "only a field of type BIT has one")
    scale, output = field.number("scale"), field.text("output").upper()
    if output in ("INT64", "UINT64") and (scale not in (None, 0, 1) or kind.startswith("float")):
        field.note("changed", f"`output = {output}` cuts what is scaled to a whole number: here it is left as it is")
    elif output and not (output == "FLOAT64" or kind.startswith(("int", "uint"))):
        field.note("changed", f"`output = {output}`: the value has the type of its registers")
    modbus.add(
        draft, device, field, name=name, register=table, address=address, kind=kind, order=order,
        scaling=modbus.Scaling().times(scale), more=more,
    )  # fmt: skip
