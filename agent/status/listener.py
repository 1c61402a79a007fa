"""Takes connections, and keeps no more than it can serve.

64 may be there at a time. One more takes the place of the oldest that asks nothing just now; it is turned away only
when all others are at work. So a thousand that say nothing do no harm, and neither do some that speak slowly.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus

from agent.status.connection import BUFFER, HEAD, Connection, within
from agent.status.web import Gone, Handler, refused
from agent.status.wire import Plain, Reader, Sealed

MOST_AT_ONCE = 64  # connections
_BUSY = refused(
    HTTPStatus.SERVICE_UNAVAILABLE, "too many questions at once", "again in a moment", (("Retry-After", "1"),)
)
Tls = Callable[[], ssl.SSLContext]


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
        reader = Reader(limit=BUFFER)
        return asyncio.StreamReaderProtocol(reader, lambda _, writer: self._connected(reader, writer))

    async def _connected(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        plain = Plain(reader, writer)
        sealed = Sealed(plain, self._tls()) if self._tls else None
        connection = Connection(sealed or plain, self._handler, self._mark)
        room = len(self._open) < MOST_AT_ONCE or self._evict()
        self._tasks.add(task)
        if room:
            self._open.add(connection)
            self._waiting[connection] = None
        try:
            if sealed and room:
                async with within(HEAD):
                    await sealed.shake_hands(BUFFER)
            if room:
                await connection.serve()
            elif not sealed:  # whose handshake would take longer than the answer is worth
                await connection.turn_away(_BUSY)
        except (Gone, asyncio.CancelledError):  # by `close`; asyncio would log it as an error of its own
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
