"""Kepware: a project as JSON, and the tags of a device as CSV."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.imports import kepware_tags, modbus
from agent.imports.draft import Device, Draft
from agent.imports.kepware_tags import Settings
from agent.imports.node import Node
from agent.imports.sources import Source

NAME, TITLE = "kepware", "Kepware"
COLUMNS = ("tag name", "address", "data type")
DRIVERS = {"modbus tcp/ip ethernet": "tcp", "modbus rtu serial": "rtu", "modbus ascii serial": "ascii"}
PARITIES = {0: "N", 1: "O", 2: "E"}
OURS = (
    "common.ALLTYPES_",
    "servermain.",
    "modbus_ethernet.",
    "modbus_rtu_serial.",
    "modbus_rtu.",
    "modbus_ascii.",
    "modbus.",
)


def is_one(source: Source) -> bool:
    if source.kind in ("csv", "xlsx"):
        return any(set(COLUMNS) <= {str(cell).strip().lower() for cell in row.cells} for row in source.rows[:5])
    project = source.root.get("project")
    return isinstance(project, Mapping) and "channels" in project


def build(sources: Sequence[Source], draft: Draft) -> None:
    for source in sources:
        if source.rows:
            _table(source, draft)
            continue
        root = source.node(draft.notes)
        project = root.child("project")
        for channel in project.children("channels"):
            _channel(channel, draft)
        project.drop(list(project.data), "of the project, not of a device")
        root.drop(list(root.data), "of the export itself")
        root.close()


def _table(source: Source, draft: Draft) -> None:
    header: list[str] = []
    device: Device | None = None
    settings = _by_default(draft)
    for row in source.rows:
        cells = [str(cell).strip() for cell in row.cells]
        if set(COLUMNS) <= {cell.lower() for cell in cells}:
            header = [cell.lower() for cell in cells]
            continue
        node = row.node(header, source.name, draft.notes)
        if not header:
            node.give_up("a row before the one with the names of the columns")
            continue
        if device is None:
            endpoint = draft.endpoint(node)
            _assume(node, draft)
            unit = 1 if draft.options.unit is None else draft.options.unit
            order = None if settings.order == "ABCD" else settings.order
            keys = {"endpoint": endpoint, "unit": unit, "order": order}
            device = draft.device(source.name.rpartition(".")[0], "modbus", node, **keys)
        kepware_tags.of_table(node, draft, device, settings)
        node.close()


def _by_default(draft: Draft) -> Settings:
    order = draft.options.order or "CDAB"
    return Settings(1 if draft.options.base is None else draft.options.base, order, order)


def _assume(node: Node, draft: Draft) -> None:
    """A table says nothing of its device."""
    if not draft.options.order:
        message = (
            "a table does not say in what order words lie: low word first (CDAB), as a new device in Kepware has it"
        )
        node.note("assumed", message, "say --order ABCD where `First Word Low` is off")
    if draft.options.base is None:
        message = (
            "a table does not say what addresses are counted from: 40001 is the first register, as in a new device"
        )
        node.note("assumed", message, "say --base 0 where 40000 is the first one")
    if draft.options.unit is None:
        node.note("assumed", "a table does not say the unit: 1", "say --unit")


def _channel(channel: Node, draft: Draft) -> None:
    driver = channel.text("servermain.MULTIPLE_TYPES_DEVICE_DRIVER")
    name = channel.text("common.ALLTYPES_NAME")
    scheme = DRIVERS.get(driver.lower())
    if scheme is None:
        channel.give_up(
            f"a channel with the driver {driver[:60]!r}", "of Kepware's drivers those of Modbus are taken over"
        )
        return
    port = _serial(channel, scheme) if scheme != "tcp" else ""
    devices = channel.children("devices")
    for each in devices:
        _device(each, draft, name, scheme, port, alone=len(devices) == 1)
    channel.drop([key for key in channel.data if key.startswith(OURS)], "a detail of its channel")
    channel.drop(("PROJECT_ID",), "of the export itself")


def _serial(channel: Node, scheme: str) -> str:
    before = "servermain.CHANNEL_SERIAL_COMMUNICATIONS_"
    number = channel.whole(f"{before}COM_ID", 1, 999)
    if number is None:
        channel.note("assumed", "no serial port: /dev/ttyUSB0", "correct `endpoint`")
    parity = channel.whole(f"{before}PARITY", 0, 4)
    told: dict[str, Any] = {
        "baud": channel.whole(f"{before}BAUD_RATE", 50, 4_000_000, 9600),
        "parity": PARITIES.get(parity or 0, "N"),
    }
    told |= {"data": channel.whole(f"{before}DATA_BITS", 5, 8), "stop": channel.whole(f"{before}STOP_BITS", 1, 2)}
    path = f"COM{number}" if number else "/dev/ttyUSB0"
    if number:
        channel.note(
            "changed", "a COM port of Windows: on Linux it is such as /dev/serial/by-id/…", "correct `endpoint`"
        )
    return modbus.serial(scheme, path, channel, told)


def _device(node: Node, draft: Draft, channel: str, scheme: str, port: str, *, alone: bool) -> None:
    host, unit = _id(node)
    endpoint = port or _endpoint(node, draft, host)
    name = node.text("common.ALLTYPES_NAME")
    settings = _settings(node, draft)
    order = None if settings.order == "ABCD" else settings.order
    on = node.flag("servermain.DEVICE_DATA_COLLECTION", True)
    keys = {"endpoint": endpoint, "unit": unit, "order": order, "enabled": None if on else False}
    device = draft.device(name if alone and name else f"{channel}.{name}", "modbus", node, **keys)
    wait = node.number("servermain.DEVICE_INTER_REQUEST_DELAY_MILLISECONDS") or 0
    answer = node.number("servermain.DEVICE_REQUEST_TIMEOUT_MILLISECONDS")
    connect = node.number("servermain.DEVICE_CONNECTION_TIMEOUT_SECONDS")
    if answer is None and connect:
        node.note("assumed", "no timeout of a request: that of the connection holds")
    draft.line(endpoint, node, timeout=answer / 1000 if answer else connect, pause=wait / 1000)
    node.drop(("servermain.DEVICE_RETRY_ATTEMPTS",), modbus.NO_RETRY)
    scan = (node.number("servermain.DEVICE_SCAN_MODE_RATE_MS") or 1000) / 1000
    mode = node.whole("servermain.DEVICE_SCAN_MODE", 0, 5)
    if mode is not None and mode != 2:  # 2: as the tag says
        node.note("assumed", f"the scan mode {mode}: each tag is read at its own scan rate")
    _tags(node, draft, device, settings, scan, "")
    blocks = [
        node.whole(f"{before}{area}", 1, 125)
        for before in _prefixes(node)
        for area in ("INTERNAL_REGISTERS", "HOLDING_REGISTERS")
    ]
    if said := [block for block in blocks if block]:
        device.keys["max_registers"] = min(said)
    description = node.text("common.ALLTYPES_DESCRIPTION")
    if description:
        node.note("not carried", "a description of a device", "`place`, or a comment", "common.ALLTYPES_DESCRIPTION")
    node.drop([key for key in node.data if key.startswith(OURS)], "a detail of its device")
    node.drop(("PROJECT_ID",), "of the export itself")


def _prefixes(node: Node) -> list[str]:
    """`modbus_ethernet.DEVICE_`: each driver has its own."""
    return sorted({f"{key.partition('.')[0]}.DEVICE_" for key in node.data if key.startswith("modbus")})


def _own(node: Node, name: str, default: bool) -> bool:
    for before in _prefixes(node):
        if node.has(before + name):
            return bool(node.flag(before + name, default))
    return default


def _tags(node: Node, draft: Draft, device: Device, settings: Settings, scan: float, above: str) -> None:
    for tag in node.children("tags"):
        kepware_tags.of_project(tag, draft, device, settings, scan, above)
    for group in node.children("tag_groups"):
        name = group.text("common.ALLTYPES_NAME")
        _tags(group, draft, device, settings, scan, f"{above}{name}.")
        group.drop([key for key in group.data if key.startswith(OURS)], "a detail of its group")
        group.drop(("PROJECT_ID",), "of the export itself")


def _id(node: Node) -> tuple[str, int]:
    """Host and unit of `<192.168.10.111>.1`, or a unit alone."""
    text = node.text("servermain.DEVICE_ID_STRING") or str(node.data.get("servermain.DEVICE_ID_DECIMAL") or "")
    node.raw("servermain.DEVICE_ID_DECIMAL")
    host, found, unit = text.strip("<").partition(">")
    unit = unit.lstrip(".") if found else host
    if unit.isdecimal() and len(unit) < 4 and int(unit) <= 255:
        return (host if found else ""), int(unit)
    node.note("assumed", f"the id {text[:60]!r} names no unit: 1")
    return (host if found else ""), 1


def _endpoint(node: Node, draft: Draft, host: str) -> str:
    port = next((node.whole(f"{before}ETHERNET_PORT_NUMBER", 1, 65535) for before in _prefixes(node)), None)
    udp = any(
        node.whole(f"{before}ETHERNET_IP_PROTOCOL", 0, 2) == 0
        for before in _prefixes(node)
        if node.has(f"{before}ETHERNET_IP_PROTOCOL")
    )
    scheme = "udp" if udp else "tcp"
    return modbus.network(scheme, host, port, node) if host else draft.endpoint(node, scheme, port or 502)


def _settings(node: Node, draft: Draft) -> Settings:
    """By the words of its manual; some converters take two of these properties the other way round."""
    one = _own(node, "ZERO_BASED_ADDRESSING", True)
    message = f"Zero-Based Addressing is {'on' if one else 'off'}: {'40001' if one else '40000'} is the first register"
    node.note(
        "assumed",
        message,
        "compare a value with the display; `floorgate probe` looks one address before and behind, too",
    )
    if draft.options.base is not None:
        one = bool(draft.options.base)
    low, low64 = _own(node, "FIRST_WORD_LOW", True), _own(node, "FIRST_DWORD_LOW", True)
    big = _own(node, "MODBUS_BYTE_ORDER", True)
    order = ("CDAB" if low else "ABCD") if big else ("DCBA" if low else "BADC")
    node.note(
        "assumed",
        f"First Word Low is {'on' if low else 'off'}: the order is {order}",
        "compare a value, or say --order",
    )
    order64 = order if low == low64 else ""
    if draft.options.order:
        order = order64 = draft.options.order
    bits = 0 if _own(node, "ZERO_BASED_BIT_ADDRESSING", True) else 1
    if _own(node, "TREAT_LONGS_AS_DOUBLE_PRECISION_UNSIGNED_DECIMAL", False):
        node.note(
            "not carried", "Treat Longs As Decimals: two registers of four digits each", "correct tags of 32 bits"
        )
    return Settings(int(one), order, order64, bit_base=bits, reversed_bits=_own(node, "MODICON_BIT_ORDER", False))
