"""Sends messages through one connection: a window for all sends together, and a watch over the answers."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from agent.model.errors import SinkError, Unavailable
from agent.northbound.broker import packet
from agent.northbound.broker.codes import UNCONFIRMED
from agent.northbound.broker.outbox import Outbox, Plain, Sending
from agent.northbound.broker.packet import Message

_POSTED = 1000
_Answer = asyncio.Future[Sequence[int] | None]  # reason codes; None: the connection is over


class Publisher:
    """Lives as long as a connection; `failure` is set when that is over, and every send returns then.

    `queue(packets)` puts bytes on the wire; `flow()` is how many of them the other side has acknowledged, and whether
    there are any that it has not. When the oldest message waits `timeout` seconds for its PUBACK, or no PUBACK comes
    at all for that time, or another answer does not, the broker counts as frozen: `fail` is called with why. While
    bytes are on their way and get there, it is the link that is slow: the time begins anew.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Callable[[bytes], None],
        flow: Callable[[], tuple[int, bool]],
        fail: Callable[[SinkError], None],
        where: str,
        timeout: float,
    ) -> None:
        self.outbox = outbox
        self.failure: SinkError | None = None
        self._queue, self._flow, self._fail = queue, flow, fail
        self._where, self._timeout = where, timeout
        self._loop = asyncio.get_running_loop()
        self._sends: set[asyncio.Future[None] | _Answer] = set()
        self._pings: deque[_Answer | None] = deque()  # PINGREQs without PINGRESP; None is one that keeps alive
        self._subscribing: dict[int, _Answer] = {}  # by packet id
        self._scheduled = False
        self._posted = 0  # and unconfirmed
        self._watch: asyncio.TimerHandle | None = None
        self._progress = 0.0  # when
        self._taken = 0  # bytes, at the last look
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

    def post(self, message: Message) -> None:
        """As `publish`, for who does not wait; after the end of the connection it does nothing.

        Nor does it when too many of these are unconfirmed: who asks without end and reads no answer gets none.
        """
        if self._posted < _POSTED:
            self._posted += 1
            self.outbox.add(Sending(1, self._was_posted), [message])
            self._hand_over()

    def _was_posted(self) -> None:
        self._posted -= 1

    async def publish_first(self, message: Message) -> None:
        """Before everything that waits; what the broker thinks of it does not matter any more."""
        done = self._loop.create_future()
        sending = Sending(1, lambda: _finish(done))
        self.outbox.add_first(sending, message)
        await self._confirmed(sending, done)

    def publish_unconfirmed(self, messages: Iterable[Message]) -> None:
        """With QoS 0, behind everything that waits; nothing but a `barrier` now and then bounds how much that is."""
        if self.failure is None:
            self.outbox.add_unconfirmed(messages)
            self._hand_over()

    async def barrier(self) -> None:
        """Return when the broker has read everything that was published before. Raises why it never will.

        A broker reads what comes through one connection in its order, so its PINGRESP says that it came that far.
        """
        await self._ask(packet.PINGREQ, self._pings.append, "PINGRESP")

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> Sequence[int]:
        """The broker's reason code for each filter. Raises why there is none."""
        mid = self.outbox.reserve()
        try:
            request = packet.subscribe(mid, filters, self.outbox.properties)
            return await self._ask(request, lambda answer: self._subscribing.update({mid: answer}), "SUBACK")
        finally:
            self._subscribing.pop(mid, None)
            self.outbox.release(mid)

    async def _ask(self, request: bytes, note: Callable[[_Answer], None], what: str) -> Sequence[int]:
        """Send a packet in its turn; `note` keeps what its answer is to be put into. The deadline begins then."""
        if self.failure is not None:
            raise self._gone()
        answer: _Answer = self._loop.create_future()

        def gone() -> None:
            note(answer)
            self._await(answer, what)

        self.outbox.add_plain(Plain(request, gone))
        self._sends.add(answer)
        try:
            self._hand_over()
            codes = await answer
        finally:
            self._sends.discard(answer)
        if codes is None:
            raise self._gone()
        return codes

    def _gone(self) -> SinkError:
        return self.failure or Unavailable(f"{self._where}: the connection is over")

    def _await(self, answer: _Answer, what: str) -> None:
        watch = self._loop.call_later(self._timeout, self._unanswered, answer, what, self._flow()[0])
        answer.add_done_callback(lambda _: watch.cancel())

    def _unanswered(self, answer: _Answer, what: str, taken: int) -> None:
        if answer.done():
            return
        if self._flows_since(taken):
            self._await(answer, what)
            return
        self._fail(
            Unavailable(
                f"{self._where}: no {what} within {self._timeout:g} s",
                hint="is the broker overloaded, or the link slower than `timeout` allows?",
            )
        )

    def _flows_since(self, before: int) -> bool:
        taken, waiting = self._flow()
        return waiting and taken > before

    def kept_alive(self) -> None:
        """A PINGREQ went that nobody waits for; its PINGRESP must not be taken for that of another."""
        self._pings.append(None)

    def ponged(self) -> None:
        """A PINGRESP came; they come in the order of the PINGREQs."""
        answer = self._pings.popleft() if self._pings else None
        if answer is not None and not answer.done():
            answer.set_result(())

    def subscribed(self, mid: int, codes: Sequence[int]) -> None:
        """A SUBACK came."""
        answer = self._subscribing.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

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
            self._look_in(self._timeout)

    def _look_in(self, delay: float) -> None:
        self._taken = self._flow()[0]
        self._watch = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._watch = None
        if not len(self.outbox):
            return
        now, oldest = self._loop.time(), self.outbox.oldest()
        if oldest is not self._oldest[0]:
            self._oldest = oldest, now
        if self._flows_since(self._taken):
            self._oldest, self._progress = (oldest, now), now
        since = min(self._progress, self._oldest[1])
        if now - since >= self._timeout:
            self._fail(
                Unavailable(
                    f"{self._where}: no PUBACK within {self._timeout:g} s, {len(self.outbox)} messages unconfirmed",
                    hint="is the broker overloaded, or the link slower than `timeout` allows?",
                )
            )
        else:
            self._look_in(since + self._timeout - now)


def _finish(done: asyncio.Future[None] | _Answer) -> None:
    if not done.done():
        done.set_result(None)
