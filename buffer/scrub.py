"""Reads what waits in the file once an hour, so that rot is found while the other sinks may still have the frames.

A frame that no sink asks for is looked at by nobody else, for as long as a sink is away.
"""

from collections.abc import Callable

from buffer.log import Log

_PASS = 3600  # calls, one a second, in which all frames have their turn
_MOST = 1 << 20  # bytes a call, whatever that means for the hour


class Scrub:
    """Goes round through the frames of one log; `check` looks at those from one seq to another."""

    def __init__(self, log: Log, check: Callable[[int, int], None]) -> None:
        self._log, self._check = log, check
        self._at = 0  # the last seq that was looked at

    def step(self, used: int) -> None:
        """Check the next few; the file holds about `used` bytes. Raises sqlite3.Error."""
        present = self._log.present
        if not present.size:
            return
        share = min(-(-present.size // _PASS), max(1, _MOST * present.size // max(used, 1)))
        span = present.after(self._at) or present.after(0)
        if span:
            first, last = span[0], min(span[1], span[0] + share - 1)
            self._check(first, last)
            self._at = last
