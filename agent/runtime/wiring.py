"""Which devices of a site are built together, because they share what there is of a wire."""

from collections.abc import Sequence

from agent.config import shared
from drivers.api import DriverConfig


def lines_of(devices: Sequence[DriverConfig]) -> dict[tuple[str, str], list[DriverConfig]]:
    """Devices by driver and endpoint."""
    lines: dict[tuple[str, str], list[DriverConfig]] = {}
    for device in devices:
        lines.setdefault((device.driver, shared(device.endpoint)), []).append(device)
    return lines
