"""Ctrl-C while a value or a call is on its way: it is on record that nobody knows, and the command says so."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.cli.interrupt import interruptible
from agent.model.errors import AgentError
from agent.model.frame import Value
from agent.model.tag import Schema
from agent.runtime.audit import Who, audit
from agent.runtime.book import Book
from agent.runtime.call import call
from agent.runtime.write import write
from drivers.api import Argument, Encoded, MethodConfig, TagConfig, WriteConfig, nothing

WHO = Who("wang", 1000)


class Setpoint(TagConfig):
    write: WriteConfig


class Silent:
    """A device that takes what it is sent and says nothing."""

    device, endpoint = "press", "opc.tcp://press"
    schemas: tuple[Schema, ...] = ()

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def open(self) -> None:
        """Is open."""

    async def close(self) -> None:
        """Stays open."""

    def encode(self, tag: str, value: Value) -> Encoded:
        return Encoded(value, f"{tag}: {value}")

    async def look(self, tag: str) -> Value:
        return None

    async def write(self, tag: str, value: Value, leaving: Callable[[], None] = nothing) -> Value:
        leaving()
        return await self._wait()

    async def signature(self, method: str) -> Sequence[Argument]:
        return ()

    async def call(self, method: str, arguments: Sequence[Value]) -> Sequence[Value]:
        return await self._wait()

    async def _wait(self) -> Any:
        self.asked.set()
        await asyncio.Event().wait()


async def _write(device: Silent, book: Book) -> object:
    tag = Setpoint(name="setpoint", write=WriteConfig())
    return await write(device, tag, 5, 4, book=book, who=WHO)


async def _call(device: Silent, book: Book) -> object:
    return await call(device, MethodConfig(name="start"), [], book=book, who=WHO)


@pytest.mark.parametrize("act", [_write, _call])
async def test_what_is_interrupted_is_on_record_as_unknown(
    act: Callable[[Silent, Book], Awaitable[object]], tmp_path: Path
) -> None:
    device = Silent()
    with closing(Book(tmp_path)) as book:
        task = asyncio.ensure_future(act(device, book))
        await device.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with audit(tmp_path) as kept:
        (row,) = kept.entries(5)
    assert (row["outcome"], row["message"]) == ("unknown", "interrupted")


def test_the_command_does_not_say_that_nothing_was_done() -> None:
    with pytest.raises(AgentError, match="not known whether the device did it"), interruptible():
        raise KeyboardInterrupt
