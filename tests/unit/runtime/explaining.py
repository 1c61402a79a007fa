"""An agent in this very loop that is asked for reasons, as the command line asks it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.cli.ask import find
from agent.config import load
from agent.model.errors import StoreError
from agent.runtime import app

Ask = Callable[..., Awaitable[Any]]
PATIENCE = 15.0  # seconds


@asynccontextmanager
async def running(folder: Path, text: str) -> AsyncIterator[Ask]:
    """`await ask(path, **query)` gives what it answers, out of JSON."""
    site, data, stop = folder / "site.yaml", folder / "data", asyncio.Event()
    site.write_text(text, "utf-8")
    task = asyncio.create_task(app.run(load(site, {}), data, stop))

    def asked(path: str, query: dict[str, object]) -> Any:
        with find(data) as agent:
            if agent is None:
                raise StoreError("nobody runs")
            return agent.get(path, **query)

    async def ask(path: str, **query: object) -> Any:
        return await asyncio.to_thread(asked, path, query)

    try:
        await settled((data / "agent.json").exists)
        yield ask
    finally:
        stop.set()
        await task


async def settled(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


async def explained(ask: Ask, device: str, tag: str, stage: str, state: str) -> dict[str, Any]:
    """The explanation, as soon as its verdict is this one."""
    row: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                row = await ask("/api/v1/explain", device=device, tag=tag)
                verdict = row["verdict"]
                if (verdict and (verdict["stage"], verdict["state"])) == ((stage, state) if stage else None):
                    return row
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{device}/{tag} is not {state} at {stage}, but {row.get('verdict')}") from None


def states(row: dict[str, Any]) -> dict[str, str]:
    return {stage["stage"]: stage["state"] for stage in row["stages"]}
