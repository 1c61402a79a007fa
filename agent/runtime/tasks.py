"""How tasks are begun in the one group, and how they are brought to an end."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]
Named = tuple[str, Work]
Start = Callable[[Iterable[Named]], list[asyncio.Task[None]]]
CLOSE = 5.0  # seconds for devices to be let go
log = logging.getLogger("floorgate")


def starter(group: asyncio.TaskGroup) -> Start:
    """What begins tasks in this group."""

    def start(works: Iterable[Named]) -> list[asyncio.Task[None]]:
        return [group.create_task(work(), name=name) for name, work in works]

    return start


async def finish(tasks: Sequence[asyncio.Task[None]], within: float, *, cancel: bool = False) -> None:
    """Wait for tasks to end; those that are not done in time, or are not meant to end by themselves, are cancelled."""
    if cancel:
        for task in tasks:
            task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=within)
        for task in late:
            log.warning("%s did not finish within %g s", task.get_name(), within)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CLOSE)
