"""A device on its line: whether it is open, how it has been, and what it waits for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.health import Part
from agent.runtime.breaker import Breaker
from agent.runtime.notes import notes
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
    note: Callable[[], None] | None = None  # to be called after each frame

    def gave(self) -> None:
        """A frame of the device has been handed on."""
        self.part.frames += 1
        if self.note is not None:
            self.note()


def seated(driver: Poller, part: Part) -> Seat:
    part.breaker = "closed"
    least = int(driver.spacing * 1e9) if isinstance(driver, Spaced) else 0
    learner = driver if isinstance(driver, Learner) else None
    return Seat(driver, part, learner, Breaker(least), note=notes(driver, part))
