"""S8, S38: whatever comes over many connections, or in any bytes, others are answered and nothing breaks."""

import asyncio
import logging
import resource
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.status import connection, listener
from agent.status.web import Answer, Request
from tests.unit.status.talk import ASK, Where, one, said, serving

LATER = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
PIECES = [
    *(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", b"HEAD /no"),
    *(b" HTTP/1.1\r\n", b"\r\n", b"\n", b"\0", b"Host: h\r\n", b"Transfer-Encoding: chunked\r\n", b"ffffffff\r\n"),
    *(b"Content-Length: 99999999999999999999\r\n", b"0\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    *(b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"GET /%ff?%=&&= HTTP/1.1\r\n"),
    *(b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", b"GET http://[/ HTTP/1.1\r\nHost: h\r\n\r\n", b"A" * 9000),
]
BYTES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=8).map(b"".join)


async def opened(place: Where, count: int, stack: AsyncExitStack) -> list[asyncio.StreamReader]:
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection(*place)
        stack.callback(writer.close)
        readers.append(reader)
    return readers


async def test_a_thousand_that_say_nothing_do_no_harm() -> None:
    """The oldest have to go: those that are left are as many as may be there, and a question is answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        async with serving() as place, AsyncExitStack() as stack, asyncio.timeout(20):
            readers = await opened(place, 1000, stack)
            assert (await said(place, LATER)).startswith(b"HTTP/1.1 200 ")
            for gone in readers[: 1000 - listener.MOST_AT_ONCE]:
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await gone.readexactly(1)
            assert not any(reader.at_eof() or reader.exception() for reader in readers[-10:])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_those_that_speak_slowly_do_not_keep_others_out() -> None:
    async with serving() as place, AsyncExitStack() as stack, asyncio.timeout(20):
        for _ in range(listener.MOST_AT_ONCE):
            _, writer = await asyncio.open_connection(*place)
            stack.callback(writer.close)
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
        for _ in range(10):
            assert (await said(place, LATER)).startswith(b"HTTP/1.1 200 ")


async def test_when_all_are_at_work_one_more_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_AT_ONCE", 2)
    go = asyncio.Event()

    async def slow(request: Request) -> Answer:
        await go.wait()
        return Answer(b"done")

    async with serving(slow) as place, AsyncExitStack() as stack, asyncio.timeout(5):
        readers = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*place)
            stack.callback(writer.close)
            writer.write(ASK)
            readers.append(reader)
        await asyncio.sleep(0.05)
        found = await said(place, b"")
        assert found.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in found
        go.set()
        assert [(await one(reader))[2] for reader in readers] == [b"done", b"done"]


async def test_one_that_was_answered_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that asked last stays."""
    monkeypatch.setattr(listener, "MOST_AT_ONCE", 2)
    async with serving() as place, AsyncExitStack() as stack, asyncio.timeout(5):
        (first,) = await opened(place, 1, stack)
        second, writer = await asyncio.open_connection(*place)
        stack.callback(writer.close)
        writer.write(ASK)
        await one(second)
        await opened(place, 1, stack)
        assert await first.read() == b""
        writer.write(ASK)
        assert (await one(second))[0] == 200


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=BYTES)
def test_any_bytes_are_answered_or_let_go(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Never an error that nobody foresaw, never a word about our insides."""

    async def tried() -> bytes:
        async with serving() as place:
            return await said(place, sent, end=True)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("HEAD", "BODY", "IDLE", "LINGER"):
            patch.setattr(connection, name, 0.2)
        found = asyncio.run(tried())
    assert found == b"" or found.startswith(b"HTTP/1.1 ")
    assert b"Traceback" not in found
    assert b".py" not in found
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
