"""The demo: a plant, a platform and the agent between them; two things go wrong, then the accounts are compared."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.demo.children import Child, free_ports
from agent.demo.consumer import consume
from agent.demo.parts import AGENT, BROKER, CONFIG, DATA
from agent.demo.screen import Screen
from agent.demo.site import COMPRESSOR, DEVICES, METER, PRESS, Ports, config_text
from agent.demo.story import ACTS, Act, Scene
from agent.demo.tally import Tally
from agent.demo.uplink import Uplink
from agent.demo.verdict import Account, Result, complete, judge
from agent.model.errors import AgentError

PICTURE = 0.2  # seconds between two pictures
FIRST_VALUES = 20.0  # seconds for the agent to bring the first frame of each device
RECONNECT = 10.0  # seconds for the agent to find the uplink again
STOP = 15.0  # seconds for the agent to end once told to
SETTLE = 5.0  # seconds for the broker to hand over the last messages

Ledger = Callable[[Path], Sequence[Account]]


class Play:
    """One run of the demo in `folder`, which may be kept; `ledger` reads a data directory at rest."""

    def __init__(self, seconds: float, folder: Path, screen: Screen, ledger: Ledger) -> None:
        self._seconds, self._folder, self._screen, self._ledger = seconds, folder, screen, ledger
        self._ports = Ports(*free_ports(5))
        self._tally, self._scene, self._heard = Tally(), Scene(), 0
        self._uplink = Uplink(self._ports.uplink, self._ports.broker)
        places = {METER: self._ports.meter, COMPRESSOR: self._ports.compressor, PRESS: self._ports.press}
        self._servers = {name: Child(name, folder, port=port) for name, port in places.items()}
        self._servers[BROKER] = Child(BROKER, folder, port=self._ports.broker)
        self._agent = Child(AGENT, folder)

    async def run(self) -> Result:
        """Play to the end. Leaves no process behind, however it ends. Raises AgentError when a part of it fails."""
        (self._folder / CONFIG).write_text(config_text(self._ports), "utf-8")
        try:
            return await self._staged()
        except BaseExceptionGroup as group:  # nothing is held back: its first error, or the cancellation, goes on alone
            raise _first(group) from group
        finally:
            await _all(child.end() for child in (self._agent, *self._servers.values()))

    async def _staged(self) -> Result:
        subscribed = asyncio.Event()
        self._screen.say(f"files are in {self._folder} (configuration: {CONFIG})")
        self._screen.say(f"starting the plant ({', '.join(DEVICES)}) and the platform's broker")
        await _all(server.start() for server in self._servers.values())
        async with self._uplink, asyncio.TaskGroup() as group:
            helpers = (
                group.create_task(consume(self._ports.broker, self._tally, subscribed), name="consumer"),
                group.create_task(self._pictures(), name="pictures"),
            )
            await subscribed.wait()
            await self._agent.start()
            watch = group.create_task(self._watch(), name="watch")
            await self._until(lambda: len(self._tally.newest) == len(DEVICES), FIRST_VALUES, "brings no values")
            self._screen.say("values of all devices arrive")
            await self._story()
            watch.cancel()
            result = await self._account()
            self._screen.draw(self._tally, self._scene, time.time())
            for helper in helpers:
                helper.cancel()
        return result

    async def _story(self) -> None:
        started = time.monotonic()
        for act in ACTS:
            while (left := started + act.at * self._seconds - time.monotonic()) > 0:
                self._scene.done = (time.monotonic() - started) / self._seconds
                await asyncio.sleep(min(left, PICTURE))
            if act.key == "end":
                await self._until(lambda: self._tally.total > self._heard, RECONNECT, "does not connect again")
            self._screen.say(act.text)
            await self._perform(act)
        self._scene.done = 1.0

    async def _perform(self, act: Act) -> None:
        if act.key == "kill":
            self._scene.dead.add(COMPRESSOR)
            await self._servers[COMPRESSOR].kill()
        elif act.key == "revive":
            await self._servers[COMPRESSOR].start()
            self._scene.dead.discard(COMPRESSOR)
        elif act.key == "cut":
            self._scene.cut = True
            await self._uplink.cut()
        elif act.key == "restore":
            self._heard = self._tally.total
            await self._uplink.restore()
            self._scene.cut = False

    async def _account(self) -> Result:
        """Stop the agent while the plant goes on, and compare its ledger with what has arrived."""
        self._agent.ask_to_end()
        exit_code = await self._agent.wait(STOP)
        if exit_code is None:
            await self._agent.kill()
        accounts = self._ledger(self._folder / DATA)
        with suppress(AgentError):
            await self._until(lambda: complete(accounts, self._tally), SETTLE, "")
        return judge(accounts, self._tally, DEVICES, exit_code=exit_code)

    async def _pictures(self) -> None:
        while True:
            self._screen.draw(self._tally, self._scene, time.time())
            await asyncio.sleep(PICTURE)

    async def _watch(self) -> None:
        """The agent must not end before it is told to."""
        exit_code = await self._agent.wait(None)
        raise self._agent.failure(f"ended with exit code {exit_code}")

    async def _until(self, done: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Wait for something that shows in the tally. Raises AgentError."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise self._agent.failure(f"{otherwise} within {seconds:g} s")
            await asyncio.sleep(0.05)


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do them side by side; the first error is raised when all have ended."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
