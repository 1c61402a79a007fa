"""The border to aiomqtt: one `Connection` is one TCP connection, used once and thrown away.

aiomqtt keeps what it does well: connecting in a thread, TLS, keep-alive, the loop's readers and writers. Messages go by
`Publisher` and `Paho` instead of its `publish`, which makes a future, a timer and an event for each.

Private names that this rests on, each held by a test: `_client`, `_client_connect`, `_on_connect`, `_on_disconnect`,
`_connected`, `_disconnected`, `_misc_task`. Hence `aiomqtt>=2.5,<2.6`.
"""

import asyncio
import ssl
import threading
from dataclasses import dataclass
from typing import Any, Literal

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import ConnectFlags, DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.model.errors import SinkError, Unavailable
from agent.northbound.mqtt import codes, packet
from agent.northbound.mqtt.learnt import Learnt
from agent.northbound.mqtt.library import QUIET, Paho
from agent.northbound.mqtt.outbox import Outbox
from agent.northbound.mqtt.packet import Message
from agent.northbound.mqtt.publisher import Publisher


class NotSpoken(Unavailable):
    """The broker refused this protocol version (`certain`), or hung up or fell silent instead of answering."""

    certain = False


class HungUp(Unavailable):
    """The other side closed the connection without a word."""


class NoRetain(Unavailable):
    """The broker keeps no retained messages, so it refused a will that asks for it."""


Protocol = Literal["5", "3.1.1"]
_VERSIONS = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, as whom, and what the broker shall say of us when the link breaks."""

    where: str
    host: str
    port: int
    username: str
    password: str
    client_id: str
    keepalive: float
    timeout: float
    tls: ssl.SSLContext | None
    status_topic: str
    last_words: bytes


@dataclass(slots=True)
class Limits:
    """What the broker said in its CONNACK; without a word, what the protocol allows (MQTT 5.0 §3.2.2.3)."""

    unconfirmed: int = 65535
    packet: int | None = None  # bytes
    qos: int = 2
    retain: bool = True


class Connection(aiomqtt.Client):
    """`start()`, then any number of `publisher.publish()`, then `finish()` or `discard()`."""

    def __init__(self, target: Target, protocol: Protocol, learnt: Learnt, *, retain: bool, window: int) -> None:
        super().__init__(
            target.host,
            target.port,
            username=target.username or None,
            password=target.password or None,
            logger=QUIET,
            identifier=target.client_id,
            protocol=_VERSIONS[protocol],
            will=aiomqtt.Will(target.status_topic, target.last_words, qos=1, retain=retain),
            clean_session=True if protocol == "3.1.1" else None,
            timeout=target.timeout,
            keepalive=max(1, round(target.keepalive)),
            tls_context=target.tls,
        )
        self.properties = b"\0" if protocol == "5" else b""  # the empty property list of a packet
        self.limits = Limits()
        self._target = target
        self._learnt = learnt
        self._window = window
        self._hung_up = False
        self._guard = threading.Lock()
        self._in_thread = False
        self._discarded = False
        self._paho = Paho.adopt(self._client, target.timeout, self._acknowledged)
        self.publisher = self._new_publisher()

    def _new_publisher(self) -> Publisher:
        window = min(self._window, self.limits.unconfirmed)
        outbox = Outbox(window, self.properties, self._paho.next_mid, self._learnt)
        return Publisher(outbox, self._paho.queue, self._over, self._target.where, self._target.timeout)

    def size(self, message: Message) -> int:
        """Bytes of the packet that carries it."""
        return packet.size(message, self.properties)

    async def start(self) -> None:
        """Connect and log in. Raises Denied or Unavailable, and leaves nothing open then."""
        where, alive = self._target.where, False
        try:
            async with asyncio.timeout(self._target.timeout):
                await self.__aenter__()
            alive = self._paho.socket() is not None
        except MqttConnectError as error:
            raise _refusal(error, where) from None
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
        where = self._target.where
        if self._hung_up:
            return NotSpoken(f"{where}: {text}", hint=_hint(text))
        if self._paho.socket() is not None:
            return NotSpoken(f"{where}: no answer within {self._target.timeout:g} s")
        if not text:
            return Unavailable(f"{where}: no connection within {self._target.timeout:g} s")
        return Unavailable(f"{where}: {text}", hint=_hint(text))

    async def finish(self, goodbye: Message, deadline: float) -> None:
        """Say goodbye within `deadline` seconds if the link still stands, and close. Can be called twice."""
        try:
            if self.publisher.failure is None and not self._discarded:
                async with asyncio.timeout(deadline):
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
        self.publisher.stop(Unavailable(f"{self._target.where}: the connection was closed"))
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

    def _acknowledged(self, mid: int, code: int) -> bool:
        return self.publisher.acknowledged(mid, code)

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
            self._connected.set_exception(aiomqtt.MqttError("the broker closed the connection instead of answering"))
            return
        self._over(self._why(flags, reason_code))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _why(self, flags: DisconnectFlags, reason_code: ReasonCode) -> SinkError:
        where = self._target.where
        if not flags.is_disconnect_packet_from_server:
            if self._paho.wire is not None and self._paho.wire.silent:
                return Unavailable(
                    f"{where}: the network acknowledged nothing for {self._paho.patience:g} s",
                    hint="do packets get lost on the way, or is the broker frozen?",
                )
            kind = HungUp if reason_code.value == codes.CONNECTION_LOST else Unavailable
            return kind(f"{where}: the connection was lost")
        if reason_code.value == codes.TOO_LARGE:
            # PUBACKs come in order, so the culprit is unconfirmed; the largest unconfirmed one is not smaller than it.
            self._learnt.too_large(max((size for _, size in self.publisher.outbox.under_way()), default=packet.LARGEST))
        return codes.closed(reason_code.value, where)

    def _reading_failed(self, disconnected: asyncio.Future[None]) -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._over(Unavailable(f"{self._target.where}: the connection was lost{f': {error}' if error else ''}"))

    def _over(self, failure: SinkError) -> None:
        self.publisher.stop(failure)


def _refusal(error: MqttConnectError, where: str) -> SinkError:
    code = int(error.rc.value if isinstance(error.rc, ReasonCode) else error.rc or 0)
    if code == codes.UNSUPPORTED_PROTOCOL:
        refusal = NotSpoken(f"{where}: the broker does not speak this version of MQTT", hint="set `protocol: auto`")
        refusal.certain = True
        return refusal
    if code == codes.NO_RETAIN:
        return NoRetain(f"{where}: the broker keeps no retained messages")
    return codes.refused(code, where)


def _hint(text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "is `ca` the authority of this broker, does `url` use the name in its certificate, is our clock right?"
    if "SSL" in text or "ssl" in text:
        return "does this port speak TLS, and does it want a client certificate (`cert`, `key`)?"
    if "Connection refused" in text or "closed the connection" in text:
        return "is the broker running, and is this its port (1883, with TLS 8883)?"
    return ""
