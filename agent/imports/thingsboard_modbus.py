"""ThingsBoard gateway: `modbus.json`, with `master.slaves` or, as older versions have it, `server.devices`."""

import re
from collections.abc import Mapping
from typing import Any

from agent.imports import modbus
from agent.imports.draft import Device, Draft
from agent.imports.node import Node, Skip
from agent.imports.thingsboard_reports import report

MOST_OF_A_RANGE = 2000
ORDERS = {"BIGBIG": "ABCD", "BIGLITTLE": "CDAB", "LITTLEBIG": "BADC", "LITTLELITTLE": "DCBA"}
SIZES = {16: 1, 32: 2, 64: 4}
UNSIZED = {"int": "int", "long": "int", "integer": "int", "uint": "uint", "double": "float", "float": "float"}
KINDS = {f"{bits}{kind}": f"{kind}{bits}" for bits in SIZES for kind in ("int", "uint", "float")}
KINDS |= {"8int": "int8h", "8uint": "uint8h", "string": "string", "bytes": "bytes", "bit": "bool", "bits": "bool"}
SCHEMES = {
    ("tcp", "socket"): "tcp",
    ("tcp", "rtu"): "rtu+tcp",
    ("tcp", "ascii"): "ascii+tcp",
    ("udp", "socket"): "udp",
    ("tls", "socket"): "tls",
    ("serial", "rtu"): "rtu",
    ("serial", "ascii"): "ascii",
}
INHERITED: tuple[str, ...] = (
    "host",
    "port",
    "type",
    "method",
    "timeout",
    "byteOrder",
    "wordOrder",
    "retries",
    "retryOnEmpty",
)
INHERITED += ("retryOnInvalid", "baudrate", "stopbits", "bytesize", "parity", "strict", "rtu", "tls", "security")
RETRIES: tuple[str, ...] = ("retries", "retryOnEmpty", "retryOnInvalid", "connectAttemptTimeMs", "connectAttemptCount")
RETRIES += ("waitAfterFailedAttemptsMs",)
_RANGE = re.compile(r"(\d{1,5})-(\d{1,12})")


def build(root: Node, draft: Draft) -> None:
    if root.has("server"):
        server = root.child("server")
        root.note("changed", "the older structure with `server.devices` is read as the newer one is")
        server.drop(("name",), "a name of the connector")
        for device in server.children("devices"):
            _slave(_inherited(device, server), draft)
        for key in INHERITED:  # they hold for the devices, which told what became of them
            server.raw(key)
    master = root.child("master")
    for slave in master.children("slaves"):
        _slave(slave, draft)
    root.drop(("slave",), "the gateway as a Modbus server", "no counterpart here: fetch values by the `pull` sink")
    root.drop(("name", "logLevel", "enableRemoteLogging", "id", "reportStrategy"), "a setting of the connector")


def _inherited(device: Node, server: Node) -> Node:
    told = {key: server.data[key] for key in INHERITED if key in server.data and not device.has(key)}
    device.data = {**device.data, **told}
    return device


def _slave(node: Node, draft: Draft) -> None:
    endpoint = _endpoint(node, draft)
    if not endpoint:
        return
    unit = node.whole("unitId", 0, 255, draft.options.unit)
    name = node.text("deviceName") or node.text("name") or (f"unit-{unit}" if unit is not None else "")
    order = _order(node, draft)
    reported = report(node)
    device = draft.device(
        name, "modbus", node, endpoint=endpoint, unit=unit, order=None if order == "ABCD" else order, report=reported
    )
    device.keys.setdefault("order", "ABCD")
    wait = node.number("delayBetweenRequestsMs")
    draft.line(endpoint, node, timeout=node.number("timeout"), pause=wait / 1000 if wait else None)
    pace = {key: node.number(key) for key in ("pollPeriod", "timeseriesPollPeriod", "attributesPollPeriod")}
    every = pace["pollPeriod"] or pace["timeseriesPollPeriod"]
    if every is None and not pace["attributesPollPeriod"]:
        node.note("assumed", "no `pollPeriod`: every 5 s")
    seen: dict[str, dict[str, Any]] = {}
    for section, own in (("timeseries", every or 5000), ("attributes", pace["attributesPollPeriod"] or every or 5000)):
        for item in node.children(section):
            if section == "attributes":
                item.note("changed", "an attribute is told as all tags are, as telemetry")
            with item.or_none_of_it():
                _item(item, draft, device, order, own / 1000, seen)
    node.drop(RETRIES, modbus.NO_RETRY)
    node.drop(("attributeUpdates", "rpc"), modbus.NO_WRITE, modbus.ALLOW_WRITE)
    node.drop(("deviceType",), "the device profile", "`profile` of the sink `thingsboard` is one for all devices")
    node.drop(("converter", "downlink_converter", "uplink_converter", "extension"), "code of its own is not run")
    node.drop(("strict", "repack", "sendDataToThingsBoard", "rtu"), "a detail of its Modbus library")
    if device.keys["order"] == "ABCD":
        del device.keys["order"]


def _endpoint(node: Node, draft: Draft) -> str:
    """Empty after the whole slave was given up."""
    kind, given = node.text("type", "tcp").lower(), node.text("method").lower()
    method = given or ("rtu" if kind == "serial" else "socket")
    if not given:
        node.note("assumed", f"no `method`: {method}")
    if kind == "serial" and method == "socket":
        node.note("assumed", "the method `socket` of a serial port: rtu")
        method = "rtu"
    tls = node.child(node.first("tls", "security"))
    scheme = SCHEMES.get(("tls" if kind == "tcp" and tls.data else kind, method))
    if scheme is None:
        node.give_up(f"a device with type {kind!r} and method {method!r}", "write it by hand, or leave it out")
        return ""
    if kind == "serial":
        told: dict[str, Any] = {"baud": node.whole("baudrate", 50, 4_000_000), "parity": modbus.parity(node, "parity")}
        told |= {"stop": modbus.stop_bits(node, "stopbits"), "data": node.whole("bytesize", 5, 8)}
        if told["baud"] is None:
            node.note("assumed", "no `baudrate`: 19200, as ThingsBoard has it")
            told["baud"] = 19200
        told["echo"] = "on" if node.flag("handleLocalEcho") else None
        node.drop(("host",), "no host where it is a serial port")
        return modbus.serial(scheme, node.text("port") or "/dev/ttyUSB0", node, told)
    node.drop(("baudrate", "stopbits", "bytesize", "parity", "handleLocalEcho"), "a setting of serial ports")
    host = node.text("host")
    port = node.whole("port", 1, 65535)
    if port is None:
        node.note("assumed", f"no `port`: {802 if scheme == 'tls' else 502}")
    endpoint = modbus.network(scheme, host, port, node) if host else draft.endpoint(node, scheme)
    if scheme == "tls":
        line = draft.lines.setdefault(endpoint, {})
        for theirs, ours in (("certfile", "cert"), ("keyfile", "key"), ("cafile", "ca")):
            if path := tls.text(theirs):
                line[ours] = path
        tls.drop(("password",), "the password of a key", "a key without one, mode 600")
        tls.drop(("server_hostname",), "the host is that of the endpoint")
    return endpoint


def _order(node: Node, draft: Draft, default: str = "") -> str:
    """Missing means LITTLE, of bytes and of words, each by itself."""
    said = [node.text(key).upper() for key in ("byteOrder", "wordOrder")]
    for key, word in zip(("byteOrder", "wordOrder"), said, strict=True):
        if word not in ("", "BIG", "LITTLE"):
            node.note(
                "assumed", f"`{key}`: {word!r} is neither BIG nor LITTLE: ThingsBoard takes that for BIG", key=key
            )
    if said == ["", ""] and (default or draft.options.order):
        return default or draft.options.order
    if "" in said:
        missing = " and ".join(key for key, word in zip(("byteOrder", "wordOrder"), said, strict=True) if not word)
        node.note("assumed", f"no {missing}: LITTLE, as ThingsBoard has it", "compare a value, or say --order")
    low = ["LITTLE" if word in ("", "LITTLE") else "BIG" for word in said]
    return ORDERS["".join(low)]


def _item(item: Node, draft: Draft, device: Device, order: str, every: float, seen: dict[str, dict[str, Any]]) -> None:
    name = item.text("tag") or item.text("key")
    table = modbus.FUNCTIONS.get(item.whole("functionCode", 1, 16, 3) or 0)
    if not item.has("functionCode"):
        item.note("assumed", "no `functionCode`: 3, holding registers")
    count = item.whole(item.first("objectsCount", "registersCount", "registerCount"), 1, 2000, 1) or 1
    if table is None:
        raise Skip("a function code that does not read", modbus.ALLOW_WRITE)
    if item.has("byteOrder") or item.has("wordOrder"):
        order = _order(item, draft, order)
    kind = _kind(item, count)
    places = _places(item, name, count)
    if not kind or not places:
        raise Skip("a tag whose type or address cannot be read")
    keys = _reading(item, table, kind, count)
    scaling = modbus.Scaling()
    divider, multiplier = item.number("divider"), item.number("multiplier")
    if divider and multiplier:
        item.note("assumed", "`divider` and `multiplier`: the divider counts, as in newer versions of ThingsBoard")
    scaling.by(divider) if divider else scaling.times(multiplier)
    item.drop(("round",), "values leave as they are read", "`report: {deadband: …}` where small changes are no matter")
    item.drop(("maxRegistersPerRequest",), modbus.OWN_PLAN, "`max_registers` of the device")
    item.drop(("value", "repack"), "a value to write, or a detail of its library")
    keys["report"] = report(item)
    if kind in modbus.SIZED:
        order = "ABCD"  # its library does not swap the bytes of text
        keys["length"] = count
    elif kind in ("int8h", "uint8h", "bool"):
        order = "ABCD"
    for at, (called, address) in enumerate(places):
        if seen.get(called) == (said := {"at": (table, address, kind), **keys}):
            item.note("changed", "the same tag among the attributes and the time series is one here")
            continue
        seen.setdefault(called, said)
        node = item if not at else Node({}, item.place, "", item.notes)
        modbus.add(
            draft, device, node, name=called, register=table, address=address, kind=kind, order=order,
            scaling=scaling, every=every, more=keys,
        )  # fmt: skip


def _kind(item: Node, count: int) -> str:
    said = item.text("type").lower()
    if said in UNSIZED:
        found = KINDS.get(f"{16 * count}{UNSIZED[said]}", "")
        if not found:
            item.note("not carried", f"the type {said!r} of {count} registers")
        return found
    if said not in KINDS:
        item.note("not carried", f"the type {said!r} is not known", "see the list of types in drivers/modbus/README.md")
    found = KINDS.get(said, "")
    width = modbus.WORDS.get(found, count)
    if (
        found
        and found not in modbus.SIZED
        and said not in ("bit", "bits")
        and width != count
        and item.has("objectsCount")
    ):
        item.note("assumed", f"{said} has {width} registers, whatever `objectsCount` says")
    return found


def _reading(item: Node, table: str, kind: str, count: int) -> dict[str, Any]:
    """The keys that say which bit it is, or which names its numbers have."""
    bit = item.whole("bit", 0, 15)
    item.drop(("bitTargetType",), "a bit is true or false here, not 1 or 0")
    names = item.child("variants")
    enum = {int(key): names.text(key) for key in names.data if re.fullmatch(r"-?\d{1,19}", str(key))}
    names.drop([key for key in names.data if key not in map(str, enum)], "no number that could have a name")
    if table in modbus.BIT_TABLES:
        if kind != "bool":
            raise Skip("a number that is made of coils or discrete inputs", "list the coils as tags of their own")
        if bit or count > 1:
            raise Skip("one of several coils: which one it is differs between versions of ThingsBoard", "by hand")
        return {}
    if kind == "bool":
        if bit is None:
            raise Skip("all bits of a register as a list", "say which bit it is: {type: bool, bit: 0}, or `bits:`")
        return {"bit": bit}
    if bit is not None:
        item.note("not carried", f"`bit` of a {kind}")
    if enum and kind not in modbus.INTEGERS:
        item.note("not carried", "`variants` of what is no integer")
        return {}
    return {"enum": enum} if enum else {}


def _places(item: Node, name: str, count: int) -> list[tuple[str, int]]:
    """(name, address) of each tag that an item stands for; none after that was told."""
    said = item.raw("address")
    found = _RANGE.fullmatch(said.strip()) if isinstance(said, str) else None
    overrides = item.child("tagOverrides")
    own = {key: overrides.text(key) for key in overrides.data if str(key).isdecimal()}
    overrides.drop([key for key in overrides.data if key not in own], "no address")
    if found is None:
        address = item.whole("address", 0, 65535)
        return [] if address is None else [(name.replace("${address}", str(address)), address)]
    first, last = int(found[1]), int(found[2])
    if last > 65535:
        item.note("not carried", f"addresses beyond 65535 of the range {said}", key="address")
        last = 65535
    addresses: list[int] = list(range(first, last + 1, count))
    if len(addresses) > MOST_OF_A_RANGE:
        item.note("not carried", f"more than {MOST_OF_A_RANGE} tags of the range {said}", "split it", "address")
        addresses = addresses[:MOST_OF_A_RANGE]
    plain = "${address}" in name
    if len(addresses) > 1:
        item.note("changed", f"the range {said} is {len(addresses)} tags here")
    return [
        (own.get(str(at)) or (name.replace("${address}", str(at)) if plain else f"{name}_{at}"), at) for at in addresses
    ]


def is_one(root: Mapping[str, Any]) -> bool:
    master, server = root.get("master"), root.get("server")
    return (isinstance(master, Mapping) and "slaves" in master) or (isinstance(server, Mapping) and "devices" in server)
