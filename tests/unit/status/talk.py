"""A server of its own, and clients that say exactly what a test wants said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from agent.status.listener import Server
from agent.status.web import Answer, Handler, Refusal, Request, Stream, as_json

Where = tuple[str, int]
ASK = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(request: Request) -> Answer:
    match request.path:
        case "/bug":
            raise ZeroDivisionError
        case "/no":
            raise Refusal(HTTPStatus.FORBIDDEN, "not here")
        case "/stream":
            return Answer(Stream(iter([b"a" * 10, b"b" * 10])))
    return as_json([request.method, request.path, request.query, request.remote, (await request.body()).decode()])


@asynccontextmanager
async def serving(handler: Handler = echo) -> AsyncIterator[Where]:
    server = Server(handler)
    yield await server.listen("127.0.0.1", 0)
    await server.close(grace=0.1)


async def said(place: Where, sent: bytes, *, end: bool = False) -> bytes:
    """All that comes back until the server ends the connection."""
    reader, writer = await asyncio.open_connection(*place)
    writer.write(sent)
    if end:
        writer.write_eof()
    async with asyncio.timeout(5):
        try:
            found = await reader.read(-1)
        except ConnectionError:
            found = b""
    writer.close()
    return found


async def one(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], bytes]:
    """The next answer on a connection that stays: status, headers and body."""
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return int(first.split(b" ")[1]), headers, body
