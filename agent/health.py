"""State and counters of every line, device, sink and the store: written by the runtime, read by status and cli."""

import logging
import time
from dataclasses import dataclass, field
from typing import Literal

from agent.model.errors import AgentError, StoreError

State = Literal["starting", "up", "down", "blocked", "stopped"]
log = logging.getLogger("floorgate")


@dataclass(slots=True)
class Part:
    """One thing that can be up or down. Its state is logged when it changes and never in between."""

    kind: str
    name: str
    state: State = "starting"
    error: str = ""
    since: float = field(default_factory=time.monotonic)
    scans: int = 0  # groups read
    late: int = 0  # scans whose time passed unused
    frames: int = 0  # frames handed on
    failures: int = 0  # errors, expected ones and bugs
    bugs: int = 0  # errors that nobody foresaw
    dropped: int = 0  # samples thrown away before they were on disk
    rejected: int = 0  # frames that were given up
    aside: int = 0  # frames that the other side refused

    def up(self) -> None:
        if self.state != "up":
            recovered = self.state in ("down", "blocked")
            seconds = time.monotonic() - self.since
            self._enter("up", "")
            if recovered:
                log.info("%s %s is back", self.kind, self.name, extra={"down_s": round(seconds, 1)})

    def down(self, error: AgentError) -> None:
        self.failures += 1
        self._fall("down", logging.ERROR if isinstance(error, StoreError) else logging.WARNING, error)

    def blocked(self, error: AgentError) -> None:
        self.failures += 1
        self._fall("blocked", logging.ERROR, error)

    def bug(self, error: Exception) -> None:
        """A traceback the first time; afterwards it is counted."""
        self.failures += 1
        self.bugs += 1
        self._enter("down", repr(error))
        if self.bugs == 1:
            log.error("%s %s failed in a way nobody foresaw", self.kind, self.name, exc_info=error)

    def lost(self, samples: int) -> None:
        if not self.dropped:
            log.error("%s %s gives samples faster than they can be stored", self.kind, self.name)
        self.dropped += samples

    def refused(self, what: str, error: AgentError) -> None:
        """Data was given up. Said at the 1st, 2nd, 4th, 8th … time, so that a flood of them stays readable."""
        self.rejected += 1
        if self.rejected & (self.rejected - 1) == 0:
            log.error("%s %s gave up %s: %s", self.kind, self.name, what, error, extra={"rejected": self.rejected})

    def set_aside(self, what: str, error: Exception) -> None:
        """The other side refuses it; it is kept for a person. Said like `refused`."""
        self.aside += 1
        if self.aside & (self.aside - 1) == 0:
            log.error("%s %s set aside %s: %s", self.kind, self.name, what, error, extra={"set_aside": self.aside})

    def noticed(self, what: str, level: int = logging.ERROR) -> None:
        """Something that a person should hear of although the part goes on."""
        log.log(level, "%s %s: %s", self.kind, self.name, what)

    def stopped(self) -> None:
        self._enter("stopped", "")

    def _fall(self, state: State, level: int, error: AgentError) -> None:
        if self.state != state or self.error != str(error):
            new = self.state != state
            self._enter(state, str(error))
            if new:
                log.log(level, "%s %s: %s", self.kind, self.name, error)

    def _enter(self, state: State, error: str) -> None:
        if self.state != state:
            self.since = time.monotonic()
        self.state, self.error = state, error


@dataclass(slots=True)
class Health:
    """All parts by (kind, name)."""

    parts: dict[tuple[str, str], Part] = field(default_factory=dict)

    def part(self, kind: str, name: str) -> Part:
        return self.parts.setdefault((kind, name), Part(kind, name))
