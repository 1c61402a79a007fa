"""MQTT over WebSocket, plain and with TLS: everything that goes over TCP, and a server that breaks the rules."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.model.errors import Denied, SinkError, Unavailable
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.certificates import Authority
from tests.unit.northbound.fake_broker import connack
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened
from tests.unit.northbound.test_broker_hostile import failure
from tests.unit.northbound.test_broker_seam import connected, listening, message, until

VERSIONS = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
CONNACK = b"\x82\x05" + connack()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, websockets=True) as running:
        yield running


@VERSIONS
async def test_frames_go_over_a_websocket(web: Mosquitto, protocol: str) -> None:
    with web.subscriber("floorgate/#") as witness:
        async with opened(mqtt(web, protocol=protocol, window=1000)) as sink:
            await asyncio.gather(*(sink.send(entries(100, first=first)) for first in range(1, 2001, 100)))
        assert {frame["seq"] for frame in witness.wait(2000)} == set(range(1, 2001))
        wait_until(lambda: witness.states() == ["online", "offline"], "presence")


async def test_frames_go_over_a_websocket_with_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    with Mosquitto(tmp_path, websockets=True, tls={"certfile": pair.cert, "keyfile": pair.key}) as broker:
        async with opened(mqtt(broker, ca=str(authority.ca))) as sink:
            await asyncio.gather(*(sink.send(entries(100, first=first)) for first in range(1, 2001, 100)))
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await mqtt(broker).open()


async def test_a_message_larger_than_what_the_socket_takes_arrives_whole(web: Mosquitto) -> None:
    async with connected(web.url) as connection:
        big = (message(1)[0], b"x" * 5_000_000, False)
        assert await connection.publisher.publish([big, message(2)]) == ([16, 16], None)
        connection.publish_unconfirmed([big, big])
        await connection.barrier()
    assert web.log.count("(5000000 bytes)") == 3


@VERSIONS
async def test_messages_come_over_a_websocket(web: Mosquitto, protocol: str) -> None:
    """Of 100 KB and more mosquitto 2.0.11 stops in the middle until something else happens, whoever listens."""
    async with connected(web.url, protocol=protocol) as connection:
        came = listening(connection)
        await connection.subscribe([("echo", 1)])
        sent = [(message(0, "echo")[0], bytes(size), False) for size in (0, 1, 120, 130, 20_000, 70_000)]
        assert (await connection.publisher.publish(sent))[1] is None
        await until(came, len(sent))
        assert [payload for _, payload, _ in came] == [payload for _, payload, _ in sent]


async def test_a_broker_that_does_not_speak_websocket_is_told(broker: Mosquitto) -> None:
    with pytest.raises(Unavailable, match=r"instead of becoming a WebSocket|no WebSocket|reset"):
        await mqtt(broker, url=f"ws://127.0.0.1:{broker.port}").open()
    await no_tasks_left()


def upgraded(request: bytes, *more: bytes) -> bytes:
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return head + accept + b"\r\n" + b"".join(more) + b"\r\n"


class Fake:
    """Answers the request with `answer(request)`, then says what it is told to; `heard` is what came after."""

    def __init__(self) -> None:
        self.request = b""
        self.heard = bytearray()
        self.writer: asyncio.StreamWriter | None = None
        self.answer = upgraded
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        try:
            self.request = await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer(self.request))
            while piece := await reader.read(65536):
                if not self.heard:
                    writer.write(CONNACK)
                self.heard += piece
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def say(self, data: bytes) -> None:
        assert self.writer is not None
        self.writer.write(data)


@asynccontextmanager
async def fake() -> AsyncIterator[Fake]:
    there = Fake()
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    there.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/some/path?a=b"
    try:
        yield there
    finally:
        server.close()
        if there.writer is not None:
            there.writer.close()
        await server.wait_closed()
        await asyncio.sleep(0.02)


async def test_the_request_names_path_host_and_protocol() -> None:
    async with fake() as server, connected(server.url):
        lines = server.request.decode().split("\r\n")
        assert lines[0] == "GET /some/path?a=b HTTP/1.1"
        assert {f"Host: {server.url.split('/')[2]}", "Sec-WebSocket-Protocol: mqtt"} <= set(lines)


async def test_packets_may_be_cut_over_frames_and_frames_over_reads() -> None:
    said = b"\x30\x06\0\1a\0xy" + b"\x30\x06\0\1b\0zz"
    frames = b"".join(bytes((0x82, 1, byte)) for byte in said[:5]) + bytes((0x82, len(said) - 5)) + said[5:]
    async with fake() as server, connected(server.url) as connection:
        came = listening(connection)
        for byte in b"\x02\x00\x89\x01!\x80\x00" + frames:  # an empty message in two fragments with a ping between
            server.say(bytes((byte,)))
            await asyncio.sleep(0)
        await until(came, 2)
        assert came == [("a", b"xy", False), ("b", b"zz", False)]
        async with asyncio.timeout(2.0):
            while not (0x8A in server.heard and 0x81 in server.heard):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", Denied, "there is no WebSocket: HTTP 401"),
        (b"HTTP/1.1 403 For\x1bbidden\r\n\r\n", Denied, "HTTP 403 For?bidden"),
        (b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\n", Denied, "is the path in `url` right"),
        (b"HTTP/1.1 301 Moved\r\nlocation: ws://evil\r\ncontent-length: 0\r\n\r\n", Unavailable, "HTTP 301"),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", Unavailable, "HTTP 503 Busy"),
        (b"HTTP/1.1 101 Yes\r\n\r\n", Unavailable, "speaks no WebSocket"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Unavailable, "speaks no WebSocket"),
        (b"\x15\x03\x01\x00\x02\x02\x46\n", Unavailable, "speaks no WebSocket"),
        (b"HTTP/1.1 101 OK\r\n" + b"a: b\r\n" * 10_000, Unavailable, "speaks no WebSocket"),
        (b"HTTP/1.1 101 " + b"x" * 100_000, Unavailable, "speaks no WebSocket"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 2_000_000, Unavailable, "no WebSocket"),
        (b"HTTP/1.1 101 OK\r\n", Unavailable, "no connection within 0.3 s"),
    ],
)
async def test_an_answer_that_is_no_upgrade_is_named(answer: bytes, kind: type[SinkError], why: str) -> None:
    async with fake() as server:
        server.answer = lambda request: answer
        with pytest.raises(kind) as error:
            async with connected(server.url, timeout="300ms"):
                pass
        assert why in f"{error.value} {error.value.hint}"
    await no_tasks_left()


async def test_a_server_that_drips_its_answer_does_not_hold_us_longer_than_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in b"HTTP/1.1 101 Switching Protocols\r\n" * 100:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with asyncio.timeout(1.0):
        with pytest.raises(Unavailable, match=r"no connection within 0.2 s"):
            async with connected(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout="200ms"):
                pass
    server.close()
    await asyncio.sleep(0.1)
    await server.wait_closed()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\x81\x02hi", "a WebSocket frame of text"),
        (b"\x82\xff" + (2**40).to_bytes(8, "big"), "what is no WebSocket"),
        (b"\x82\x82abcd12", "what is no WebSocket"),
        (b"\xf2\x01a", "what is no WebSocket"),
        (b"\x83\x00", "what is no WebSocket"),
        (b"\x80\x00", "what is no WebSocket"),
        (b"\x02\x01\x30\x02\x01\x00", "what is no WebSocket"),
        (b"\x02\x00" + b"\x00\x7f\x00\x00\x00\x00\x00\x10\x00\x01", "what is no WebSocket"),
        (b"\x82\x02\x10\x00", "a packet of kind 1, which has no place"),
        (b"\x88\x06\x03\xf0no\n!", "the WebSocket was closed: 1008 (policy violation) no?!"),
        (b"\x88\x00", "the WebSocket was closed: 1005"),
    ],
)
async def test_what_has_no_place_in_a_websocket_ends_it(said: bytes, why: str) -> None:
    async with fake() as server, connected(server.url) as connection:
        server.say(said)
        assert why in await failure(connection)


async def test_a_server_that_pings_and_does_not_read_is_left() -> None:
    def full(data: bytes) -> int:
        raise BlockingIOError

    class Full:
        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock
            self.send = full

        def __getattr__(self, name: str) -> object:
            return getattr(self._sock, name)

        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None:
            self._sock.close()

    async with fake() as server, connected(server.url) as connection:
        wire = connection._paho.wire
        assert wire is not None
        wire._sock = Full(wire._sock)  # type: ignore[assignment]  # a socket that takes nothing
        server.say((b"\x89\x7d" + bytes(125)) * 1000)
        assert "pings without reading" in await failure(connection)
