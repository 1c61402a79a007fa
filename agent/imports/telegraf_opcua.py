"""Telegraf's `[[inputs.opcua]]`, which asks, and `[[inputs.opcua_listener]]`, to which the server speaks."""

from typing import Any

from agent.imports import nodes
from agent.imports.draft import Device, Draft
from agent.imports.node import Node, Skip
from agent.imports.numbers import go_duration
from agent.imports.telegraf_modbus import MEASUREMENT, PLUGIN

TRIGGERS = {"status": "status", "statusvalue": "value", "statusvaluetimestamp": "value_timestamp"}
SHARED = ("namespace", "namespace_uri", "identifier_type", "sampling_interval")


def build(plugin: Node, draft: Draft, every: float, *, listens: bool) -> None:
    endpoint = nodes.endpoint(plugin, "endpoint", draft)
    draft.line(endpoint, plugin, timeout=go_duration(plugin, "request_timeout"))
    name = plugin.text("name", "opcua")
    policy, mode = plugin.text("security_policy", "auto"), plugin.text("security_mode", "auto")
    keys: dict[str, Any] = {"endpoint": endpoint, **nodes.security(plugin, policy, mode, open_=False)}
    kind = plugin.text("auth_method", "Anonymous").lower()
    user, password = plugin.text("username"), plugin.raw("password")
    if kind == "username":
        nodes.user(plugin, user, password, keys, name)
    elif user:
        plugin.note("not carried", f"`username` with `auth_method = {kind}`: Telegraf does not use it either")
    if not listens:
        keys["mode"] = "poll"
    device = draft.device(name, "opcua", plugin, **keys)
    interval, pace = go_duration(plugin, "interval"), go_duration(plugin, "subscription_interval")
    device.every = (pace or 0.1) if listens else (interval or every)
    if listens and pace is None:
        plugin.note("assumed", "no `subscription_interval`: 100ms, as Telegraf has it")
    for node in plugin.children("nodes"):
        with node.or_none_of_it():
            _node(node, {}, draft, device, listens=listens)
    for group in plugin.children("group"):
        shared = {key: group.raw(key) for key in SHARED if group.has(key)}
        for node in group.children("nodes"):
            with node.or_none_of_it():
                _node(node, shared, draft, device, listens=listens)
        for key in SHARED:
            group.raw(key)
        group.drop(("name", "default_tags", "tags"), MEASUREMENT)
    if plugin.text("timestamp", "gather") == "gather":
        plugin.note("changed", "the time of a value is that of its source, where it has one")
    _rest(plugin)


def _rest(plugin: Node) -> None:
    plugin.drop(("certificate", "private_key", "remote_certificate"), "certificates stay there", nodes.OWN_CERTIFICATE)
    plugin.drop(("events",), "events are not taken over", "see `events` in drivers/opcua/README.md")
    plugin.drop(("browse",), "a search for nodes", "a tag with `match`, which finds many")
    plugin.drop(("connect_timeout", "session_timeout", "connect_fail_behavior"), "sessions are Floorgate's own affair")
    plugin.drop(("workarounds", "request_workarounds"), "a detail of its library")
    plugin.drop(
        ("optional_fields", "timestamp_format", "client_trace", "exclude_register_type_tag", *PLUGIN), MEASUREMENT
    )


def _node(node: Node, shared: dict[str, Any], draft: Draft, device: Device, *, listens: bool) -> None:
    node.data = {**shared, **node.data}
    identifier = _identifier(node)
    if not identifier:
        raise Skip("a node without an id that can be read")
    keys: dict[str, Any] = {"node": identifier}
    nodes.untyped(node)
    own = go_duration(node, "sampling_interval")
    watched = node.child("monitoring_params")
    sampling = go_duration(watched, "sampling_interval")
    if listens:
        keys["sampling_interval"] = own if sampling is None else sampling
    keys["queue_size"] = watched.whole("queue_size", 1, 10000)
    keys["discard_oldest"] = watched.flag("discard_oldest")
    changes = watched.child("data_change_filter")
    trigger = changes.text("trigger")
    if trigger:
        keys["trigger"] = TRIGGERS.get(trigger.lower())
    keys["deadband"] = deadband(changes, "deadband_type", "deadband_value")
    node.drop(("default_tags", "tags"), MEASUREMENT)
    draft.tag(device, node.text("name"), node, keys)


def _identifier(node: Node) -> str:
    whole = node.text("id")
    space, uri = node.text("namespace"), node.text("namespace_uri")
    kind, identifier = node.text("identifier_type", "s"), node.text("identifier")
    if whole:
        return nodes.node_id(whole)
    before = f"nsu={nodes.escaped_uri(uri)};" if uri else f"ns={space};" if space and space != "0" else ""
    return nodes.node_id(f"{before}{kind}={identifier}") if identifier else ""


def deadband(node: Node, of_type: str, of_value: str) -> dict[str, float] | None:
    """`{absolute: 0.5}` or `{percent: 1}`."""
    kind, size = node.text(of_type).lower(), node.number(of_value)
    if kind in ("", "none") or not size or size < 0:
        return None
    if kind == "percent" and size > 100:
        node.note("not carried", f"a deadband of {size:g} %")
        return None
    return {"absolute" if kind == "absolute" else "percent": size}
