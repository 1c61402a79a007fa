"""A steward on real files and a real history, over an agent that only notes what it is changed to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.config import Site
from agent.health import Part
from agent.model.clock import SYSTEM, Clock
from agent.model.errors import ConfigError
from agent.runtime import steward as module
from agent.runtime.history import History
from agent.runtime.startup import begin
from agent.runtime.steward import Steward
from agent.runtime.trial import S, Vitals

WELL = Vitals({("device", "pump"): True, ("sink", "archive"): True}, frozenset({"pump/flow"}))


def site(*tags: str, more: str = "") -> str:
    names = ", ".join(f"{{name: {tag}}}" for tag in tags)
    return f"gateway: {{id: gw}}\ndevices: [{{name: pump, driver: sim, tags: [{names}]}}]\n{more}"


@dataclass
class Agent:
    """`refuses` is what the next change is refused with."""

    applied: list[list[str]] = field(default_factory=list)  # the tags of each site
    now: Vitals = WELL
    refuses: str = ""
    looks: int = 0
    part: Part = field(default_factory=lambda: Part("config", "site.yaml"))

    async def apply(self, site: Site) -> dict[str, Any]:
        if self.refuses:
            raise ConfigError(self.refuses, hint="look again")
        self.applied.append([tag.name for device in site.devices for tag in getattr(device, "tags", ())])
        return {"restarted": 1}

    def vitals(self) -> Vitals:
        self.looks += 1
        return self.now

    def patience(self) -> dict[str, int]:
        return {}


@dataclass
class World:
    """Everything around one steward; `mono` is what the clock shows, in ns."""

    folder: Path
    mono: int = 0
    agent: Agent = field(default_factory=Agent)
    steward: Steward | None = None

    @property
    def file(self) -> Path:
        return self.folder / "site.yaml"

    @property
    def part(self) -> Part:
        return self.agent.part

    @property
    def history(self) -> History:
        return History(self.folder / "data")

    def outcomes(self) -> list[tuple[int, str, str]]:
        return [(each.n, each.why, each.outcome) for each in self.history.state().versions]

    def write(self, text: str) -> None:
        """As an editor does."""
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.file)

    @asynccontextmanager
    async def running(self, *, watch: bool = False, recorded: bool = True) -> AsyncIterator[Steward]:
        """One run of an agent; it ends as by a kill."""
        (self.folder / "data").mkdir(exist_ok=True)
        self.agent.part = Part("config", "site.yaml")
        clock = Clock(SYSTEM.wall, lambda: self.mono)
        site, start = begin(self.file, self.history)
        self.agent.applied.append([tag.name for device in site.devices for tag in getattr(device, "tags", ())])
        self.steward = Steward(self.file, self.history, start, clock, watch=watch)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.steward.run(self.agent))
            await until(lambda: self.part.state != "starting")
            await until(lambda: not recorded or self.history.state().running > 0)
            try:
                yield self.steward
                await until(
                    lambda: self.steward is not None and self.steward._untold is None
                )  # a kill ends threads, too
            finally:
                task.cancel()

    async def passes(self, seconds: float) -> None:
        """So much time goes by, and the steward looks."""
        for _ in range(round(seconds)):
            self.mono += S
            await self._looked(self.agent.looks)
            await asyncio.sleep(module.LOOK * 2)

    async def _looked(self, before: int) -> None:
        steward = self.steward
        assert steward is not None
        await until(lambda: self.agent.looks > before or steward.standing()["trial"] is None)

    async def fails(self, job: Awaitable[Any], error: type[Exception]) -> str:
        try:
            await job
        except error as raised:
            return str(raised)
        raise AssertionError("it went well")

    def gets(self, **changes: bool) -> None:
        """Things by their kind and name with an underscore between: `device_pump=False`."""
        found = {tuple(name.split("_", 1)): well for name, well in changes.items()}
        self.agent.now = replace(WELL, well={**WELL.well, **found})  # type: ignore[dict-item]  # pairs


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")
