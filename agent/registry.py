"""The names that a configuration file may use for drivers and sinks, and where each lives.

A new driver or sink is one folder and one line here; a package installed beside the agent announces itself through the
entry-point groups `floorgate.drivers` and `floorgate.sinks` (name = dotted module of the folder).
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from agent.model.errors import ConfigError
from agent.northbound.api import (
    Gateway,
    Name,
    Seconds,
    Section,
    Sink,
    SinkConfig,
    Size,
    commands_of,
    fits,
    pulled_of,
)
from drivers.api import Budget, Driver, DriverConfig, LineConfig, TagConfig, names_of
from drivers.finding import Kept, pattern_of
from drivers.rules.limits import LimitsConfig
from drivers.rules.report import ReportConfig, When
from drivers.rules.value import ValueConfig
from drivers.tapping import Note, Past, Player

# What the rest of the configuration is made of comes from here too, so that it is not written a third time.
__all__ = [
    "DriverConfig",
    "LimitsConfig",
    "LineConfig",
    "Name",
    "ReportConfig",
    "Seconds",
    "Section",
    "SinkConfig",
    "Size",
    "TagConfig",
    "ValueConfig",
    "When",
    "commands_of",
    "fits",
    "names_of",
    "pattern_of",
    "pulled_of",
]

DRIVERS = {"modbus": "drivers.modbus", "opcua": "drivers.opcua", "sim": "drivers.sim"}
SINKS = {
    "mqtt": "agent.northbound.mqtt",
    "http": "agent.northbound.http",
    "file": "agent.northbound.file",
    "sparkplug": "agent.northbound.sparkplug",
    "thingsboard": "agent.northbound.thingsboard",
    "pull": "agent.northbound.pull",
}


class BuildDriver(Protocol):
    """The drivers of all devices on one line; `data` is the data directory, where there is one."""

    def __call__(
        self, line: LineConfig, devices: Sequence[DriverConfig], data: Path | None = None
    ) -> Sequence[Driver]: ...


class MakePlayers(Protocol):
    """Players for all devices on one line; `notes` are those of its wires and devices."""

    def __call__(
        self,
        line: LineConfig,
        devices: Sequence[DriverConfig],
        notes: Sequence[Note],
        past: Past,
        data: Path | None = None,
    ) -> Sequence[Player]: ...


TellBudget = Callable[[LineConfig, Sequence[DriverConfig]], Sequence[Budget]]
TellKept = Callable[[DriverConfig, Path | None], Kept]
BuildSink = Callable[[SinkConfig, Gateway], Sink]


@cache
def drivers() -> dict[str, str]:
    return {**_installed("floorgate.drivers"), **DRIVERS}


@cache
def sinks() -> dict[str, str]:
    return {**_installed("floorgate.sinks"), **SINKS}


def driver_config(name: str) -> type[DriverConfig]:
    return cast(type[DriverConfig], _load(drivers(), name, "config").Config)


def driver_builder(name: str) -> BuildDriver:
    return cast(BuildDriver, _load(drivers(), name, "driver").build)


def driver_budget(name: str) -> TellBudget | None:
    """Says what a line will need of its wire's time; None for a driver that cannot."""
    return cast(TellBudget | None, _beside(name, "budget", "budget"))


def players(name: str) -> MakePlayers | None:
    """Makes what plays a recording of a driver's devices; None for a driver that cannot."""
    return cast(MakePlayers | None, _beside(name, "replay", "players"))


def kept(config: DriverConfig, data: Path | None) -> Kept:
    """All tags of a device, with those that an earlier run has found on it."""
    tell = cast(TellKept | None, _beside(config.driver, "pins", "kept"))
    return tell(config, data) if tell else Kept(getattr(config, "tags", ()))


def sink_config(name: str) -> type[SinkConfig]:
    return cast(type[SinkConfig], _load(sinks(), name, "config").Config)


def sink_builder(name: str) -> BuildSink:
    return cast(BuildSink, _load(sinks(), name, "sink").build)


def _installed(group: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=group)}


def _load(table: dict[str, str], name: str, part: str) -> Any:
    if name not in table:
        raise ConfigError(f"{name!r} is not known", hint=f"one of: {', '.join(sorted(table))}")
    return import_module(f"{table[name]}.{part}")


def _beside(name: str, part: str, what: str) -> Any:
    """What a module of a driver holds that not every driver has; None if it has none."""
    folder = _load(drivers(), name, "config").__package__
    return getattr(import_module(f"{folder}.{part}"), what) if find_spec(f"{folder}.{part}") else None
