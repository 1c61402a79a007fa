"""The store of a data directory, whether an agent has it open or not."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import msgspec

from agent.cli.ask import TIMEOUT, Agent, find
from agent.model.clock import boot_id
from agent.model.frame import Frame
from agent.runtime.app import STORE
from agent.runtime.desk import AT_ONCE, account_row, since_row, stats_row
from buffer.parcel import pack
from buffer.ranges import Range
from buffer.rest import Rest, reopened, resting
from buffer.schemas import Key
from buffer.shelf import SMALL, Page, Pick
from buffer.store import Store

_page = msgspec.msgpack.Decoder(Page).decode
_schemas = msgspec.msgpack.Decoder(dict[int, Key]).decode


class Access(Protocol):
    """What can be looked at; every call raises StoreError."""

    running: bool

    def ledger(self) -> list[dict[str, Any]]: ...
    def since(self, at: int) -> dict[str, Any]: ...
    def stats(self) -> dict[str, Any]: ...
    def page(self, cursor: int, pick: Pick, *, back: bool = False) -> Page: ...
    def schemas(self, ids: list[int]) -> dict[int, Key]: ...

    def check(self, alive: Callable[[], None]) -> list[str]:
        """What SQLite finds wrong: at rest in the whole file, in one at work not in the large table of frames."""
        ...


class Hand(Protocol):
    """What can be changed; every call raises StoreError and gives how many frames it concerned."""

    def room(self) -> int:
        """Bytes that may still come."""
        ...

    def put(self, frames: Sequence[Frame]) -> int: ...
    def retry(self, sink: str, seqs: Sequence[Range] | None) -> int: ...

    def forget(self, sink: str) -> int:
        """Some of them at a time, 0 when none is left."""
        ...


class Running:
    """Asks the agent."""

    running = True

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def ledger(self) -> list[dict[str, Any]]:
        return list(self._agent.get("/api/v1/ledger"))

    def since(self, at: int) -> dict[str, Any]:
        return dict(self._agent.get("/api/v1/ledger", since=at))

    def stats(self) -> dict[str, Any]:
        return dict(self._agent.get("/api/v1/store/stats"))

    def page(self, cursor: int, pick: Pick, *, back: bool = False) -> Page:
        query = {"before" if back else "after": cursor, **asdict(pick)}
        return _page(self._agent.ask("/api/v1/store/frames", None, **query))

    def schemas(self, ids: list[int]) -> dict[int, Key]:
        return _schemas(self._agent.ask("/api/v1/store/schemas", None, id=ids))

    def check(self, alive: Callable[[], None]) -> list[str]:
        found: list[str] = []
        for table in SMALL:
            found += self._agent.get("/api/v1/store/check", table=table)
            alive()
        return found

    def room(self) -> int:
        return int(self.stats()["room"])

    def put(self, frames: Sequence[Frame]) -> int:
        return int(json.loads(self._agent.ask("/api/v1/store/import", pack(frames)))["frames"])

    def retry(self, sink: str, seqs: Sequence[Range] | None) -> int:
        return int(self._agent.post("/api/v1/store/retry", sink=sink, seqs=seqs)["frames"])

    def forget(self, sink: str) -> int:
        return int(self._agent.post("/api/v1/store/forget", sink=sink)["frames"])


class Resting:
    """Looks into the file."""

    running = False

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def ledger(self) -> list[dict[str, Any]]:
        return [account_row(account) for account in self._rest.ledger()]

    def since(self, at: int) -> dict[str, Any]:
        return since_row(self.ledger(), self._rest.past(at))

    def stats(self) -> dict[str, Any]:
        return stats_row(self._rest.stats())

    def page(self, cursor: int, pick: Pick, *, back: bool = False) -> Page:
        return self._rest.shelf.before(cursor, pick) if back else self._rest.shelf.after(cursor, pick)

    def schemas(self, ids: list[int]) -> dict[int, Key]:
        return self._rest.shelf.schemas(ids)

    def check(self, alive: Callable[[], None]) -> list[str]:
        return self._rest.check(alive)


class Reopened:
    """Opens the file as the agent would."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def room(self) -> int:
        return self._store.stats().room

    def put(self, frames: Sequence[Frame]) -> int:
        return self._store.put_back(frames)

    def retry(self, sink: str, seqs: Sequence[Range] | None) -> int:
        return self._store.retry(sink, seqs)

    def forget(self, sink: str) -> int:
        return self._store.forget(sink, AT_ONCE)


@contextmanager
def look(data: Path, timeout: float = TIMEOUT) -> Iterator[Access]:
    """To read; `timeout` (s) for each answer of a running agent. Raises StoreError."""
    with find(data, timeout) as agent:
        if agent is not None:
            yield Running(agent)
            return
    with resting(data / STORE) as rest:
        yield Resting(rest)


@contextmanager
def hold(data: Path) -> Iterator[Hand]:
    """To change something. Raises StoreError."""
    with find(data) as agent:
        if agent is not None:
            yield Running(agent)
            return
    with reopened(data / STORE, boot_id()) as store:
        yield Reopened(store)
