"""What systemd is told of the agent: sd_notify(3), a datagram each; nothing where nobody has asked for it."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress

from agent.model import host
from agent.model.text import plain

SOCKET, USEC, PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
OFTEN = 10.0  # seconds between two requests for more time
MORE = 60.0  # seconds that each asks for
LONGEST = 3600.0  # seconds for which more time is asked for, all in all
LONG = 500  # characters of a status
LEAST = 0.1  # seconds within which a watchdog may want to hear: more often would be all that the loop does
_DIGITS = 18
_SILENT: Mapping[str, str] = {}


class Notify:
    """`watchdog` is within how many seconds it wants to hear that all is well; 0: it does not.

    What it says never waits and never raises: a service manager that does not listen is no trouble of ours.
    """

    def __init__(self, given: Mapping[str, str] = _SILENT) -> None:
        address, usec = given.get(SOCKET, ""), given.get(USEC, "")
        self._address = address.replace("@", "\0", 1) if address[:1] == "@" else address if address[:1] == "/" else ""
        ours = given.get(PID, "") in ("", str(os.getpid()))
        number = int(usec) if usec.isdecimal() and len(usec) <= _DIGITS else 0
        self.watchdog = max(LEAST, number / 1e6) if self._address and ours and number else 0.0
        self._status = self._owed = ""

    @classmethod
    def taken(cls, environ: MutableMapping[str, str]) -> "Notify":
        """What the environment says, which is meant for this process alone: its children are not to find it there."""
        return cls({name: environ.pop(name) for name in (SOCKET, USEC, PID) if name in environ})

    def ready(self) -> None:
        """It serves; again after each `reloading`. Who never hears of it ends the agent, so it is said until it is
        taken: see `alive`."""
        self._owed = "" if self._say("READY=1") else "READY=1"

    def reloading(self) -> None:
        self._owed = ""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._owed = ""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Now and then, as long as all is well."""
        if self._owed:
            self.ready()
        if self.watchdog:
            self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people; said when it is another one than before."""
        if text != self._status and self._say(f"STATUS={plain(text[:LONG])}"):
            self._status = text

    @contextmanager
    def slow(self, what: str) -> Iterator[None]:
        """What is done in the block may take long, up to an hour: more time is asked for again and again. The loop has
        to turn meanwhile."""
        loop, end = asyncio.get_running_loop(), time.monotonic() + LONGEST
        timer: asyncio.TimerHandle

        def ask() -> None:
            nonlocal timer
            if time.monotonic() < end:
                self.status(what)
                self._say(f"EXTEND_TIMEOUT_USEC={int(MORE * 1e6)}")
                timer = loop.call_later(OFTEN, ask)

        timer = loop.call_later(OFTEN, ask)
        try:
            yield
        finally:
            timer.cancel()

    def _say(self, *lines: str) -> bool:
        """Whether it is on its way, or nobody wants to hear it."""
        if not self._address:
            return True
        with suppress(OSError):
            end = host.unix_socket(stream=False)
            if end is not None:
                with end:
                    end.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
            return True
        return False
