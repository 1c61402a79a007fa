"""A server that goes through the motions of OPC UA as far as it is told to, and then sends what it likes."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary

POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
Script = Callable[["Hostile", int], bytes | None]  # (server, request id) → what is sent; None: nothing


def frame(kind: bytes, body: bytes, final: bytes = b"F") -> bytes:
    return struct.pack("<3scI", kind, final, 8 + len(body)) + body


@dataclass
class Hostile:
    """`script` answers the requests in the channel; the phases before it can be replaced too: `ack`, `open`."""

    script: Script = lambda server, request: None
    ack: bytes | None = frame(b"ACK", struct.pack("<5I", 0, 65535, 65535, 0, 0))
    open: Callable[["Hostile", int], bytes | None] | None = None
    port: int = 0
    sequence: int = 0
    kinds: list[bytes] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sequence = 0
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                kind, _, size = struct.unpack("<3scI", await reader.readexactly(8))
                body = await reader.readexactly(size - 8)
                self.kinds.append(kind)
                answer = self._answer(kind, body)
                for at in range(0, len(answer or b""), 1 << 16):
                    writer.write((answer or b"")[at : at + (1 << 16)])
                    await writer.drain()
        writer.close()

    def _answer(self, kind: bytes, body: bytes) -> bytes | None:
        if kind == b"HEL":
            return self.ack
        if kind == b"OPN":
            length = struct.unpack_from("<i", body, 4)[0]
            (request,) = struct.unpack_from("<I", body, 4 + 4 + length + 4 + 4 + 4)
            return (self.open or Hostile.opened)(self, request)
        (request,) = struct.unpack_from("<I", body, 12)
        return self.script(self, request) if kind == b"MSG" else None

    def opened(self, request: int, token: int = 1, **how: Any) -> bytes:
        made = ua.OpenSecureChannelResponse()
        made.Parameters.SecurityToken = ua.ChannelSecurityToken(
            ChannelId=as_is(7), TokenId=as_is(token), **{"RevisedLifetime": as_is(3600_000), **how}
        )
        return self.opening(request, struct_to_binary(made))

    def opening(self, request: int, body: bytes) -> bytes:
        self.sequence += 1
        head = struct.pack("<Ii", 7, len(POLICY)) + POLICY + struct.pack("<iiII", -1, -1, self.sequence, request)
        return frame(b"OPN", head + body)

    def message(self, request: int, body: bytes, final: bytes = b"F") -> bytes:
        self.sequence += 1
        return frame(b"MSG", struct.pack("<IIII", 7, 1, self.sequence, request) + body, final)


def as_is(value: Any) -> Any:
    return value


def header(kind: int, table: bytes = b"\xff\xff\xff\xff", extra: bytes = b"\x00\x00\x00") -> bytes:
    """The type of a response and its header; `table` is the list of texts in it, `extra` the additional header."""
    return nodeid_to_binary(ua.NodeId(as_is(kind), as_is(0), ua.NodeIdType.FourByte)) + (
        struct.pack("<qII", 0, 1, 0) + b"\x00" + table + extra
    )


@asynccontextmanager
async def hostile_server(server: Hostile) -> AsyncIterator[Hostile]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await asyncio.sleep(0.05)  # the handlers see that their clients have gone, and close
