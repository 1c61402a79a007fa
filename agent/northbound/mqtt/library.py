"""paho with a better socket and a short way for PUBLISH and PUBACK.

Per message, paho makes a condition, takes five locks and builds a table of 60 entries for the PUBACK; here the packets
of a burst are queued as one, and a PUBACK is three bytes that we read. Nothing lands in paho's own message queue, so
nothing is sent again behind our back.

Private names that this rests on, each held by a test: `_create_socket`, `_ssl_wrap_socket`, `_handle_pubackcomp`,
`_in_packet`, `_packet_queue`, `_mid_generate`, `_sock_close`.
"""

import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from agent.northbound.mqtt import packet
from agent.northbound.mqtt.wire import BufferedSocket

QUIET = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL + 1)  # what goes wrong is raised; the runtime logs it, on the edges only


class Paho(Client):
    """Never constructed: aiomqtt makes its paho client itself and takes no other, so `adopt` changes its class."""

    acknowledged: Callable[[int, int], bool]  # (packet id, reason code) → whether the message was ours
    wire: BufferedSocket | None = None
    patience = 0.0  # seconds
    _writing = False

    @staticmethod
    def adopt(client: Client, timeout: float, acknowledged: Callable[[int, int], bool]) -> "Paho":
        client.__class__ = Paho
        assert isinstance(client, Paho)
        client.acknowledged = acknowledged
        client.connect_timeout = timeout
        client.patience = timeout / 2
        client.disable_logger()
        return client

    def queue(self, packets: bytes) -> None:
        """Write PUBLISH packets, back to back: now, and what the socket does not take when it is writable again."""
        self._writing = True
        self._packet_queue(packet.PUBLISH_QOS1, packets, 0, 1)
        self._writing = False
        self.loop_write()

    def next_mid(self) -> int:
        return self._mid_generate()

    def drop(self) -> None:
        """Close the socket without a word; the broker then publishes the will."""
        self._sock_close()

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

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        try:
            mid, code = packet.puback(self._in_packet["packet"])
        except ValueError:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if self.acknowledged(mid, code):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return super()._handle_pubackcomp(cmd)
