"""The groups that leave the gateway: those of the drivers as the steps shape them, and those that the steps make."""

from collections.abc import Mapping, Sequence

from agent.model.tag import Schema
from agent.normalise import Steps
from drivers.api import Driver


class Catalogue:
    """As they are now: a device that grows has other ones later."""

    def __init__(self, drivers: Sequence[Driver], steps: Steps) -> None:
        self._steps = steps
        self.take(drivers)

    def take(self, drivers: Sequence[Driver]) -> None:
        """These are read from now on."""
        self.drivers = drivers
        self._by_device = {driver.device: driver for driver in drivers}

    @property
    def schemas(self) -> Sequence[Schema]:
        return [schema for schemas in self.devices.values() for schema in schemas]

    @property
    def devices(self) -> Mapping[str, Sequence[Schema]]:
        """By device: those that are read in the order of the file, then those that are only worked out."""
        found: dict[str, list[Schema]] = {driver.device: [] for driver in self.drivers}
        for driver in self.drivers:
            found[driver.device] += map(self._steps.output, driver.schemas)
        for schema in self._steps.made:
            found.setdefault(schema.device, []).append(schema)
        return found

    def reads(self, device: str) -> bool:
        """Whether the device has a driver."""
        return device in self._by_device

    def driver(self, device: str) -> Driver | None:
        """Who reads the device; nobody reads one that is only worked out."""
        return self._by_device.get(device)

    def before(self, device: str) -> Sequence[Schema]:
        """The groups of a device as its driver has them, and those that are made."""
        driver = self.driver(device)
        return [*(driver.schemas if driver else ()), *(each for each in self._steps.made if each.device == device)]
