"""A hostile Modbus TCP device: register `i` holds `i`, coil `i` is on when 3 divides it, and it misbehaves as told.

A behaviour turns a request (the whole ADU) into acts: bytes to send, seconds to wait, or None to close the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Act = bytes | float | None
Behaviour = Callable[[bytes], list[Act]]


def data(adu: bytes) -> bytes:
    """What a healthy device has at the addresses of the request."""
    function, first, count = adu[7], int.from_bytes(adu[8:10], "big"), int.from_bytes(adu[10:12], "big")
    if function > 2:
        return b"".join((address & 0xFFFF).to_bytes(2, "big") for address in range(first, first + count))
    bits = sum(1 << at for at in range(count) if (first + at) % 3 == 0)
    return bits.to_bytes(-(-count // 8), "little")


def answer(adu: bytes, pdu: bytes, *, transaction: int = 0, unit: int | None = None) -> bytes:
    number = (int.from_bytes(adu[:2], "big") + transaction) & 0xFFFF
    header = number.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big")
    return header + bytes((adu[6] if unit is None else unit,)) + pdu


def reply(adu: bytes) -> bytes:
    found = data(adu)
    return answer(adu, bytes((adu[7], len(found))) + found)


def good(adu: bytes) -> list[Act]:
    return [reply(adu)]


def written(adu: bytes) -> list[Act]:
    """A device that takes a write with a proper answer, and forgets the value."""
    return [answer(adu, adu[7:12] if adu[7] in (15, 16) else adu[7:])]


def silent(adu: bytes) -> list[Act]:
    return []


def dribble(adu: bytes) -> list[Act]:
    """Byte by byte, but in time."""
    return [act for byte in reply(adu) for act in (bytes((byte,)), 0.001)]


def garbage(adu: bytes) -> list[Act]:
    return [b"\xde\xad\xbe\xef" * 16]


def web_page(adu: bytes) -> list[Act]:
    return [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", None]


def huge_length(adu: bytes) -> list[Act]:
    return [adu[:4] + b"\xff\xff" + reply(adu)[6:]]


def flood(adu: bytes) -> list[Act]:
    """A valid beginning, then far more than any answer holds."""
    return [reply(adu)[:5], bytes(20_000)]


def foreign_transaction(adu: bytes) -> list[Act]:
    return [answer(adu, reply(adu)[7:], transaction=1000)]


def transaction_zero(adu: bytes) -> list[Act]:
    return [b"\0\0" + reply(adu)[2:]]


def foreign_unit(adu: bytes) -> list[Act]:
    return [answer(adu, reply(adu)[7:], unit=adu[6] ^ 0x55)]


def short_reply(adu: bytes) -> list[Act]:
    """Well-formed, with one register too few."""
    found = data(adu)[:-2]
    return [answer(adu, bytes((adu[7], len(found))) + found)]


def long_reply(adu: bytes) -> list[Act]:
    """Well-formed, with one register too many."""
    found = data(adu) + b"\0\0"
    return [answer(adu, bytes((adu[7], len(found))) + found)]


def wrong_byte_count(adu: bytes) -> list[Act]:
    found = data(adu)
    return [answer(adu, bytes((adu[7], len(found) - 1)) + found)]


def odd_bytes(adu: bytes) -> list[Act]:
    found = data(adu)[:-1]
    return [answer(adu, bytes((adu[7], len(found))) + found)]


def wrong_function(adu: bytes) -> list[Act]:
    return [answer(adu, bytes((adu[7] ^ 7,)) + reply(adu)[8:])]


def unknown_function(adu: bytes) -> list[Act]:
    return [answer(adu, b"\x55" + reply(adu)[8:])]


def write_answer(adu: bytes) -> list[Act]:
    """As if a register had been written."""
    return [answer(adu, b"\x06" + adu[8:12])]


def foreign_exception(adu: bytes) -> list[Act]:
    """An exception to a function that nobody asked for."""
    return [answer(adu, bytes((adu[7] ^ 1 | 0x80, 2)))]


def exception_without_code(adu: bytes) -> list[Act]:
    return [answer(adu, bytes((adu[7] | 0x80,)))]


def header_only(adu: bytes) -> list[Act]:
    return [reply(adu)[:7]]


def half_reply(adu: bytes) -> list[Act]:
    return [reply(adu)[:-3]]


def close_mid_reply(adu: bytes) -> list[Act]:
    return [reply(adu)[:-3], None]


def close_at_once(adu: bytes) -> list[Act]:
    return [None]


def trailing_bytes(adu: bytes) -> list[Act]:
    return [reply(adu) + b"\x01\x02\x03"]


def exception(code: int) -> Behaviour:
    return lambda adu: [answer(adu, bytes((adu[7] | 0x80, code)))]


def late(seconds: float) -> Behaviour:
    return lambda adu: [seconds, reply(adu)]


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request meets the first behaviour, and so on; the last one stays."""
    left = list(behaviours)

    def behave(adu: bytes) -> list[Act]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(adu)

    return behave


def by_unit(units: Mapping[int, Behaviour]) -> Behaviour:
    return lambda adu: units[adu[6]](adu)


def by_address(blocks: Mapping[int, Behaviour], otherwise: Behaviour = good) -> Behaviour:
    return lambda adu: blocks.get(int.from_bytes(adu[8:10], "big"), otherwise)(adu)


def by_function(functions: Mapping[int, Behaviour], otherwise: Behaviour = good) -> Behaviour:
    return lambda adu: functions.get(adu[7], otherwise)(adu)


@dataclass
class FaultyDevice:
    """`behave` may be changed at any time; `asked` are the requests, `connections` counts them."""

    behave: Behaviour
    port: int = 0
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)
    _serving: set[asyncio.Task[None] | None] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readexactly(6)
                adu = head + await reader.readexactly(int.from_bytes(head[4:], "big"))
                self.asked.append(adu)
                if await self._act(self.behave(adu), writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._serving.discard(asyncio.current_task())
            writer.close()

    async def _act(self, acts: list[Act], writer: asyncio.StreamWriter) -> bool:
        for act in acts:
            if act is None:
                return True
            if isinstance(act, bytes):
                writer.write(act)
                await writer.drain()
            else:
                await asyncio.sleep(act)
        return False

    async def quiet(self, seconds: float) -> None:
        """Let what is under way arrive."""
        await asyncio.sleep(seconds)

    async def left(self, within: float = 2.0) -> bool:
        """Whether every client has gone."""
        async with asyncio.timeout(within):
            while self._serving:
                await asyncio.sleep(0.005)
        return True

    async def stop(self) -> None:
        serving = [task for task in self._serving if task is not None]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def faulty_device(behave: Behaviour = good, port: int = 0) -> AsyncIterator[FaultyDevice]:
    """Serve on 127.0.0.1 in this event loop."""
    device = FaultyDevice(behave)
    server = await asyncio.start_server(device.serve, "127.0.0.1", port)
    device.port = server.sockets[0].getsockname()[1]
    try:
        yield device
    finally:
        server.close()
        await device.stop()
        await server.wait_closed()
