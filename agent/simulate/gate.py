"""The door of a simulated OPC UA server, where its faults are: closed, deaf, slow, or full of noise."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, cast

from asyncua.server.binary_server_asyncio import BinaryServer

from agent.simulate.device import Simulated

NOISE = 64  # bytes


class Gate:
    """All connections of one server."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        self.devices = devices
        self.luck = Random(0)
        self.passages: set[_Passage] = set()
        self._inner: BinaryServer | None = None
        self._server: asyncio.Server | None = None
        self._host, self._port = "", 0

    @property
    def state(self) -> tuple[str, float]:
        """What the server does wrong now, and how slow it is: what its first device that is ill does."""
        for device in self.devices:
            state = device.state
            if state not in ("well", "frozen", "jump", "exception"):
                return state, device.fault.seconds
        return "well", 0.0

    async def listen(self, host: str, port: int) -> int:
        """Take the port. Raises OSError."""
        self._host, self._port = host, port
        self._server = await asyncio.get_running_loop().create_server(self._passage, host, port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    def open(self, inner: BinaryServer) -> None:
        """Let callers through to this server, which listens no more by itself."""
        self._inner = inner
        if inner._server is not None:  # noqa: SLF001  # it offers no other way in
            inner._server.close()  # noqa: SLF001  # as above

    def _passage(self) -> asyncio.Protocol:
        return _Passage(self, self._inner._make_protocol() if self._inner else None)  # noqa: SLF001  # as above

    async def follow(self) -> None:
        """Close when all devices are dead, open when they are not."""
        dead = all(device.state == "dead" for device in self.devices)
        if dead and self._server is not None:
            await self.stop()
        elif not dead and self._server is None and self._port:
            await self.listen(self._host, self._port)

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for passage in list(self.passages):
            passage.drop()


class _Passage(asyncio.Protocol):
    """One connection: bytes on their way to asyncua's protocol and back."""

    def __init__(self, gate: Gate, inner: Any) -> None:
        self._gate, self._inner = gate, inner
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._inner is None:
            self._transport.abort()
            return
        self._gate.passages.add(self)
        self._inner.connection_made(_Outside(self._gate, self._transport))

    def data_received(self, data: bytes) -> None:
        if self._inner is None:
            return
        for device in self._gate.devices:
            device.requests += 1
        if self._gate.state[0] not in ("dead", "silent"):
            self._inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.passages.discard(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Outside:
    """The transport that asyncua writes to."""

    def __init__(self, gate: Gate, transport: asyncio.Transport) -> None:
        self._gate, self._transport = gate, transport

    def write(self, data: bytes) -> None:
        state, seconds = self._gate.state
        if state == "garbage":
            self._transport.write(self._gate.luck.randbytes(NOISE))
        elif state == "slow":
            asyncio.get_running_loop().call_later(seconds, self._late, bytes(data))
        elif state not in ("dead", "silent"):
            self._transport.write(data)

    def _late(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
