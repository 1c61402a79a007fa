"""One connection to a serial line, directly or through a converter: frames without transaction numbers, RTU or
ASCII."""

import asyncio

from pymodbus.transport import CommParams, CommType

from agent.model.errors import Garbled
from drivers.modbus.frames import Framing, Wanted
from drivers.modbus.link import Link, Reply, Request
from drivers.transport import Endpoint

OVER = 0.05  # seconds of silence after which an answer with a wrong checksum is over
APART = 1.0  # seconds of silence after which unasked bytes are no flood: the heartbeat of a modem
MOST = 1024  # bytes between two requests: a few late answers and some noise
READS = 4  # the functions up to this one read


class StreamLink(Link):
    """Answers are picked out of what is heard; `last` is when something was heard last (loop time), 0 for never."""

    numbered = False

    def __init__(self, endpoint: Endpoint, params: CommParams, framing: Framing, *, echo: bool = False) -> None:
        super().__init__(endpoint, params)
        self.framing = framing
        self.last = 0.0
        self._echo = echo  # of every request; without it an echo is told by its bytes where it cannot be an answer
        self._sent = b""
        self.echoed = False  # the request was heard
        self._since = 0  # where in what was heard the search goes on
        self._wanted = Wanted(0, b"\0", 0)
        self._over: asyncio.TimerHandle | None = None

    @property
    def clean(self) -> bool:
        return self.is_active()

    async def ask(self, request: Request, timeout: float) -> Reply:
        """Send, and wait for the answer; what is not it is passed over.

        Raises TimeoutError, ConnectionError, or Garbled for an answer whose checksum is wrong.
        """
        if not self.is_active():
            raise ConnectionResetError
        self.heard, self._taken, self._since, self.echoed = b"", 0, 0, False
        waiter: asyncio.Future[Reply] = self.loop.create_future()
        self._waiter = waiter
        self._wanted = Wanted(request.dev_id, request.head, request.length)
        self._sent = self.framing.build(request.dev_id, bytes((request.function_code,)) + request.encode())
        self.send(self._sent)
        timer = self.loop.call_later(timeout, self._fail, TimeoutError())
        try:
            return await waiter
        finally:
            timer.cancel()
            self._end_over()
            self._waiter = None

    def data_received(self, data: bytes) -> None:
        now = self.loop.time()
        if self._waiter is None and now - self.last > APART:
            self._taken = 0
        self.last = now
        self._taken += len(data)
        if self._taken > MOST:
            self._fail(Garbled("a flood of bytes"))
            if self.comm_params.comm_type != CommType.SERIAL:
                self.hang_up()
        elif self._waiter is not None and not self._waiter.done():
            self.heard += data
            self._look(self._waiter)

    def _look(self, waiter: asyncio.Future[Reply]) -> None:
        self._end_over()
        self._drop_echo()
        found, self._since = self.framing.find(self.heard, self._wanted, self._since)
        if found:
            reply = Reply(found.pdu)
            reply.dev_id, reply.transaction_id = found.unit, 0
            waiter.set_result(reply)
        elif self.framing.spoilt(self.heard, self._wanted):
            self._over = self.loop.call_later(OVER, self._fail, Garbled("an answer with a wrong checksum"))

    def _drop_echo(self) -> None:
        """Only what was heard after the echo counts. An answer to a read cannot look like its request, one to a
        write does."""
        if not self._sent or not (self._echo or self._wanted.head[0] <= READS):
            return
        before, echo, after = self.heard.partition(self._sent)
        if echo:
            self.heard, self._sent, self._since, self.echoed = after, b"", 0, True
        elif self._echo:
            self._since = len(before)

    def _end_over(self) -> None:
        if self._over is not None:
            self._over.cancel()
            self._over = None
