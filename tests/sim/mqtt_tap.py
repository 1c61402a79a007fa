"""A wire tap between an MQTT client and its broker: every packet of the client, taken apart, and faults on the way."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


@dataclass
class Packet:
    """What the client sent; `phase` is what the test was about then. Fields that its kind has not are empty."""

    kind: int
    phase: str = ""
    connection: int = 0
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    filters: list[tuple[str, int]] = field(default_factory=list)
    version: int = 0
    clean: bool = False
    expiry: int = 0  # seconds, MQTT 5
    will: "Packet | None" = None
    reason: int = 0  # of a DISCONNECT, MQTT 5
    data: bytes = b""  # all of it


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        self.at += size
        assert self.at <= len(self.data), "cut short"
        return self.data[self.at - size : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int(struct.unpack(">H", self.take(2))[0])

    def chunk(self) -> bytes:
        return self.take(self.short())

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def left(self) -> bytes:
        return self.data[self.at :]


def parse(first: int, body: bytes, version: int) -> Packet:
    """One packet of a client (MQTT 3.1.1 and 5)."""
    kind, cursor = first >> 4, _Cursor(body)
    if kind == CONNECT:
        return _connect(cursor)
    packet = Packet(kind)
    if kind == PUBLISH:
        packet.qos, packet.retain = first >> 1 & 3, bool(first & 1)
        packet.topic = cursor.chunk().decode()
        if packet.qos:
            cursor.short()
        if version == 5:
            cursor.take(cursor.varint())
        packet.payload = cursor.left()
    elif kind == SUBSCRIBE:
        cursor.short()
        if version == 5:
            cursor.take(cursor.varint())
        while cursor.left():
            packet.filters.append((cursor.chunk().decode(), cursor.byte() & 3))
    elif kind == DISCONNECT and body:
        packet.reason = cursor.byte()
    return packet


def _connect(cursor: _Cursor) -> Packet:
    packet = Packet(CONNECT)
    assert cursor.chunk() == b"MQTT"
    packet.version, flags = cursor.byte(), cursor.byte()
    packet.clean = bool(flags & 2)
    cursor.short()
    if packet.version == 5:
        packet.expiry = _expiry(cursor.take(cursor.varint()))
    cursor.chunk()  # the client id
    if flags & 4:
        if packet.version == 5:
            cursor.take(cursor.varint())
        topic, payload = cursor.chunk().decode(), cursor.chunk()
        packet.will = Packet(PUBLISH, topic=topic, payload=payload, qos=flags >> 3 & 3, retain=bool(flags & 32))
    return packet


def _expiry(properties: bytes) -> int:
    """The Session Expiry Interval among those that a client of ours may send (MQTT 5.0 §3.1.2.11)."""
    cursor, sizes = _Cursor(properties), {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1}
    while cursor.left():
        key = cursor.byte()
        value = int.from_bytes(cursor.take(sizes[key]), "big")
        if key == 0x11:
            return value
    return 0


class Tap:
    """`deaf`: what the broker says does not get back. `stop_after(n)`: cut after so many more PUBLISH packets."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port, self.phase, self.deaf = 0, "", False
        self.packets: list[Packet] = []
        self.open = 0  # connections
        self._left = -1
        self._connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def published(self, phase: str | None = None) -> list[Packet]:
        return [each for each in self.packets if each.kind == PUBLISH and phase in {None, each.phase}]

    def cut(self) -> None:
        """Both sides lose the connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers = []

    def stop_after(self, publishes: int) -> None:
        self._left = publishes

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, there_writer]
        self._tasks.add(asyncio.create_task(self._listen(reader, there_writer, self._connections)))
        self._tasks.add(asyncio.create_task(self._answer(there_reader, writer)))

    async def _listen(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, number: int) -> None:
        version = 4
        self.open += 1
        try:
            while True:
                head = await reader.readexactly(1)
                size = shift = 0
                while True:
                    head += await reader.readexactly(1)
                    size |= (head[-1] & 0x7F) << shift
                    shift += 7
                    if head[-1] < 0x80:
                        break
                body = await reader.readexactly(size)
                packet = parse(head[0], body, version)
                version = packet.version or version
                packet.phase, packet.connection, packet.data = self.phase, number, head + body
                if packet.kind == PUBLISH and self._left == 0:
                    self._left = -1
                    self.cut()
                    return
                self._left -= packet.kind == PUBLISH and self._left > 0
                self.packets.append(packet)
                there.write(head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            there.close()
        finally:
            self.open -= 1

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await there.read(65536):
                if not self.deaf:
                    writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def tap(target: int) -> AsyncIterator[Tap]:
    """One that listens on `port`, before the broker on port `target`."""
    made = Tap(target)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await made.close()
        await server.wait_closed()
        await asyncio.sleep(0.02)
