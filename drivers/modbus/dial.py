"""How a connection is made, by the scheme of the endpoint; what the operating system says about it becomes ours
here."""

import asyncio
import errno
import os
import ssl
from typing import Any, Protocol, cast

import serial
from pymodbus.transport import CommParams, CommType
from pymodbus.transport.serialtransport import SerialTransport
from serial.rs485 import RS485Settings

from agent.model import host
from agent.model.errors import ConfigError, Unreachable
from drivers.api import LineConfig
from drivers.modbus.callers import Porch
from drivers.modbus.frames import Ascii, Framing, Rtu
from drivers.modbus.link import Link
from drivers.modbus.stream import StreamLink
from drivers.transport import Endpoint, Serial, mapped, reason

_NETWORK: list[type[Exception]] = [TimeoutError, OSError, UnicodeError]
_ERRORS = dict.fromkeys(_NETWORK, Unreachable)
_REFUSED: tuple[type[Exception], ...] = (ValueError, NotImplementedError, *host.TERMINAL)
_UNUSABLE: tuple[type[Exception], ...] = (*_NETWORK, *_REFUSED)
_KINDS = {"udp": CommType.UDP, "tls": CommType.TLS, "rtu": CommType.SERIAL, "ascii": CommType.SERIAL}


class Dial(Protocol):
    """Makes one connection after the other."""

    async def __call__(self, timeout: float) -> Link:
        """A new connection, within so many seconds. Raises Unreachable."""
        ...

    def close(self) -> None:
        """No more connections are wanted for now; may be called twice."""
        ...


def dialler(endpoint: Endpoint, line: LineConfig, porch: Porch | None = None) -> Dial:
    """How the devices of a line are connected to. Raises ConfigError when its certificates cannot be used."""
    if endpoint.serial is not None:
        return _Port(endpoint, endpoint.serial)
    if porch is not None:
        return _Visit(endpoint, porch)
    return _Network(endpoint, _tls(line) if endpoint.scheme == "tls" else None)


def framing(endpoint: Endpoint) -> Framing | None:
    """None where frames have transaction numbers."""
    if endpoint.scheme in ("tcp", "udp", "tls"):
        return None
    return Ascii() if endpoint.ascii else Rtu()


class _Network:
    """TCP, TLS and UDP; on TCP also the frames of a serial line, for converters."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        self._endpoint, self._context = endpoint, context

    async def __call__(self, timeout: float) -> Link:
        link = _link(self._endpoint, _params(self._endpoint, timeout, sslctx=self._context))
        hint = "is the device on, its address and port right, and no firewall between?"
        if self._context is not None:
            hint = "does it speak TLS at this port, and is its certificate one of those in `ca` of the line?"
        with mapped(_ERRORS, f"{self._endpoint}: cannot connect", hint=hint):
            async with asyncio.timeout(timeout):
                await link.call_create()
        return link

    def close(self) -> None:
        """Nothing is kept."""


class _Port:
    """A serial port of this machine, locked against others."""

    def __init__(self, endpoint: Endpoint, settings: Serial) -> None:
        self._endpoint, self._settings = endpoint, settings

    async def __call__(self, timeout: float) -> Link:
        link = _link(self._endpoint, _params(self._endpoint, timeout), echo=self._settings.echo)
        try:
            link.connection_made(opened(link, self._settings))
        except _UNUSABLE as error:
            raise Unreachable(f"{self._endpoint}: cannot open the port: {reason(error)}", hint=_hint(error)) from error
        return link

    def close(self) -> None:
        """Nothing is kept."""


def _hint(error: Exception) -> str:
    """What to do about a port that cannot be opened. What is no error of the system is a setting that it refuses."""
    if isinstance(error, _REFUSED):
        return "it does not take a setting of its endpoint: a pseudo-terminal, for one, has neither parity nor rs485"
    if isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.EBUSY):
        return "another program has it open, which may be a running agent: `fuser -v` and the path names it"
    return "is it plugged in (see /dev/serial/by-id), not in use, and may this user open it (group dialout)?"


class _Visit:
    """A device that dials in: the connection that it has made."""

    def __init__(self, endpoint: Endpoint, porch: Porch) -> None:
        self._endpoint, self._porch = endpoint, porch

    async def __call__(self, timeout: float) -> Link:
        link = _link(self._endpoint, _params(self._endpoint, timeout))
        with mapped(_ERRORS, f"{self._endpoint}: cannot listen", hint="is the port taken by another program?"):
            await self._porch.open(self._endpoint.id)
        try:
            async with asyncio.timeout(timeout):
                transport = await self._porch.visitor(self._endpoint.id)
        except TimeoutError:
            said = f"{self._endpoint}: nobody has dialled in"
            raise Unreachable(said, hint=self._porch.hint(self._endpoint.id)) from None
        transport.set_protocol(cast(asyncio.BaseProtocol, link))
        link.connection_made(transport)
        transport.resume_reading()
        return link

    def close(self) -> None:
        self._porch.close(self._endpoint.id)


class _Tty(SerialTransport):
    """A serial port without pyserial's own waiting: reading asks `select`, which knows no descriptor above 1023, and
    writing tries for ever, without letting go of the loop, while the port takes nothing."""

    def intern_read_ready(self) -> None:
        try:
            data = os.read(self.sync_serial.fileno(), 1024)
            if not data:
                raise ConnectionResetError("the port is gone")
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(exc=error)
        else:
            cast(asyncio.Protocol, self.intern_protocol).data_received(data)

    def intern_write_ready(self) -> None:
        data = b"".join(self.intern_write_buffer)
        try:
            left = data[os.write(self.sync_serial.fileno(), data) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(exc=error)
        else:
            self.intern_write_buffer[:] = [left]
            if not left:
                self.flush()


def opened(link: Link, settings: Serial) -> SerialTransport:
    """The port with its settings, reading into `link`. Raises OSError, ValueError or termios.error."""
    stop: Any = int(settings.stop) if settings.stop != serial.STOPBITS_ONE_POINT_FIVE else settings.stop
    made = (SerialTransport if SerialTransport.force_poll else _Tty)(  # Windows has no descriptors to read from
        link.loop, link, settings.path, settings.baud, settings.data, settings.parity, stop, timeout=0
    )
    try:
        if settings.rs485:
            made.sync_serial.rs485_mode = RS485Settings(
                rts_level_for_tx=settings.rts,
                rts_level_for_rx=not settings.rts,
                delay_before_tx=settings.before,
                delay_before_rx=settings.after,
            )
        if made.force_poll:
            made.setup()
        else:
            link.loop.add_reader(made.sync_serial.fileno(), made.intern_read_ready)
    except _UNUSABLE:
        made.sync_serial.close()
        raise
    return made


def _link(endpoint: Endpoint, params: CommParams, *, echo: bool = False) -> Link:
    frames = framing(endpoint)
    return Link(endpoint, params) if frames is None else StreamLink(endpoint, params, frames, echo=echo)


def _params(endpoint: Endpoint, timeout: float, sslctx: ssl.SSLContext | None = None) -> CommParams:
    return CommParams(
        comm_type=_KINDS.get(endpoint.scheme, CommType.TCP),
        comm_name=str(endpoint),
        host=endpoint.host,
        port=endpoint.port,
        reconnect_delay=0,
        timeout_connect=timeout,
        sslctx=sslctx,
    )


def _tls(line: LineConfig) -> ssl.SSLContext:
    """Both sides show a certificate (MODBUS/TCP Security, §8): ours if the line has one, theirs always checked."""
    try:
        context = ssl.create_default_context(cafile=line.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if line.cert:
            context.load_cert_chain(line.cert, line.key or None)
    except (OSError, ssl.SSLError) as error:
        said = f"line {line.endpoint}: its certificates cannot be used: {error.strerror or error}"
        raise ConfigError(said, hint="are `ca`, `cert` and `key` PEM files that this user may read?") from error
    return context
