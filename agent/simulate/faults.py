"""Faults on request: what a device does wrong, from when on, and how that is written."""

import re
from dataclasses import dataclass

from agent.model.text import duration, duration_text

HINT = "dead, silent, slow:500ms, garbage, exception:2, flapping:10s, frozen, jump or well"
KINDS = ("dead", "silent", "slow", "garbage", "exception", "flapping", "frozen", "jump", "well")
_TAKES = {"slow": "500ms", "flapping": "10s"}  # a duration, and what it is without one
SLOWEST = 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`since` is seconds of the plant; `seconds` how slow, or how long it is well and ill in turn; `code` of an
    exception."""

    kind: str = "well"
    since: float = 0.0
    seconds: float = 0.0
    code: int = 0

    def at(self, t: float) -> str:
        """What it does at that time: one that flaps is dead half of the time, and begins with that."""
        if self.kind == "flapping":
            return "well" if int((t - self.since) / self.seconds) % 2 else "dead"
        return self.kind

    def __str__(self) -> str:
        if self.kind == "exception":
            return f"exception:{self.code}"
        return f"{self.kind}:{duration_text(self.seconds)}" if self.seconds else self.kind


WELL = Fault()


def parse_fault(text: str, since: float = 0.0) -> Fault:
    """`slow:500ms` and so on. Raises ValueError."""
    kind, colon, rest = text.strip().partition(":")
    if kind not in KINDS or (colon and kind not in (*_TAKES, "exception")):
        raise ValueError(f"{text!r} is no fault: {HINT}")
    if kind in _TAKES:
        seconds = duration(rest if colon else _TAKES[kind])
        if not 0.01 <= seconds <= SLOWEST:
            raise ValueError(f"{text!r}: from 10ms to 1h")
        return Fault(kind, since, seconds)
    if kind == "exception":
        if not re.fullmatch("[0-9]{1,3}", rest or "2") or not 1 <= int(rest or "2") <= 255:
            raise ValueError(f"{text!r}: an exception has a number from 1 to 255, such as exception:2")
        return Fault(kind, since, code=int(rest or "2"))
    return Fault(kind, since)
