"""What a driver noticed besides its values, for health and log: its device's clock, certificates, tags refused."""

import logging
from collections.abc import Callable

from agent.health import Part
from drivers.api import Certified, Choosy, Clocked, Driver


def notes(driver: Driver, part: Part) -> Callable[[], None] | None:
    """To be called after each frame; None for a driver of which there is never anything to note."""
    clocked = driver if isinstance(driver, Clocked) else None
    certified = driver if isinstance(driver, Certified) else None
    choosy = driver if isinstance(driver, Choosy) else None
    if clocked is None and certified is None and choosy is None:
        return None

    def note() -> None:
        if clocked is not None and clocked.skew is not None:
            part.clock(clocked.skew)
        if certified is not None:
            part.expiries = certified.expiries
        if choosy is not None:
            part.refuses = choosy.refused
            for remark in choosy.remarks():
                part.noticed(remark, logging.WARNING)

    return note
