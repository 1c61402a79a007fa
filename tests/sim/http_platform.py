"""An HTTP platform on loopback that takes frames, and can misbehave in every way that is asked for; on a thread."""

import asyncio
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.sim.ports import free_port

_PIECE = b"x" * 65536


@dataclass(frozen=True)
class Request:
    """As it came, with its body unpacked."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    sent: int  # bytes of the body on the wire
    peer: int  # port of the connection it came by


@dataclass(frozen=True)
class Says:
    """A proper answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Raw:
    """Bytes in the place of an answer, each piece after a pause; then the connection is closed, or left as it is."""

    pieces: Iterable[bytes] | Callable[[], Iterable[bytes]]
    pause: float = 0.0
    close: bool = True


Way = Says | Raw
OK = Says(200, {}, b"{}")


def endless(head: bytes, piece: bytes = _PIECE, pause: float = 0.0) -> Raw:
    """An answer that goes on until the other side has had enough."""

    def pieces() -> Iterable[bytes]:
        yield head
        while True:
            yield piece

    return Raw(pieces, pause)


class HttpPlatform:
    """`with HttpPlatform() as platform:` serves on `platform.url`; it keeps its port over `stop()` and `start()`.

    Requests are answered by `ways` in turn, then by `always`. One whose body has more than `largest` bytes on the wire
    is refused with 413 before it is read. `taken` holds those that were answered with 2xx, `requests` all of them.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, largest: int | None = None) -> None:
        self.ways: deque[Way] = deque()
        self.always: Way = OK
        self.delay = 0.0
        self.largest = largest
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.under_way = self.most = 0  # requests at a time
        self.port = free_port()
        self.tls = tls
        self.written = 0  # bytes of raw answers
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/ingest"

    def frames(self) -> list[dict[str, Any]]:
        """The objects of what was taken."""
        return [each for request in list(self.taken) for each in objects(request)]

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="platform", daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            thread.join(10)
            assert not thread.is_alive()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await self._end.wait()
        await runner.cleanup()
        # Connections that came at the last moment see that the other side is gone.
        await asyncio.sleep(0.3 if self.tls else 0.05)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self._answer(request)
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.largest is not None and (request.content_length or 0) > self.largest:
            return web.Response(status=413)
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[1]
        body = await request.read()
        made = Request(request.path_qs, dict(request.headers), body, request.content_length or 0, peer)
        self.requests.append(made)
        if self.delay:
            await asyncio.sleep(self.delay)
        way = self.ways.popleft() if self.ways else self.always
        if isinstance(way, Says):
            if 200 <= way.status < 300:
                self.taken.append(made)
            return web.Response(status=way.status, headers=way.headers, body=way.body)
        return await self._raw(request, way)

    async def _raw(self, request: web.Request, way: Raw) -> web.StreamResponse:
        transport = request.transport
        for piece in way.pieces() if callable(way.pieces) else way.pieces:
            while transport is not None and transport.get_write_buffer_size() > 1 << 20:
                await asyncio.sleep(0.001)  # cancelled when the other side hangs up
            if transport is None or transport.is_closing():
                break
            transport.write(piece)
            self.written += len(piece)
            await asyncio.sleep(way.pause)
        if not way.close:
            await asyncio.sleep(60)
        if transport is not None:
            transport.close()
        return web.Response()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def objects(request: Request) -> list[dict[str, Any]]:
    """What a body of JSON holds, read as strictly as its Content-Type says."""
    if request.headers["Content-Type"] == "application/json":
        found = json.loads(request.body)
        assert isinstance(found, list)
        return found
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.body.endswith(b"\n")
    return [json.loads(line) for line in request.body[:-1].split(b"\n")]
