"""Short turns for threads that work beside the loop, so that the loop has its own soon.

Python lets a thread work for 5 ms when another one wants to, and whoever waits for a socket or a file waits for its
turn again: a loop that does ten such things stands still for 50 ms.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT = 0.0005  # seconds


class _Turns:
    """How many want short turns now, and how long they were before."""

    def __init__(self) -> None:
        self._lock, self._wanted, self._before = threading.Lock(), 0, 0.0

    @contextmanager
    def short(self) -> Iterator[None]:
        with self._lock:
            if not self._wanted:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(SHORT)
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    sys.setswitchinterval(self._before)


short = _Turns().short  # as there is one interpreter
