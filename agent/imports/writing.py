"""The draft as a site file: one tag a line, and at its head what was assumed, changed and not carried."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.imports.draft import Device, Draft, Kept, Tag
from agent.model.text import duration_text, plain

SINKS = "Where values went; take the # away, and set in the environment what is in ${ }:"
HEAD_LINES = 400  # of what was assumed; all of it is on the terminal and in --json
_PLAIN = re.compile(r"[A-Za-z_\u00c0-\uffdc][\w.\u00c0-\uffdc-]*(?:://[\w.:/%-]+)?")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"))
_SECONDS = ("interval", "timeout", "pause", "connect_delay", "period", "max_time", "sampling_interval")
_FIRST = ("name", "driver", "endpoint", "enabled", "unit", "order")


@dataclass(slots=True)
class Text:
    """`tags` and `devices` say what stands on which line, from 1."""

    lines: list[str] = field(default_factory=list)
    tags: dict[int, tuple[Device, Tag]] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)

    def add(self, *lines: str) -> None:
        self.lines.extend(lines)

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


def comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {plain(line)}".rstrip()


def site(draft: Draft, head: Iterable[str], gateway: str, maps: Mapping[str, str]) -> Text:
    """`maps` names the file with the tags of a device, by its name."""
    text = Text()
    told = list(comment(head))
    text.add(*told[:HEAD_LINES])
    if len(told) > HEAD_LINES:
        text.add(f"# and {len(told) - HEAD_LINES} lines more, which `floorgate import` shows")
    text.add(f"gateway: {{id: {scalar(gateway)}}}", "")
    if draft.lines:
        text.add("lines:")
        for endpoint, keys in draft.lines.items():
            text.add(f"  - {flow({'endpoint': endpoint, **keys})}")
        text.add("")
    text.add("devices:")
    alias = {
        id(each): (devices[0], f"tags_{number}")
        for number, devices in enumerate(draft.repeated(), 1)
        for each in devices
    }
    for device in draft.devices:
        _device(text, device, maps.get(device.name), alias.get(id(device)))
    if draft.sinks:
        text.add("", f"# {SINKS}", "# sinks:", *comment(f"  - {sink}" for sink in draft.sinks))
    return text


def map_file(device: Device, title: str) -> Text:
    """A device map with the tags of a device."""
    text = Text()
    text.add(*comment([title]))
    text.add(f"device: {{vendor: imported, model: {scalar(device.name, escape=False)}}}")
    text.add(f"driver: {device.keys['driver']}", "tags:")
    for tag in device.tags:
        text.tags[len(text.lines) + 1] = (device, tag)
        text.add(f"  - {flow(tag.keys, escape=False)}")
    return text


def _device(text: Text, device: Device, of_map: str | None, alias: tuple[Device, str] | None) -> None:
    keys = {key: device.keys[key] for key in _FIRST if key in device.keys}
    keys |= {key: value for key, value in device.keys.items() if key not in keys}
    if device.every is not None:
        keys["interval"] = device.every
    for number, (key, value) in enumerate(keys.items()):
        text.devices[len(text.lines) + 1] = device
        text.add(f"{'    ' if number else '  - '}{key}: {value_of(key, value)}")
    if device.groups:
        text.devices[len(text.lines) + 1] = device
        text.add("    groups:")
        for name, told in device.groups.items():
            text.devices[len(text.lines) + 1] = device
            text.add(f"      {scalar(name)}: {flow(told)}")
    text.devices[len(text.lines) + 1] = device
    if of_map:
        text.add(f"    map: {scalar(of_map)}")
    elif alias and alias[0] is not device:
        text.add(f"    tags: *{alias[1]}  # as those of {plain(alias[0].name)}")
    else:
        text.add(f"    tags: &{alias[1]}" if alias else "    tags:")
        for tag in device.tags:
            text.tags[len(text.lines) + 1] = (device, tag)
            text.add(f"      - {flow(tag.keys)}")


def flow(keys: Mapping[Any, Any], *, escape: bool = True) -> str:
    """`{name: voltage, address: 0}`"""
    pairs = (
        f"{scalar(key, escape=escape)}: {value_of(key, value, escape=escape)}"
        for key, value in keys.items()
        if value is not None
    )
    return f"{{{', '.join(pairs)}}}"


def value_of(key: Any, value: Any, *, escape: bool = True) -> str:
    if key in _SECONDS and isinstance(value, int | float):
        return duration_text(value)
    if isinstance(value, Mapping):
        return flow(value, escape=escape)
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_of('', item, escape=escape) for item in value)}]"
    return scalar(value, escape=escape)


def scalar(value: Any, *, escape: bool = True) -> str:
    """A scalar as the reader of our files takes it back; `escape`: where it would look into the environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if escape and not isinstance(value, Kept):
        text = text.replace("${", "$${")
        text = f" {text}" if text.startswith(("file:", "credential:")) else text
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(":"):
        return text
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
