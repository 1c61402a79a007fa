"""What time alone brings: windows that end, alarms that have waited, values that are due to be repeated."""

import asyncio

from agent.health import Part
from agent.model.clock import Clock
from agent.normalise import Steps
from agent.runtime.inlet import Inlet

EVERY = 1.0  # seconds


async def tick(steps: Steps, inlet: Inlet, clock: Clock, part: Part) -> None:
    """Ask the steps once a second, for ever."""
    while True:
        await asyncio.sleep(EVERY)
        await inlet.room()
        for made in steps.tick(clock.wall(), clock.mono()):
            inlet.add(made)
        part.up()
