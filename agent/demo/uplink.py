"""The gateway's way to the platform: a TCP relay that can be cut."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

from agent.model.errors import AgentError

HOST = "127.0.0.1"
_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends a reset and forgets what was not sent
_DEADLINE = 2.0  # seconds for a relay to notice that it was cut


class Uplink:
    """Relays `port` to `target`, both on 127.0.0.1. While cut, connections are reset and new ones refused."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._relays: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    @property
    def connections(self) -> int:
        """How many clients are connected through to the target."""
        return sum(len(writers) == 2 for writers in self._relays.values())

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        await self.cut()

    async def restore(self) -> None:
        """Accept connections, again. Raises AgentError when another program has taken the port."""
        try:
            self._server = await asyncio.start_server(self._relay, HOST, self._port)
        except OSError as error:
            raise AgentError(f"the uplink: {error}", hint="run the demo again: it takes other ports") from error

    async def cut(self) -> None:
        """Refuse new connections and reset those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writers in self._relays.values():
            for writer in writers:
                _reset(writer)
        if self._relays:
            await asyncio.wait(self._relays, timeout=_DEADLINE)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays[task] = (writer,)
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            self._relays[task] = (writer, far_writer)
            if self._server is None:
                _reset(far_writer)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except OSError:
            for each in self._relays[task]:
                _reset(each)  # one side was reset or is not there: the other learns it
        finally:
            for each in self._relays.pop(task):
                each.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from one side to the other, and their end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
