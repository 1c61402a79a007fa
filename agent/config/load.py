"""A site file into a Site, or every problem that it has."""

import os
from collections.abc import Mapping as Table
from pathlib import Path
from typing import TypeVar

from agent.config.classes import sink_class
from agent.config.devices import read_devices
from agent.config.endpoint import canonical
from agent.config.explain import validate
from agent.config.files import Unreadable, read_bytes
from agent.config.lists import mappings, unique_names
from agent.config.maps import MAX_MAP, DeviceMap, Maps, parse_map
from agent.config.problems import Mark, Report, Scope
from agent.config.reader import read
from agent.config.references import References
from agent.config.sections import BufferConfig, GatewayConfig, LogConfig, MapHead, StatusConfig
from agent.config.site import Site
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.registry import DriverConfig, LineConfig, Section, SinkConfig

MAX_SITE = 1 << 20
KEYS = ("gateway", "devices", "lines", "sinks", "buffer", "log", "status")
S = TypeVar("S", bound=Section)


def load(path: Path, environ: Table[str, str] = os.environ) -> Site:
    """The site that `path` describes. Raises Invalid with every problem of the file and of the maps it names.

    `environ` answers `${NAME}`; `file:` and `map:` paths start at the folder of `path`. Only the configuration
    classes of the drivers and sinks that the file names are imported.
    """
    report = Report()
    root = _root(path, environ, report)
    site = _site(root, path.parent, Scope(report)) if root is not None else None
    report.settle()
    assert site is not None
    return site


def load_map(path: Path) -> DeviceMap:
    """The device map in `path`. Raises Invalid with every problem of the file."""
    report = Report()
    root = _root(path, None, report)
    found = parse_map(root, Scope(report)) if root is not None else None
    report.settle()
    assert found is not None
    return found


def is_map(path: Path) -> bool:
    """Whether `path` looks like a device map rather than a site."""
    root = _root(path, None, Report())
    of_a_site = set(KEYS) - set(MapHead.model_fields)  # both have a `status`
    return root is not None and "tags" in root and not root.keys() & of_a_site


def _root(path: Path, environ: Table[str, str] | None, report: Report) -> Mapping | None:
    """What the file holds; a map is pure data, so it has no `environ` and its text is taken as it stands."""
    start = Mark(str(path), 1, 1)
    try:
        data = read_bytes(path, MAX_MAP if environ is None else MAX_SITE)
    except Unreadable as error:
        report.add(start, str(error.args[0]), error.hint)
        return None
    root = read(data, str(path), report, References(environ, path.parent, report) if environ is not None else None)
    if root is not None and not isinstance(root, Mapping):
        report.add(start, "a configuration is a mapping, such as `gateway: {id: gw-1}`")
    return root if isinstance(root, Mapping) else None


def _site(root: Mapping, folder: Path, scope: Scope) -> Site | None:
    _keys(root, scope)
    gateway = _section(root, "gateway", GatewayConfig, scope)
    devices = read_devices(root, Maps(folder, scope), scope)
    lines = _lines(root, devices, scope)
    sinks = _sinks(root, scope)
    buffer = _section(root, "buffer", BufferConfig, scope)
    log = _section(root, "log", LogConfig, scope)
    status = _section(root, "status", StatusConfig, scope)
    if not (gateway and buffer and log and status):
        return None
    enabled = tuple(device for device in devices if device.enabled)
    site = Site(gateway, enabled, lines, sinks, buffer, log, status)
    _pauses(root, site, scope)
    return site


def _pauses(root: Mapping, site: Site, scope: Scope) -> None:
    """The silence before a request lies inside its deadline, so it must leave some of it."""
    listed = root.get("devices") if site.devices else []
    marks = {
        raw["name"]: raw.value_marks.get("pause", raw.mark)
        for raw in listed or []
        if isinstance(raw, Mapping) and isinstance(raw.get("name"), str)
    }
    for device in site.devices:
        line = site.line(device.endpoint)
        pause = max(line.pause, getattr(device, "pause", 0.0))
        if pause >= line.timeout:
            what = f"a pause of {pause:g} s uses up the line's timeout of {line.timeout:g} s"
            scope.add(marks[device.name], f"device {shown(device.name)}: {what}", "raise `timeout` of the line")


def _keys(root: Mapping, scope: Scope) -> None:
    for key in root:
        if key not in KEYS and not scope.full:
            hint = "is this a device map? a site names it in `map:`" if key == "tags" else did_you_mean(key, KEYS)
            scope.add(root.key_marks[key], f"unknown key {shown(key)}", hint)


def _section(root: Mapping, name: str, kind: type[S], scope: Scope) -> S | None:
    """An optional section that is missing or empty is all defaults."""
    mark = root.value_marks.get(name, root.mark)
    if name == "gateway" and root.get(name) is None:
        scope.add(mark, "gateway is missing", "such as `gateway: {id: gw-1, site: [acme, hangzhou]}`")
        return None
    raw = root.get(name)
    return validate(kind, Mapping(mark) if raw is None else raw, mark, scope.within(name))


def _lines(root: Mapping, devices: list[DriverConfig], scope: Scope) -> tuple[LineConfig, ...]:
    found: dict[str, LineConfig] = {}
    endpoints = _endpoints(root) | {device.endpoint for device in devices}
    wires = {canonical(endpoint) for endpoint in endpoints}
    for raw, inner in mappings(root, "line", scope):
        line = validate(LineConfig, raw, raw.mark, inner)
        if line is None:
            continue
        wire, mark = canonical(line.endpoint), raw.value_marks["endpoint"]
        if wire in found:
            inner.add(mark, "this wire is listed already", "keep one of the two")
        elif wire not in wires:
            inner.add(mark, "no device has this endpoint", did_you_mean(line.endpoint, endpoints))
        found.setdefault(wire, line)
    return tuple(found.values())


def _endpoints(root: Mapping) -> set[str]:
    """Those that devices name, whether the device is right otherwise or not."""
    devices = root.get("devices")
    raws = [raw for raw in devices if isinstance(raw, Mapping)] if isinstance(devices, list) else []
    return {raw["endpoint"] for raw in raws if isinstance(raw.get("endpoint"), str)}


def _sinks(root: Mapping, scope: Scope) -> tuple[SinkConfig, ...]:
    raws = list(mappings(root, "sink", scope))
    unique_names([raw for raw, _ in raws], "sink", scope)
    found: list[SinkConfig] = []
    for raw, inner in raws:
        config = sink_class(raw, inner)
        sink = validate(config, raw, raw.mark, inner) if config else None
        if sink is not None:
            found.append(sink)
    return tuple(found)
