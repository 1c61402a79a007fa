"""Says in time that the status server's certificate expires: 30, 7 and 1 days before, and once it has."""

import asyncio

from agent.health import Part
from agent.northbound.trust import LOOK, Expiry, files


async def watch(cert: str, part: Part, every: float = LOOK) -> None:
    """For ever. A file that cannot be read is the server's to tell."""
    expiry = Expiry(part.noticed, tell=part.certified)
    while True:
        expiry.judge(await asyncio.to_thread(files, "", cert))
        await asyncio.sleep(every)
