"""One connection of an edge node: what is heard on it, and when what the session says may go.

Everything that a host application causes happens while its message is heard: a rebirth stands between two batches, and
after the NDEATH for a host that has gone nothing follows.
"""

import asyncio
import time
from collections.abc import Iterable

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound.broker import codes, packet
from agent.northbound.broker.client import Connection
from agent.northbound.broker.packet import Message
from agent.northbound.house import House
from agent.northbound.sparkplug.config import Config
from agent.northbound.sparkplug.host import Host
from agent.northbound.sparkplug.names import Names
from agent.northbound.sparkplug.orders import Orders
from agent.northbound.sparkplug.session import Session
from agent.northbound.sparkplug.tree import Tree

_GOODBYE = 3.0  # seconds for the last messages and the DISCONNECT
_REBIRTHS = 1.0  # seconds between two rebirths, besides `settle`
_ANSWERS = 50  # to commands, in a second: there may be any number of forged ones


class Link:
    """`over` holds why, once the connection or the primary host has gone; `host` is None where none is waited for."""

    def __init__(
        self,
        config: Config,
        house: House,
        names: Names,
        tree: Tree,
        connection: Connection,
        session: Session,
        host: Host | None,
        marker: str,
    ) -> None:
        self._config, self._house, self._names = config, house, names
        self._connection, self._host = connection, host
        self._marker = packet.topic_head(marker.encode()), b"", False
        self.session = session
        self._loop = asyncio.get_running_loop()
        self._orders = Orders(house, names, tree, self._rebirth_asked, self._say)
        self._stated = asyncio.Event()  # the primary host has said something, or the connection is over
        self.over: asyncio.Future[SinkError] = self._loop.create_future()
        self._quiet = self._again = self._second = 0.0  # when data may follow, a rebirth may, answers may again
        self._answers = 0
        self._puzzled = self._telling = False
        self._timer: asyncio.TimerHandle | None = None
        if host is not None:
            host.forget()

    async def listen(self) -> None:
        """Before the births. Raises Denied and Unavailable."""
        connection = self._connection
        connection.on_message, connection.on_over = self._heard, self._end
        host = [] if self._host is None else [(self._host.topic, 1)]
        await connection.subscribe([(self._names.node_commands, 1), *host])
        try:
            await connection.subscribe([(self._names.device_commands, 1)])
        except Denied as error:
            if self._config.commands is not None:
                raise
            self._house.noticed(f"{error}; nothing can be written from there anyway")

    @property
    def wanted(self) -> bool:
        """Whether there is somebody whom the births are for."""
        return self._host is None or self._host.online is True

    @property
    def _offline(self) -> bool:
        """Whether the primary host has said so."""
        return self._host is not None and self._host.online is False

    async def wait(self, seconds: float, *, patient: bool) -> None:
        """Until the primary host is online; not `patient`: or says that it is not. Raises Unavailable."""
        try:
            async with asyncio.timeout(seconds):
                while not self.wanted and not self.over.done():
                    if self._offline and not patient:
                        break
                    self._stated.clear()
                    await self._stated.wait()
        except TimeoutError:
            pass
        self.check()
        if not self.wanted:
            raise self._absent()

    def check(self) -> None:
        """Raises why it is over."""
        if self.over.done():
            raise self.over.result()
        if self._connection.failure is not None:
            raise self._connection.failure

    def birth(self) -> None:
        """Now, whatever was before."""
        self.publish(self.session.birth(time.time_ns()))
        if not self._telling:
            self._tell()

    def _tell(self) -> None:
        """What devices there are, some at a time."""
        self._telling = False
        if self.over.done():
            self.session.waiting.clear()
            return
        self.publish(self.session.more(time.time_ns()))
        if self.session.waiting:
            self._telling = True
            self._loop.call_soon(self._tell)
        self._quiet = self._loop.time() + self._config.settle

    async def settled(self) -> None:
        """Return when data may follow the births. Raises why the connection is over."""
        while self.session.waiting:
            await asyncio.sleep(0)
            self.check()
        while (left := self._quiet - self._loop.time()) > 0:
            await asyncio.wait([self.over], timeout=left)
            self.check()
        self.check()

    def publish(self, messages: Iterable[Message]) -> None:
        """What the session has said, in the same turn of the loop."""
        self._connection.publish_unconfirmed(messages)

    async def barrier(self) -> None:
        """Return when the broker has all that was published. Raises Denied and Unavailable."""
        if self._config.barrier == "ping":
            await self._connection.barrier()
            return
        (code,), failure = await self._connection.publisher.publish([self._marker])
        if failure is not None:
            raise failure
        if code not in codes.CONFIRMED:
            topic = packet.topic(self._marker)
            raise codes.unconfirmed(code, f"{self._config.where}: the marker behind a batch, to {topic}", topic)

    async def close(self) -> None:
        """Say goodbye if there is somebody to hear it; can be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        self._orders.close()
        connection, goodbye = self._connection, None
        connection.on_message = connection.on_over = None
        self.session.waiting.clear()
        if self.session.born and connection.failure is None and not self.over.done():
            now = time.time_ns()
            self.publish(self.session.deaths(now))
            goodbye = self.session.death(now)
        await connection.finish(goodbye, min(_GOODBYE, self._config.timeout), will=self.session.born)

    def _heard(self, topic: str, payload: bytes, retain: bool) -> None:
        if self._host is not None and topic == self._host.topic:
            self._state(self._host, payload)
        elif not self.over.done():
            self._orders.heard(topic, payload, retain)

    def _state(self, host: Host, payload: bytes) -> None:
        if not host.hear(payload):
            if not self._puzzled:
                self._house.noticed(f"{host.topic}: ignored, for it is outdated or no state: {payload[:100]!r}")
            self._puzzled = True
            return
        self._stated.set()
        if not host.online and self.session.born and not self.over.done():
            self._connection.publisher.post(self.session.death(time.time_ns()))
            self._end(self._absent())

    def _absent(self) -> Unavailable:
        said = "is offline" if self._offline else "has not said that it is there"
        what = f"{self._config.where}: the primary host {self._config.primary_host} {said}"
        return Unavailable(what, hint="it gets everything later")

    def _end(self, failure: SinkError) -> None:
        if not self.over.done():
            self.over.set_result(failure)
        self._stated.set()

    def _rebirth_asked(self) -> None:
        """At once, but at most one in a while: what is asked for meanwhile is one, and data go on until then."""
        if not self.session.born or self.over.done() or self._timer is not None:
            return
        delay = self._again - self._loop.time()
        if delay > 0:
            self._timer = self._loop.call_later(delay, self._rebirth)
        else:
            self._rebirth()

    def _rebirth(self) -> None:
        self._timer = None
        if not self.over.done():
            self.birth()
            self._again = self._loop.time() + _REBIRTHS

    def _say(self, answer: str) -> None:
        """What became of a command, unless there are too many."""
        now = self._loop.time()
        if now >= self._second:
            self._second, self._answers = now + 1.0, 0
        self._answers += 1
        if self.session.born and not self.over.done() and self._answers <= _ANSWERS:
            self.publish([self.session.answer(answer, time.time_ns())])
