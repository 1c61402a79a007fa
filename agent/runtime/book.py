"""The audit as the event loop sees it: every call goes to a thread of its own, so that no disk holds up a scan."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from agent.model.errors import StoreError
from agent.model.frame import Value
from agent.runtime.audit import Audit, Claim, Entry, Outcome, Refusal, Who, audit
from agent.runtime.audit_file import FILE
from agent.runtime.chain import Link

R = TypeVar("R")


class Book:
    """The audit of one data directory; the calls of `Audit`. A call that has begun is finished even when its caller is
    cancelled; one that has not is not made. Every call raises StoreError.

    The file is opened with the first call, and anew when it was moved away or has failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, "audit")
        self._stack = ExitStack()
        self._book: Audit | None = None
        self._which = (0, 0)  # device and inode of the file that is open

    async def begin(
        self, who: Who, entry: Entry, allowed: Callable[[int | None], None], now: int, claim: Claim | None = None
    ) -> int:
        return await self._call(lambda book: book.begin(who, entry, allowed, now, claim))

    async def end(self, number: int, outcome: Outcome, found: Value, message: str, now: int) -> Link:
        return await self._call(lambda book: book.end(number, outcome, found, message, now), last=True)

    async def refuse(self, refusal: Refusal, claim: Claim | None = None) -> None:
        await self._call(lambda book: book.refuse(refusal, claim))

    async def known(self, claim: Claim) -> bool:
        return await self._call(lambda book: book.known(claim))

    async def fill(self) -> float:
        return await self._call(lambda book: book.fill())

    def close(self) -> None:
        self._pool.submit(self._shut)
        self._pool.shutdown()

    async def _call(self, what: Callable[[Audit], R], *, last: bool = False) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._do, what, last)

    def _do(self, what: Callable[[Audit], R], last: bool) -> R:
        """`last`: nothing may follow for long, so the file is put in order."""
        if self._book is None or self._there() != self._which:
            self._shut()
            self._book = self._stack.enter_context(audit(self._folder))
            self._which = self._there()
        try:
            found = what(self._book)
        except StoreError:
            self._shut()
            raise
        if last:
            with suppress(StoreError):  # it is done; the next call fails, if there is anything to fail
                self._book.settle()
        return found

    def _there(self) -> tuple[int, int]:
        with suppress(OSError):
            found = (self._folder / FILE).stat()
            return found.st_dev, found.st_ino
        return 0, 0

    def _shut(self) -> None:
        self._book = None
        self._stack.close()
