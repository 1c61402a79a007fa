"""ThingsBoard gateway: `opcua.json`, with `mapping` beside the server or, as older versions have it, inside."""

import re
from collections.abc import Mapping
from typing import Any

from agent.imports import nodes
from agent.imports.draft import Device, Draft
from agent.imports.modbus import ALLOW_WRITE, NO_WRITE
from agent.imports.node import Node, Skip
from agent.imports.thingsboard_reports import report

_VALUE = re.compile(r"\$\{(.*)\}", re.DOTALL)
_META = re.compile(r"[.*+?\[\](){}|^$\\]")
MOST_PATTERNS = 100  # of a device
OWN_BATCHES = ("subDataMaxBatchSize", "subDataMinBatchCreationTimeMs", "subscriptionProcessBatchSize", "showMap")


def is_one(root: Mapping[str, Any]) -> bool:
    server = root.get("server")
    return isinstance(server, Mapping) and "url" in server and ("mapping" in root or "mapping" in server)


def build(root: Node, draft: Draft) -> None:
    server = root.child("server")
    settings = _settings(server, draft)
    for mapping in (*root.children("mapping"), *server.children("mapping")):
        _device(mapping, server, draft, settings)
    server.drop(("name",), "a name of the connector")
    server.drop(("scanPeriodInMillis",), "the server is looked through when a session begins")
    server.drop(OWN_BATCHES, "how values travel inside of ThingsBoard's gateway")
    server.drop(("sessionTimeoutInMillis", "keepAliveSec", "uri"), "sessions are Floorgate's own affair")
    root.drop(("name", "logLevel", "enableRemoteLogging", "id", "reportStrategy"), "a setting of the connector")


def _settings(server: Node, draft: Draft) -> dict[str, Any]:
    """What all devices of the server have in common."""
    endpoint = nodes.endpoint(server, "url", draft)
    timeout = server.number("timeoutInMillis")
    draft.line(endpoint, server, timeout=timeout / 1000 if timeout else None)
    policy = server.text("security")
    keys: dict[str, Any] = {"endpoint": endpoint}
    identity = server.child("identity")
    keys |= nodes.security(server, policy, identity.text("mode"), open_=None if policy else True)
    if not policy:
        server.note("assumed", "no `security`: as ThingsBoard, without encryption")
    kind = identity.text("type", "anonymous").lower()
    if kind in ("basic", "username"):
        nodes.user(identity, identity.text("username"), identity.raw("password"), keys, "opcua")
    elif kind.startswith("cert"):
        told = "a certificate with which the gateway says who it is"
        identity.drop(("pathToCACert", "pathToPrivateKey", "pathToClientCert"), told, nodes.OWN_CERTIFICATE)
    poll = server.number("pollPeriodInMillis")
    subscribed = server.flag("enableSubscriptions")
    if (off := server.flag("disableSubscriptions")) is not None:
        subscribed = not off
    checked = server.number("subCheckPeriodInMillis")
    if subscribed is False:
        keys["mode"] = "poll"
    elif subscribed is None:
        server.note("assumed", "nothing is said of subscriptions: the server sends what changed")
    every = checked if subscribed is not False else poll or 5000
    return {**keys, "every": (every or 1000) / 1000}


def _device(mapping: Node, server: Node, draft: Draft, settings: dict[str, Any]) -> None:
    info = mapping.child("deviceInfo")
    source = info.text("deviceNameExpressionSource", "constant")
    name = info.text("deviceNameExpression") or mapping.text("deviceNamePattern")
    if source != "constant" or "${" in name:
        mapping.note("changed", "the device's name is read from the server there, and fixed here", "write its name")
        name = _VALUE.sub(r"\1", name).strip("${}") or "opcua"
    info.drop(("deviceProfileExpression", "deviceProfileExpressionSource"), "the device profile")
    mapping.drop(("deviceTypePattern",), "the device profile")
    keys = {key: value for key, value in settings.items() if key != "every"}
    device = draft.device(name, "opcua", mapping, **keys)
    device.every = settings["every"]
    if reported := report(mapping):
        device.keys["report"] = reported
    kind = mapping.text("deviceNodeSource", "path")
    above = _names(mapping.text("deviceNodePattern")) if kind == "path" else None
    if kind != "path":
        mapping.note("assumed", "the device is a node by its id: tags with a path below it cannot be carried")
        mapping.drop(("deviceNodePattern",), "an id below which paths would begin")
    for section in ("timeseries", "attributes"):
        for item in mapping.children(section):
            if section == "attributes":
                item.note("changed", "an attribute is told as all tags are, as telemetry")
            with item.or_none_of_it():
                _item(item, draft, device, above)
    updates = ("rpc_methods", "attributes_updates", "rpc", "attributeUpdates")
    mapping.drop(updates, NO_WRITE, f"{ALLOW_WRITE}; methods are listed under `methods`")
    mapping.drop(("converter", "extension"), "code of its own is not run")


def _item(item: Node, draft: Draft, device: Device, above: list[str] | None) -> None:
    name = item.text("key")
    value = item.text("value") or item.text("path")
    kind = item.text("type", "identifier" if nodes.node_id(_inner(value)) else "path")
    keys: dict[str, Any] = {"report": report(item)}
    item.drop(("timestampLocation",), "the time is that of the source, where it has one")
    if kind == "constant":
        raise Skip("a constant", "put it into the platform")
    identifier = nodes.node_id(_inner(value)) if kind == "identifier" else ""
    if identifier:
        keys["node"] = identifier
        nodes.untyped(item)
    else:
        names = _names(_inner(value))
        if names is None or (above is None and names[:1] != ["Objects"]):
            raise Skip(f"a place that is no plain path and no node id: {value!r}", "find it by `floorgate browse`")
        if sum("match" in tag.keys for tag in device.tags) >= MOST_PATTERNS:
            raise Skip(f"more than {MOST_PATTERNS} paths of names in a device", "give the others by their node ids")
        path = names if names[:1] == ["Objects"] else [*(above or []), *names]
        keys["match"] = "/".join(["", *map(_escaped, path if path[:1] == ["Objects"] else ["Objects", *path])])
        message = "a path of names is a pattern here, which is looked up in the server"
        item.note("changed", message, "see what it finds: `floorgate browse -c FILE DEVICE --pin`")
    draft.tag(device, name, item, keys)


def _inner(value: str) -> str:
    found = _VALUE.fullmatch(value.strip())
    return (found[1] if found else value).strip()


def _names(pattern: str) -> list[str] | None:
    r"""The names of `Root\.Objects\.MyObject`, without the root; None where it is more than names."""
    text = pattern.replace("\\\\", "\\")
    names = text.split("\\.") if "\\." in text else text.split(".")  # in old files dots are not escaped
    if not all(names) or any(_META.search(name) for name in names):
        return None
    names = [re.sub(r"^\d+:", "", name) for name in names]
    return names[1:] if names[:1] == ["Root"] else names


def _escaped(name: str) -> str:
    return re.sub(r"([&/*?])", r"&\1", name)
