"""The store as the event loop sees it: every call goes to the owner thread; the writer task commits the inlet."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import ParamSpec, TypeVar

from agent.health import Part
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.runtime.inlet import Inlet
from agent.runtime.supervise import Backoff
from buffer.ledger import Account
from buffer.writer import Writer

P = ParamSpec("P")
R = TypeVar("R")
LOST = {  # what the store itself gives up; what a sink refuses is said by its pump
    "age": "a sink was away for longer than `keep`",
    "size": "a sink was away until `max_size` was full",
    "reserve": "a sink is away, and the disk has less free than `reserve`",
    "full": "a sink is away, and the disk is full",
    "corrupt": "damaged on the disk",
    "missing": "no longer in the file",
}
TEND = 1.0  # seconds between two rounds of purging and checkpointing


def account_row(account: Account) -> dict[str, object]:
    """An account as it is printed and served."""
    return {**asdict(account), "balanced": account.balanced}


class Storage:
    """Commits in groups and tells the pumps; nothing else in the agent touches the store."""

    def __init__(self, owner: Writer, inlet: Inlet, part: Part, commit: float, backoff: Backoff) -> None:
        self._owner, self._inlet, self._part, self._commit, self._backoff = owner, inlet, part, commit, backoff
        self._frames: list[Frame] = []  # what is being committed; kept when that fails
        self._share: int | None = None  # how many of them at a time; None: all
        self._trying = False  # still set when `run` begins anew: the store did not fail, the frames were no good
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
        """Commit what comes until the inlet is closed and drained. Raises StoreError; called again, it goes on.

        Frames over which the store stumbles in a way nobody foresaw are tried one by one; the one that does it is
        given up, so that a bug in one driver does not keep the others from the disk.
        """
        if self._trying:
            self._stumbled()
        while self._frames or (await self._fill()):
            await self._append(self._frames[: self._share])
            del self._frames[: self._share]
            self._share = self._share if self._frames else None
            self._backoff.succeeded()
            self._part.up()
            for bell in self._bells:
                bell.set()

    async def _append(self, frames: list[Frame]) -> None:
        self._trying = True
        try:
            await self.call(self.store.append, frames)
        except StoreError:
            self._trying = False
            raise
        self._trying = False
        self._part.frames += len(frames)

    def _stumbled(self) -> None:
        self._trying = False
        if self._share == 1 or len(self._frames) == 1:
            bad = self._frames.pop(0)
            error = StoreError("the store cannot hold it", hint="report this, with the traceback above")
            self._part.refused(f"a frame of {bad.schema.device}", error)
        self._share = 1 if self._frames else None

    async def tend(self, part: Part, every: float = TEND) -> None:
        """Keep house every second, for ever. Raises StoreError; called again, it goes on."""
        while True:
            await asyncio.sleep(every)
            await self.call(self.store.tend)
            part.up()
            for reason, frames in (await self.call(self.store.lost)).items():
                if reason in LOST:
                    part.refused(f"{frames:,} frames", StoreError(LOST[reason]))

    async def _fill(self) -> bool:
        self._frames = await self._inlet.take(self._commit)
        return bool(self._frames)
