"""When a scan group is due: multiples of its interval on the wall grid, shifted by its line's phase, never drifting."""

from dataclasses import dataclass

from agent.model.tag import Schema
from drivers.api import Driver

EARLY = 2_000_000  # ns by which a timer may fire before its slot and still count as that slot
PHASES = 8
SPREAD = 1_000_000_000  # ns: phases stay within one second, so that a 15-minute reading is not taken at minute seven


def phase(place: int, of: int, interval: int) -> int:
    """ns by which line `place` of `of` lines shifts a group of this interval (ns), so that not all start at once.

    Many lines share a phase: their requests then leave in one turn of the loop and their answers are found by one look,
    which costs a third less CPU than one wake-up per line (figures in tests/bench/README.md).
    """
    phases = min(of, PHASES)
    return min(interval, SPREAD) * (place % phases) // phases


def until_next(wall: int, interval: int, shift: int) -> int:
    """ns from `wall` to the next slot of the grid; a slot closer than `EARLY` has just been served."""
    early = min(EARLY, interval // 10)
    return interval - (wall - shift + early) % interval + early


def missed(due: int, mono: int, interval: int) -> int:
    """How many slots have passed unused since the one at `due`; both on the monotonic clock (ns)."""
    return max(0, (mono - due) // interval)


@dataclass(slots=True, eq=False)
class Turn:
    """A scan group on its line's calendar."""

    due: int  # ns, monotonic
    driver: Driver
    schema: Schema
    interval: int  # ns
    shift: int  # ns

    def __lt__(self, other: "Turn") -> bool:
        return self.due < other.due

    def advance(self, wall: int, mono: int) -> int:
        """Move to the next slot that is still ahead; returns how many were missed."""
        late = missed(self.due, mono, self.interval)
        self.due = mono + until_next(wall, self.interval, self.shift)
        return late
