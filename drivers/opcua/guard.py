"""Stands between the socket and asyncua, which would wait for as many bytes as a message claims to have: up to 4 GB."""

import asyncio

from asyncua.client.ua_client import UASocketProtocol
from asyncua.ua.uaerrors import UaError

LONGEST = 1 << 20  # bytes of one chunk; we tell the server to send at most 64 KiB (part 6, 7.1.2.3)


class Guard(asyncio.Protocol):
    """Hands on what arrives; a chunk that grows beyond `LONGEST` ends the connection, with its reason."""

    def __init__(self, behind: UASocketProtocol, transport: asyncio.Transport) -> None:
        self._behind, self._transport = behind, transport
        self._why: Exception | None = None

    def data_received(self, data: bytes) -> None:
        if self._why is not None:
            return
        self._behind.data_received(data)
        if len(self._behind.receive_buffer or b"") > LONGEST:
            self._why = UaError("bytes that are no OPC UA")
            self._behind.receive_buffer = None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._behind.connection_lost(self._why or exc)


def guard(protocol: UASocketProtocol) -> None:
    """Put a guard before a protocol that is connected."""
    transport = protocol.transport
    if transport is not None:
        transport.set_protocol(Guard(protocol, transport))
