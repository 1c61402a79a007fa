"""What a tag may ask of its readings as those of a counter."""

from dataclasses import dataclass
from typing import Literal

SECOND = 10**9
HOUR = 3600 * SECOND
Rollover = Literal["auto", "none"] | int | float


@dataclass(frozen=True, slots=True)
class Counter:
    """`rollover` is how many the register counts before it begins again at 0; `max_rate` is per hour. Both are in the
    unit of the tag. `intervals` and `demand` (0: none) are ns and divide an hour or a day, `sliding` divides `demand`;
    `tariff` names a calendar.
    """

    rollover: Rollover = "auto"
    max_rate: float | None = None
    confirm: int = 2  # readings that must agree before anything but growth is believed
    total: bool = True
    intervals: tuple[int, ...] = ()
    demand: int = 0
    tariff: str = ""
    sliding: int = 0
    basis: str = ""  # what its numbers are: after a change of it they cannot be compared with those from before
