"""What a line needs of its wire's time, and what would help one that needs too much of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.text import duration_text
from drivers.api import ScanCost

MOST = 0.8  # of the wire's time: the rest is for what is lost, late and probed
_MANTISSAS = (1, 2, 3, 5)
ROUND = (  # seconds: intervals that people choose
    *(mantissa * unit for unit in (0.01, 0.1) for mantissa in _MANTISSAS),
    *(1, 2, 3, 5, 10, 15, 20, 30),
    *(60 * minutes for minutes in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(3600 * hours for hours in (1, 2, 3, 4, 6, 8, 12, 24)),
)


@dataclass(frozen=True, slots=True)
class Widened:
    """A group, of all devices of the line that have it, and the interval that it should have (seconds)."""

    group: str
    interval: float
    to: float

    def __str__(self) -> str:
        old, new = duration_text(self.interval), duration_text(self.to)
        return f"interval {old} to {new}" if self.group == old else f"group {self.group} from {old} to {new}"


def utilisation(costs: Sequence[ScanCost]) -> float:
    """The share of its time that the wire is busy when every scan is on time; above 1 they cannot be."""
    return sum(cost.seconds / cost.interval for cost in costs if cost.interval)


def needs(costs: Sequence[ScanCost], share: float) -> str:
    """`1.92 s per 1 s cycle`: the cycle is the shortest interval."""
    cycle = min((cost.interval for cost in costs if cost.interval), default=1.0)
    return f"{share * cycle:.3g} s per {cycle:g} s cycle"


def widened(costs: Sequence[ScanCost], most: float = MOST) -> list[Widened]:
    """Which groups to read less often so that the wire is busy for `most` of the time: one if that does, or else all;
    none when no interval helps.

    None when nothing within a day would do. Of several that would do alone it is the one whose interval grows by the
    smallest factor.
    """
    loads: defaultdict[tuple[str, float], float] = defaultdict(float)
    for cost in costs:
        if cost.interval:
            loads[cost.group, cost.interval] += cost.seconds / cost.interval
    total = sum(loads.values())
    if total <= most:
        return []
    alone = []
    for (group, interval), load in loads.items():
        room = most - (total - load)
        to = _round(interval * load / room) if room > 0 else None
        if to is not None:
            alone.append(Widened(group, interval, to))
    if alone:
        return [min(alone, key=lambda each: each.to / each.interval)]
    every = [(group, interval, _round(interval * total / most)) for group, interval in loads]
    enough = [Widened(group, interval, to) for group, interval, to in every if to is not None]
    return enough if len(enough) == len(every) else []


def remedy(costs: Sequence[ScanCost]) -> str:
    """For a line that does not keep up, by what its scans take."""
    wide = spoken(widened(costs))
    return f"it needs {needs(costs, utilisation(costs))}; {f'widen {wide}, or ' if wide else ''}give it fewer devices"


def spoken(wide: Sequence[Widened]) -> str:
    """The first three in words."""
    more = len(wide) - 3
    return " and ".join([*map(str, wide[:3]), *([f"{more} more likewise"] if more > 0 else [])])


def _round(seconds: float) -> float | None:
    return next((each for each in ROUND if each >= seconds * 0.999_999), None)
