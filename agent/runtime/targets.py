"""What can be commanded: each tag of each device, with who can write it and how its device is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.health import Health, Part
from agent.runtime.write import limits
from drivers.api import Driver, DriverConfig, TagConfig
from drivers.finding import Finder


@dataclass(frozen=True, slots=True)
class Target:
    """A tag, who can write it, and how its device is. Those that may not be written share one without a tag."""

    driver: Driver
    tag: TagConfig | None
    part: Part


class Growing(Mapping[str, Target]):
    """The tags of a device whose patterns find more of them while it runs."""

    def __init__(self, driver: Finder, part: Part) -> None:
        self._driver, self._part = driver, part
        self._known: dict[str, Target] = {}

    def __getitem__(self, name: str) -> Target:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Target]:
        for tag in self._driver.tags[len(self._known) :]:
            self._known[tag.name] = Target(self._driver, tag, self._part)
        return self._known


def targets(
    devices: Sequence[DriverConfig], drivers: Sequence[Driver], health: Health
) -> dict[str, Mapping[str, Target]]:
    """All tags by device and name."""
    found: dict[str, Mapping[str, Target]] = {}
    listed = {device.name: getattr(device, "tags", None) or () for device in devices}
    for driver in drivers:
        part = health.part("device", driver.device)
        if isinstance(driver, Finder) and driver.growing:
            found[driver.device] = Growing(driver, part)
        else:
            tags = listed.get(driver.device, ())
            closed = Target(driver, None, part)
            found[driver.device] = {
                tag.name: closed if limits(tag) is None else Target(driver, tag, part) for tag in tags
            }
    return found
