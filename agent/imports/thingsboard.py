"""ThingsBoard gateway: its connectors `modbus.json` and `opcua.json`, and `tb_gateway.json` with the platform."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.imports import thingsboard_modbus, thingsboard_opcua
from agent.imports.draft import Draft
from agent.imports.node import Node
from agent.imports.sources import Source
from agent.imports.writing import scalar

NAME, TITLE = "thingsboard", "ThingsBoard gateway"
CONNECTORS = (thingsboard_modbus, thingsboard_opcua)


def is_one(source: Source) -> bool:
    return any(each.is_one(source.root) for each in CONNECTORS) or _is_gateway(source.root)


def _is_gateway(root: Mapping[str, Any]) -> bool:
    return "thingsboard" in root and isinstance(root.get("thingsboard"), Mapping)


def build(sources: Sequence[Source], draft: Draft) -> None:
    given = {source.name for source in sources}
    for source in sources:
        root = source.node(draft.notes)
        if _is_gateway(source.root):
            _gateway(root, draft, given)
        else:
            _connector(root, draft)
        root.close()


def _connector(root: Node, draft: Draft) -> None:
    for each in CONNECTORS:
        if each.is_one(root.data):
            each.build(root, draft)
            return
    root.give_up("neither Modbus nor OPC UA", "other connectors of ThingsBoard have no counterpart here")


def _gateway(root: Node, draft: Draft, given: set[str]) -> None:
    for connector in root.children("connectors"):
        kind, name, file = (connector.text(key) for key in ("type", "name", "configuration"))
        inner = connector.child("configurationJson")
        connector.drop(
            ("key", "class", "useGRPC", "configVersion", "logLevel", "enableRemoteLogging"), "of no use here"
        )
        if inner.data:
            _connector(inner, draft)
        elif kind in ("modbus", "opcua", "opcua_asyncio") and file not in given:
            connector.note("not carried", f"the connector {name!r} is in {file!r}, which was not given", "give it too")
        elif file not in given:
            connector.note("not carried", f"a connector of type {kind[:40]!r}, which has no counterpart here")
    _platform(root.child("thingsboard"), draft)
    root.drop(("storage",), "Floorgate keeps on disk what the platform has not confirmed", "see `buffer`")
    root.drop(("grpc", "logs", "statistics"), "a setting of the gateway of ThingsBoard")


def _platform(node: Node, draft: Draft) -> None:
    host, port = node.text("host", "HOST"), node.whole("port", 1, 65535, 1883)
    security = node.child("security")
    secure = bool(security.text("caCert")) or port == 8883
    url = f"{'mqtts' if secure else 'mqtt'}://{host}:{port}"
    keys = {"name": "thingsboard", "type": "thingsboard", "url": url}
    if security.raw("accessToken"):
        keys |= {"token": "${TB_TOKEN}"}
    if user := security.text("username"):
        keys |= {"username": user, "password": "${TB_PASSWORD}"}
    if client := security.text("clientId"):
        keys["client_id"] = client
    security.raw("password")
    security.text("type")
    security.drop(("privateKey", "cert"), "a certificate of the gateway", "`cert` and `key` of the sink")
    pairs = ", ".join(f"{key}: {scalar(value) if '${' not in value else repr(value)}" for key, value in keys.items())
    draft.sinks.append(f"{{{pairs}}}")
    node.note("changed", "the platform stands at the end of the file, as a comment, and without what is secret")
    node.drop(
        ("reportStrategy", "qos", "minPackSendDelayMS", "minPackSizeToSend", "maxPayloadSizeBytes"), "how it sends"
    )
    remote = ("remoteShell", "remoteConfiguration", "statistics", "checkConnectorsConfigurationInSeconds")
    node.drop(remote, "the platform does not change this gateway")
    node.drop(("deviceFiltering", "handleDeviceRenaming", "checkingDeviceActivity", "provisioning"), "of its gateway")
