"""The border to pymodbus: it owns the socket and whatever is not the usual answer; here are one connection, the wait
for an answer, and raw replies.

pymodbus takes an answer without comparing it with the request, decodes each register into a list, logs each outage and
waits with `asyncio.wait_for`, which can swallow a cancellation on Python 3.11. So the three parts in which that happens
are replaced: the decoder hands over the raw bytes, `ask` waits, and a stream that is no Modbus TCP fails at once.
A request of Modbus TCP is framed when it is built, and an answer that comes whole and alone is told by its header: both
happen in each scan, and pymodbus took about a third of its CPU for them. Its logger is silenced here, since every
outage reaches the supervisor as an error.
"""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.transaction import TransactionManager
from pymodbus.transport import CommParams, CommType

from agent.model.errors import Garbled
from drivers.modbus.plan import Block
from drivers.tapping import HEARD, LOST, SENT
from drivers.transport import Endpoint

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

BUFFER = 4096  # bytes: several late answers may arrive in one piece
SMALLEST = 3  # unit, function and one byte: what the length field of an answer says at least
SMALLEST_FRAME = 6 + SMALLEST
MOST_NUMBER = 65000  # of a transaction, the next one is 1
EARLY = 0.0005  # seconds by which a timer may be early: uvloop counts whole milliseconds
_HEADER = struct.Struct(">HHHB")  # transaction, protocol, length of what follows, unit


Answered = tuple["Reply", float, float]  # when it came, and until when it would have been waited for (loop time)


class Failed(NamedTuple):
    """A request that got no proper answer: as it was sent (empty if it was not), what came, times as in `Answered`."""

    sent: bytes
    came: bytes
    ended: float
    until: float
    message: str
    hint: str


class Request(ModbusPDU):
    """A request that is built once and sent many times.

    `frame` is how it goes over Modbus TCP, after the two bytes of a transaction number. `head` is what its answer must
    begin with, its function included, and `length` how many bytes that answer has; 0 where only the answer knows.
    `what` says for people what is asked.
    """

    bridges = False  # it reads registers that no tag asked for
    strict = False  # nothing but its registers may be read
    once = False  # it changes something, so it is not sent again on a new connection
    leaving: Callable[[], None] | None = None  # called right before it is sent; what it raises keeps it from that
    last: Answered | Failed | None = None  # what became of it the last time
    patience = 0.0  # seconds that there were for the answer then

    def __init__(self, unit: int, body: bytes, head: bytes, length: int, what: str) -> None:
        super().__init__(dev_id=unit)
        self.function_code = head[0]
        self.head, self.length, self.what = head, length, what
        self.frame = struct.pack(">HHBB", 0, len(body) + 2, unit, head[0]) + body
        self._body = body

    def encode(self) -> bytes:
        return self._body

    def fits(self, pdu: bytes) -> bool:
        """Whether this is the answer, and no refusal."""
        return pdu.startswith(self.head) and self.length in (0, len(pdu))

    def __str__(self) -> str:
        return f"unit {self.dev_id}, {self.what}"


class Read(Request):
    """The registers or coils of a block."""

    def __init__(self, unit: int, block: Block, *, strict: bool = False) -> None:
        head = bytes((block.table.function, block.size))
        body = struct.pack(">HH", block.address, block.count)
        super().__init__(unit, body, head, len(head) + block.size, str(block))
        self.address, self.count, self.bridges = block.address, block.count, block.bridges
        self.strict = strict


def plain_read(unit: int, function: int, address: int, count: int, what: str) -> Request:
    """A read of registers (function 3 or 4) or coils (1 or 2) that no tag stands behind."""
    size = 2 * count if function in (3, 4) else -(-count // 8)
    made = Request(unit, struct.pack(">HH", address, count), bytes((function, size)), 2 + size, what)
    made.address, made.count = address, count
    return made


class Reply(ModbusPDU):
    """An answer as it came: function code, byte count and data in `pdu`. pymodbus adds unit and transaction. On a
    serial line `frame` is the whole of it, and `asked` that of its request."""

    frame = asked = b""

    def __init__(self, pdu: bytes) -> None:  # the parent's fields belong to parts of pymodbus that are not used
        self.pdu = pdu


class Replies(DecodePDU):
    """A decoder that never fails and never interprets."""

    def decode(self, frame: bytes) -> Reply:
        return Reply(frame)


class Link(TransactionManager):
    """One connection with transaction numbers (Modbus TCP, also over TLS and UDP), used once: a new one is made for
    each attempt, so that nothing old can reach it."""

    numbered = True  # an answer says to which request it belongs

    def __init__(self, endpoint: Endpoint, params: CommParams) -> None:
        self.endpoint = endpoint
        self.heard = b""  # what arrived last since the request was sent
        self.served = False  # it brought an answer
        self._taken = 0  # bytes since the last request
        self._waiter: asyncio.Future[Reply] | None = None
        self._put: Callable[[bytes], None]
        self.until = 0.0  # its deadline (loop time)
        self._timer: asyncio.TimerHandle | None = None
        self.tap: Callable[[str, bytes], None] | None = None  # who wants to know what goes over this wire
        super().__init__(params, FramerSocket(Replies(is_server=False)), 0, False, None, None, None)
        self.max_buffer_size = BUFFER
        self._is_udp = params.comm_type == CommType.UDP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._is_udp:
            self._put = cast(asyncio.DatagramTransport, transport).sendto
        else:
            self._put = cast(asyncio.WriteTransport, transport).write
        super().connection_made(transport)

    @property
    def clean(self) -> bool:
        """Connected, and between two answers."""
        return bool(self.transport) and not self.recv_buffer

    @property
    def is_stuck(self) -> bool:
        """What was sent has not left."""
        return self.is_active() and cast(asyncio.WriteTransport, self.transport).get_write_buffer_size() > 0

    def asked(self, request: Request) -> bytes:
        """How the last request went over the wire."""
        return request.transaction_id.to_bytes(2, "big") + request.frame

    @property
    def came(self) -> bytes:
        """What came back since the request was sent: the answer, or what was there instead."""
        return self.heard

    def ask(self, request: Request, until: float) -> Awaitable[Reply]:
        """Send; to be awaited is an answer that carries this request's transaction and unit, or neither.

        Raises TimeoutError at `until` (loop time), ConnectionError, or Garbled for bytes that are no Modbus TCP at all.
        """
        if self.transport is None:
            raise ConnectionResetError
        self.heard = self.recv_buffer = b""
        self._taken = 0
        waiter: asyncio.Future[Reply] = self.loop.create_future()
        self._waiter = self.response_future = waiter
        self.next_tid = number = self.next_tid % MOST_NUMBER + 1
        request.transaction_id = self.request_transaction_id = number
        self.request_dev_id = request.dev_id
        sent = number.to_bytes(2, "big") + request.frame
        if self.tap is not None:
            self.tap(SENT, sent)
        self._put(sent)
        self.until = until
        if self._timer is None or until < self._timer.when():
            self._set_timer()
        return waiter

    def _set_timer(self) -> None:
        """One timer for the deadlines of many requests: most are answered, and it is not set anew for each."""
        self._stop_timer()
        self._timer = self.loop.call_at(self.until, self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self.until - self.loop.time() > EARLY:
            self._set_timer()  # that of an older request has rung
        else:
            self._fail(TimeoutError())

    def hang_up(self) -> None:
        """Close at once; what was not sent yet is dropped, and who waits for an answer gets ConnectionError."""
        transport = self.transport
        self._stop_timer()
        self._fail(ConnectionAbortedError("it was closed here"))
        self.close()
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()

    def data_received(self, data: bytes) -> None:
        """Bound what is taken between two requests: the rest is nobody's answer, and reading it would cost a core.

        The answer, whole and alone, is what comes nearly always; whatever else comes is for pymodbus to sort out.
        """
        self._taken += len(data)
        if self.tap is not None:
            self.tap(HEARD, data)
        if self._taken > BUFFER:
            self._fail(Garbled("a flood of bytes"))
            self.hang_up()
        elif self.recv_buffer or not self._answers(data):
            super().data_received(data)

    def _answers(self, data: bytes) -> bool:
        """Whether this is the frame that is waited for, and nothing else; then nobody waits any more."""
        waiter = self._waiter
        if waiter is None or len(data) < SMALLEST_FRAME or waiter.done():
            return False
        number, protocol, length, unit = _HEADER.unpack_from(data)
        if (number, protocol, unit) != (self.request_transaction_id, 0, self.request_dev_id):
            return False
        if length < SMALLEST or length + 6 != len(data):
            return False
        self.heard, self._waiter = data, None
        reply = Reply(data[7:])
        reply.dev_id, reply.transaction_id = unit, number
        waiter.set_result(reply)
        return True

    def datagram_received(self, data: bytes, addr: tuple[str, int] | None) -> None:
        """A datagram is a whole frame, so that nothing of the one before belongs to it."""
        if self._is_udp:
            self.recv_buffer = b""
        if self.tap is not None:
            self.tap(HEARD, data)
        super().datagram_received(data, addr)

    def callback_data(self, data: bytes, addr: tuple[str, int] | None = None) -> int:
        self.heard = data
        if len(data) > 5 and (data[2:5] != b"\0\0\0" or data[5] < SMALLEST):
            self._fail(Garbled("bytes that are no Modbus TCP"))
            return 0
        return super().callback_data(data, addr)

    def error_received(self, exc: Exception) -> None:
        """The network says that a datagram did not arrive."""
        self._fail(exc)

    def callback_disconnected(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self.tap is not None:
            self.tap(LOST, str(exc or "the other side closed it").encode())
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("the other side closed it"))

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
