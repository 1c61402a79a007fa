"""S29: an HTTP platform that means harm or is broken; bounded in time and memory, and nothing is lost over it."""

import asyncio
import gzip
import resource
import tracemalloc
from contextlib import suppress

import pytest

from agent.model.errors import Unavailable
from agent.northbound.http.client import MOST
from tests.sim.http_platform import HttpPlatform, Raw, Says, Way, endless
from tests.unit.northbound.making import entries, entry, http, opened, schema

HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(50 << 20))


@pytest.mark.parametrize(
    ("way", "why"),
    [
        (Raw([b""]), "closed without an answer"),
        (Raw([b"HTTP/1.1 20"]), "closed without an answer|not HTTP"),
        (Raw([HEAD + b"Content-Length: 100\r\n\r\nhalf"]), "broke off"),
        (Raw([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]), "broke off"),
        (Raw([HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"]), "not HTTP|broke off"),
        (Raw([HEAD + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n"]), "not HTTP"),
        (Raw([HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n"]), "not HTTP"),
        (Raw([HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"]), "not HTTP"),
        (Raw([HEAD + b"Content-Length: -1\r\n\r\n"]), "not HTTP"),
        (Raw([b"SSH-2.0-OpenSSH_9.2\r\n"]), "not HTTP"),
        (Raw([b"\x16\x03\x01\x00\xa5"]), "not HTTP"),
        (Raw([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]), "101"),
        (Raw([b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"]), "999 Odd"),
    ],
)
async def test_what_is_no_whole_answer_delivers_nothing(platform: HttpPlatform, way: Way, why: str) -> None:
    platform.ways.append(way)
    async with opened(http(platform)) as sink:
        with pytest.raises(Unavailable, match=why) as found:
            await sink.send(entries(3))
        assert found.value.done == ()
        assert len(str(found.value)) < 1000
        await sink.send(entries(3))
    assert len(platform.taken) == 1


@pytest.mark.parametrize(
    "way",
    [
        Raw([], close=False),
        endless(HEAD, b"X: y\r\n", 0.05),
        endless(HEAD + b"\r\n", b"x", 0.05),
        Raw([HEAD + b"Content-Length: 10\r\n\r\n123"], close=False),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    ],
    ids=["silence", "slow-headers", "slow-body", "half-a-body", "continue-for-ever"],
)
async def test_what_takes_too_long_is_given_up(platform: HttpPlatform, way: Way) -> None:
    platform.ways.append(way)
    async with opened(http(platform, timeout="300ms")) as sink:
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable, match=r"no whole answer within 0\.3 s|not HTTP"):
                await sink.send(entries(3))
        await sink.send(entries(3))
    assert len(platform.taken) == 1


async def test_an_endless_answer_is_cut_off(platform: HttpPlatform) -> None:
    """It began with 200, so the frames are there; of the rest no more is read than the limit and what is under way."""
    platform.always = endless(HEAD + b"\r\n")
    tracemalloc.start()
    try:
        async with opened(http(platform)) as sink:
            for _ in range(3):
                await sink.send(entries(3))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MOST


async def test_a_bomb_does_not_go_off(platform: HttpPlatform) -> None:
    platform.ways.append(Says(200, {"Content-Encoding": "gzip"}, BOMB))
    platform.ways.append(Says(503, {"Content-Encoding": "deflate"}, b"\x78\x9c" + BOMB))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with opened(http(platform)) as sink:
        await sink.send(entries(3))
        with pytest.raises(Unavailable, match="503"):
            await sink.send(entries(3))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10  # KB


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(platform: HttpPlatform, status: int) -> None:
    with HttpPlatform() as other:
        platform.ways.append(Says(status, {"Location": other.url}))
        async with opened(http(platform)) as sink:
            with pytest.raises(Unavailable, match=f"{status}.*it points to {other.url}.*redirects are not followed"):
                await sink.send(entries(3))
        assert other.requests == []
    assert len(platform.requests) == 1


async def test_cookies_are_not_kept(platform: HttpPlatform) -> None:
    platform.ways.append(Says(200, {"Set-Cookie": "a=b; Path=/"}))
    async with opened(http(platform)) as sink:
        await sink.send(entries(1))
        await sink.send(entries(1, first=2))
    assert all("Cookie" not in request.headers for request in platform.requests)


async def test_an_answer_to_a_question_that_was_not_asked_is_not_taken_for_one(platform: HttpPlatform) -> None:
    """Two answers to one request: the second must not count as the answer to the next."""
    platform.ways.append(Raw([(HEAD + b"Content-Length: 0\r\n\r\n") * 2], close=False))
    platform.ways.append(Says(500))
    async with opened(http(platform)) as sink:
        await sink.send(entries(1))
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match="500"):
            await sink.send(entries(1, first=2))


async def test_a_connection_that_was_closed_meanwhile_costs_nothing(platform: HttpPlatform) -> None:
    async with opened(http(platform)) as sink:
        await sink.send(entries(1))
        platform.stop()
        platform.start()
        await sink.send(entries(1, first=2))
    assert len(platform.taken) == 2


async def test_the_url_is_in_no_error(platform: HttpPlatform) -> None:
    url = f"{platform.url}?code=s3cret"
    platform.ways.extend([Raw([b"no HTTP at all\r\n\r\n"]), Raw([b""]), Says(404)])
    async with opened(http(platform, url=url)) as sink:
        for _ in range(3):
            with pytest.raises(Unavailable) as found:
                await sink.send(entries(1))
            assert "s3cret" not in str(found.value)
    with pytest.raises(Unavailable, match="is the platform running") as found:
        await http(platform, url="http://127.0.0.1:1/?code=s3cret").open()
    assert "s3cret" not in str(found.value)
    async with opened(http(platform)) as sink:
        await sink.send(entries(1))
        await asyncio.to_thread(platform.stop)
        with pytest.raises(Unavailable, match="is the platform running"):
            await sink.send(entries(1))


async def test_a_yes_before_the_question_was_heard_delivers_nothing(platform: HttpPlatform) -> None:
    """As of a proxy that answers by itself: nobody has read the frames."""
    over, gone = asyncio.Event(), asyncio.Event()

    async def nod(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # the first connection is closed at once: it only looks whether we are there
            if await reader.read(1000):
                writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
                await over.wait()
                gone.set()
        writer.transport.abort()

    server = await asyncio.start_server(nod, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with opened(http(platform, url=url)) as sink:
            with pytest.raises(Unavailable, match="200 came before all of the request had gone") as found:
                await sink.send([entry(["x" * (16 << 20)], of=schema("text", dtype="str"))])
            over.set()
            await gone.wait()
        assert found.value.done == ()
    finally:
        server.close()
        await server.wait_closed()
