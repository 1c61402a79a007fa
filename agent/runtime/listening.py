"""Reads the devices of a site as the agent does, and keeps nothing: for a recording without an agent."""

import asyncio
from collections.abc import Sequence
from functools import partial

from agent.config import Site
from agent.health import Health
from agent.model.clock import SYSTEM
from agent.normalise import Steps
from agent.runtime.inlet import Inlet
from agent.runtime.line import Line
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, keep
from drivers.api import Driver, Poller, Subscriber

CAP = 5.0  # seconds: what failed is tried again at least about this often


async def listen(site: Site, drivers: Sequence[Driver], stop: asyncio.Event) -> None:
    """Until `stop` is set; devices are closed on the way out."""
    health, inlet, steps = Health(), Inlet(), Steps((), site.recipes)
    lines: dict[str, list[Poller]] = {}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_drain(inlet), name="drain")]
        for driver in drivers:
            if isinstance(driver, Subscriber):
                part, backoff = health.part("device", driver.device), Backoff(CAP)
                session = Subscription(driver, steps, inlet, part, SYSTEM, backoff)
                work = partial(keep, session.run, part, backoff, stop)
                tasks.append(group.create_task(work(), name=f"sub:{driver.device}"))
            elif isinstance(driver, Poller):
                lines.setdefault(driver.line, []).append(driver)
        for name, members in lines.items():
            part = health.part("line", name)
            line = Line(members, part, steps, inlet, health, SYSTEM)
            work = partial(keep, line.run, part, Backoff(CAP), stop)
            tasks.append(group.create_task(work(), name=f"line:{name}"))
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _drain(inlet: Inlet) -> None:
    while True:
        await inlet.take(0.5)
