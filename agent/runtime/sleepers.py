"""One timer for all who want to be woken in the same millisecond: many lines share a phase of the schedule."""

import asyncio
from collections.abc import Awaitable, Callable

MS = 1_000_000  # ns


class Sleepers:
    """Sleeps of many tasks on one event loop, up to the end of the millisecond; a timer may ring a little early.

    `mono` gives ns of a monotonic clock.
    """

    def __init__(self, mono: Callable[[], int]) -> None:
        self._mono, self._loop = mono, asyncio.get_running_loop()
        self._sleepers: dict[int, list[asyncio.Future[None]]] = {}  # by the ms in which they are to be woken

    def until(self, moment: int) -> Awaitable[None]:
        """To be awaited is a moment (ns) of the clock; whoever is cancelled meanwhile is passed over."""
        end = -(-moment // MS)
        sleeper: asyncio.Future[None] = self._loop.create_future()
        others = self._sleepers.get(end)
        if others is None:
            self._sleepers[end] = [sleeper]
            self._loop.call_later((end * MS - self._mono()) / 1e9, self._ring, end)
        else:
            others.append(sleeper)
        return sleeper

    def _ring(self, end: int) -> None:
        for sleeper in self._sleepers.pop(end):
            if not sleeper.done():
                sleeper.set_result(None)
