"""The store of a data directory, whether an agent has it open or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from agent.cli.ask import Agent, find
from agent.runtime.app import STORE
from agent.runtime.desk import account_row, stats_row
from buffer.rest import Rest, resting


class Access(Protocol):
    """What can be looked at; every call raises StoreError."""

    running: bool

    def ledger(self) -> list[dict[str, Any]]: ...
    def stats(self) -> dict[str, Any]: ...


class Running:
    """Asks the agent."""

    running = True

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def ledger(self) -> list[dict[str, Any]]:
        return list(self._agent.get("/api/v1/ledger"))

    def stats(self) -> dict[str, Any]:
        return dict(self._agent.get("/api/v1/store/stats"))


class Resting:
    """Looks into the file."""

    running = False

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def ledger(self) -> list[dict[str, Any]]:
        return [account_row(account) for account in self._rest.ledger()]

    def stats(self) -> dict[str, Any]:
        return stats_row(self._rest.stats())


@contextmanager
def look(data: Path) -> Iterator[Access]:
    """To read. Raises StoreError."""
    with find(data) as agent:
        if agent is not None:
            yield Running(agent)
            return
    with resting(data / STORE) as rest:
        yield Resting(rest)
