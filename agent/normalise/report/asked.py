"""When a value of one tag is to be told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reporting:
    """Neither `changes` nor `period`: always. Times are ns, 0: never; the rest is in the tag's unit."""

    changes: bool = False
    period: int = 0
    band: float = 0.0  # a change that is not larger is none
    share: float = 0.0  # the same as a part of the value that was told last, and then `band` is the least
    door: float = 0.0  # how far a value may be from the line between the two that are told around it
    max_time: int = 0


ALWAYS = Reporting()
