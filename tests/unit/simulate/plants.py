"""A plant and the site that reads it, in one loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agent.config import Site, load
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.normalise import Steps
from agent.runtime.app import build_drivers
from agent.simulate.output import default_output, write_site
from agent.simulate.plant import Plant, endpoints
from drivers.api import Driver, Poller


@asynccontextmanager
async def running(path: Path, seed: int = 1) -> AsyncIterator[tuple[Plant, Site]]:
    """The plant of this file while it runs, and the site that was written for it."""
    plant, stop = Plant(load(path), seed, path.with_suffix(".pki")), asyncio.Event()
    try:
        written = write_site(path, default_output(path), endpoints(await plant.start()), ca=plant.ca)
        async with asyncio.TaskGroup() as group:
            group.create_task(plant.until(stop), name="plant")
            try:
                yield plant, load(written)
            finally:
                stop.set()
    finally:
        await plant.stop()


async def read_all(site: Site, data: Path, scans: int = 1) -> list[Frame]:
    """The last frame of each group of all devices, shaped as when it leaves."""
    drivers: Sequence[Driver] = build_drivers(site, site.devices, data)
    steps, frames = Steps((), site.recipes), []
    try:
        for driver in drivers:
            assert isinstance(driver, Poller)
            await driver.open()
            for schema in driver.schemas:
                for _ in range(scans):
                    frame = await driver.scan(schema)
                frames.append(steps.shaped(frame))
    finally:
        for driver in drivers:
            await driver.close()
    return frames


def bad(frames: Sequence[Frame]) -> dict[str, str]:
    """Tags without a good value: their quality by name."""
    return {
        f"{frame.schema.device}/{tag.name}": f"{Quality(code).name} {value}"
        for frame in frames
        for tag, value, code in frame.rows()
        if code or value is None
    }
