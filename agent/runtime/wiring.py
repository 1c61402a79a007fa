"""Which devices of a site are built together, because they share what there is of a wire."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent import registry
from agent.config import Site, shared
from drivers.api import Driver, DriverConfig


class Unit(NamedTuple):
    """What starts and stops together. `device` is told where each has a connection of its own."""

    driver: str
    endpoint: str
    device: str = ""


def units_of(devices: Sequence[DriverConfig]) -> dict[Unit, list[DriverConfig]]:
    """Devices by what they are a part of, in their order."""
    units: dict[Unit, list[DriverConfig]] = {}
    for device in devices:
        unit = Unit(device.driver, shared(device.endpoint), device.name if device.alone else "")
        units.setdefault(unit, []).append(device)
    return units


def lines_of(devices: Sequence[DriverConfig]) -> dict[tuple[str, str], list[DriverConfig]]:
    """Devices by driver and endpoint."""
    lines: dict[tuple[str, str], list[DriverConfig]] = {}
    for device in devices:
        lines.setdefault((device.driver, shared(device.endpoint)), []).append(device)
    return lines


def build_drivers(site: Site, devices: Sequence[DriverConfig], data: Path) -> list[Driver]:
    """The drivers of these devices; those on the same endpoint are built together and share its wire. Raises
    ConfigError."""
    built: list[Driver] = []
    for unit, members in units_of(devices).items():
        built.extend(registry.driver_builder(unit.driver)(site.line(members[0].endpoint), members, data))
    return built
