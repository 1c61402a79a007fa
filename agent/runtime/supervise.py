"""Who retries, and when: everything that fails comes back here, and only here.

Waits follow full jitter: a random share of a bound that doubles with each failure, so that devices and gateways which
failed together do not come back together. A link that was healthy for a minute starts over with a short bound. When a
device that shares its wire is asked again is decided in `breaker.py`: there every try costs the others.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from agent.health import Part
from agent.model.errors import AgentError, Denied, DeviceError, Garbled, Unreachable

FIRST = 1.0
HEALTHY = 60.0


class Backoff:
    """How long to wait after each failure; `cap` bounds the wait in seconds. A healthy minute starts over.

    Two tries begin at least `spacing` seconds apart, and up to half of that more.
    """

    def __init__(
        self,
        cap: float,
        *,
        spacing: float = 0.0,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._cap, self._spacing, self._now, self._jitter = cap, spacing, now, jitter
        self._began = now()
        self._failures = 0
        self._healthy_since: float | None = None

    def began(self) -> None:
        """A try begins."""
        self._began = self._now()

    def succeeded(self) -> None:
        if self._healthy_since is None:
            self._healthy_since = self._now()

    def failed(self) -> float:
        """Seconds to wait before the next try."""
        healthy = 0.0 if self._healthy_since is None else self._now() - self._healthy_since
        self._healthy_since = None
        if healthy >= HEALTHY:
            self._failures = 0
        bound = min(self._cap, FIRST * 2.0**self._failures)
        if bound < self._cap:
            self._failures += 1
        spaced = self._began + self._spacing * (1 + self._jitter() / 2) - self._now() if self._spacing else 0.0
        return max(bound * self._jitter(), spaced)


async def attempt(work: Awaitable[object], part: Part) -> Exception | None:
    """Wait for `work`; what it raises is noted at `part` and returned. The only place where any error is caught.

    To be cancelled is an error where nobody has asked for it: a library has cancelled what is waited for, and the task
    would end without a word.
    """
    try:
        await work
    except Denied as error:
        part.blocked(error)
        return error
    except AgentError as error:
        part.down(error)
        return error
    except Exception as error:  # noqa: BLE001  # a bug in one part must not stop the others; it is logged and counted
        bug = error
        while isinstance(bug, ExceptionGroup):
            bug = bug.exceptions[0]
        if isinstance(bug, AgentError):
            return await attempt(_again(bug), part)
        part.bug(bug)
        return bug
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        stray = RuntimeError("what was waited for has been cancelled, and nobody had asked for that")
        part.bug(stray)
        return stray
    return None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _again(error: AgentError) -> None:
    raise error


def unreachable(error: Exception | None) -> bool:
    """Whether the whole device is in doubt, not just what was asked of it."""
    return error is not None and (isinstance(error, Unreachable | Garbled) or not isinstance(error, DeviceError))


async def keep(work: Callable[[], Awaitable[object]], part: Part, backoff: Backoff, stop: asyncio.Event) -> None:
    """Run `work` again and again until it ends by itself or `stop` is set; a blocked part is tried once a minute."""
    while True:
        backoff.began()
        error = await attempt(work(), part)
        if error is None:
            return
        if _is_cancelled():
            raise asyncio.CancelledError  # a task group with an error of its own forgets that it was cancelled
        wait = HEALTHY if isinstance(error, Denied) else backoff.failed()
        if await waited(stop, wait):
            return


async def waited(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within that time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
