"""One connection of the status server: h11 reads and writes HTTP/1.1 (RFC 9112), and everything has a bound.

A head has 8 KB and 10 s, a body 30 s, a piece of an answer 30 s to be taken. Questions of one connection are answered
one after the other: those that come early wait in a buffer of 32 KB, and then in the sender's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus

import h11

from agent.status.web import Answer, Gone, Handler, Headers, Refusal, Request, Stream, refused, target
from agent.status.wire import Wire

MOST_HEAD = 8 << 10  # bytes of request line and headers
AT_ONCE = 8 << 10  # bytes that are read
BUFFER = 16 << 10  # bytes that are taken from the socket before they are wanted; twice that is the bound
HEAD, BODY, IDLE, WRITE = 10.0, 30.0, 60.0, 30.0  # seconds
LINGER = 1.0  # seconds in which the other side may send what nobody reads any more
MOST_UNREAD = 1 << 20  # bytes of that
ALWAYS: Headers = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
_BROKEN = refused(HTTPStatus.INTERNAL_SERVER_ERROR)
_UNREAD = (h11.IDLE, h11.SEND_BODY, h11.ERROR)  # nobody knows where the next request would begin


class Connection:
    """Answers what comes over it. A bug in the handler is answered with 500, and raised.

    `working` is told when a question has come (True) and when it is answered.
    """

    def __init__(
        self,
        wire: Wire,
        handler: Handler,
        working: Callable[["Connection", bool], None],
    ) -> None:
        self._wire, self._handler, self._working = wire, handler, working
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD)
        self._patience = HEAD
        self._ended = False
        self._whole = True  # False: the answer is a head

    async def serve(self) -> None:
        """Until one side has enough. Raises Gone."""
        while await self._exchange():
            self._http.start_next_cycle()
            self._working(self, False)
        await self._part()

    def abort(self) -> None:
        self._wire.abort()

    async def turn_away(self, answer: Answer) -> None:
        """Say so and end, without a look at what is asked."""
        await self._send(answer)

    async def _exchange(self) -> bool:
        """One question and its answer; whether another may follow. Raises Gone."""
        answer: Answer | None = _BROKEN
        try:
            answer = await self._handler(await self._request())
        except Refusal as refusal:
            answer = refusal.answer
        except (Gone, asyncio.CancelledError):
            answer = None
            raise
        finally:
            if answer is not None:
                await self._send(answer)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _request(self) -> Request:
        """Raises Refusal and Gone."""
        if not self._http.trailing_data[0]:
            async with within(self._patience):
                await self._more()
            if self._ended:
                raise Gone
        self._patience = IDLE
        async with within(HEAD):
            event = await self._event()
        if not isinstance(event, h11.Request):
            raise Gone
        self._working(self, True)
        self._whole = event.method != b"HEAD"
        if len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers) > MOST_HEAD:
            raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if event.http_version not in (b"1.0", b"1.1"):
            raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        if headers.get("expect", "100-continue").lower() != "100-continue":
            raise Refusal(HTTPStatus.EXPECTATION_FAILED)
        if "transfer-encoding" not in headers and int(headers.get("content-length", "0")) == 0:
            self._next()  # the end of a request without a body
        host, path, query = target(event.target.decode("latin-1"))
        if host:
            headers["host"] = host
        method, wire = event.method.decode("ascii"), self._wire
        return Request(method, path, query, headers, wire.remote, self._body, lambda: not wire.ended)

    async def _body(self, most: int) -> bytes:
        """Raises Refusal and Gone."""
        pieces, size = [], 0
        if self._http.their_state is not h11.SEND_BODY:
            return b""
        async with within(BODY):
            if self._http.they_are_waiting_for_100_continue:
                go = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
                await self._write(self._http.send(go))
            while isinstance(event := await self._event(), h11.Data):
                size += len(event.data)
                if size > most:
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{most:,} bytes at most")
                pieces.append(bytes(event.data))
        return b"".join(pieces)

    async def _event(self) -> object:
        while (event := self._next()) is h11.NEED_DATA:
            await self._more()
        return event

    async def _more(self) -> None:
        data = await self._wire.read(AT_ONCE)
        self._ended |= not data
        self._http.receive_data(data)

    def _next(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._ended:
                raise Gone from None
            raise Refusal(HTTPStatus(error.error_status_hint)) from None

    async def _send(self, answer: Answer) -> None:
        """Raises Gone when it is not taken."""
        try:
            await self._said(answer)
        finally:
            if isinstance(answer.body, Stream):
                await answer.body.aclose()

    async def _said(self, answer: Answer) -> None:
        http, body = self._http, answer.body
        headers = [("Content-Type", answer.kind), ("Date", formatdate(usegmt=True)), *ALWAYS, *answer.headers]
        if isinstance(body, bytes):
            headers.append(("Content-Length", str(len(body))))
        if http.their_state in _UNREAD:
            headers.append(("Connection", "close"))
        status = HTTPStatus(answer.status)
        await self._write(http.send(h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())))
        if isinstance(body, bytes):
            if self._whole:
                await self._write(http.send(h11.Data(data=body)))
        elif self._whole:
            async for piece in body:
                await self._write(http.send(h11.Data(data=piece)))
        await self._write(http.send(h11.EndOfMessage()))

    async def _write(self, data: bytes | None) -> None:
        if data:
            self._wire.write(data)
            async with within(WRITE):
                await self._wire.drain()

    async def _part(self) -> None:
        """Have the answer taken. A socket that is closed on unread bytes resets, and the answer may be lost with it."""
        async with within(WRITE):
            self._wire.finish()
            await self._wire.drain()
        unread = 0
        async with within(LINGER):
            while unread < MOST_UNREAD and (data := await self._wire.read(AT_ONCE)):
                unread += len(data)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raises Gone where the other side ends, breaks or is silent."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (OSError, TimeoutError) as error:
        raise Gone from error
