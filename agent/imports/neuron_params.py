"""Neuron: the parameters of a node, with the numbers that stand for bauds, parities and orders."""

from typing import Any

from agent.imports import modbus, nodes
from agent.imports.draft import Device, Draft
from agent.imports.node import Node

BAUDS = (115200, 57600, 38400, 19200, 9600, 4800, 2400, 1800, 1200, 600, 300, 200, 150)
PARITIES = ("N", "O", "E", "M", "S")
ORDERS = {1: "ABCD", 2: "BADC", 3: "DCBA", 4: "CDAB"}
POLICIES = ("None", "Basic128Rsa15", "Basic256", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")


def modbus_way(node: Node, params: Node, plugin: str, draft: Draft) -> tuple[str, str, str, int]:
    """(endpoint, order, order of 64 bits or empty where we have none, what addresses are counted from)."""
    endpoint = _endpoint(params, plugin, draft)
    timeout, pause = params.number("timeout"), params.number("interval")
    draft.line(endpoint, params, timeout=(timeout or 3000) / 1000, pause=(pause or 0) / 1000)
    base = params.whole("address_base", 0, 1, draft.options.base)
    if base is None:
        params.note("assumed", "no `address_base`: 1, so that 400001 is the first register", "say --base 0")
    order = _order(params, "endianess", draft)
    said = params.whole("endianess_64", 1, 6)
    if said is None:
        params.note("assumed", "no `endianess_64`: 1, ABCD, for 64 bits")
    params.note("assumed", "bit 0 of a register is the lowest, as in Neuron from 2.1 on")
    degrade = ("device_degrade", "degrade_cycle", "degrade_time")
    params.drop((*degrade, "max_retries", "retry_interval"), modbus.NO_RETRY)
    params.drop(("check_header",), "each answer is checked against its request")
    params.drop(("backup_host", "backup_port"), "a second address", "a device of its own, `enabled: false`")
    params.drop(("enable_0x16", "mode_0x16", "max_byte", "max_bytes", "interval_0x16"), modbus.OWN_PLAN)
    return endpoint, order, ORDERS.get(said or 1, ""), 1 if base is None else base


def _order(params: Node, key: str, draft: Draft) -> str:
    said = params.whole(key, 1, 4)
    if said is None:
        order = draft.options.order or "ABCD"
        params.note("assumed", f"no `{key}`: {order}", "compare a value, or say --order")
        return order
    return ORDERS[said]


def _endpoint(params: Node, plugin: str, draft: Draft) -> str:
    link, mode = params.whole("link", 0, 1), params.whole("connection_mode", 0, 1, 0)
    host, port = params.text("host"), params.whole("port", 1, 65535, 502)
    scheme = "ascii" if "ascii" in plugin else "rtu" if "rtu" in plugin else "tcp"
    if scheme == "tcp" and (params.text("transport").lower() == "udp" or params.whole("transport_mode", 0, 1) == 1):
        scheme = "udp"
    by_port = ("device", "baud", "parity", "stop", "data")
    if scheme in ("rtu", "ascii") and (link == 0 or (link is None and params.has("device"))):
        told: dict[str, Any] = {
            "baud": _numbered(params, "baud", BAUDS, 4),
            "parity": _numbered(params, "parity", PARITIES, 0),
            "stop": _numbered(params, "stop", (1, 2), 0),
            "data": _numbered(params, "data", (5, 6, 7, 8), 3),
        }
        params.drop(("host", "port", "connection_mode"), "of another kind of link")
        return modbus.serial(scheme, params.text("device") or "/dev/ttyUSB0", params, told)
    params.drop(by_port, "a setting of serial ports")
    scheme = scheme if scheme in ("tcp", "udp") else f"{scheme}+tcp"
    if mode == 1:
        params.note(
            "changed", "the device dials in: over RTU frames, and whoever dials in is taken", "`listen://:PORT?id=ID`"
        )
        if scheme == "tcp":
            params.note("not carried", "Modbus TCP frames from a device that dials in", "set the modem to RTU")
        return f"listen://:{port}"
    if not host:
        return draft.endpoint(params, scheme, port or 502)
    return modbus.network(scheme, host, port, params)


def _numbered(params: Node, key: str, values: tuple[Any, ...], default: int) -> Any:
    """What a code stands for. Newer versions may write the value itself."""
    said = params.number(key)
    if said in values and not (isinstance(said, int) and 0 <= said < len(values)):
        return said
    index = int(said) if said is not None and 0 <= said < len(values) else default
    if said is None:
        params.note("assumed", f"no `{key}`: {values[index]}, as Neuron has it")
    elif index != said:
        params.note("assumed", f"`{key}`: {said} is not known: {values[index]}")
    return values[index]


def opcua_device(node: Node, params: Node, name: str, draft: Draft) -> Device:
    url = params.first("url", "endpoint", "host")
    endpoint = nodes.endpoint(params, url, draft)
    policy = params.number(params.first("policy", "security_policy"))
    known = POLICIES[int(policy)] if policy is not None and 0 <= policy < len(POLICIES) else ""
    mode = params.whole(params.first("mode", "security_mode"), 0, 3)
    said = "Sign" if mode == 2 else "None" if mode == 1 else ""
    if known or said:
        params.note("assumed", f"security {policy} and mode {mode} are taken for {known or 'auto'} {said}".rstrip())
    keys: dict[str, Any] = {"endpoint": endpoint, **nodes.security(params, known, said)}
    nodes.user(params, params.text("username"), params.raw("password"), keys, name)
    params.drop(("cert", "key", "certificate", "private_key"), "certificates stay there", nodes.OWN_CERTIFICATE)
    update = params.whole("update_mode", 0, 2)
    if update == 0:
        keys["mode"] = "poll"
    return draft.device(name, "opcua", node, **keys)
