"""The border to aiomqtt: one `Connection` is one TCP connection, used once and thrown away.

aiomqtt keeps what it does well: connecting in a thread, TLS, keep-alive, the loop's readers and writers. Messages go by
`Publisher` and `Paho` instead of its `publish`, which makes a future, a timer and an event for each, and come by
`on_message` instead of its queue, which has no bound.

Private names that this rests on, each held by a test: `_client`, `_client_connect`, `_on_connect`, `_on_disconnect`,
`_connected`, `_disconnected`, `_misc_task`. Hence `aiomqtt>=2.5,<2.6`.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import ConnectFlags, DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound import trust
from agent.northbound.broker import codes, packet, refusal
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.library import QUIET, Paho
from agent.northbound.broker.outbox import Outbox
from agent.northbound.broker.packet import Message, Will
from agent.northbound.broker.publisher import Publisher
from agent.northbound.broker.reader import LARGEST
from agent.northbound.broker.route import Route

__all__ = ["Connection", "Limits", "Protocol", "Target", "Will"]

Protocol = Literal["5", "3.1.1"]
_VERSIONS = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}
_UNREAD = 64  # messages of QoS 1 that a broker may have under way to us (MQTT 5)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, as whom, and what the broker shall say of us when the link breaks."""

    route: Route
    username: str
    password: str
    client_id: str
    keepalive: float
    will: Will | None


@dataclass(slots=True)
class Limits:
    """What the broker said in its CONNACK; without a word, what the protocol allows (MQTT 5.0 §3.2.2.3)."""

    unconfirmed: int = 65535
    packet: int | None = None  # bytes
    qos: int = 2
    retain: bool = True


def _uncounted(size: int) -> None:
    """Nobody counts."""


class Connection(aiomqtt.Client):
    """`start()`, then any number of publishes, then `finish()` or `discard()`.

    `publisher.publish(messages)` sends with QoS 1 and returns a reason code for each. `on_message(topic, payload,
    retain)` is called in the loop for each message that comes; it returns fast and raises nothing. `on_over(failure)`
    is called once when the connection is over by itself, `on_sent(bytes)` for what is given to the socket.
    """

    def __init__(self, target: Target, protocol: Protocol, learnt: Learnt, window: int) -> None:
        keepalive = max(1, round(target.keepalive))
        super().__init__(
            target.route.host,
            target.route.port,
            logger=QUIET,
            identifier=target.client_id,
            protocol=_VERSIONS[protocol],
            timeout=target.route.timeout,
            keepalive=keepalive,
        )
        self.on_message: Callable[[str, bytes, bool], None] | None = None
        self.on_over: Callable[[SinkError], None] | None = None
        self.on_sent: Callable[[int], None] = _uncounted
        self.properties = b"\0" if protocol == "5" else b""  # the empty property list of a packet
        self.limits = Limits()
        self._where, self._timeout = target.route.where, target.route.timeout
        self._learnt = learnt
        self._window = window
        self._hung_up = False
        self._guard = threading.Lock()
        self._in_thread = False
        self._discarded = False
        self._pubacks = bytearray()  # for what came in this turn of the loop
        self._paho = Paho.adopt(self._client, target.route, _hello(target, protocol, keepalive), self)
        self.publisher = self._new_publisher()

    def _new_publisher(self) -> Publisher:
        window = min(self._window, self.limits.unconfirmed)
        outbox = Outbox(window, self.properties, self._paho.next_mid, self._learnt)
        paho = self._paho
        return Publisher(outbox, self._hand, paho.progress, self._over, self._where, self._timeout)

    def _hand(self, packets: bytes) -> None:
        self.on_sent(len(packets))
        self._paho.queue(packets)

    @property
    def failure(self) -> SinkError | None:
        """Why the connection is over."""
        return self.publisher.failure

    @property
    def shown(self) -> trust.Ends | None:
        """The certificate of the broker."""
        return self._paho.wire.shown if self._paho.wire is not None else None

    def publish_unconfirmed(self, messages: Iterable[Message]) -> None:
        """With QoS 0, after all that was published before; `barrier` says whether the broker has them."""
        self.publisher.publish_unconfirmed(messages)

    async def barrier(self) -> None:
        """Return when the broker has read all that was published before. Raises Denied or Unavailable when it is over.

        Await it before more than a batch is published unconfirmed: nothing else limits what waits in memory.
        """
        await self.publisher.barrier()

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> None:  # type: ignore[override]  # narrower
        """To (topic filter, highest QoS: 0 or 1); set `on_message` before. Raises Denied or Unavailable."""
        granted = await self.publisher.subscribe(filters)
        if len(granted) != len(filters):
            raise Unavailable(f"{self._where}: a SUBACK for {len(granted)} of {len(filters)} topic filters")
        for (wanted, _), code in zip(filters, granted, strict=True):
            if code >= codes.FAILURE:
                raise codes.unsubscribed(code, self._where, wanted)

    def size(self, message: Message) -> int:
        """Bytes of the packet that carries it."""
        return packet.size(message, self.properties)

    async def start(self) -> None:
        """Connect and log in. Raises Denied or Unavailable, and leaves nothing open then."""
        where, alive = self._where, False
        try:
            async with asyncio.timeout(self._timeout):
                await self.__aenter__()
            alive = self._paho.socket() is not None
        except MqttConnectError as error:
            raise refusal.refused(error, where) from None
        except (TimeoutError, aiomqtt.MqttError) as error:
            raise self._not_started(str(error)) from None
        finally:
            if not alive:
                self.discard()
        if not alive:
            raise Unavailable(f"{where}: the broker closed the connection right after it was made")
        self.publisher = self._new_publisher()
        self._disconnected.add_done_callback(self._reading_failed)

    def _not_started(self, text: str) -> SinkError:
        where = self._where
        if self._hung_up:
            return refusal.NotSpoken(f"{where}: {text}", hint=self._hint(text))
        if self._paho.socket() is not None:
            return refusal.NotSpoken(f"{where}: no answer within {self._timeout:g} s")
        if not text:
            return refusal.NotReached(f"{where}: no connection within {self._timeout:g} s")
        return refusal.NotReached(f"{where}: {text}", hint=self._hint(text))

    def _hint(self, text: str) -> str:
        return refusal.hint(text, tls=self._paho.route.tls is not None)

    async def finish(self, goodbye: Message | None, deadline: float, *, will: bool = False) -> None:
        """Say goodbye and DISCONNECT within `deadline` seconds if the link stands, and close; can be called twice.

        After a DISCONNECT the broker forgets the will, or with `will` publishes it (MQTT 5 only). `goodbye` goes with
        QoS 1, before all that waits.
        """
        self._paho.parting = codes.WITH_WILL if will and self.properties else 0
        try:
            if self.publisher.failure is None and not self._discarded:
                async with asyncio.timeout(deadline):
                    if goodbye is not None:
                        await self.publisher.publish_first(goodbye)
                    await self.__aexit__(None, None, None)
        except (TimeoutError, aiomqtt.MqttError):
            pass  # the broker has our will and publishes it when it notices
        finally:
            self.discard()
        if self._misc_task is not None:
            await asyncio.wait([self._misc_task], timeout=1.0)

    def discard(self) -> None:
        """Close the socket at once. While a thread still connects, that thread's end does it."""
        self.publisher.stop(Unavailable(f"{self._where}: the connection was closed"))
        with self._guard:
            first, self._discarded = not self._discarded, True
            waiting = self._in_thread
        if first and not waiting:
            # The thread has asked the loop to watch the socket: that must have happened before the socket is closed.
            self._loop.call_soon(self._paho.drop)

    def _client_connect(self) -> None:
        """Runs in a thread."""
        with self._guard:
            self._in_thread = True
        try:
            super()._client_connect()
        finally:
            with self._guard:
                self._in_thread = False
                late = self._discarded
            if late:
                self._loop.call_soon_threadsafe(self._paho.drop)

    def _on_socket_register_write(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        """At once, unlike aiomqtt's own: a turn later the socket may be closed, and its number another's."""
        if self._in_thread:
            super()._on_socket_register_write(client, userdata, sock)
        else:
            self._loop.add_writer(sock.fileno(), self._paho.loop_write)

    def acknowledged(self, mid: int, code: int) -> None:
        self.publisher.acknowledged(mid, code)

    def heard(self, first: int, body: bytes) -> None:
        """A PUBLISH came. It is acknowledged when `on_message` has returned, with all others of this turn."""
        topic, payload, retain, mid = packet.heard(first, body, properties=bool(self.properties))
        if self.on_message is not None:
            self.on_message(topic, payload, retain)
        if mid:
            if not self._pubacks:
                self._loop.call_soon(self._acknowledge)
            self._pubacks += packet.acknowledge(mid)

    def _acknowledge(self) -> None:
        pubacks, self._pubacks = bytes(self._pubacks), bytearray()
        if not self._paho.acknowledge(pubacks):
            self._over(Unavailable(f"{self._where}: the broker sent {self._paho.complaint}"))
            self.discard()

    def subscribed(self, body: bytes) -> None:
        self.publisher.subscribed(*packet.suback(body, properties=bool(self.properties)))

    def ponged(self) -> None:
        self.publisher.ponged()

    def kept_alive(self) -> None:
        self.publisher.kept_alive()

    def later(self, work: Callable[[], object]) -> None:
        self._loop.call_soon(work)

    def _on_connect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        said = vars(properties) if properties is not None else {}
        self.limits = Limits(
            unconfirmed=said.get("ReceiveMaximum", 65535),
            packet=said.get("MaximumPacketSize"),
            qos=said.get("MaximumQoS", 2),
            retain=bool(said.get("RetainAvailable", 1)),
        )
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._connected.cancelled():
            return
        if not self._connected.done():
            self._hung_up = True
            why = self._paho.complaint
            said = (
                f"the other side sent {why}: is it a broker?"
                if why
                else "the broker closed the connection instead of answering"
            )
            self._connected.set_exception(aiomqtt.MqttError(said))
            return
        self._over(self._why(flags, reason_code))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _farewell(self) -> str:
        return self._paho.wire.farewell if self._paho.wire is not None else ""

    def _why(self, flags: DisconnectFlags, reason_code: ReasonCode) -> SinkError:
        where = self._where
        if self._paho.complaint:
            return Unavailable(f"{where}: the connection was closed, for the broker sent {self._paho.complaint}")
        if not flags.is_disconnect_packet_from_server:
            if self._paho.wire is not None and self._paho.wire.silent:
                return Unavailable(
                    f"{where}: the network acknowledged nothing for {self._timeout / 2:g} s",
                    hint="do packets get lost on the way, or is the broker frozen?",
                )
            kind = refusal.HungUp if reason_code.value == codes.CONNECTION_LOST else Unavailable
            return kind(f"{where}: the connection was lost{self._farewell()}")
        if reason_code.value == codes.TOO_LARGE:
            # PUBACKs come in order, so the culprit is unconfirmed; the largest unconfirmed one is not smaller than it.
            outbox = self.publisher.outbox
            sizes = [*(size for _, size in outbox.under_way()), outbox.largest]
            self._learnt.too_large(max(sizes) or packet.LARGEST)
        return codes.closed(reason_code.value, where)

    def _reading_failed(self, disconnected: asyncio.Future[None]) -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._over(Unavailable(f"{self._where}: the connection was lost{f': {error}' if error else ''}"))

    def _over(self, failure: SinkError) -> None:
        first = self.publisher.failure is None
        self.publisher.stop(failure)
        if first and self.on_over is not None:
            self.on_over(failure)


def _hello(target: Target, protocol: Protocol, keepalive: int) -> bytes:
    """The CONNECT. It says what we take: a broker of MQTT 5 keeps back what is more. Raises Denied."""
    limits = b"\x21%b\x27%b" % (_UNREAD.to_bytes(2, "big"), LARGEST.to_bytes(4, "big"))
    properties = limits if protocol == "5" else None
    try:
        who = target.username, target.password
        return packet.connect(target.client_id, keepalive, properties, target.will, *who)
    except ValueError as error:
        raise Denied(f"{target.route.where}: {error}", hint="look at `username`, `password` and `protocol`") from None
