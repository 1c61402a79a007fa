"""The store of an agent that does not run: looked at without a trace, or opened as the agent itself would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.model import host
from agent.model.clock import SYSTEM, Clock
from buffer.copying import Copier
from buffer.database import at_rest, mapped
from buffer.ledger import Account
from buffer.limits import Limits
from buffer.log import Log
from buffer.shelf import Shelf
from buffer.snapshots import Past, past
from buffer.stats import Stats, stats
from buffer.store import Store

_STEPS = 100_000  # of SQLite's machine between two signs of life
_UNSAID = Limits(keep=3650 * 86_400 * 10**9, max_size=1 << 30, reserve=0)  # for a file from before they were written


class Rest:
    """A file at rest; every call raises StoreError."""

    def __init__(self, log: Log, path: Path) -> None:
        self._log, self._path = log, path
        self.shelf = Shelf(log, path)

    def ledger(self) -> list[Account]:
        with mapped(self._path):
            return self._log.accounts()

    def past(self, at: int) -> Past | None:
        """As `Store.past`."""
        with mapped(self._path):
            return past(self._log, at)

    def stats(self) -> Stats:
        with mapped(self._path):
            return stats(self._log, host.free(self._path.parent))

    def check(self, alive: Callable[[], None]) -> list[str]:
        """What SQLite finds wrong in the whole file; `alive` is called now and then, for a large one takes its time."""
        connection = self._log.connection
        connection.set_progress_handler(alive, _STEPS)
        try:
            with mapped(self._path):
                return [text for (text,) in connection.execute("PRAGMA quick_check").fetchall() if text != "ok"]
        finally:
            connection.set_progress_handler(None, 0)


@contextmanager
def resting(path: Path) -> Iterator[Rest]:
    """Nothing is written. Raises StoreError, also when an agent has begun to use the file by the end."""
    with at_rest(path) as connection:
        yield Rest(Log(connection, SYSTEM), path)


@contextmanager
def copied(path: Path) -> Iterator[Copier]:
    """All that the file holds, as it is. Raises StoreError, also when an agent has begun to use it by the end."""
    with at_rest(path) as connection:
        yield Copier(connection, path)


@contextmanager
def reopened(path: Path, boot: str, clock: Clock = SYSTEM) -> Iterator[Store]:
    """The store with the limits and for the sinks that the last agent had. Raises StoreError."""
    with at_rest(path) as connection:
        log = Log(connection, clock)
        limits, sinks = log.limits or _UNSAID, [sink.name for sink in log.sinks.values() if sink.active]
    store = Store.open(
        path, clock=clock, boot=boot, keep=limits.keep / 1e9, max_size=limits.max_size, reserve=limits.reserve
    )
    try:
        store.attach(sinks)
        yield store
    finally:
        store.close()


def peek_ledger(path: Path | str) -> list[Account]:
    """The ledger of a file that no agent has open; nothing is written. Raises StoreError."""
    with resting(Path(path)) as store:
        return store.ledger()
