"""The device maps that come with floorgate: as a list, and as devices with their quirks, orders and defaults put in."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.config import Files, Site, configs_dir, load, load_map
from agent.config.words import did_you_mean
from agent.model.errors import ConfigError
from drivers.modbus.config import Config


@dataclass(frozen=True, slots=True)
class Entry:
    """One map of the shelf; `text` is what else may be searched for."""

    name: str
    vendor: str
    model: str
    name_zh: str
    kind: str
    driver: str
    status: str
    tags: int
    areas: int
    sources: int
    text: str = field(default="", repr=False)

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "text"}


def paths() -> list[Path]:
    return sorted((configs_dir() / "devices").glob("*.yaml"))


def shelf() -> list[Entry]:
    """Raises Invalid for a map that is wrong."""
    return [_entry(path) for path in paths()]


def named(name: str) -> Path:
    """The file of a map of the shelf, or of one's own. Raises ConfigError for a name that is neither."""
    known = {path.stem: path for path in paths()}
    if name in known:
        return known[name]
    if "/" in name or "." in name or Path(name).exists():
        return Path(name)
    hint = did_you_mean(name, known) or "a map of your own is a file, such as ./my-meter.yaml"
    raise ConfigError(f"there is no device map {name!r}", hint=hint)


def modbus_maps() -> dict[str, Config]:
    """By name; not those that list no tags. Raises Invalid for a map that is wrong."""
    return devices_of([path for path in paths() if (found := load_map(path)).tags and found.head.driver == "modbus"])


def devices_of(files: list[Path]) -> dict[str, Config]:
    """A device for each map for Modbus, by the name of the map. Raises Invalid."""
    found = {path.stem: site_of(path).devices[0] for path in files}
    return {name: device for name, device in found.items() if isinstance(device, Config)}


def site_of(path: Path, endpoint: str = "tcp://127.0.0.1", unit: int = 1) -> Site:
    """One device for Modbus that uses the map in a file. Raises Invalid."""
    site = path.absolute().parent / ".one-device.yaml"  # which is never written
    device = {"name": path.stem, "driver": "modbus", "endpoint": endpoint, "unit": unit, "map": f"./{path.name}"}
    text = json.dumps({"gateway": {"id": "one-device"}, "devices": [device]})
    return load(site, {}, files=Files({site: text.encode()}))


def _entry(path: Path) -> Entry:
    found = load_map(path)
    head, tags = found.head, [tag for tag in found.tags or () if tag is not None]
    words = [*head.notes, *(f"{tag.name} {tag.description}" for tag in tags), *found.areas]
    device = head.device
    about = (device.vendor, device.model, device.name_zh, device.kind, head.driver, head.status)
    return Entry(path.stem, *about, len(tags), len(found.areas), len(head.sources), " ".join(words))
