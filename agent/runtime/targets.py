"""What can be commanded: each tag of each device, with who can write it and how its device is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.health import Health, Part
from agent.runtime.write import limits
from drivers.api import Driver, DriverConfig, TagConfig
from drivers.finding import Finder


@dataclass(frozen=True, slots=True)
class Target:
    """A tag, who can write it, and how its device is. Those that may not be written share one, without a tag."""

    driver: Driver
    tag: TagConfig | None
    part: Part


class Growing(Mapping[str, Target]):
    """The tags of a device whose patterns find more of them while it runs."""

    def __init__(self, driver: Finder, listed: Iterable[TagConfig], closed: Target) -> None:
        self._driver, self._closed, self._taken = driver, closed, 0
        self._known = {tag.name: closed for tag in listed if tag.name}

    def __getitem__(self, name: str) -> Target:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Target]:
        fresh = self._driver.tags[self._taken :]
        self._taken += len(fresh)
        self._known.update(_known(fresh, self._closed))
        return self._known


def targets(
    devices: Sequence[DriverConfig], drivers: Sequence[Driver], health: Health
) -> dict[str, Mapping[str, Target]]:
    """All tags by device and name."""
    found: dict[str, Mapping[str, Target]] = {}
    tags = {device.name: getattr(device, "tags", None) or () for device in devices}
    for driver in drivers:
        listed = tags.get(driver.device, ())
        closed = Target(driver, None, health.part("device", driver.device))
        found[driver.device] = Growing(driver, listed, closed) if isinstance(driver, Finder) else _known(listed, closed)
    return found


def _known(tags: Iterable[TagConfig], closed: Target) -> dict[str, Target]:
    return {tag.name: closed if limits(tag) is None else Target(closed.driver, tag, closed.part) for tag in tags}
