"""Telegraf: a `telegraf.conf`, or files of its `telegraf.d`."""

from collections.abc import Sequence

from agent.imports import telegraf_modbus, telegraf_opcua
from agent.imports.draft import Draft
from agent.imports.node import Node
from agent.imports.numbers import go_duration
from agent.imports.sources import Source

NAME, TITLE = "telegraf", "Telegraf"
DEFAULT = 10.0


def is_one(source: Source) -> bool:
    return source.kind == "toml" and any(key in source.root for key in ("inputs", "agent", "outputs"))


def build(sources: Sequence[Source], draft: Draft) -> None:
    roots = [source.node(draft.notes) for source in sources]
    agents = [root.child("agent") for root in roots]
    told = [every for agent in agents if (every := go_duration(agent, "interval"))]
    every = told[0] if told else DEFAULT
    if not told:
        roots[0].note("assumed", "no `interval` of the agent: 10s, as Telegraf has it", "give telegraf.conf, too")
    for root, agent in zip(roots, agents, strict=True):
        _file(root, draft, every)
        agent.drop(list(agent.data), "a setting of Telegraf itself")
        root.close()


def _file(root: Node, draft: Draft, every: float) -> None:
    inputs = root.child("inputs")
    for plugin in inputs.children("modbus"):
        telegraf_modbus.build(plugin, draft, every)
    for plugin in inputs.children("opcua"):
        telegraf_opcua.build(plugin, draft, every, listens=False)
    for plugin in inputs.children("opcua_listener"):
        telegraf_opcua.build(plugin, draft, every, listens=True)
    inputs.drop(list(inputs.data), "an input that has no counterpart here")
    outputs = root.child("outputs")
    for output in outputs.children("mqtt"):
        _mqtt(output, draft)
    outputs.drop(list(outputs.data), "an output", "see the sinks in README.md: mqtt, http, file and others")
    root.drop(("global_tags", "processors", "aggregators", "secretstores"), "how Telegraf shapes metrics")


def _mqtt(output: Node, draft: Draft) -> None:
    servers = output.raw("servers")
    first = str(servers[0])[:200] if isinstance(servers, list) and servers else "mqtt://HOST:1883"
    url = first if "://" in first else f"mqtt://{first}"
    url = url.replace("tcp://", "mqtt://").replace("ssl://", "mqtts://")
    user = output.text("username")
    output.raw("password")
    login = f', username: {user}, password: "${{MQTT_PASSWORD}}"' if user else ""
    draft.sinks.append(f'{{name: mqtt, type: mqtt, url: "{url}"{login}}}')
    output.note("changed", "the broker stands at the end of the file, as a comment, and without what is secret")
    output.drop(
        ("topic", "topic_prefix", "data_format", "layout", "batch"), "its messages look otherwise", "`topic`, `shape`"
    )
    output.drop(list(output.data), "a detail of its output")
