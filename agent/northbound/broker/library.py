"""paho with a socket of our own, a short way for what is sent and received, and no ear for what has no place in MQTT.

Per message, paho makes a condition, takes five locks and builds a table of 60 entries for the PUBACK, which it reads in
three system calls; here the packets of a burst are queued as one, and its PUBACKs are read as one. Nothing lands in
paho's own message queue, so nothing is sent again behind our back.

Private names that this rests on, each held by a test: `_create_socket`, `_send_connect`, `_packet_handle`,
`_in_packet`, `_keepalive`, `_packet_queue`, `_mid_generate`, `_sock`, `_sock_close`, `_send_pingreq`,
`_loop_rc_handle`, `_last_bytes_received`.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.northbound.broker import packet
from agent.northbound.broker.reader import Reader
from agent.northbound.broker.route import Route
from agent.northbound.broker.wire import Wire

QUIET = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL + 1)  # what goes wrong is raised; the runtime logs it, on the edges only

_CONNECT = 0x10
_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _PINGRESP, _DISCONNECT = 2, 3, 4, 9, 13, 14
_TURN = 0.005  # seconds for which packets are handled before others in the loop have their turn
_OWED = 65536  # bytes of PUBACKs that the broker may not have read


class Ears(Protocol):
    """Who is told what the broker sends; `heard` and `subscribed` raise ValueError for what they cannot read."""

    def acknowledged(self, mid: int, code: int) -> None: ...
    def heard(self, first: int, body: bytes) -> None: ...
    def subscribed(self, body: bytes) -> None: ...
    def ponged(self) -> None: ...
    def kept_alive(self) -> None: ...
    def later(self, work: Callable[[], object]) -> None: ...


class Paho(Client):
    """Never constructed: aiomqtt makes its paho client itself and takes no other, so `adopt` changes its class.

    `complaint` is what the broker did that ended the connection, when it is at fault.
    """

    route: Route
    hello: bytes  # the CONNECT
    ears: Ears
    reader: Reader
    wire: Wire | None = None
    complaint = ""
    parting = 0  # the reason code of our DISCONNECT (MQTT 5)
    _behind = False  # packets have been read that wait for their turn
    _greeted = False
    _writing = False
    _owed = 0

    @staticmethod
    def adopt(client: Client, route: Route, hello: bytes, ears: Ears) -> "Paho":
        client.__class__ = Paho
        assert isinstance(client, Paho)
        client.ears = ears
        client.reader = Reader()
        client.route = route
        client.hello = hello
        client.disable_logger()
        return client

    def queue(self, packets: bytes) -> None:
        """Write packets, back to back: now, and what the socket does not take when it is writable again."""
        self._writing = True
        self._packet_queue(packet.PUBLISH_QOS1, packets, 0, 1)
        self._writing = False
        self.loop_write()

    def acknowledge(self, pubacks: bytes) -> bool:
        """Write PUBACKs of ours; False when the broker sends and sends and does not read them."""
        self._owed += len(pubacks)
        if self._owed > _OWED:
            self.complaint = "messages without reading what they are answered"
            return False
        self.queue(pubacks)
        return True

    def progress(self) -> tuple[int, bool]:
        """Bytes that the other side has acknowledged so far, and whether there are any that it has not."""
        taken, rest = self.wire.progress() if self.wire is not None else (0, False)
        return taken, rest or self.want_write()

    def next_mid(self) -> int:
        return self._mid_generate()

    def disconnect(self, reasoncode: ReasonCode | None = None, properties: Properties | None = None) -> MQTTErrorCode:
        if self.parting:
            reasoncode = ReasonCode(PacketTypes.DISCONNECT, identifier=self.parting)
        return super().disconnect(reasoncode, properties)

    def drop(self) -> None:
        """Close the socket without a word; the broker then publishes the will."""
        self._sock_close()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take what has come, in one piece, unless there is still something to do."""
        del max_packets
        if self._sock is None or self.wire is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        if not self._behind:
            try:
                data = self.wire.read()
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            except ValueError as error:
                self.complaint = str(error)
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
            except OSError:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            if not data:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            self._last_bytes_received = time.monotonic()
            self.reader.feed(data)
        return self._loop_rc_handle(self._take_turn())

    def _take_turn(self) -> MQTTErrorCode:
        """Handle packets; when that takes long, the rest of them after others had their turn."""
        self._behind = False
        end = time.monotonic() + _TURN
        try:
            self._check_greeting()
            while self._sock is not None and (found := self.reader.next()):
                if rc := self._heard(*found):
                    return rc
                if time.monotonic() > end:
                    self._behind = True
                    self.ears.later(self._catch_up)
                    break
        except (ValueError, MalformedPacket) as error:
            self.complaint = str(error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _catch_up(self) -> None:
        if self._behind and self._sock is not None:
            self._loop_rc_handle(self._take_turn())

    def _check_greeting(self) -> None:
        """What is no broker is told by its first byte: what it takes for a length may never come."""
        first = self.reader.first()
        if not self._greeted and first is not None and first >> 4 != _CONNACK:
            raise ValueError(f"a packet of kind {first >> 4} before its CONNACK")

    def _heard(self, first: int, body: bytearray) -> MQTTErrorCode:
        """Only what a broker may say to a client like us; paho would have an answer to the rest, too."""
        kind = first >> 4
        if kind == _PUBACK:
            self.ears.acknowledged(*packet.puback(body))
        elif kind == _PUBLISH:
            self.ears.heard(first, bytes(body))
        elif kind == _SUBACK:
            self.ears.subscribed(bytes(body))
        elif kind in {_PINGRESP, _DISCONNECT} or (kind == _CONNACK and not self._greeted):
            self._greeted = True
            self._in_packet |= {"command": first, "packet": body, "remaining_length": len(body)}
            rc = self._packet_handle()
            if kind == _PINGRESP:
                self.ears.ponged()
            return rc
        else:
            raise ValueError(f"a packet of kind {kind}, which has no place here")
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def loop_write(self) -> MQTTErrorCode:
        rc = super().loop_write()
        if not self.want_write():
            self._owed = 0
        return rc

    def _call_socket_register_write(self) -> None:
        if not self._writing:
            super()._call_socket_register_write()

    def _create_socket(self) -> Any:
        self.wire = self.route.open()
        return self.wire

    def _send_connect(self, keepalive: int) -> MQTTErrorCode:
        self._keepalive = keepalive
        return self._packet_queue(_CONNECT, self.hello, 0, 0)

    def _send_pingreq(self) -> MQTTErrorCode:
        self.ears.kept_alive()
        return super()._send_pingreq()
