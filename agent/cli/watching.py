"""Who is asked how everything looks: the running agent, again and again, also after it was away."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.cli.ask import Agent, find
from agent.model.errors import StoreError
from agent.status.people import MOST_ROWS as MOST

__all__ = ["MOST", "Asked", "Source", "source"]

_NOBODY = "start one with `floorgate run`, name it with --data, or give the file with -c: then its devices are read"


@dataclass(frozen=True, slots=True)
class Asked:
    """`page` counts from 1."""

    patterns: tuple[str, ...]
    bad: bool
    page: int


class Source(Protocol):
    """Who answers."""

    def ask(self, asked: Asked, rows: int) -> dict[str, Any]:
        """As `agent.runtime.watching.Watcher.look`, with so many rows at most. Raises StoreError when nobody does."""
        ...


class Running:
    """The agent of a data directory; who has the place of one that ended is asked instead."""

    def __init__(self, data: Path) -> None:
        self._data, self._door = data, ExitStack()
        self._agent: Agent | None = None

    def ask(self, asked: Asked, rows: int) -> dict[str, Any]:
        agent = self._agent or self._found()
        query: dict[str, Any] = {"match": list(asked.patterns), "bad": "1" if asked.bad else ""}
        query |= {"limit": str(rows), "offset": str((asked.page - 1) * rows)}
        try:
            answer: dict[str, Any] = agent.get("/api/v1/watch", **query)
        except StoreError:
            self.close()
            raise
        return answer

    def _found(self) -> Agent:
        self._agent = self._door.enter_context(find(self._data))
        if self._agent is None:
            raise StoreError(f"no agent runs on {self._data}", hint=_NOBODY)
        return self._agent

    def close(self) -> None:
        self._agent = None
        self._door.close()


@contextmanager
def source(data: Path, config: Path | None) -> Iterator[Source]:
    """The running agent, or where none runs and there is a file, what its devices say. Raises StoreError."""
    running = Running(data)
    try:
        with find(data) as agent:
            runs = agent is not None
        if runs:
            yield running
        elif config is None:
            raise StoreError(f"no agent runs on {data}", hint=_NOBODY)
        else:
            from agent.cli.alone import Alone  # noqa: PLC0415  # only who reads needs drivers
            from agent.config import load  # noqa: PLC0415  # as above

            with Alone(load(config), data) as alone:
                yield alone
    finally:
        running.close()
