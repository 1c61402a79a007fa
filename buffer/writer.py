"""The owner thread: the only thread that touches the store's connection, one call after the other."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

from buffer.keeper import Keeper
from buffer.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Opens the store in a thread of its own and runs calls there.

        writer = Writer(lambda: Store.open(path, ...))        raises StoreError
        first, last = await asyncio.wrap_future(writer.call(writer.store.append, frames))
        writer.close()

    Calls run in the order in which they were made. The queue has no bound of its own: each caller waits for its answer.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._thread = ThreadPoolExecutor(1, "store")
        with ExitStack() as undo:
            undo.callback(self._thread.shutdown)
            self.store = self._thread.submit(open_store).result()
            undo.pop_all()

    def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in the owner thread. Raises RuntimeError after `close()`."""
        return self._thread.submit(fn, *args, **kwargs)

    def attach(self, keeper: Keeper, sinks: list[str], oldest: list[str]) -> Future[None]:
        """As `Keeper.attach`, in the owner thread; `store` is what the keeper made of it."""
        return self._thread.submit(self._attach, keeper, sinks, oldest)

    def _attach(self, keeper: Keeper, sinks: list[str], oldest: list[str]) -> None:
        try:
            keeper.attach(sinks, oldest)
        finally:
            self.store = keeper.store

    def heal(self, keeper: Keeper, *, damaged: bool) -> Future[int]:
        """As `Keeper.heal`, in the owner thread; `store` is what the keeper made of it."""
        return self._thread.submit(self._heal, keeper, damaged=damaged)

    def _heal(self, keeper: Keeper, *, damaged: bool) -> int:
        try:
            return keeper.heal(damaged=damaged)
        finally:
            self.store = keeper.store

    def close(self, deadline: float = 10.0) -> None:
        """Close the store after the calls that wait; twice is fine.

        Raises StoreError, or TimeoutError after `deadline` seconds.
        """
        try:
            closing = self._thread.submit(self.store.close)
        except RuntimeError:  # the thread is gone, so the store is closed
            return
        self._thread.shutdown(wait=False)
        closing.result(deadline)
