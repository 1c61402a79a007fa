"""A real agent in this event loop that is told to go over to other sites, with Modbus devices that count."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agent.config import Site, load
from agent.health import Health, Part
from agent.runtime import app
from agent.runtime.app import App
from agent.runtime.applied import Applied
from agent.status.routes import Route
from buffer.rest import peek_ledger

Said = dict[str, Any]
BUFFER = {"commit": "20ms", "max_size": "64MB", "reserve": "64MB"}


def device(name: str, endpoint: str, *tags: Said, unit: int = 1, **more: Any) -> Said:
    return {"name": name, "driver": "modbus", "endpoint": endpoint, "unit": unit, "tags": [*tags], **more}


def tag(name: str, address: int, **more: Any) -> Said:
    return {"name": name, "address": address, **more}


@dataclass
class Plant:
    """An agent that runs. `out` is where the sink of `said` writes."""

    folder: Path
    app: App
    stop: asyncio.Event
    task: asyncio.Task[None]

    @property
    def health(self) -> Health:
        return self.app.health

    async def apply(self, said: Said, **secrets: str) -> Applied:
        return await self.app.apply(site(self.folder, said, **secrets))

    def part(self, kind: str, name: str) -> Part | None:
        return self.health.parts.get((kind, name))

    def rows(self, name: str = "out") -> list[dict[str, Any]]:
        """What a sink of type `file` has: the envelopes."""
        path = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def values(self, device: str, tag: str, name: str = "out") -> list[Any]:
        """Of one tag as they were sent."""
        rows = (row for row in self.rows(name) if row["device"] == device)
        return [row["values"][tag] for row in rows if tag in row["values"]]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"in vain: {what}")

    async def end(self) -> None:
        self.stop.set()
        await self.task

    def facts(self) -> dict[str, Any]:
        """Where its server listens; empty while it listens nowhere."""
        path = self.folder / "data" / "agent.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

    def accounts(self) -> dict[tuple[str, str], Any]:
        """After the end: by sink and device."""
        return {(each.sink, each.device): each for each in peek_ledger(self.folder / "data" / app.STORE)}


def site(folder: Path, said: Said, **secrets: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return load(path, secrets)


def plain(folder: Path, *devices: Said, **more: Any) -> Said:
    """A site with one sink, a file, and quick commits."""
    sink = {"name": "out", "type": "file", "path": str(folder / "out.jsonl")}
    return {"gateway": {"id": "gw"}, "devices": [*devices], "sinks": [sink], "buffer": BUFFER, **more}


@asynccontextmanager
async def plant(folder: Path, said: Said, routes: Sequence[Route] = (), **secrets: str) -> AsyncIterator[Plant]:
    stop, found = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def steward(running: App) -> None:
        found.set_result(running)

    running = app.run(site(folder, said, **secrets), folder / "data", stop, steward=steward, routes=routes)
    task = asyncio.get_running_loop().create_task(running, name="agent")
    await asyncio.wait([task, found], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    made = Plant(folder, found.result(), stop, task)
    try:
        async with asyncio.timeout(60):
            yield made
    finally:
        await made.end()
