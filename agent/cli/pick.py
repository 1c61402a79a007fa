"""A device and a tag of a site by the names that a person gave, with a hint when there is none."""

from collections.abc import Iterable

from agent.config.words import did_you_mean
from agent.model.errors import ConfigError
from drivers.api import DriverConfig, TagConfig


def device(devices: Iterable[DriverConfig], name: str) -> DriverConfig:
    """Raises ConfigError."""
    known = {device.name: device for device in devices}
    if name not in known:
        raise ConfigError(f"no device {name!r} is enabled in the file", hint=did_you_mean(name, known))
    return known[name]


def tag(config: DriverConfig, name: str) -> TagConfig:
    """Of all tags of the device, those that are not read included. Raises ConfigError."""
    known: dict[str, TagConfig] = {tag.name: tag for tag in getattr(config, "tags", ())}
    if name not in known:
        raise ConfigError(f"device {config.name!r} has no tag {name!r}", hint=did_you_mean(name, known))
    return known[name]
