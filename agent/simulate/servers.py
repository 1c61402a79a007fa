"""The wires of simulated Modbus devices: listening sockets on loopback, pseudo-terminals, and modems that dial in.

A wire answers at once, or as late as a serial line of that speed would. Whoever writes here writes into the transport
from a callback or a timer of the loop: there are no tasks but the ones that dial.
"""

import asyncio
import contextlib
import os
import random
import ssl
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, cast

from agent.model import host
from agent.model.errors import AgentError
from agent.simulate.device import Simulated
from agent.simulate.papers import HOSTNAME
from agent.simulate.registers import Unit
from agent.simulate.requests import AsciiReader, Asked, Reader, RtuReader, TcpReader
from drivers.modbus.config import NUMBERED
from drivers.modbus.timing import REPLY, REQUEST, timing
from drivers.transport import Endpoint

HOST = "127.0.0.1"
NOBODY = 11  # exception: the gateway's target failed to respond
REDIAL = 1.0  # seconds until a modem dials again
TURNAROUND = 0.005  # seconds in which a device on a serial line answers
NOISE = 12  # bytes of garbage


class Server(Protocol):
    """One end of a wire, on this machine."""

    async def start(self, port: int) -> str:
        """The endpoint at which it can be reached now; `port` is where a socket is to listen, 0: anywhere."""
        ...

    async def run(self) -> None:
        """What goes on all the time, until cancelled."""
        ...

    async def follow(self) -> None:
        """Look whether all of its devices are dead, or not any more."""
        ...

    async def stop(self) -> None: ...


class Bus:
    """Who answers to which unit id on one wire, in which framing and how late."""

    def __init__(self, endpoint: Endpoint, units: Mapping[int, Unit], seed: int = 0) -> None:
        self.endpoint, self.units = endpoint, units
        self.numbered = endpoint.scheme in NUMBERED
        self._char = timing(endpoint).char
        self._luck = random.Random(seed)  # garbage is no secret

    @property
    def devices(self) -> list[Simulated]:
        return [device for unit in self.units.values() for device in unit.devices]

    @property
    def dead(self) -> bool:
        """Whether nobody is there: then a device with a socket of its own cannot be connected to."""
        return all(device.state == "dead" for device in self.devices)

    def reader(self) -> Reader:
        return TcpReader() if self.numbered else AsciiReader() if self.endpoint.ascii else RtuReader()

    def answer(self, asked: Asked) -> tuple[float, bytes]:
        """The frame that goes back, and after how many seconds; nothing when nobody says anything."""
        unit = self.units.get(asked.unit)
        if unit is None:
            refusal = asked.reply(bytes((asked.pdu[0] | 0x80, NOBODY)))
            return 0.0, refusal if self.numbered else b""
        for device in unit.devices:
            device.requests += 1
        ill = next((device for device in unit.devices if device.state not in ("well", "frozen", "jump")), None)
        late = 0.0
        if ill is not None:
            state = ill.state
            if state in ("dead", "silent"):
                return 0.0, b""
            if state == "garbage":
                return 0.0, self._luck.randbytes(NOISE)
            if state == "exception":
                ill.refused += 1
                return 0.0, asked.reply(bytes((asked.pdu[0] | 0x80, ill.fault.code)))
            late = ill.fault.seconds
        pdu = unit.answer(asked.pdu)
        if pdu[0] & 0x80:
            unit.devices[0].refused += 1
        if self._char:
            late += TURNAROUND + self._char * (REQUEST + REPLY + len(pdu))
        return late, asked.reply(pdu)


class _Session(asyncio.Protocol):
    """One connection to a bus. `hello` is what a modem says first."""

    def __init__(self, bus: Bus, open_ones: set["_Session"], hello: bytes = b"") -> None:
        self._bus, self._open, self._hello = bus, open_ones, hello
        self._reader = bus.reader()
        self.transport: asyncio.Transport | None = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._open.add(self)
        if self._hello:
            self.transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._open.discard(self)
        self.transport = None
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        for asked in self._reader.feed(data):
            late, frame = self._bus.answer(asked)
            if frame and late:
                asyncio.get_running_loop().call_later(late, self._write, frame)
            elif frame:
                self._write(frame)

    def _write(self, frame: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frame)

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """Each datagram is a whole request."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for asked in self._bus.reader().feed(data):
            late, frame = self._bus.answer(asked)
            if frame and self._transport is not None:
                asyncio.get_running_loop().call_later(late, self._transport.sendto, frame, addr)


class Socket:
    """A device or a converter on the network: TCP, with or without TLS."""

    def __init__(self, bus: Bus, scheme: str, context: ssl.SSLContext | None = None) -> None:
        self._bus, self._scheme, self._context = bus, scheme, context
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self, port: int) -> str:
        self._port = port
        await self._listen()
        return f"{self._scheme}://{HOSTNAME if self._context else HOST}:{self._port}"

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Session(self._bus, self._sessions), HOST, self._port, ssl=self._context, reuse_address=True
            )
        except OSError as error:
            said = f"{self._bus.endpoint}: cannot listen on {HOST}:{self._port}: {error.strerror or error}"
            raise AgentError(said, hint="name another first port with --port") from error
        if not self._server.sockets:  # the loop passes over a socket that the system does not give
            said = f"{self._bus.endpoint}: there are too many open files for one more socket"
            raise AgentError(said, hint="`ulimit -n` says how many there may be")
        self._port = self._server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def follow(self) -> None:
        if self._bus.dead and self._server is not None:
            await self.stop()
        elif not self._bus.dead and self._server is None:
            await self._listen()

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for session in list(self._sessions):
            session.drop()


class Datagrams:
    """Modbus TCP frames over UDP."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            made, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._bus), (HOST, port))
        except OSError as error:
            said = f"{self._bus.endpoint}: cannot listen on {HOST}:{port}: {error.strerror or error}"
            raise AgentError(said, hint="name another first port with --port") from error
        self._transport = made
        return f"udp://{HOST}:{made.get_extra_info('sockname')[1]}"

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Who is dead says nothing."""

    async def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Terminal:
    """A serial line: a pseudo-terminal, whose other end the gateway opens as a port."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._reader = bus, bus.reader()
        self._ends: tuple[int, int] | None = None

    async def start(self, port: int) -> str:
        del port
        if sys.platform == "win32":
            said = f"{self._bus.endpoint}: Windows has no pseudo-terminals"
            raise AgentError(said, hint="simulate on Linux, or write rtu+tcp:// for the time being")
        master, slave, name = host.raw_terminal()
        self._ends = master, slave  # as long as this end is open too, the line stays when the gateway closes it
        asyncio.get_running_loop().add_reader(master, self._heard)
        settings = self._bus.endpoint.serial
        assert settings is not None
        keep = f"baud={settings.baud}" + "&data=8" * self._bus.endpoint.ascii  # a pseudo-terminal knows no parity
        return f"{self._bus.endpoint.scheme}://{name}?{keep}"

    def _heard(self) -> None:
        assert self._ends is not None
        try:
            data = os.read(self._ends[0], 4096)
        except (BlockingIOError, InterruptedError):
            return
        for asked in self._reader.feed(data):
            late, frame = self._bus.answer(asked)
            if frame:
                asyncio.get_running_loop().call_later(late, self._write, frame)

    def _write(self, frame: bytes) -> None:
        if self._ends is not None:
            with contextlib.suppress(OSError):  # nobody reads: what does not fit is lost, as on a wire
                os.write(self._ends[0], frame)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Who is dead says nothing."""

    async def stop(self) -> None:
        ends, self._ends = self._ends, None
        if ends is not None:
            asyncio.get_running_loop().remove_reader(ends[0])
            for end in ends:
                os.close(end)


class Modem:
    """A device that dials in at a port of the gateway, says who it is, and carries a serial line."""

    def __init__(self, bus: Bus, hello: bytes, port: Callable[[], int]) -> None:
        self._bus, self._hello, self._find = bus, hello, port
        self._sessions: set[_Session] = set()
        self._port = 0

    async def start(self, port: int) -> str:
        self._port = port or self._find()
        name = f"?id={self._bus.endpoint.id}" if self._bus.endpoint.id else ""
        return f"listen://{HOST}:{self._port}{name}"

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                if not self._bus.dead:
                    make = lambda: _Session(self._bus, self._sessions, self._hello)  # noqa: E731  # one line
                    _, session = await loop.create_connection(make, HOST, self._port)
                    await session.ended
            await asyncio.sleep(REDIAL)

    async def follow(self) -> None:
        if self._bus.dead:
            await self.stop()

    async def stop(self) -> None:
        for session in list(self._sessions):
            session.drop()


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A server that shows this certificate, and asks for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
