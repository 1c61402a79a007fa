"""A server's own clock: whether it goes on, and how far it is from ours."""

from dataclasses import dataclass

from agent.model.clock import Clock
from drivers.opcua.columns import TICKS_1970
from drivers.opcua.session import Session

STANDSTILL = 10.0  # seconds for which a clock that went may stand before its server is taken to hang
JUMP = 5.0  # seconds that it may go back, as clocks do that are set right
FAR = 60.0  # seconds between the two clocks that somebody should hear of


@dataclass(slots=True)
class ServerClock:
    """`skew` is how many seconds the server's clock is ahead of ours, give or take half a round trip; None: not known.

    A clock that was never seen to move is not judged: some servers say the same time for ever.
    """

    skew: float | None = None
    _said: int = 0
    _moved: float = 0.0
    _goes: bool = False
    _start: int = 0

    def note(self, said: int, start: int, between: float, now: float) -> str:
        """What is wrong, if anything. `said` and `start` are the server's in ticks, 0 where it says nothing; `between`
        is our time in the middle of question and answer, in seconds since 1601; `now` is monotonic."""
        if not said:
            return ""
        self.skew = said / 1e7 - between
        restarted = bool(self._start and start and start != self._start)
        before, self._start = self._said, start or self._start
        self._said = said
        if said != before:
            self._goes = bool(before)
            self._moved = now
        if restarted:
            return "the server was started anew"
        if said < before - JUMP * 1e7:
            return f"the server's clock went back by {(before - said) / 1e7:.0f} s"
        if self._goes and now - self._moved > STANDSTILL:
            return f"the server's clock has stood still for {now - self._moved:.0f} s"
        return ""

    @property
    def far(self) -> bool:
        return self.skew is not None and abs(self.skew) > FAR


async def look(session: Session, server: ServerClock, clock: Clock) -> str:
    """Ask for the server's time; what is wrong with it, if anything."""
    asked = clock.wall()
    said, start = await session.status()
    between = (asked + clock.wall()) / 2e9 + TICKS_1970 / 1e7
    return server.note(said, start, between, clock.mono() / 1e9)
