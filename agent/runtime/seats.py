"""A device on its line: whether it is open, how it has been, and what it waits for."""

from dataclasses import dataclass, field

from agent.health import Part
from agent.runtime.breaker import Breaker
from drivers.api import Learner, Poller, Spaced


@dataclass(slots=True, eq=False)
class Seat:
    """One device of a line."""

    driver: Poller
    part: Part
    learner: Learner | None = None
    whole: Breaker = field(default_factory=Breaker)
    is_open: bool = False
    hurried: bool = False  # to be probed next
    probe_at: int = 0  # monotonic ns, while it is dead
    waiting: int = 0  # groups of it that are due


def seated(driver: Poller, part: Part) -> Seat:
    part.breaker = "closed"
    least = int(driver.spacing * 1e9) if isinstance(driver, Spaced) else 0
    return Seat(driver, part, driver if isinstance(driver, Learner) else None, Breaker(least))
