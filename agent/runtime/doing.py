"""A command under way."""

from dataclasses import dataclass, field

from agent.model.clock import Clock
from agent.model.errors import Refused
from agent.northbound.house import Answer, Answered, Command
from agent.runtime.audit import Claim
from agent.runtime.fresh import SECOND
from agent.runtime.write import Leaving

PATIENCE = 5.0  # seconds that a command may wait for its device and its wire


@dataclass(slots=True, eq=False)
class Doing:
    """A command under way: `patience` is for how many seconds it may still wait, `until` when it is worth nothing any
    more (monotonic ns)."""

    command: Command
    answered: Answered
    claim: Claim | None
    clock: Clock
    patience: float = PATIENCE
    until: int | None = None
    given: Answer | None = None  # by the sink itself, to what is no command
    twin: bool = False  # another with its id is under way
    admitted: bool = False
    dropped: bool = False
    leaving: Leaving = field(default_factory=Leaving)
    _since: int = 0

    def wait(self) -> float:
        """It waits from now on; for how many seconds at most."""
        self._since = self.clock.mono()
        left = self.patience if self.until is None else min(self.patience, (self.until - self._since) / SECOND)
        return max(left, 0.0)

    def go(self) -> None:
        """The wait is over. Raises Refused when it was too long, or nobody waits for the answer any more."""
        now = self.clock.mono()
        self.patience -= (now - self._since) / SECOND
        self._since = now
        if self.dropped:
            raise Refused("the connection over which it came is gone", hint="nothing was sent")
        if self.patience < 0 or (self.until is not None and now > self.until):
            raise Refused("it had to wait too long for the device", hint="nothing was sent; give it again")
