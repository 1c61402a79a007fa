"""The `lines:` section, and what devices on one wire must agree on."""

from agent.config.defaults import DEFAULTS
from agent.config.endpoint import canonical, settings, shared
from agent.config.explain import validate
from agent.config.lists import mappings
from agent.config.problems import Mark, Scope
from agent.config.site import Site
from agent.config.tree import Mapping
from agent.config.words import did_you_mean, shown
from agent.registry import DriverConfig, LineConfig

SEVERAL = ("tcp:", "tls:", "rtu+tcp:", "ascii+tcp:")  # wires that may have several connections


def read_lines(root: Mapping, devices: list[DriverConfig], scope: Scope) -> tuple[LineConfig, ...]:
    """All lines that are right; the problems of the others go to `scope`."""
    found: dict[str, LineConfig] = {}
    endpoints = _endpoints(root) | {device.endpoint for device in devices}
    wires = {shared(endpoint) for endpoint in endpoints}
    for raw, inner in mappings(root, "line", scope):
        line = validate(LineConfig, raw.without(DEFAULTS), raw.mark, inner)
        if line is None:
            continue
        wire, mark = shared(line.endpoint), raw.value_marks["endpoint"]
        if wire in found:
            inner.add(mark, "this wire is listed already", "keep one of the two")
        elif wire not in wires:
            inner.add(mark, "no device has this endpoint", did_you_mean(line.endpoint, endpoints))
        elif line.connections > 1 and not wire.startswith(SEVERAL):
            inner.add(raw.value_marks["connections"], "only TCP has several connections", "remove `connections`")
        found.setdefault(wire, line)
    return tuple(found.values())


def check_wires(root: Mapping, site: Site, scope: Scope) -> None:
    """What is right for each device alone and wrong for its wire."""
    listed = root.get("devices") if site.devices else []
    raws = {raw["name"]: raw for raw in listed or [] if isinstance(raw, Mapping) and isinstance(raw.get("name"), str)}
    first: dict[str, DriverConfig] = {}
    for device in site.devices:
        raw = raws[device.name]
        _leaves_time(device, site, raw, scope)
        other = first.setdefault(canonical(device.endpoint), device)
        _agree(other, device, raw.value_marks.get("endpoint", raw.mark), scope)


def _leaves_time(device: DriverConfig, site: Site, raw: Mapping, scope: Scope) -> None:
    """The silence before a request lies inside its deadline, so it must leave some of it."""
    line = site.line(device.endpoint)
    pause, timeout = max(line.pause, getattr(device, "pause", 0.0)), getattr(device, "timeout", None)
    if pause >= (timeout or line.timeout):
        whose = f"timeout of {timeout:g} s" if timeout else f"line's timeout of {line.timeout:g} s"
        what = f"device {shown(device.name)}: a pause of {pause:g} s uses up the {whose}"
        scope.add(
            raw.value_marks.get("pause", raw.mark), what, f"raise `timeout` of the {'device' if timeout else 'line'}"
        )


def _agree(first: DriverConfig, device: DriverConfig, mark: Mark, scope: Scope) -> None:
    """A serial port has one framing, speed and parity for all that are on it."""
    if settings(first.endpoint) != settings(device.endpoint):
        what = f"device {shown(device.name)}: its port is set another way than for {shown(first.name)}"
        scope.add(mark, what, f"write {first.endpoint} for both")


def _endpoints(root: Mapping) -> set[str]:
    """Those that devices name, whether the device is right otherwise or not."""
    devices = root.get("devices")
    raws = [raw for raw in devices if isinstance(raw, Mapping)] if isinstance(devices, list) else []
    return {raw["endpoint"] for raw in raws if isinstance(raw.get("endpoint"), str)}
