"""The two clocks: wall time for people, monotonic time for waits; a test hands in its own."""

import ctypes
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.model.timedated import Timedated

_TIMEX = 256  # bytes, more than `struct timex` has anywhere
_REFUSED = -1
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def kernel_synced() -> bool:
    """Whether the kernel holds the wall clock to be in step (NTP, PTP); where it cannot be asked, it is trusted. Where
    we may not ask it, timedated is asked."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return True
    found = adjtimex(ctypes.create_string_buffer(_TIMEX))
    return _timedated()() if found == _REFUSED else found != _TIME_ERROR


@cache
def _timedated() -> Timedated:
    return Timedated()


@cache
def _adjtimex() -> Callable[[object], int] | None:
    try:
        found: Callable[[object], int] = ctypes.CDLL(None).adjtimex
    except (AttributeError, OSError, TypeError):
        return None
    return found


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall()` is ns since 1970 UTC, `mono()` ns on a clock that never steps, `synced()` whether `wall` is in step."""

    wall: Callable[[], int] = time.time_ns
    mono: Callable[[], int] = time.monotonic_ns
    synced: Callable[[], bool] = kernel_synced


SYSTEM = Clock()


def boot_id() -> str:
    """What names this boot of the machine, so that monotonic times of one boot can be compared (Linux `boot_id`)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(uuid.uuid4())
