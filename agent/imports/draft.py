"""What becomes of the files that are imported: devices with their tags, wires, and what a person has to add."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.imports.names import Names, valid
from agent.imports.node import Node
from agent.imports.notes import Notes
from agent.imports.numbers import interval, within
from agent.model.errors import AgentError
from agent.model.text import duration_text

MOST_TAGS = 50_000
PLACEHOLDER = "192.0.2.1"  # RFC 5737: nobody's
_LINE = {"timeout": (0.001, 300.0), "pause": (0.0, 60.0), "connect_delay": (0.0, 60.0)}


class Kept(str):
    """Text with a `${NAME}` in it that is meant so: it is written as it stands."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What the person says where the files do not."""

    host: str = ""
    unit: int | None = None
    order: str = ""
    base: int | None = None
    gateway: str = ""


@dataclass(slots=True, eq=False)
class Tag:
    """`keys` as they are written, the name among them; `every` is its interval in seconds where it has one."""

    place: str
    keys: dict[str, Any]
    every: float | None = None


@dataclass(slots=True, eq=False)
class Device:
    place: str
    keys: dict[str, Any]
    names: Names
    every: float | None = None
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: list[Tag] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.keys["name"])

    def group(self, name: str, node: Node, every: float | None) -> str:
        """A scan group with a name of its own."""
        name = valid(name, f"group_{len(self.groups) + 1}")
        if name not in self.groups:
            self.groups[name] = {"interval": interval(node, every if every is not None else 1.0)}
        return name


class Draft:
    """The site as far as it is known."""

    def __init__(self, notes: Notes, options: Options) -> None:
        self.notes, self.options = notes, options
        self.devices: list[Device] = []
        self.lines: dict[str, dict[str, Any]] = {}
        self.sinks: list[str] = []  # lines of YAML, written as comments
        self._names = Names(notes)
        self._tags = 0

    def device(self, name: str, driver: str, node: Node, **keys: Any) -> Device:
        """A new one; keys that are None or empty are left out."""
        given = self._names.give(name, f"device_{len(self.devices) + 1}", node.place)
        told = {key: value for key, value in keys.items() if value not in (None, "")}
        found = Device(node.place, {"name": given, "driver": driver, **told}, Names(self.notes))
        self.devices.append(found)
        return found

    def tag(self, device: Device, name: str, node: Node, keys: Mapping[str, Any], every: float | None = None) -> Tag:
        """A tag of the device. Raises AgentError where there are too many."""
        self._tags += 1
        if self._tags > MOST_TAGS:
            raise AgentError(f"{node.place}: more than {MOST_TAGS:,} tags", hint="import the files one by one")
        given = device.names.give(name, f"tag_{len(device.tags) + 1}", node.place)
        told = {key: value for key, value in keys.items() if value not in (None, "", {}, [])}
        found = Tag(node.place, {"name": given, **told}, interval(node, every))
        device.tags.append(found)
        return found

    def line(self, endpoint: str, node: Node, **settings: float | None) -> None:
        """What is said of a wire; where two devices differ, the longer time holds for both."""
        line = self.lines.setdefault(endpoint, {})
        for key, value in settings.items():
            if not value:  # 0 is the default of all, and a timeout of 0 is none
                continue
            time = within(node, value, *_LINE[key], f"`{key}` of")
            if line.get(key, time) != time:
                node.note("changed", f"devices on one wire say different `{key}`: the longest holds for all of them")
            line[key] = max(line.get(key, 0.0), time)

    def endpoint(self, node: Node, scheme: str = "tcp", port: int = 502) -> str:
        """Where a device is that the files do not say; a device at the placeholder is disabled in the end."""
        host = self.options.host
        if "://" in host:
            return host
        if host:
            bracketed = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
            has_port = bracketed.rpartition("]")[2].count(":") > 0
            return f"{scheme}://{bracketed}" + ("" if has_port else f":{port}")
        message = f"where the device is does not stand in the file: {PLACEHOLDER} stands for it, and it is not read"
        node.note("assumed", message, "say --host ADDRESS, or write `endpoint` and take `enabled: false` away")
        return f"{scheme}://{PLACEHOLDER}:{port}"

    def settle(self) -> None:
        """Tags with an interval of their own into groups; devices without tags go."""
        for device in self.devices:
            _grouped(device)
            if f"//{PLACEHOLDER}:" in str(device.keys["endpoint"]):
                device.keys["enabled"] = False
        for device in [each for each in self.devices if not each.tags]:
            self.notes.add("not carried", device.place, "a device that has no tag left", "see why above")
            self.devices.remove(device)
        used = {str(device.keys["endpoint"]) for device in self.devices}
        self.lines = {endpoint: told for endpoint, told in self.lines.items() if told and endpoint in used}

    def repeated(self) -> Iterator[list[Device]]:
        """Devices that have the very same tags, two or more."""
        found: dict[tuple[str, str], list[Device]] = {}
        for device in self.devices:
            keys = (str(device.keys["driver"]), repr([tag.keys for tag in device.tags]))
            found.setdefault(keys, []).append(device)
        yield from (devices for devices in found.values() if len(devices) > 1)


def _grouped(device: Device) -> None:
    """The interval of most tags is the device's, and each other one a group."""
    own = Counter(tag.every for tag in device.tags if tag.every is not None and "group" not in tag.keys)
    if device.every is None and own:
        device.every = own.most_common(1)[0][0]
    for tag in device.tags:
        if tag.every is not None and "group" not in tag.keys and tag.every != device.every:
            name = duration_text(tag.every)
            device.groups.setdefault(name, {"interval": tag.every})
            tag.keys["group"] = name
    used = {tag.keys.get("group") for tag in device.tags}
    device.groups = {name: told for name, told in device.groups.items() if name in used}
