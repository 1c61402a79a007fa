"""The store as the event loop sees it: every call goes to the owner thread; the writer task commits the inlet."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import ParamSpec, TypeVar

from agent.health import Part
from agent.model.frame import Frame
from agent.runtime.inlet import Inlet
from agent.runtime.supervise import Backoff
from buffer.ledger import Account
from buffer.writer import Writer

P = ParamSpec("P")
R = TypeVar("R")
TEND = 1.0  # seconds between two rounds of purging and checkpointing


def account_row(account: Account) -> dict[str, object]:
    """An account as it is printed and served."""
    return {**asdict(account), "balanced": account.balanced}


class Storage:
    """Commits in groups and tells the pumps; nothing else in the agent touches the store."""

    def __init__(self, owner: Writer, inlet: Inlet, part: Part, commit: float, backoff: Backoff) -> None:
        self._owner, self._inlet, self._part, self._commit, self._backoff = owner, inlet, part, commit, backoff
        self._frames: list[Frame] = []  # what is being committed; kept when that fails
        self.store = owner.store
        self._bells: list[asyncio.Event] = []

    def bell(self) -> asyncio.Event:
        """An event that is set after each commit; its owner clears it."""
        event = asyncio.Event()
        event.set()
        self._bells.append(event)
        return event

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run in the owner thread. A call that has begun is finished even when the caller is cancelled."""
        return await asyncio.wrap_future(self._owner.call(function, *args, **kwargs))

    async def ledger(self) -> list[dict[str, object]]:
        """Where each sample went, as it stands now."""
        return [account_row(account) for account in await self.call(self.store.ledger)]

    async def run(self) -> None:
        """Commit what comes until the inlet is closed and drained. Raises StoreError; called again, it goes on."""
        while self._frames or (await self._fill()):
            await self.call(self.store.append, self._frames)
            self._part.frames += len(self._frames)
            self._frames = []
            self._backoff.succeeded()
            self._part.up()
            for bell in self._bells:
                bell.set()

    async def tend(self, part: Part) -> None:
        """Keep house every second, for ever. Raises StoreError; called again, it goes on."""
        while True:
            await asyncio.sleep(TEND)
            await self.call(self.store.tend)
            part.up()

    async def _fill(self) -> bool:
        self._frames = await self._inlet.take(self._commit)
        return bool(self._frames)
