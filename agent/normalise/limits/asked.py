"""What can be asked of the values of one tag."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`min` and `max` are in the unit that leaves, `rate` is that unit a second. `stuck` is ns, 0: never."""

    min: int | float | None = None
    max: int | float | None = None
    clamp: bool = False
    rate: float | None = None
    stuck: int = 0
    band: float = 0.0  # within which a value counts as the same
