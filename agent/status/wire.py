"""The bytes under a connection, plain or in TLS.

TLS is done here, with what `ssl` has for that, and not by the event loop: a connection is then known, and can be thrown
out, before it has shaken hands. (The loop cannot begin TLS later: on uvloop what came meanwhile is lost.)
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Protocol

PIECE = 64 << 10  # bytes that are encrypted at a time


class Wire(Protocol):
    """Every call may raise OSError."""

    @property
    def remote(self) -> str:
        """The address of the other side."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the other side has said its last, read or not."""
        ...

    async def read(self, most: int) -> bytes:
        """Nothing: the other side has ended."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Wait until what was written is taken, but for a bounded rest."""
        ...

    def finish(self) -> None:
        """Nothing more will be written."""
        ...

    def abort(self) -> None: ...


class Reader(asyncio.StreamReader):
    """One that tells that the end has come before it is read."""

    ended = False

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.ended = True
        super().set_exception(exc)


class Plain:
    """As it is."""

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.remote = str((writer.get_extra_info("peername") or ("",))[0])

    @property
    def ended(self) -> bool:
        return self._reader.ended

    async def read(self, most: int) -> bytes:
        return await self._reader.read(most)

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def finish(self) -> None:
        self._writer.write_eof()

    def abort(self) -> None:
        self._writer.transport.abort()


class Sealed:
    """In TLS, over a plain one."""

    def __init__(self, wire: Wire, context: ssl.SSLContext) -> None:
        self._wire, self.remote = wire, wire.remote
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)

    @property
    def ended(self) -> bool:
        return self._wire.ended

    async def shake_hands(self, most: int) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                if not await self._more(most):
                    raise ConnectionResetError("hung up in the middle of the TLS handshake") from None
            else:
                self._flush()
                return

    async def read(self, most: int) -> bytes:
        while True:
            try:
                return self._tls.read(most)
            except ssl.SSLWantReadError:
                await self._more(most)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            self._tls.write(data[at : at + PIECE])
            self._flush()

    async def drain(self) -> None:
        await self._wire.drain()

    def finish(self) -> None:
        with suppress(ssl.SSLError):  # it wants the other side's goodbye, for which nobody waits
            self._tls.unwrap()
        self._flush()
        self._wire.finish()

    def abort(self) -> None:
        self._wire.abort()

    async def _more(self, most: int) -> bool:
        """Send what TLS has to say, and take what comes; False: nothing comes any more."""
        self._flush()
        data = await self._wire.read(most)
        if data:
            self._came.write(data)
        else:
            self._came.write_eof()
        return bool(data)

    def _flush(self) -> None:
        if self._goes.pending:
            self._wire.write(self._goes.read())
