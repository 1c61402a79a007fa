"""Takes connections, and keeps no more than it can serve.

64 may be there at a time. One more takes the place of the oldest that asks nothing just now; it is turned away only
when all others are at work. So a thousand that say nothing do no harm, and neither do some that speak slowly.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from agent.status.connection import BUFFER, HEAD, Connection
from agent.status.web import Gone, Handler, refused

MOST_AT_ONCE = 64  # connections
_BUSY = refused(
    HTTPStatus.SERVICE_UNAVAILABLE, "too many questions at once", "again in a moment", (("Retry-After", "1"),)
)
Tls = Callable[[], ssl.SSLContext]
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers with what `handler` says, until it is closed. A bug in it is answered with 500, and logged by asyncio.

    `tls` gives what a new connection is to be encrypted with.
    """

    def __init__(self, handler: Handler, tls: Tls | None = None) -> None:
        self._handler, self._tls = handler, tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # those that ask nothing, oldest first

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Where it listens now; port 0 takes a free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accepted, host, port, backlog=128)
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def close(self, grace: float = 1.0) -> None:
        """No new questions; those under way get `grace` seconds."""
        if self._server is not None:
            self._server.close()
        for idle in list(self._waiting):
            idle.abort()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()

    def _accepted(self) -> asyncio.StreamReaderProtocol:
        return _Held(asyncio.StreamReader(limit=BUFFER), self._connected, held=self._tls is not None)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = Connection(reader, writer, self._handler, self._mark)
        room = len(self._open) < MOST_AT_ONCE or self._evict()
        self._tasks.add(task)
        if room:
            self._open.add(connection)
            self._waiting[connection] = None
        try:
            if self._tls is not None:
                await _encrypted(writer, self._tls())
            await (connection.serve() if room else connection.turn_away(_BUSY))
        except Gone:
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(connection)
            self._waiting.pop(connection, None)
            writer.close()

    def _mark(self, connection: Connection, working: bool) -> None:
        self._waiting.pop(connection, None)
        if not working and connection in self._open:
            self._waiting[connection] = None

    def _evict(self) -> bool:
        """Whether there is room now."""
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        del self._waiting[oldest]
        self._open.discard(oldest)
        oldest.abort()
        return True


class _Held(asyncio.StreamReaderProtocol):
    """Reads nothing before it is known who is to read: what comes belongs to TLS."""

    def __init__(self, reader: asyncio.StreamReader, connected: Connected, *, held: bool) -> None:
        super().__init__(reader, connected)
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._held:
            assert isinstance(transport, asyncio.ReadTransport)
            transport.pause_reading()
        super().connection_made(transport)


async def _encrypted(writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    """Raises Gone when the other side does not want to, or not in time."""
    try:
        await writer.start_tls(context, ssl_handshake_timeout=HEAD)
    except (OSError, ConnectionError, TimeoutError) as error:  # ssl.SSLError is an OSError
        raise Gone from error
