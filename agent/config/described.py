"""A device map, or what a device of a site has of one and says itself, ready to be written as a file of its own."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent import registry
from agent.config.defaults import NOT_OF_TAGS, TagDefaults
from agent.config.files import Files
from agent.config.load import load, load_map
from agent.config.maps import NO_QUIRKS, DeviceMap, Maps, tag_class
from agent.config.problems import Report, Scope
from agent.config.references import Expanded
from agent.config.sections import MapDevice, MapHead
from agent.config.tables.layout import Described, table_of
from agent.config.tables.names import names
from agent.config.tables.spelt import same
from agent.config.tables.written import to_csv, to_xlsx, to_yaml
from agent.config.tree import Mapping as Raw
from agent.config.tree import leaves
from agent.config.words import did_you_mean
from agent.model.errors import ConfigError

FORMATS = (".csv", ".xlsx", ".yaml", ".yml")
PERSONAL = frozenset(  # what is said of one device and not of its model
    {"unit", "root", "interval", "priority", "energy", "events", "methods", "report", "derived"}
    | {"security", "security_mode", "certificate_host", "user", "password", "user_certificate", "user_key"}
)


def map_at(path: Path, report: Report) -> Described:
    """The map in a file. Raises Invalid."""
    return described(load_map(path, report))


def map_of(config: Path, device: str, report: Report) -> tuple[Described, list[str]]:
    """What a device of a site reads and how, as a map; and the keys of it that are left out because they are its own.

    Raises Invalid and ConfigError.
    """
    report.devices = {}
    load(config, os.environ, report)
    if device not in report.devices:
        raise ConfigError(f"no device {device!r} is in the file", hint=did_you_mean(device, report.devices))
    raw = report.devices[device]
    base = _base(raw, config, report)
    head = base.head if base else _head(device, str(raw["driver"]))
    kept = {key: value for key, value in raw.items() if key not in NO_QUIRKS and key not in PERSONAL}
    _is_pure([*kept.values(), raw.get("groups"), raw.get("areas"), *(raw.get("tags") or ())])
    left = [key for key in raw if key in PERSONAL]
    tags, areas = list(raw.get("tags") or ()), raw.get("areas") or {}
    return Described(head, kept, {}, raw.get("groups") or {}, tags, tags, areas), left


def _base(raw: Raw, config: Path, report: Report) -> DeviceMap | None:
    name = raw.get("map")
    if not isinstance(name, str) or not name:
        return None
    maps = Maps(config.parent, None, Files(), Scope(report))
    return maps.find(name, raw.value_marks["map"], Scope(report), str(raw["driver"]))


def _head(device: str, driver: str) -> MapHead:
    return MapHead(device=MapDevice(vendor="", model=device), driver=driver)


def described(found: DeviceMap) -> Described:
    """With everything that it extends, and each tag without what the defaults say of it anyway."""
    defaults = TagDefaults(found.defaults, found.groups)
    plain = [_own(raw, defaults) for raw in found.plain]
    return Described(found.head, found.quirks, found.defaults, found.groups, plain, list(found.raws), found.areas)


def _own(raw: Raw, defaults: TagDefaults) -> Mapping[str, Any]:
    below = defaults.below(raw.without(*(key for key in raw if key not in NOT_OF_TAGS)))
    said = {key: value for key, value in below.items() if key not in NOT_OF_TAGS}
    return {key: value for key, value in raw.items() if not (key in said and same(value, said[key]))}


def _is_pure(values: Iterable[Any]) -> None:
    for value in values:
        for leaf in leaves(value):
            if isinstance(leaf, Expanded):
                raise ConfigError(
                    f"{leaf.source[:60]} cannot be exported: a map is pure data",
                    hint="write the value into the site file, or leave the key to the device",
                )


def written(found: Described, ending: str, lang: str = "en") -> bytes:
    """The map as a file of the format that `ending` names; `lang` is that of its titles. Raises AgentError."""
    if ending in (".yaml", ".yml"):
        return to_yaml(found)
    kind = tag_class(found.head.driver)
    table = table_of(found, registry.driver_config(found.head.driver), kind, names(), lang)
    device = found.head.device
    return to_csv(table) if ending == ".csv" else to_xlsx(table, f"{device.vendor} {device.model}".strip())
