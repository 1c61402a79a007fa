"""The border to pymodbus: it owns framing and socket, here are one connection, the wait for an answer, and raw replies.

pymodbus takes an answer without comparing it with the request, decodes each register into a list, logs each outage and
waits with `asyncio.wait_for`, which can swallow a cancellation on Python 3.11. So the three parts in which that happens
are replaced: the decoder hands over the raw bytes, `ask` waits, and a stream that is no Modbus TCP fails at once.
Its logger is silenced here, since every outage reaches the supervisor as an error.
"""

import asyncio
import logging
import struct
from typing import cast

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.transaction import TransactionManager
from pymodbus.transport import CommParams, CommType

from agent.model.errors import Garbled, Unreachable
from drivers.modbus.plan import Block
from drivers.transport import Endpoint, mapped

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

BUFFER = 4096  # bytes: several late answers may arrive in one piece
SMALLEST = 3  # unit, function and one byte: what the length field of an answer says at least


class Request(ModbusPDU):
    """A read request that is built once and sent many times; `head` and `length` are what its answer must have."""

    once = False  # a request that changes something is not sent again on a new connection

    def __init__(self, unit: int, block: Block) -> None:
        super().__init__(dev_id=unit, address=block.address, count=block.count)
        self.function_code = block.table.function
        self.block = block
        self.head = bytes((block.table.function, block.size))
        self.length = len(self.head) + block.size
        self._body = struct.pack(">HH", block.address, block.count)

    def encode(self) -> bytes:
        return self._body

    def __str__(self) -> str:
        return f"unit {self.dev_id}, {self.block}"


class Reply(ModbusPDU):
    """An answer as it came: function code, byte count and data in `pdu`. pymodbus adds unit and transaction."""

    def __init__(self, pdu: bytes) -> None:  # the parent's fields belong to parts of pymodbus that are not used
        self.pdu = pdu


class Replies(DecodePDU):
    """A decoder that never fails and never interprets."""

    def decode(self, frame: bytes) -> Reply:
        return Reply(frame)


class Link(TransactionManager):
    """One TCP connection, used once: a new one is made for each attempt, so that nothing old can reach it."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self.endpoint = endpoint
        self.heard = b""  # what arrived last since the request was sent
        self.served = False  # it brought an answer
        self._taken = 0  # bytes since the last request
        self._waiter: asyncio.Future[Reply] | None = None
        params = CommParams(
            comm_type=CommType.TCP,
            comm_name=str(endpoint),
            host=endpoint.host,
            port=endpoint.port,
            reconnect_delay=0,
            timeout_connect=timeout,
        )
        super().__init__(params, FramerSocket(Replies(is_server=False)), 0, False, None, None, None)
        self.max_buffer_size = BUFFER

    @property
    def clean(self) -> bool:
        """Connected, and between two answers."""
        return self.is_active() and not self.recv_buffer

    async def dial(self) -> None:
        """Connect. Raises Unreachable."""
        hint = "is the device on, its address and port right, and no firewall between?"
        errors = {TimeoutError: Unreachable, OSError: Unreachable, UnicodeError: Unreachable}
        with mapped(errors, f"{self.endpoint}: cannot connect", hint=hint):
            async with asyncio.timeout(self.comm_params.timeout_connect):
                await self.call_create()

    async def ask(self, request: Request, timeout: float) -> Reply:
        """Send, and wait for an answer that carries this request's transaction and unit, or neither.

        Raises TimeoutError, ConnectionError, or Garbled for bytes that are no Modbus TCP at all.
        """
        if not self.is_active():
            raise ConnectionResetError
        self.heard, self._taken = b"", 0
        waiter: asyncio.Future[Reply] = self.loop.create_future()
        self._waiter = self.response_future = waiter
        request.transaction_id = self.getNextTID()
        self.pdu_send(request)
        timer = self.loop.call_later(timeout, self._fail, TimeoutError())
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def hang_up(self) -> None:
        """Close at once; what was not sent yet is dropped."""
        transport = self.transport
        self.close()
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()

    def data_received(self, data: bytes) -> None:
        """Bound what is taken between two requests: the rest is nobody's answer, and reading it would cost a core."""
        self._taken += len(data)
        if self._taken > BUFFER:
            self._fail(Garbled("a flood of bytes"))
            self.hang_up()
            return
        super().data_received(data)

    def callback_data(self, data: bytes, addr: tuple[str, int] | None = None) -> int:
        self.heard = data
        if len(data) > 5 and (data[2:5] != b"\0\0\0" or data[5] < SMALLEST):
            self._fail(Garbled("bytes that are no Modbus TCP"))
            return 0
        return super().callback_data(data, addr)

    def callback_disconnected(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError())

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
