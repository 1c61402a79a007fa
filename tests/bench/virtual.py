"""Time that passes only while everybody waits: hours of a bus in seconds of processor time, exact to the nanosecond."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from agent.model.clock import Clock

T = TypeVar("T")
NOON = 1_700_000_000_000_000_000  # ns UTC, a whole second


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for a timer it says how long that would have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("everybody waits for somebody else, and no timer is set")
        if not events and timeout:
            self.passed += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when nothing is ready. Not for threads, processes or real sockets."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed

    def mono(self) -> int:
        return round(self._virtual.passed * 1e9)

    def clock(self) -> Clock:
        """Both of its clocks go with the loop."""
        return Clock(wall=lambda: NOON + self.mono(), mono=self.mono, synced=lambda: True)


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own; `asyncio.get_running_loop()` is a `VirtualLoop` in there."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def running() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
