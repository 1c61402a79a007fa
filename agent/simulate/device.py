"""One simulated device: its values, its fault, and what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite

from agent.config import Site
from agent.model.frame import Value
from agent.registry import TagConfig
from agent.simulate.faults import WELL, Fault
from agent.simulate.model import Asked, Model

JUMP = 10.0  # how many times a gauge is what it was


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the values of a tag may be, as the device has them."""

    low: float = -inf
    high: float = inf
    rate: float = inf


class Simulated:
    """`clock()` is seconds since the plant was started."""

    def __init__(self, name: str, tags: list[Asked], seed: int, clock: Callable[[], float]) -> None:
        self.name, self.tags, self.clock = name, tags, clock
        self._kinds = {tag.name: tag.kind for tag in tags}
        self.model = Model(name, tags, seed)
        self.fault: Fault = WELL
        self.requests = self.refused = 0

    @property
    def state(self) -> str:
        """What it does wrong now; `well` when nothing."""
        return self.fault.at(self.clock())

    def value(self, tag: str) -> Value:
        """What the tag is now."""
        now, source = self.clock(), self.model.sources[tag]
        if self.fault.kind == "frozen":
            now = self.fault.since
        value = source(now)
        if self.fault.kind != "jump" or isinstance(value, bool | str) or value is None:
            return value
        if self._kinds[tag] != "counter":
            return type(value)(value * JUMP)
        start = source(self.fault.since)  # another meter was put in, which begins at 0
        return value - start if isinstance(start, int | float) else value


def bounds(site: Site, device: str, tag: TagConfig) -> Bounds:
    """The `limits` of a tag on the device's side of its transformers and units."""
    rules = site.recipes.tags.get((device, tag.name))
    if rules is None or rules.limits is None:
        return Bounds()
    limits, how = rules.limits, rules.conversion
    factor, offset = (float(how.factor), float(how.offset)) if how else (1.0, 0.0)
    ends = [-inf if limits.min is None else (limits.min - offset) / factor]
    ends.append(inf if limits.max is None else (limits.max - offset) / factor)
    rate = inf if limits.rate is None else abs(limits.rate / factor)
    low, high = sorted(ends)
    return Bounds(low, high, rate if isfinite(rate) else inf)
