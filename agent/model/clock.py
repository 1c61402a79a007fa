"""The two clocks: wall time for people, monotonic time for waits; a test hands in its own."""

import ctypes
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TIMEX = 256  # bytes, more than `struct timex` has anywhere
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def kernel_synced() -> bool:
    """Whether the kernel holds the wall clock to be in step (NTP, PTP); where it cannot be asked, it is trusted."""
    adjtimex = _adjtimex()
    return adjtimex is None or adjtimex(ctypes.create_string_buffer(_TIMEX)) != _TIME_ERROR


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
