"""Sends messages through one connection: a window for all sends together, and a watch over the PUBACKs."""

import asyncio
from collections.abc import Callable, Sequence

from agent.model.errors import SinkError, Unavailable
from agent.northbound.mqtt.codes import UNCONFIRMED
from agent.northbound.mqtt.outbox import Outbox, Sending
from agent.northbound.mqtt.packet import Message


class Publisher:
    """Lives as long as a connection; `failure` is set when that is over, and every send returns then.

    `queue(packets)` puts bytes on the wire. When the oldest message waits `timeout` seconds for its PUBACK, or no
    PUBACK comes at all for that time, the broker counts as frozen: `fail` is called with why.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Callable[[bytes], None],
        fail: Callable[[SinkError], None],
        where: str,
        timeout: float,
    ) -> None:
        self.outbox = outbox
        self.failure: SinkError | None = None
        self._queue, self._fail, self._where, self._timeout = queue, fail, where, timeout
        self._loop = asyncio.get_running_loop()
        self._sends: set[asyncio.Future[None]] = set()
        self._scheduled = False
        self._watch: asyncio.TimerHandle | None = None
        self._progress = 0.0
        self._oldest: tuple[object, float] = (None, 0.0)

    async def publish(self, messages: Sequence[Message]) -> tuple[list[int], SinkError | None]:
        """The reason code of each message once all have their PUBACK, or once the connection is over, and why."""
        if self.failure is not None or not messages:
            return [UNCONFIRMED] * len(messages), self.failure
        done = self._loop.create_future()
        sending = Sending(len(messages), lambda: _finish(done))
        self.outbox.add(sending, messages)
        await self._confirmed(sending, done)
        return sending.codes, self.failure if sending.left else None

    async def publish_first(self, message: Message) -> None:
        """Before everything that waits; what the broker thinks of it does not matter any more."""
        done = self._loop.create_future()
        sending = Sending(1, lambda: _finish(done))
        self.outbox.add_first(sending, message)
        await self._confirmed(sending, done)

    async def _confirmed(self, sending: Sending, done: asyncio.Future[None]) -> None:
        self._sends.add(done)
        try:
            self._hand_over()
            await done
        finally:
            self._sends.discard(done)
            if sending.left:
                self.outbox.forget(sending)

    def acknowledged(self, mid: int, code: int) -> bool:
        """A PUBACK came. What it makes room for is handed over once for all PUBACKs of this turn of the loop."""
        if not self.outbox.confirm(mid, code):
            return False
        self._progress = self._loop.time()
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._hand_over)
        return True

    def stop(self, failure: SinkError) -> None:
        """The connection is over: every send returns with what it has."""
        self.failure = self.failure or failure
        if self._watch is not None:
            self._watch.cancel()
        for done in self._sends:
            _finish(done)

    def _hand_over(self) -> None:
        self._scheduled = False
        if self.failure is not None:
            return
        if not len(self.outbox):
            self._progress = self._loop.time()
        while packets := self.outbox.take():
            self._queue(packets)
        if self._watch is None and len(self.outbox):
            self._watch = self._loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        self._watch = None
        if not len(self.outbox):
            return
        now, oldest = self._loop.time(), self.outbox.oldest()
        if oldest is not self._oldest[0]:
            self._oldest = oldest, now
        since = min(self._progress, self._oldest[1])
        if now - since >= self._timeout:
            self._fail(
                Unavailable(
                    f"{self._where}: no PUBACK within {self._timeout:g} s, {len(self.outbox)} messages unconfirmed",
                    hint="is the broker overloaded, or the link slower than `timeout` allows?",
                )
            )
        else:
            self._watch = self._loop.call_later(since + self._timeout - now, self._look)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
