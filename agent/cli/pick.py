"""A device and a tag of a site by the names that a person gave, with a hint when there is none."""

from collections.abc import Iterable
from pathlib import Path

from agent import registry
from agent.config.words import did_you_mean
from agent.model.errors import ConfigError
from drivers.api import DriverConfig, TagConfig


def device(devices: Iterable[DriverConfig], name: str) -> DriverConfig:
    """Raises ConfigError."""
    known = {device.name: device for device in devices}
    if name not in known:
        raise ConfigError(f"no device {name!r} is enabled in the file", hint=did_you_mean(name, known))
    return known[name]


def tag(config: DriverConfig, name: str, data: Path) -> TagConfig:
    """Of all tags of the device, those that are not read and those that its patterns have found included.

    Raises ConfigError.
    """
    kept = registry.kept(config, data)
    known: dict[str, TagConfig] = {tag.name: tag for tag in kept.tags}
    if name not in known:
        raise no_tag(config.name, name, known, patterns=kept.patterns)
    return known[name]


def no_tag(device: str, name: str, known: Iterable[str], *, patterns: int) -> ConfigError:
    """The error for a tag that the device does not have, or that its patterns have not found yet."""
    hints = [did_you_mean(name, known), not_yet(device) if patterns else ""]
    return ConfigError(f"device {device!r} has no tag {name!r}", hint="; ".join(filter(None, hints)))


def waits(config: DriverConfig, data: Path) -> bool:
    """Whether all tags of the device are to be found by its patterns, and none has been."""
    kept = registry.kept(config, data)
    return bool(kept.patterns) and not kept.tags


def not_yet(device: str) -> str:
    """How it comes that a pattern of a device finds something."""
    return (
        "what a pattern means is found when the agent has a session with the device, "
        f"or by `floorgate browse -c FILE {device} --pin`"
    )
