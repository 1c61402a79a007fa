"""OPC UA in the contract: a real server behind a wire of ours that can be slow, cut or deaf."""

import asyncio
import atexit
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cache

from tests.sim.opcua_fixtures import NAMESPACE, OpcuaServer, asyncua_server

TAGS = [{"name": "temp", "node": f"nsu={NAMESPACE};s=Temp"}, {"name": "level", "node": f"nsu={NAMESPACE};s=Level"}]
KEYS = {"security": "none", "mode": "poll"}
VALUES = [21.5, 42.0]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@cache
def server() -> OpcuaServer:
    """One server for all tests of this process: it needs two seconds to start."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(asyncua_server())


class Wire:
    """Stands before the server: `open` False cuts each connection at once, `delay` holds up each answer (seconds)."""

    def __init__(self) -> None:
        self.open = True
        self.delay = 0.0
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/floorgate"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", server().port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, to_server, 0.0))
                both.create_task(self._pass(from_server, writer, self.delay))
        finally:
            to_server.close()
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                await asyncio.sleep(delay)
                writer.write(piece)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wire(*, open_: bool = True, delay: float = 0.0) -> AsyncIterator[Wire]:
    made = Wire()
    made.open, made.delay = open_, delay
    async with listening(made.handle) as made.port:
        yield made


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    listener = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield int(listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        await asyncio.sleep(0.02)  # the handlers see that their clients have gone, and close


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, says nothing."""
    with suppress(OSError):
        while await reader.read(65536):
            pass
    writer.close()
