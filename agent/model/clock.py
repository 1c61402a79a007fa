"""The two clocks: wall time for people, monotonic time for waits; a test hands in its own."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall()` is ns since 1970 UTC, `mono()` ns on a clock that never steps."""

    wall: Callable[[], int] = time.time_ns
    mono: Callable[[], int] = time.monotonic_ns


SYSTEM = Clock()


def boot_id() -> str:
    """What names this boot of the machine, so that monotonic times of one boot can be compared (Linux `boot_id`)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(uuid.uuid4())
