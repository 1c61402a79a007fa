"""The HTTP server takes what a client may send, and neither waits nor keeps more than its bounds say."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from agent.status import web
from agent.status.web import Answer, Refusal, Request, Server, as_json, parse


async def echo(request: Request) -> Answer:
    match request.path:
        case "/bug":
            raise ZeroDivisionError
        case "/no":
            raise Refusal(HTTPStatus.FORBIDDEN, "not here")
    return as_json([request.method, request.path, request.query, request.remote, (await request.body()).decode()])


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[str, int]]:
    server = Server(echo)
    yield await server.listen("127.0.0.1", 0)
    await server.close()


async def said(place: tuple[str, int], sent: bytes, *, end: bool = False) -> bytes:
    """All that comes back until the server ends the connection."""
    reader, writer = await asyncio.open_connection(*place)
    writer.write(sent)
    if end:
        writer.write_eof()
    async with asyncio.timeout(5):
        found = await reader.read(-1)
    writer.close()
    return found


async def test_a_question_is_answered_and_the_connection_ends() -> None:
    async with serving() as place:
        found = await said(place, b"GET /a%20b?x=1&x=2&y= HTTP/1.1\r\nHost: h\r\n\r\n")
    head, body = found.split(b"\r\n\r\n")
    assert body == b'["GET", "/a b", {"x": ["1", "2"], "y": [""]}, "127.0.0.1", ""]'
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
    ]


async def test_the_answer_to_a_head_is_a_head() -> None:
    async with serving() as place:
        found = await said(place, b"HEAD / HTTP/1.0\r\n\r\n")
    assert b"Content-Length: 34\r\n" in found
    assert found.endswith(b"\r\n\r\n")


async def test_a_body_comes_in_pieces() -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        for piece in (b"POST / HTTP/1.1\r\nContent-", b"Length: 5\r\n\r\nhe", b"llo"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        found = await reader.read(-1)
        writer.close()
    assert found.endswith(b'"127.0.0.1", "hello"]')


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /" + b"x" * web.MOST_HEAD + b" HTTP/1.1\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"GET /no HTTP/1.1\r\n\r\n", 403),
    ],
)
async def test_what_makes_no_sense_or_is_too_much_is_refused(sent: bytes, status: int) -> None:
    async with serving() as place:
        assert (await said(place, sent)).split(b" ")[1] == b"%d" % status


async def test_an_answer_arrives_although_nobody_reads_the_body() -> None:
    """A socket that is closed with unread bytes would reset the connection, and take the answer with it."""
    async with serving() as place:
        found = await said(place, b"POST /no HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + bytes(999_999))
    assert found.endswith(b"not here")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_one_that_says_half_and_goes_is_let_go(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        assert await said(place, sent, end=True) == b""
    assert not caplog.records


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_one_that_says_half_and_stays_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE", 0.05)
    async with serving() as place:
        assert await said(place, sent) == b""


async def test_one_that_does_not_hang_up_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LINGER", 0.05)
    server = Server(echo)
    place = await server.listen("127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*place)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(5):
        while not server._busy:
            await asyncio.sleep(0.01)
        while server._busy:
            await asyncio.sleep(0.01)
    writer.close()
    await server.close()


async def test_more_than_so_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_AT_ONCE", 1)
    async with serving() as place:
        _, idle = await asyncio.open_connection(*place)
        found = await said(place, b"GET / HTTP/1.1\r\n\r\n")
        idle.close()
    assert found.endswith(b"too many questions at once")


async def test_a_bug_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        found = await said(place, b"GET /bug HTTP/1.1\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 500 ")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_closing_does_not_wait_for_a_question_without_end() -> None:
    server = Server(echo)
    place = await server.listen("127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*place)
    async with asyncio.timeout(5):
        while not server._busy:
            await asyncio.sleep(0.01)
        await server.close(grace=0.01)
    writer.close()


def test_names_of_headers_have_no_case() -> None:
    assert parse(b"GET / HTTP/1.1\r\nAuthorization:  Bearer x \r\n\r\n").headers == {"authorization": "Bearer x"}
