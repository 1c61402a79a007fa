"""As much of an HTTP/1.1 server (RFC 9112) as the status page needs: one request per connection, everything bounded.

A framework would be the largest thing in the process: aiohttp, of which this was made before, takes 12 MB and 0.2 s.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

MOST_HEAD = 16 << 10  # bytes of request line and headers
MOST_BODY = 8 << 20  # bytes of a body
MOST_AT_ONCE = 64  # connections; one more is turned away
PATIENCE = 10.0  # seconds in which a head has to come, and a body, and an answer has to be taken
LINGER = 1.0  # seconds in which the other side may send what nobody reads any more
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `kind` is its content type."""

    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    status: int = HTTPStatus.OK

    def packed(self, *, whole: bool = True) -> bytes:
        """As it goes over the wire; the answer to a HEAD is not `whole`."""
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode("ascii") + (self.body if whole else b"")


class Refusal(Exception):
    """The request is answered with this status instead, and with `text` for a person."""

    def __init__(self, status: HTTPStatus, text: str = "") -> None:
        super().__init__(status, text)
        self.answer = Answer((text or f"{status.value}: {status.phrase}").encode(), status=status)


class Gone(Exception):
    """Nobody is there any more, or in time, to be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `headers` are by their names in lower case, `query` has each value of a name; `read` gives the next
    bytes of the body."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    remote: str = ""
    read: Callable[[int], Awaitable[bytes]] | None = None

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name` in the query."""
        return self.query.get(name, [default])[0]

    async def body(self) -> bytes:
        """All of it, once. Raises Refusal and Gone."""
        told = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not (told.isascii() and told.isdecimal()):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED)
        if len(told) > len(str(MOST_BODY)) or int(told) > MOST_BODY:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.read is None:
            return b""
        async with _within(PATIENCE):
            return await self.read(int(told))


Handler = Callable[[Request], Awaitable[Answer]]


def as_json(found: object, status: int = HTTPStatus.OK) -> Answer:
    return Answer(json.dumps(found).encode(), "application/json", status)


def parse(head: bytes) -> Request:
    """The request that these lines, up to the empty one, begin. Raises Refusal for what is none."""
    try:
        first, *lines = head.removesuffix(_END).decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST) from None
    if not version.startswith("HTTP/1."):
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    return Request(method, unquote(parts.path), query, headers)


class Server:
    """Answers with what `handler` says, until it is closed. A bug in it is answered with 500, and logged by asyncio."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[object]] = set()

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Where it listens now; port 0 takes a free one. Raises OSError."""
        self._server = await asyncio.start_server(self._connected, host, port, backlog=16, limit=MOST_HEAD)
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def close(self, grace: float = 1.0) -> None:
        """No new questions; those under way get `grace` seconds."""
        if self._server is not None:
            self._server.close()
        if self._busy:
            _, late = await asyncio.wait(self._busy, timeout=grace)
            for task in late:
                task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            await self._serve(reader, writer)
            await _part(reader, writer)
        except Gone:
            pass
        finally:
            self._busy.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packed = Answer(status=HTTPStatus.INTERNAL_SERVER_ERROR).packed()
        try:
            request = await self._request(reader, writer)
            answer = await self._handler(request)
            packed = answer.packed(whole=request.method != "HEAD")
        except Refusal as refusal:
            packed = refusal.answer.packed()
        except Gone:
            packed = b""
            raise
        finally:
            writer.write(packed)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
        """Raises Refusal and Gone."""
        if len(self._busy) > MOST_AT_ONCE:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many questions at once")
        async with _within(PATIENCE):
            try:
                head = await reader.readuntil(_END)
            except asyncio.LimitOverrunError:
                raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
        (remote, *_) = writer.get_extra_info("peername") or ("",)
        return replace(parse(head), remote=remote, read=reader.readexactly)


async def _part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Have the answer taken. A socket that is closed on unread bytes resets, and the answer may be lost with it."""
    async with _within(PATIENCE):
        await writer.drain()
        writer.write_eof()
    async with _within(LINGER):
        while await reader.read(MOST_HEAD):
            pass


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Raises Gone where the other side ends, breaks or is silent."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (ConnectionError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Gone from error
