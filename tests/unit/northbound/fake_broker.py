"""A broker of few bytes that answers as it is told: for reason codes that mosquitto never gives."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agent.northbound.broker import packet

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
Answer = Callable[[int, bytes, int], bytes | None]  # (how many frames before, topic, packet id) → reply, or silence
HANG_UP = b"hang up"  # instead of a reply


def connack(code: int = 0, properties: bytes = b"") -> bytes:
    body = bytes((0, code, len(properties))) + properties
    return b"\x20" + bytes((len(body),)) + body


def puback(mid: int, code: int = 0) -> bytes:
    return b"\x40\x03" + mid.to_bytes(2, "big") + bytes((code,))


def suback(body: bytes, *codes: int, v5: bool = True) -> bytes:
    """The answer to the SUBSCRIBE with this body."""
    said = body[:2] + (b"\0" if v5 else b"") + bytes(codes)
    return b"\x90" + bytes((len(said),)) + said


def goodbye(code: int) -> bytes:
    return b"\xe0\x02" + bytes((code, 0))


@dataclass
class FakeBroker:
    """What it heard: the topic of each PUBLISH and the bytes of its packet, and how many were unconfirmed at most.

    `subscribed(body)` makes its answer to a SUBSCRIBE; `say` sends bytes to all who are there; `others` are packets of
    other kinds, with their first bytes.
    """

    connack: bytes | None
    answer: Answer
    delay: float
    subscribed: Callable[[bytes], bytes]
    port: int = 0
    others: list[tuple[int, bytes]] = field(default_factory=list)
    topics: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    hellos: list[bytes] = field(default_factory=list)
    unconfirmed: int = 0
    most: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                await self._packet(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (first,) = await reader.readexactly(1)
        kind = first >> 4
        size = shift = 0
        while True:
            (byte,) = await reader.readexactly(1)
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = await reader.readexactly(size)
        if kind == CONNECT:
            self.versions.append(body[6])
            self.hellos.append(body)
            if self.connack is None:
                raise ConnectionError
            writer.write(self.connack)
        elif kind == PUBLISH:
            self._published(body, writer)
        elif kind == DISCONNECT:
            raise ConnectionError
        else:
            self.others.append((first, body))
        if kind == SUBSCRIBE:
            writer.write(self.subscribed(body))
        elif kind == PINGREQ:
            writer.write(b"\xd0\0")

    def say(self, data: bytes) -> None:
        for writer in self._writers:
            if not writer.is_closing():
                writer.write(data)

    def _published(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        topic, mid = body[2:end], int.from_bytes(body[end : end + 2], "big")
        if topic.endswith(b"$status"):
            writer.write(puback(mid))
            return
        self.sizes.append(packet.publish_size(body[:end], body[end + 2 :], b""))
        reply = self.answer(len(self.topics), topic, mid)
        self.topics.append(topic)
        if reply is HANG_UP:
            raise ConnectionError
        self.unconfirmed += 1
        self.most = max(self.most, self.unconfirmed)
        if reply is not None:
            asyncio.get_running_loop().call_later(self.delay, self._reply, reply, writer)

    def _reply(self, reply: bytes, writer: asyncio.StreamWriter) -> None:
        self.unconfirmed -= 1
        if not writer.is_closing():
            writer.write(reply)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


def confirmed(_: int, topic: bytes, mid: int) -> bytes:
    return puback(mid)


def coded(codes: Sequence[int]) -> Answer:
    """The n-th frame gets the n-th code, from then on success."""
    return lambda n, topic, mid: puback(mid, codes[n] if n < len(codes) else 0)


@asynccontextmanager
async def fake_broker(
    *,
    answer: Answer = confirmed,
    connack: bytes | None = connack(),
    delay: float = 0.0,
    subscribed: Callable[[bytes], bytes] = lambda body: suback(body, 1),
) -> AsyncIterator[FakeBroker]:
    broker = FakeBroker(connack, answer, delay, subscribed)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        broker.close()
        await server.wait_closed()
        await asyncio.sleep(0.02)
