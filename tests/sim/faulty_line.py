"""A hostile serial line behind a TCP port or a pseudo-terminal: units whose register `i` holds `i + 256 * unit`,
misbehaving as told.

A behaviour turns a request (unit and PDU) into acts: bytes for the wire, seconds to wait, or None to hang up. Requests
are served one after the other, as a serial line does.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Act = bytes | float | None
Behaviour = Callable[[bytes], list[Act]]
_LENGTHS = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 22: 10, 43: 7}


def crc(data: bytes) -> bytes:
    """CRC-16 of Modbus bit by bit, as the standard draws it (Modbus over Serial Line 1.02, §6.2.2)."""
    found = 0xFFFF
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0xA001 if found & 1 else 0)
    return found.to_bytes(2, "little")


def rtu(unit: int, pdu: bytes) -> bytes:
    frame = bytes((unit,)) + pdu
    return frame + crc(frame)


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    frame = bytes((unit,)) + pdu
    return b":" + (frame + bytes((-sum(frame) % 256,))).hex().upper().encode() + b"\r\n"


def value(unit: int, address: int) -> int:
    return (address + 256 * unit) & 0xFFFF


def data(request: bytes) -> bytes:
    """What a healthy unit has at the addresses of the request (unit and PDU)."""
    first, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
    if request[1] > 2:
        return b"".join(value(request[0], address).to_bytes(2, "big") for address in range(first, first + count))
    bits = sum(1 << at for at in range(count) if (first + at) % 3 == 0)
    return bits.to_bytes(-(-count // 8), "little")


def answer(request: bytes) -> bytes:
    """Unit and PDU of the right answer; a write is confirmed."""
    if request[1] > 4:
        return request[: 8 if request[1] == 22 else 6]
    found = data(request)
    return request[:2] + bytes((len(found),)) + found


def frame(answer: bytes) -> bytes:
    return rtu(answer[0], answer[1:])


def good(request: bytes) -> list[Act]:
    return [frame(answer(request))]


def silent(request: bytes) -> list[Act]:
    return []


def dribble(request: bytes) -> list[Act]:
    return [act for byte in frame(answer(request)) for act in (bytes((byte,)), 0.001)]


def short(request: bytes) -> list[Act]:
    return [frame(answer(request))[:-3]]


def garbled(request: bytes) -> list[Act]:
    found = bytearray(frame(answer(request)))
    found[3] ^= 0x10
    return [bytes(found)]


def noise(request: bytes) -> list[Act]:
    return [b"\xff\x00\xfe" + frame(answer(request)) + b"\x00"]


def foreign(request: bytes) -> list[Act]:
    """Another unit answers, with what this one was asked for."""
    found = answer(request)
    return [rtu(found[0] ^ 0x2A, found[1:])]


def foreign_first(request: bytes) -> list[Act]:
    return [*foreign(request), frame(answer(request))]


def echoed(request: bytes) -> list[Act]:
    return [rtu(request[0], request[1:]) + frame(answer(request))]


def echo_only(request: bytes) -> list[Act]:
    return [rtu(request[0], request[1:])]


def twice(request: bytes) -> list[Act]:
    """A repeater on the line, or two devices with one unit."""
    return [frame(answer(request)), 0.005, frame(answer(request))]


def echo_on(behave: Behaviour) -> Behaviour:
    """The adapter hears what it sends; the bytes come as they are heard, in two pieces."""

    def echoing(request: bytes) -> list[Act]:
        heard = frame(request)
        return [heard[:-1], 0.002, heard[-1:], *behave(request)]

    return echoing


def one_less(request: bytes) -> list[Act]:
    found = data(request)[:-2]
    return [frame(request[:2] + bytes((len(found),)) + found)]


def flood(request: bytes) -> list[Act]:
    return [bytes((request[0], request[1])) * 4000]


def hang_up(request: bytes) -> list[Act]:
    return [None]


def exception(code: int) -> Behaviour:
    return lambda request: [frame(bytes((request[0], request[1] | 0x80, code)))]


def late(seconds: float) -> Behaviour:
    return lambda request: [seconds, *good(request)]


def ascii_good(request: bytes) -> list[Act]:
    found = answer(request)
    return [ascii_frame(found[0], found[1:])]


def by_unit(units: Mapping[int, Behaviour], otherwise: Behaviour = silent) -> Behaviour:
    return lambda request: units.get(request[0], otherwise)(request)


@dataclass
class FaultyLine:
    """`behave` may be changed at any time; `asked` are the requests (unit and PDU), `connections` counts them."""

    behave: Behaviour
    text: bool = False  # ASCII rather than RTU
    port: int = 0
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{'ascii' if self.text else 'rtu'}+tcp://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
        """Until the other side hangs up, or a behaviour does."""
        self.connections += 1
        while True:
            request = await (self._line(reader) if self.text else self._frame(reader))
            self.asked.append(request)
            for act in self.behave(request):
                if act is None:
                    return
                if isinstance(act, float):
                    await asyncio.sleep(act)
                else:
                    write(act)

    @staticmethod
    async def _frame(reader: asyncio.StreamReader) -> bytes:
        begun = await reader.readexactly(2)
        rest = _LENGTHS.get(begun[1])
        if rest is None:  # several registers or coils: the byte count says how many follow
            begun += await reader.readexactly(5)
            rest = 9 + begun[6]
        whole = begun + await reader.readexactly(rest - len(begun))
        assert crc(whole[:-2]) == whole[-2:], f"a request with a wrong checksum: {whole.hex(' ')}"
        return whole[:-2]

    @staticmethod
    async def _line(reader: asyncio.StreamReader) -> bytes:
        line = await reader.readuntil(b"\r\n")
        frame = bytes.fromhex(line[1:-2].decode())
        assert line.startswith(b":") and sum(frame) % 256 == 0, f"a request with a wrong checksum: {line!r}"
        return frame[:-1]


@asynccontextmanager
async def line_over_tcp(behave: Behaviour, *, text: bool = False) -> AsyncIterator[FaultyLine]:
    """The line behind a converter that passes bytes on."""
    line = FaultyLine(behave, text)
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await line.serve(reader, writer.write)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # a cancelled handler would be told as an error by asyncio
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def line_on_pty(behave: Behaviour) -> AsyncIterator[tuple[FaultyLine, str]]:
    """The line at a pseudo-terminal; yields it and the path of the port."""
    line = FaultyLine(behave)
    master, slave = os.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.set_blocking(master, False)
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()

    def feed() -> None:
        try:
            reader.feed_data(os.read(master, 4096))
        except OSError:
            loop.remove_reader(master)
            reader.feed_eof()

    loop.add_reader(master, feed)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(line.serve(reader, lambda data: os.write(master, data)))
        try:
            yield line, path
        finally:
            task.cancel()
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
