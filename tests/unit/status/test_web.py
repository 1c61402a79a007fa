"""The HTTP server takes what a client may send, and neither waits nor keeps more than its bounds say."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress

import pytest

from agent.status import connection, listener
from agent.status.web import Answer, Refusal, Request, Stream, target
from tests.unit.status.talk import ASK, echo, one, said, serving

CLOSE = b"Connection: close\r\n\r\n"
SLOW = [b"GET / HT", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf"]


async def test_a_question_is_answered_with_its_headers() -> None:
    async with serving() as place:
        found = await said(place, b"GET /a%20b?x=1&x=2&y= HTTP/1.1\r\nHost: h\r\n" + CLOSE)
    head, body = found.split(b"\r\n\r\n")
    assert body == b'["GET", "/a b", {"x": ["1", "2"], "y": [""]}, "127.0.0.1", ""]'
    first, *headers = head.split(b"\r\n")
    assert first == b"HTTP/1.1 200 OK"
    assert {b"Content-Type: application/json", b"Content-Length: %d" % len(body), b"Connection: close"} <= set(headers)


async def test_the_headers_that_keep_a_browser_from_harm_are_always_there() -> None:
    """S7: also with an error."""
    async with serving() as place:
        for path in (b"/", b"/no", b"/stream"):
            found = await said(place, b"GET %b HTTP/1.1\r\nHost: h\r\n%b" % (path, CLOSE))
            for name, value in connection.ALWAYS:
                assert f"\r\n{name}: {value}\r\n".encode() in found
            assert b"Access-Control" not in found


async def test_a_connection_is_kept_for_the_next_question() -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        for number in range(3):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
            status, headers, body = await one(reader)
            assert (status, body[:11]) == (200, b'["GET", "/%d' % number)
            assert b"connection" not in headers
        writer.close()


async def test_questions_that_come_early_are_answered_in_turn() -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number for number in range(500)))
        for number in range(500):
            assert (await one(reader))[2].startswith(b'["GET", "/%d"' % number)
        writer.close()


async def test_a_body_is_read_before_the_next_question() -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        for _ in range(2):
            writer.write(
                b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
            )
            assert (await one(reader))[2].endswith(b'"hello"]')
        writer.close()


async def test_one_that_waits_to_be_told_to_go_on_is_told() -> None:
    async with serving() as place:
        reader, writer = await asyncio.open_connection(*place)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert (await one(reader))[0] == 100
        writer.write(b"hi")
        assert (await one(reader))[2].endswith(b'"hi"]')
        writer.close()


async def test_one_that_would_be_refused_is_not_told_to_go_on() -> None:
    ask = b"POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    async with serving() as place:
        assert (await said(place, ask, end=True)).startswith(b"HTTP/1.1 403 ")


async def test_the_answer_to_a_head_is_a_head() -> None:
    async with serving() as place:
        for path in (b"/", b"/stream"):
            found = await said(place, b"HEAD %b HTTP/1.1\r\nHost: h\r\n%b" % (path, CLOSE))
            assert found.startswith(b"HTTP/1.1 200 ")
            assert found.endswith(b"\r\n\r\n")


async def test_a_stream_comes_in_chunks_or_to_the_end() -> None:
    async with serving() as place:
        chunked = await said(place, b"GET /stream HTTP/1.1\r\nHost: h\r\n" + CLOSE)
        plain = await said(place, b"GET /stream HTTP/1.0\r\nHost: h\r\n\r\n")
    assert chunked.endswith(b"\r\n\r\na\r\naaaaaaaaaa\r\na\r\nbbbbbbbbbb\r\n0\r\n\r\n")
    assert plain.endswith(b"\r\n\r\naaaaaaaaaabbbbbbbbbb")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 99 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n" + bytes(1048577), 413),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"10000\r\n%b\r\n" % bytes(65536)) * 17,
            413,
        ),
        (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: a miracle\r\n\r\n", 417),
        (b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 1500 + b"\r\n", 431),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /no HTTP/1.1\r\nHost: h\r\n" + CLOSE, 403),
    ],
)
async def test_what_makes_no_sense_or_is_too_much_is_refused(sent: bytes, status: int) -> None:
    async with serving() as place:
        found = await said(place, sent, end=True)
    assert found.split(b" ")[1] == b"%d" % status


async def test_an_answer_arrives_although_nobody_reads_the_body() -> None:
    """A socket that is closed with unread bytes would reset the connection, and take the answer with it."""
    async with serving() as place:
        found = await said(place, b"POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n" + bytes(999_999))
    assert b"not here" in found


@pytest.mark.parametrize("sent", [b"", *SLOW])
async def test_one_that_says_half_and_goes_is_let_go(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as place:
        assert await said(place, sent, end=True) == b""
    assert not caplog.records


@pytest.mark.parametrize("sent", [b"", *SLOW])
async def test_one_that_says_half_and_stays_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD", "BODY", "IDLE"):
        monkeypatch.setattr(connection, name, 0.05)
    async with serving() as place:
        assert await said(place, sent) == b""


async def test_a_head_that_comes_letter_by_letter_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD", 0.1)
    async with serving() as place:
        _, writer = await asyncio.open_connection(*place)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                while True:
                    writer.write(b"G")
                    await writer.drain()
                    await asyncio.sleep(0.02)
        writer.close()


async def test_one_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """S8: what it does not take waits in the kernel and in one buffer, and not for ever."""
    monkeypatch.setattr(connection, "WRITE", 0.1)
    made: list[int] = []
    done = asyncio.Event()

    def pieces() -> Iterator[bytes]:
        while True:
            made.append(1 << 16)
            yield bytes(1 << 16)

    async def endless(request: Request) -> Answer:
        return Answer(Stream(pieces(), done.set))

    async with serving(endless) as place, asyncio.timeout(5):
        _, writer = await asyncio.open_connection(*place, limit=1)
        writer.write(ASK)
        await done.wait()
        writer.close()
    assert sum(made) < 32 << 20


async def test_one_that_does_not_hang_up_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER", 0.05)
    server = listener.Server(echo)
    place = await server.listen("127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*place)
    writer.write(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    async with asyncio.timeout(5):
        while not server._tasks:
            await asyncio.sleep(0.01)
        while server._tasks:
            await asyncio.sleep(0.01)
    writer.close()
    await server.close()


async def test_a_bug_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """S38: the log has the traceback, the network has none."""
    async with serving() as place:
        found = await said(place, b"GET /bug HTTP/1.1\r\nHost: h\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 500 ")
    assert found.endswith(b'{"error": "Internal Server Error", "hint": ""}')
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_closing_does_not_wait_for_one_that_asks_nothing() -> None:
    server = listener.Server(echo)
    place = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*place)
    writer.write(ASK)
    await one(reader)
    async with asyncio.timeout(5):
        await server.close(grace=60)
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("/a%2Fb?c=%E6%B0%B4", ("", "/a/b", {"c": ["水"]})),
        ("http://H:1/a?b", ("H:1", "/a", {"b": [""]})),
        ("HTTPS://h/", ("h", "/", {})),
        ("//evil.example/a", ("", "//evil.example/a", {})),
    ],
)
def test_a_target_is_host_path_and_query(raw: str, found: tuple[str, str, dict[str, list[str]]]) -> None:
    assert target(raw) == found


@pytest.mark.parametrize("raw", ["*", "a", "http://h", "example.org:443"])
def test_anything_else_is_no_target(raw: str) -> None:
    with pytest.raises(Refusal):
        target(raw)
