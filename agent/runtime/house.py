"""What a sink may ask of the agent, one `Room` for each sink."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.health import Part
from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.northbound.house import Answer, Answered, Command
from agent.runtime.catalogue import Catalogue
from agent.runtime.storage import Storage


class Commander(Protocol):
    """What a sink's commands are passed through; as the calls of a House."""

    async def __call__(self, command: Command) -> Answer: ...
    def submit(self, command: Command, answered: Answered) -> None: ...
    def turned_away(self, command: Command, answer: Answer) -> None: ...
    def drop(self) -> None: ...


class Room:
    """As `agent.northbound.house.House`. What a sink keeps goes by its name, so that no other sees it."""

    def __init__(
        self, name: str, catalogue: Catalogue, storage: Storage, part: Part, commander: Commander | None = None
    ) -> None:
        self._name, self._catalogue, self._storage, self._part = name, catalogue, storage, part
        self._commander = commander

    @property
    def schemas(self) -> Sequence[Schema]:
        return self._catalogue.schemas

    def latest(self, schema: Schema) -> Frame | None:
        return self._storage.latest.get(schema)

    async def recall(self, key: str) -> bytes | None:
        return await self._storage.call(self._storage.store.state.get, self._key(key))

    async def keep(self, key: str, value: bytes) -> None:
        await self._storage.keep(self._key(key), value)

    async def command(self, command: Command) -> Answer:
        if self._commander is None:
            return self._closed(command)
        return await self._commander(command)

    def submit(self, command: Command, answered: Answered) -> None:
        if self._commander is None:
            answered(self._closed(command))
        else:
            self._commander.submit(command, answered)

    def turned_away(self, command: Command, answer: Answer) -> None:
        if self._commander is not None:
            self._commander.turned_away(command, answer)

    def drop(self) -> None:
        if self._commander is not None:
            self._commander.drop()

    def noticed(self, what: str) -> None:
        self._part.noticed(what, logging.WARNING)

    def sent(self, size: int) -> None:
        self._part.sent += size

    def certified(self, expiries: Mapping[str, float]) -> None:
        self._part.certified(expiries)

    def _closed(self, command: Command) -> Answer:
        return Answer(
            "forbidden",
            message=f"{command.device}, {command.tag}: sink {self._name} takes no commands",
            hint="`commands: {allow: [DEVICE/TAG]}` lets it",
        )

    def _key(self, key: str) -> str:
        return f"sink/{self._name}/{key}"
