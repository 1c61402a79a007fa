"""OPC Publisher: `publishednodes.json` of version 2.5 and later."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.imports import nodes
from agent.imports.draft import Device, Draft
from agent.imports.modbus import ALLOW_WRITE
from agent.imports.node import Node, Skip
from agent.imports.numbers import timespan, within
from agent.imports.sources import Source
from agent.imports.telegraf_opcua import TRIGGERS, deadband

NAME, TITLE = "opc-publisher", "OPC Publisher"
SECTIONS = ("OpcNodes", "Nodes")
PLATFORM: tuple[str, ...] = (
    "MessageEncoding",
    "MessagingMode",
    "BatchSize",
    "BatchTriggerInterval",
    "BatchTriggerIntervalTimespan",
)
PLATFORM += ("DataSetWriterGroup", "DataSetWriterId", "DataSetKeyFrameCount", "DataSetExtensionFields", "QueueName")
PLATFORM += (
    "MaxKeepAliveCount",
    "MetaDataUpdateTime",
    "MetaDataQueueName",
    "DataSetDescription",
    "DataSetClassId",
    "Version",
)
PLATFORM += (
    "WriterGroupTransport",
    "WriterGroupQualityOfService",
    "WriterGroupPartitions",
    "QualityOfService",
    "MessageRetention",
)
PLATFORM += ("LastChangeTimespan", "LastChangeDateTime", "DataSetFetchDisplayNames", "Priority", "Tag", "EndpointId")


def is_one(source: Source) -> bool:
    entries = source.data if isinstance(source.data, list) else [source.data]
    return any(isinstance(entry, Mapping) and "EndpointUrl" in entry for entry in entries)


def build(sources: Sequence[Source], draft: Draft) -> None:
    for source in sources:
        for entry in source.nodes(draft.notes):
            _entry(entry, draft)
            entry.close()


def _entry(entry: Node, draft: Draft) -> None:
    endpoint = nodes.endpoint(entry, "EndpointUrl", draft)
    name = entry.text("DataSetName") or entry.text("DataSetWriterId") or _host(endpoint)
    secure = entry.flag("UseSecurity")
    mode = entry.text("EndpointSecurityMode")
    keys: dict[str, Any] = {"endpoint": endpoint}
    keys |= nodes.security(
        entry, entry.text("EndpointSecurityPolicy"), mode, open_=None if secure is None else not secure
    )
    if secure and mode == "None":
        keys.pop("security", None)
    who = entry.text("OpcAuthenticationMode", "Anonymous").lower()
    user = entry.text("OpcAuthenticationUsername")
    password = entry.raw("OpcAuthenticationPassword")
    if who in ("usernamepassword", "anonymous") and user:
        nodes.user(entry, user, password, keys, name)
    elif who == "certificate":
        entry.note("not carried", "a user known by a certificate", "`user_certificate` and `user_key`")
    entry.drop(
        ("EncryptedAuthUsername", "EncryptedAuthPassword"), "what is secret there", "`user`, `password: ${NAME}`"
    )
    device = draft.device(name, "opcua", entry, **keys)
    device.every = _time(entry, "DataSetPublishingInterval", 1000.0) or 1.0
    if not any(entry.has(key) for key in ("DataSetPublishingInterval", "DataSetPublishingIntervalTimespan")):
        entry.note("assumed", "no publishing interval of the data set: 1s, as OPC Publisher has it")
    if sampling := _time(entry, "DataSetSamplingInterval", 1000.0):
        device.keys["sampling_interval"] = sampling
    for section in SECTIONS:
        for node in entry.children(section):
            with node.or_none_of_it():
                _node(node, draft, device)
    if entry.has("NodeId"):  # one node, as version 2.5 and before had it
        node = entry.child("NodeId")
        with node.or_none_of_it():
            _node(node, draft, device)
    entry.drop(PLATFORM, "how messages go to its platform")
    entry.drop(
        [key for key in entry.data if key.startswith(("DataSet", "WriterGroup", "Dump", "Use", "Disable"))], "its own"
    )


def _host(endpoint: str) -> str:
    return re.sub(r"^opc\.tcp://", "", endpoint).partition("/")[0].partition(":")[0] or "opcua"


def _time(node: Node, key: str, per: float) -> float | None:
    """Seconds; the time span goes before the number."""
    span = node.text(f"{key}Timespan")
    number = node.number(key)
    if span:
        found = timespan(span)
        if found is not None:
            return found
        node.note("not carried", f"`{key}Timespan`: {span[:40]!r} is no time span", "hh:mm:ss", f"{key}Timespan")
    return None if number is None else number / per


def _node(node: Node, draft: Draft, device: Device) -> None:
    key = node.first("Id", "ExpandedNodeId", "Identifier")
    identifier = node.text(key)
    for other in ("Id", "ExpandedNodeId", "Identifier"):
        if other != key:
            node.raw(other)
    found = nodes.node_id(identifier)
    attribute = node.text("AttributeId", "Value")
    if not found or node.has("BrowsePath") or node.has("EventFilter") or attribute not in ("Value", "13"):
        why = (
            "a node by the way to it" if node.has("BrowsePath") else "events" if node.has("EventFilter") else "no value"
        )
        raise Skip(
            f"{why if found else 'a node whose id cannot be read'}", "`match`, or `events`: drivers/opcua/README.md"
        )
    node.raw("BrowsePath"), node.raw("EventFilter")
    field, shown = node.text("DataSetFieldId"), node.text("DisplayName")
    name = field or shown or re.sub(r".*;", "", identifier)[2:]
    keys: dict[str, Any] = {"node": found}
    nodes.untyped(node)
    if shown and shown != name:
        keys["description"] = shown
    if not field and not shown:
        node.note("assumed", "no `DisplayName`: the name is that of its id")
    index = node.text("IndexRange")
    if index.isdecimal() and len(index) < 9:
        keys["node"] = f"{found}[{index}]"
    elif index:
        node.note("not carried", f"the part {index[:40]!r} of an array", "an element is NODE[3]", "IndexRange")
    if sampling := _time(node, "OpcSamplingInterval", 1000.0):
        keys["sampling_interval"] = within(node, sampling, 0, 3600, "a sampling interval of")
    _watched(node, keys)
    every = _time(node, "OpcPublishingInterval", 1000.0)
    draft.tag(device, name, node, keys, every)


def _watched(node: Node, keys: dict[str, Any]) -> None:
    size = node.whole("QueueSize", 0, 1_000_000)
    if size is None:
        node.note("assumed", "no `QueueSize`: 10, where OPC Publisher has 1: nothing is lost by that")
    else:
        keys["queue_size"] = min(max(size, 1), 10000)
    newest = node.flag("DiscardNew")
    keys["discard_oldest"] = None if newest is None else not newest
    if trigger := node.text("DataChangeTrigger"):
        keys["trigger"] = TRIGGERS.get(trigger.lower())
    keys["deadband"] = deadband(node, "DeadbandType", "DeadbandValue")
    if beat := _time(node, "HeartbeatInterval", 1.0):
        behaviour = node.text("HeartbeatBehavior", "WatchdogLKV")
        keys["report"] = {"when": "always", "max_time": within(node, beat, 1, 30 * 86400, "a heartbeat of")}
        if "LKV" not in behaviour or "UpdatedTimestamps" in behaviour or "Diagnostics" in behaviour:
            node.note(
                "changed", f"a heartbeat {behaviour[:40]}: the last value is told again, with the time that it had"
            )
    node.drop(("HeartbeatBehavior",), "of no meaning without a heartbeat")
    node.drop(("SkipFirst",), "the first value is told, too")
    node.drop(
        ("UseCyclicRead", "CyclicReadMaxAge", "CyclicReadMaxAgeTimespan"), "a tag is not read by itself", "`mode: poll`"
    )
    node.drop(("RegisterNode", "FetchDisplayName"), "a detail of its library")
    node.drop(("ConditionHandling", "ModelChangeHandling", "TypeDefinitionId"), "events", "`events` of the device")
    node.drop(("MethodMetadata",), "a method", ALLOW_WRITE)
    node.drop(("TriggeredNodes",), "a node that is told with others")
    node.drop(("ExpandedNodeId", "Topic", "QualityOfService", "DataSetClassFieldId", "AttributeId"), "of its platform")
