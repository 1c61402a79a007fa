"""paho with a better socket, a short way for what is sent and received, and no ear for what has no place in MQTT.

Per message, paho makes a condition, takes five locks and builds a table of 60 entries for the PUBACK; here the packets
of a burst are queued as one, and a PUBACK is three bytes that we read. Nothing lands in paho's own message queue, so
nothing is sent again behind our back.

Private names that this rests on, each held by a test: `_create_socket`, `_ssl_wrap_socket`, `_packet_handle`,
`_in_packet`, `_packet_queue`, `_mid_generate`, `_sock_close`, `_send_pingreq`.
"""

import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from agent.northbound.broker import packet
from agent.northbound.broker.wire import LARGEST, BufferedSocket

QUIET = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL + 1)  # what goes wrong is raised; the runtime logs it, on the edges only

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

    ears: Ears
    wire: BufferedSocket | None = None
    patience = 0.0  # seconds
    _complaint = ""
    _greeted = False
    _writing = False
    _owed = 0

    @staticmethod
    def adopt(client: Client, timeout: float, ears: Ears) -> "Paho":
        client.__class__ = Paho
        assert isinstance(client, Paho)
        client.ears = ears
        client.connect_timeout = timeout
        client.patience = timeout / 2
        client.disable_logger()
        return client

    @property
    def complaint(self) -> str:
        if self.wire is not None and self.wire.oversized:
            return f"a packet of {self.wire.oversized:,} bytes, and no more than {LARGEST:,} are taken"
        return self._complaint

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
            self._complaint = "messages without reading what they are answered"
            return False
        self.queue(pubacks)
        return True

    def next_mid(self) -> int:
        return self._mid_generate()

    def drop(self) -> None:
        """Close the socket without a word; the broker then publishes the will."""
        self._sock_close()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handle everything that has been read from the socket, the rest of it after others had their turn."""
        del max_packets
        end = time.monotonic() + _TURN
        while True:
            rc = super().loop_read()
            if rc or self.wire is None or not self.wire.left():
                return rc
            if time.monotonic() >= end:
                self.ears.later(self.loop_read)
                return rc

    def loop_write(self) -> MQTTErrorCode:
        rc = super().loop_write()
        if not self.want_write():
            self._owed = 0
        return rc

    def _call_socket_register_write(self) -> None:
        if not self._writing:
            super()._call_socket_register_write()

    def _create_socket(self) -> Any:
        self.wire = BufferedSocket(super()._create_socket(), self.patience)
        return self.wire

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """The handshake, with chain and host name verified; unlike paho's own, it closes the socket when it fails."""
        assert self._ssl_context is not None
        return self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host)

    def _send_pingreq(self) -> MQTTErrorCode:
        self.ears.kept_alive()
        return super()._send_pingreq()

    def _ponged(self) -> MQTTErrorCode:
        self.ears.ponged()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _packet_handle(self) -> MQTTErrorCode:
        """Only what a broker may say to a client like us is heard; paho has an answer to the rest, too."""
        first = self._in_packet["command"]
        kind, body = first >> 4, self._in_packet["packet"]
        if (kind == _CONNACK) == self._greeted:
            return self._refuse(f"a packet of kind {kind} {'after' if self._greeted else 'before'} its CONNACK")
        try:
            if kind == _PUBACK:
                self.ears.acknowledged(*packet.puback(body))
            elif kind in {_CONNACK, _DISCONNECT}:
                self._greeted = True
                return super()._packet_handle()
            elif kind == _PINGRESP:
                return super()._packet_handle() or self._ponged()
            elif kind == _PUBLISH:
                self.ears.heard(first, bytes(body))
            elif kind == _SUBACK:
                self.ears.subscribed(bytes(body))
            else:
                return self._refuse(f"a packet of kind {kind}, which has no place here")
        except ValueError as error:
            return self._refuse(str(error))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _refuse(self, complaint: str) -> MQTTErrorCode:
        self._complaint = complaint
        return MQTTErrorCode.MQTT_ERR_PROTOCOL
