"""Devices that dial in: modems (DTU) that connect to a port of ours, say who they are, and then carry a serial line.

Most send a registration packet of some bytes once they are connected, and heartbeats later. A caller who says nothing
that is known in time is let go, and only so many are heard at once, so that strangers cost nothing. A packet may come
in pieces: as long as a longer id begins with what was heard, nobody is taken for the owner of a shorter one.
"""

import asyncio
from collections import deque
from typing import cast

from drivers.transport import Endpoint

WAITING = 64  # callers who have not said who they are, at once
PATIENCE = 10.0  # seconds for it
PAUSE = 2.0  # seconds in which the rest of a longer id comes, or never
BACKLOG = 1024  # connections that the system holds until we look
LONGEST = 128  # bytes that they may say until then
STRANGERS = 3  # that are remembered, for the person who looks for a mistake


class Porch:
    """The port that the lines of one `listen://` share: it knows their ids, and keeps who has come until the line
    asks for it."""

    def __init__(self, endpoint: Endpoint, ids: tuple[str, ...]) -> None:
        self._endpoint = endpoint
        self._ids = {name: packet(name) for name in ids}
        self._come: dict[str, asyncio.Transport] = {}
        self._serving: dict[str, asyncio.Transport] = {}
        self._asked: dict[str, asyncio.Future[asyncio.Transport]] = {}
        self._strangers: deque[str] = deque(maxlen=STRANGERS)
        self._lines: set[str] = set()
        self._waiting: dict[Caller, None] = {}  # in the order in which they came
        self._server: asyncio.Server | None = None
        self._opening = asyncio.Lock()

    async def open(self, name: str) -> None:
        """Listen for this id, if that is not so already. Raises OSError."""
        async with self._opening:
            self._lines.add(name)
            if self._server is None:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(
                    lambda: Caller(self),
                    self._endpoint.host or None,
                    self._endpoint.port,
                    reuse_address=True,
                    backlog=BACKLOG,
                )

    def close(self, name: str) -> None:
        """This id is not wanted any more. With the last one listening ends, and whoever waits is let go."""
        self._lines.discard(name)
        if self._lines:
            return
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for transport in [*self._come.values(), *(each.transport for each in self._waiting if each.transport)]:
            transport.abort()
        self._come.clear()
        self._waiting.clear()

    async def visitor(self, name: str) -> asyncio.Transport:
        """The newest connection of this id, as soon as there is one."""
        transport = self._come.pop(name, None)
        if transport is None or transport.is_closing():
            asked: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
            self._asked[name] = asked
            try:
                transport = await asked
            except asyncio.CancelledError:
                if asked.done() and not asked.cancelled():  # it came in the moment in which the line gave up
                    self._come[name] = asked.result()
                raise
            finally:
                self._asked.pop(name, None)
        self._serving[name] = transport
        return transport

    def hint(self, name: str) -> str:
        """What a person may do about a device that does not come."""
        where = f"port {self._endpoint.port} of this machine"
        if self._strangers:
            return f"others have dialled in: {'; '.join(self._strangers)}"
        says = f", and its registration packet {name!r}" if name else ""
        return f"is the modem told to dial {where}{says}?"

    def arrived(self, caller: "Caller") -> None:
        """One more who has not said who they are. A modem says it soon, so of too many the oldest goes."""
        if len(self._waiting) >= WAITING:
            next(iter(self._waiting)).decide()
        self._waiting[caller] = None

    def left(self, caller: "Caller") -> None:
        self._waiting.pop(caller, None)

    def said(self, heard: bytes, *, whole: bool) -> str | None:
        """The longest id that these bytes begin with. An empty id takes everybody.

        None while there is none and, unless they are the `whole` of what will come, while they may become a longer one.
        """
        if not whole and any(packet != heard and packet.startswith(heard) for packet in self._ids.values()):
            return None
        found = [name for name, packet in self._ids.items() if heard.startswith(packet)]
        return max(found, key=lambda name: len(self._ids[name]), default=None)

    def welcome(self, name: str, transport: asyncio.Transport) -> None:
        """Hand it to the line that waits for it, or keep it. A device that dials in anew has given up its older
        connection; without an id nobody knows whether it is the same one."""
        if name and (serving := self._serving.pop(name, None)):
            serving.abort()
        asked = self._asked.get(name)
        if asked is not None and not asked.done():
            asked.set_result(transport)
            return
        if older := self._come.pop(name, None):
            older.abort()
        self._come[name] = transport

    def stranger(self, heard: bytes, peer: str) -> None:
        shown = heard[:24].decode("ascii", "replace") if heard.isascii() and heard.strip() else heard[:24].hex(" ")
        said = f"{peer} as {shown!r}" if heard else f"{peer} without a word"
        if said not in self._strangers:
            self._strangers.append(said)


class Caller(asyncio.Protocol):
    """Somebody who is connected and has not said who they are."""

    def __init__(self, porch: Porch) -> None:
        self._porch = porch
        self._heard = b""
        self._patience: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._porch.arrived(self)
        self._wait(PATIENCE)
        self._look()

    def data_received(self, data: bytes) -> None:
        self._heard += data[:LONGEST]
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def decide(self) -> None:
        """Nothing more is waited for: they are who they said, or let go."""
        assert self.transport is not None
        self._done()
        name = self._porch.said(self._heard, whole=True)
        if name is not None:
            self.transport.pause_reading()
            self._porch.welcome(name, self.transport)
            return
        self._porch.stranger(self._heard, str((self.transport.get_extra_info("peername") or ["?"])[0]))
        self.transport.abort()

    def _look(self) -> None:
        if self._porch.said(self._heard, whole=False) is not None or len(self._heard) >= LONGEST:
            self.decide()
        elif self._porch.said(self._heard, whole=True) is not None:
            self._wait(PAUSE)

    def _wait(self, seconds: float) -> None:
        self._end_patience()
        self._patience = asyncio.get_running_loop().call_later(seconds, self.decide)

    def _done(self) -> None:
        self._porch.left(self)
        self._end_patience()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()


def packet(name: str) -> bytes:
    """`0x…` is meant as bytes, everything else as text."""
    if name.startswith("0x"):
        return bytes.fromhex(name[2:])
    return name.encode()
