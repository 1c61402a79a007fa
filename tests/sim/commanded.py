"""A running agent with sinks of the kind `pipe`, and somebody who gives it commands; as a program, the agent alone:

python -m tests.sim.commanded SITE DATA [--die]    --die: when the first entry is in the audit, and not sent
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import registry
from agent.config import load
from agent.model.clock import SYSTEM, Clock
from agent.runtime import app
from agent.runtime.book import Book

KIND = "tests.sim.pipe"
_ids = itertools.count(1)


@dataclass
class Platform:
    """One connection to a `pipe` sink."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @staticmethod
    def now() -> int:
        """As `issued_at` has it."""
        return time.time_ns() // 10**6

    def give(self, device: str, tag: str, value: object, **more: Any) -> str:
        """Send a command, which is a fresh one with an id of its own unless `more` says otherwise; its id."""
        found = {"id": f"{next(_ids)}", "device": device, "tag": tag, "value": value}
        found |= {"issued_at": self.now(), **more}
        self.writer.write(json.dumps(found).encode() + b"\n")
        return str(found["id"])

    async def answer(self) -> dict[str, Any]:
        """The next one, whosever it is."""
        async with asyncio.timeout(20):
            line = await self.reader.readline()
        found: dict[str, Any] = json.loads(line)
        return found

    async def ask(self, device: str, tag: str, value: object, **more: Any) -> dict[str, Any]:
        self.give(device, tag, value, **more)
        return await self.answer()

    async def done(self, device: str, tag: str, value: object) -> dict[str, Any]:
        """The answer to a command that is given until the device is up."""
        async with asyncio.timeout(20):
            while (found := await self.ask(device, tag, value))["outcome"] in ("refused", "busy"):
                await asyncio.sleep(0.05)
        return found


Meet = Callable[[str], Awaitable[Platform]]


@asynccontextmanager
async def meetings(folder: Path) -> AsyncIterator[Meet]:
    """Connects to sinks by their names, which may not be there yet; at the end all hang up."""
    writers: list[asyncio.StreamWriter] = []

    async def meet(sink: str) -> Platform:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    found = Platform(*await asyncio.open_unix_connection(folder / sink, limit=1 << 20))
                    writers.append(found.writer)
                    return found
                await asyncio.sleep(0.02)

    try:
        yield meet
    finally:
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def site(folder: Path, devices: str, *sinks: str, allow: Sequence[str] = ("*/*",), per_minute: int = 600) -> Path:
    """A file with these devices (YAML) and a sink for each name, whose socket lies in the folder."""
    text = "gateway: {id: gw}\nbuffer: {commit: 50ms, max_size: 64MB, reserve: 64MB}\ndevices:\n" + devices + "sinks:\n"
    for sink in sinks:
        commands = json.dumps({"allow": [*allow], "per_minute": per_minute})
        text += f"  - {{name: {sink}, type: pipe, socket: '{folder / sink}', commands: {commands}}}\n"
    path = folder / "site.yaml"
    path.write_text(text)
    return path


@asynccontextmanager
async def agent(path: Path, clock: Clock = SYSTEM) -> AsyncIterator[Meet]:
    """The agent on this site in this loop; its data lies beside it."""
    registry.SINKS["pipe"] = KIND
    registry.sinks.cache_clear()
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(app.run(load(path, {}), path.parent / "data", stop, clock), name="agent")
            try:
                async with meetings(path.parent) as meet:
                    yield meet
            finally:
                stop.set()
                await task
    finally:
        del registry.SINKS["pipe"]
        registry.sinks.cache_clear()


@asynccontextmanager
async def process(path: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Meet]]:
    """The same in a process of its own, killed at the end."""
    command = [sys.executable, "-m", "tests.sim.commanded", str(path), str(path.parent / "data"), *options]
    running = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    )
    try:
        async with meetings(path.parent) as meet:
            yield running, meet
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def _die(self: Book, *args: Any, **more: Any) -> int:
    await _begin(self, *args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


if __name__ == "__main__":
    registry.SINKS["pipe"] = KIND
    if "--die" in sys.argv:
        _begin, Book.begin = Book.begin, _die  # type: ignore[method-assign]  # this program is there to die
    asyncio.run(app.run(load(Path(sys.argv[1]), {}), Path(sys.argv[2]), asyncio.Event()))
