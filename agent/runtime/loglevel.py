"""How much the agent logs: what its file says, or for a while what somebody who looks for something has asked for."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from agent.model.errors import AgentError
from agent.status.log import LEVELS, LONGEST

log = logging.getLogger("floorgate")


class Level:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._file = "info"
        self._asked, self._until = "", 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, level: str) -> None:
        """The file says so. What was asked for is over."""
        self._file = level
        self._over()

    def ask(self, level: str, seconds: float) -> dict[str, Any]:
        """This one for so long, and then the file's again. Raises AgentError."""
        if level not in LEVELS or not 0 < seconds <= LONGEST:
            raise AgentError("a level lasts up to 7 days", hint=f"one of {', '.join(LEVELS)}, such as for 600 seconds")
        self._over()
        self._asked, self._until = level, self._now() + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)
        log.setLevel(logging.INFO)  # so that this is said in any case
        log.info("log level", extra={"level": level, "seconds": seconds})
        log.setLevel(level.upper())
        return self.status()

    def file(self) -> dict[str, Any]:
        """The file's again, at once."""
        if self._asked:
            self._end()
        return self.status()

    def status(self) -> dict[str, Any]:
        """`{"level", "file", "seconds"}`: what is logged now, what the file says, and for how long it does not hold."""
        left = max(0.0, self._until - self._now()) if self._asked else 0.0
        return {"level": self._asked or self._file, "file": self._file, "seconds": round(left, 1)}

    def _end(self) -> None:
        self._over()
        log.info("log level", extra={"level": self._file})

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._asked = None, ""
        log.setLevel(self._file.upper())
