"""The audit as the event loop sees it: each call opens the file in a thread of its own, so that no disk holds up a scan
and a file that was moved away is not written to any more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from agent.model.frame import Value
from agent.runtime.audit import Audit, Claim, Entry, Outcome, Refusal, Who, audit
from agent.runtime.chain import Link

R = TypeVar("R")


class Book:
    """The audit of one data directory; the calls of `Audit`. A call that has begun is finished even when its caller is
    cancelled; one that has not is not made. Every call raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, "audit")

    async def begin(
        self, who: Who, entry: Entry, allowed: Callable[[int | None], None], now: int, claim: Claim | None = None
    ) -> int:
        return await self._call(lambda book: book.begin(who, entry, allowed, now, claim))

    async def end(self, number: int, outcome: Outcome, found: Value, message: str, now: int) -> Link:
        return await self._call(lambda book: book.end(number, outcome, found, message, now))

    async def refuse(self, refusal: Refusal, claim: Claim | None = None) -> None:
        await self._call(lambda book: book.refuse(refusal, claim))

    async def known(self, claim: Claim) -> bool:
        return await self._call(lambda book: book.known(claim))

    async def fill(self) -> float:
        return await self._call(lambda book: book.fill())

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, what: Callable[[Audit], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._do, what)

    def _do(self, what: Callable[[Audit], R]) -> R:
        with audit(self._folder) as book:
            return what(book)
