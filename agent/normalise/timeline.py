"""How long something was in which state, by the times of its readings and by the clock that never steps.

A state holds until the next reading. Time counts for it only as far as both agree: what the times of a source jump
ahead of the monotonic clock by more than a minute, what passes while the agent is down, and what passes without an
answer, is `unknown`. Time that goes backwards counts for nothing but what has passed meanwhile.
"""

from typing import NamedTuple

SECOND = 10**9
MINUTE = 60 * SECOND
AHEAD = MINUTE  # that the times of a source may be ahead of what has passed here: late data that comes at once
LONGEST = 366 * 24 * 60 * MINUTE  # of a gap that is counted; a longer one is a clock that was wrong
UNKNOWN = -1  # the place of no state


class Stretch(NamedTuple):
    """From `start` and before `end`, in ns UTC, it was in the state `place`."""

    start: int
    end: int
    place: int


class Timeline:
    """`place` is the state now, counted up to `t` (ns UTC); `mono` is 0 when no reading of this run has come."""

    __slots__ = ("begun", "mono", "place", "t")

    def __init__(self) -> None:
        self.place, self.t, self.mono, self.begun = UNKNOWN, 0, 0, False

    def go(self, t: int, mono: int, *, most: int = 0, stamped: bool = False) -> list[Stretch]:
        """Time has come so far; what that adds. More than `most` ns (0: no bound) at once are unknown.

        `stamped`: `t` is the source's own time, and not that of the gateway, which is as long as `mono` says.
        """
        if not self.begun:
            self.begun, self.t, self.mono = True, t, mono
            return []
        start, passed, here = self.t, t - self.t, mono - self.mono if mono and self.mono else -1
        self.t, self.mono = t, mono
        if here < 0:  # another run, or another machine's clock
            return _stretch(start, t, UNKNOWN) if 0 < passed <= LONGEST else []
        if passed < 0 or not stamped:
            start, passed = t - here, here
        lost = passed if most and here > most else max(0, passed - here - AHEAD)
        return _stretch(start, start + lost, UNKNOWN) + _stretch(start + lost, start + passed, self.place)

    def later(self, mono: int) -> int:
        """What time it is for the source when the monotonic clock says this; not before the last reading."""
        return self.t + max(0, mono - self.mono) if self.mono else self.t


def _stretch(start: int, end: int, place: int) -> list[Stretch]:
    return [Stretch(start, end, place)] if end > start else []
