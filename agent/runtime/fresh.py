"""How old a command is, and whether our clock is good enough to say so."""

from agent.model.clock import Clock
from agent.model.errors import AgentError
from agent.northbound.house import Command
from buffer.clocks import SYNCED, WRONG, state

SECOND = 10**9
STEP, DRIFT = SECOND // 2, 1000  # of our clock against the monotonic one: ns at once, and a part of the time between


class Stale(AgentError):
    """The command is too old, or nobody can say how old it is."""


class OurClock:
    """Watches the wall clock: one that was set, and that nobody vouches for since, tells no age."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked, self._offset = clock.mono(), clock.wall() - clock.mono()
        self._stepped = 0

    def doubt(self) -> str:
        """Why its time is not to be relied on; empty when it is."""
        wall, mono = self._clock.wall(), self._clock.mono()
        moved, elapsed = wall - mono - self._offset, mono - self._looked
        self._looked, self._offset = mono, wall - mono
        if abs(moved) > STEP + elapsed // DRIFT:
            self._stepped = moved
        found = state(self._clock)
        if found == SYNCED:
            self._stepped = 0
        if found == WRONG:
            return "our clock is not set"
        return f"our clock was set by {self._stepped / SECOND:+,.0f} s" if self._stepped else ""


def fresh(command: Command, max_age: float, now: int, doubt: str) -> float | None:
    """For how many seconds from now the command is worth anything, None: it does not say. Raises Stale.

    `now` is ns UTC. One that does not say when it was given has just come; see `Command`.
    """
    if not command.issued:
        return command.ttl or None
    if doubt:
        hint = "have the gateway's clock kept in step (NTP), or restart the agent when its time is right"
        raise Stale(f"{doubt}, so nobody can tell how old the command is", hint=hint)
    age = (now - command.issued) / SECOND
    if age < -max_age:
        raise Stale(
            f"its time is {-age:,.1f} s ahead of ours", hint=f"which of the two clocks is wrong? {_at_most(max_age)}"
        )
    if age > max_age:
        raise Stale(f"it was given {age:,.1f} s ago", hint=f"{_at_most(max_age)}; is one of the two clocks wrong?")
    if command.ttl and age > command.ttl:
        raise Stale(f"it was given {age:,.1f} s ago, for {command.ttl:g} s", hint="give it again")
    return command.ttl - max(age, 0.0) if command.ttl else None


def _at_most(max_age: float) -> str:
    return f"at most {max_age:g} s may be between them (`max_age`)"
