"""One connection to a serial line, directly or through a converter: frames without transaction numbers, RTU or
ASCII."""

import asyncio

from pymodbus.transport import CommParams, CommType

from agent.model.errors import Garbled
from drivers.modbus.frames import Framing, Wanted
from drivers.modbus.link import Link, Reply, Request
from drivers.tapping import HEARD, SENT
from drivers.transport import Endpoint

OVER = 0.05  # seconds of silence after which an answer with a wrong checksum is over
APART = 1.0  # seconds of silence after which unasked bytes are no flood: the heartbeat of a modem
MOST = 1024  # bytes between two requests: a few late answers and some noise
READS = 4  # the functions up to this one read
GRAIN = 0.001  # seconds: uvloop counts whole ones, so that what came at 3.9 ms has the time 3 ms


class StreamLink(Link):
    """Answers are picked out of what is heard; `last` is when something was heard last (loop time), 0 for never.

    What was heard since the request stands in `heard`; when the answer has come, what was before it in `passed`, and
    what has come since in `heard`.
    """

    numbered = False

    def __init__(self, endpoint: Endpoint, params: CommParams, framing: Framing, *, echo: bool = False) -> None:
        super().__init__(endpoint, params)
        self.framing = framing
        self.last = 0.0
        self.grain = 0.0 if isinstance(self.loop, asyncio.BaseEventLoop) else GRAIN  # by which `last` may be too early
        self.passed = b""
        self._built = b""  # the last request
        self.echo = echo  # of every request, as the endpoint says
        self._echoes: bool | None = echo or None  # whether the line was found to hear what it sends
        self._alike = False  # the echo of the request could be taken for its answer
        self._sent = b""
        self.echoed = False  # the request was heard
        self._since = 0  # where in what was heard the search goes on
        self._wanted = Wanted(0, b"\0", 0)
        self._over: asyncio.TimerHandle | None = None

    @property
    def clean(self) -> bool:
        return self.is_active()

    def asked(self, request: Request) -> bytes:
        return self._built

    @property
    def came(self) -> bytes:
        return self.passed + self.heard

    async def ask(self, request: Request, until: float) -> Reply:
        """Send, and wait for the answer; what is not it is passed over.

        Raises TimeoutError at `until` (loop time), ConnectionError, or Garbled for an answer whose checksum is wrong.
        """
        self._built = b""
        if not self.is_active():
            raise ConnectionResetError
        self.heard, self.passed, self._taken, self._since, self.echoed = b"", b"", 0, 0, False
        waiter: asyncio.Future[Reply] = self.loop.create_future()
        self._waiter = waiter
        self._wanted = Wanted(request.dev_id, request.head, request.length)
        pdu = bytes((request.function_code,)) + request.encode()
        self._alike = len(pdu) == request.length
        self._built = self._sent = self.framing.build(request.dev_id, pdu)
        if self.tap is not None:
            self.tap(SENT, self._sent)
        self.send(self._sent)
        self.until = until
        timer = self.loop.call_at(until, self._fail, TimeoutError())
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
        if self.tap is not None:
            self.tap(HEARD, data)
        if self._taken > MOST:
            self._fail(Garbled("a flood of bytes"))
            if self.comm_params.comm_type != CommType.SERIAL:
                self.hang_up()
            return
        self.heard = (self.heard + data)[:MOST]
        if self._waiter is not None and not self._waiter.done():
            self._look(self._waiter)

    def _look(self, waiter: asyncio.Future[Reply]) -> None:
        self._end_over()
        self._drop_echo()
        if self._echoes is not False and len(self.heard) < len(self._sent) and self._sent.startswith(self.heard):
            return  # an echo of which the rest is still to come
        found, self._since = self.framing.find(self.heard, self._wanted, self._since)
        if found:
            reply = Reply(found.pdu)
            reply.dev_id, reply.transaction_id = found.unit, 0
            reply.frame, reply.asked = self.heard[found.start : found.end], self._built
            self.passed, self.heard = self.passed + self.heard[: found.start], self.heard[found.end :]
            if not self._alike:
                self._echoes = self.echoed or self.echo
            waiter.set_result(reply)
        elif (self.echoed or not self.echo) and self.framing.spoilt(self.heard, self._wanted):
            self._over = self.loop.call_later(OVER, self._fail, Garbled("an answer with a wrong checksum"))

    def _drop_echo(self) -> None:
        """Only what was heard after the echo counts.

        Some echoes look like the answer: those of most writes, and of a read of 17 to 24 coils from 0x03nn on. Whether
        one is dropped is decided by what the line did before; until then it is one after a read and none after a write.
        """
        echoes = self._wanted.head[0] <= READS if self._echoes is None else self._echoes
        if not self._sent or (self._alike and not echoes):
            return
        before, echo, after = self.heard.partition(self._sent)
        if echo:
            self.heard, self.passed, self._sent, self._since, self.echoed = after, before, b"", 0, True
        elif self.echo:
            self._since = len(before)

    def _end_over(self) -> None:
        if self._over is not None:
            self._over.cancel()
            self._over = None
