"""MQTT over WebSocket (RFC 6455, MQTT 5.0 §6): the same bytes, in binary frames that we mask.

paho masks in a loop over bytes: measured, 64 ms for what we hand over at once (256 KB), in which the event loop stands
still. It also loses what the socket did not take. `websockets` masks that in 0.3 ms, and reads a frame in 5 µs.
"""

import re
import socket
import time
from contextlib import suppress
from http import HTTPStatus

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound.broker.library import QUIET
from agent.northbound.broker.wire import Wire

_PIECE = 16_384  # bytes read at once: as much as a TLS record holds, and no more small frames than that
_FRAME = 65_536  # bytes of ours in a frame
_LARGEST = 1_048_576  # bytes of a message to us, which may hold several packets
_OWED = 65_536  # bytes of answers to pings that the other side may not have read
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})([^\r\n]{0,200})")
_HEAD = 1000  # bytes in which it must be
_FOR_GOOD: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "does whoever stands before the broker want to know us?",
    HTTPStatus.FORBIDDEN: "does whoever stands before the broker let us through?",
    HTTPStatus.NOT_FOUND: "is the path in `url` right? Many brokers have /mqtt",
}


class WebSocket(Wire):
    """A wire whose link has been made by `upgrade`; `read` raises ValueError for what has no place in it."""

    piece = _PIECE

    def __init__(self, sock: socket.socket, patience: float, where: str, link: ClientProtocol) -> None:
        super().__init__(sock, patience, where)
        self._link = link
        self._framed = bytearray()  # what the socket has not taken yet
        self._accepted = 0  # bytes of the caller's that are in there
        self.send = self._send
        self.close = self._close

    def read(self) -> bytes:
        data = super().read()
        if not data or self.farewell:
            return b""
        self._link.receive_data(data)
        payload = b"".join([self._payload(event) for event in self._link.events_received() if isinstance(event, Frame)])
        if self._link.parser_exc is not None:
            raise ValueError(f"what is no WebSocket: {self._link.parser_exc}")
        self._answer()
        if not payload and not self.farewell:
            raise BlockingIOError
        return payload

    def _payload(self, frame: Frame) -> bytes:
        if frame.opcode in {Opcode.BINARY, Opcode.CONT}:
            return bytes(frame.data)
        if frame.opcode is Opcode.CLOSE:
            self.farewell = f", the WebSocket was closed: {_plain(str(self._link.close_rcvd))}"
        elif frame.opcode is Opcode.TEXT:
            raise ValueError("a WebSocket frame of text, and MQTT is binary")
        return b""

    def _answer(self) -> None:
        """Pongs go when the socket takes them, or with what is sent next."""
        self._framed += b"".join(self._link.data_to_send())
        if len(self._framed) > _OWED and not self._accepted:
            raise ValueError("pings without reading what they are answered")
        with suppress(BlockingIOError):
            self._push()

    def _send(self, data: bytes) -> int:
        """How many bytes were taken; raises BlockingIOError and wants the same bytes again when they did not all go."""
        if self._link.state is not OPEN:
            raise ConnectionResetError
        if not self._accepted:
            piece = data[:_FRAME]
            self._link.send_binary(piece)
            self._framed += b"".join(self._link.data_to_send())
            self._accepted = len(piece)
        self._push()
        taken, self._accepted = self._accepted, 0
        return taken

    def _push(self) -> None:
        while self._framed:
            del self._framed[: self._sock.send(self._framed)]

    def _close(self) -> None:
        with suppress(OSError), self._sock:
            if self._link.state is OPEN and not self._framed:
                self._link.send_close()
                self._sock.send(b"".join(self._link.data_to_send()))


def address(host: str, port: int, path: str, *, tls: bool) -> WebSocketURI:
    return WebSocketURI(tls, host.encode("idna").decode(), port, *path.partition("?")[::2])


def upgrade(sock: socket.socket, uri: WebSocketURI, deadline: float, where: str) -> ClientProtocol:
    """Make a WebSocket of a connection before `deadline` (monotonic s). Raises Denied, Unavailable and OSError."""
    link = ClientProtocol(uri, subprotocols=[Subprotocol("mqtt")], max_size=_LARGEST, logger=QUIET)
    link.send_request(link.connect())
    sock.sendall(b"".join(link.data_to_send()))
    head = b""
    while link.state is not OPEN:
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError
        sock.settimeout(left)
        if not (data := sock.recv(_PIECE)):
            raise Unavailable(f"{where}: the connection was closed instead of becoming a WebSocket")
        if len(head) < _HEAD and (said := _STATUS.match(head := head + data)) and said[1] != b"101":
            raise _refusal(int(said[1]), said[2].decode(errors="replace"), where)
        link.receive_data(data)
        if link.handshake_exc is not None:
            why = _plain(str(link.handshake_exc))
            raise Unavailable(f"{where}: what answers speaks no WebSocket: {why}", hint="is this its port?")
    return link


def _refusal(status: int, phrase: str, where: str) -> SinkError:
    text = f"{where}: there is no WebSocket: HTTP {status}{_plain(phrase)}"
    return Denied(text, hint=_FOR_GOOD[status]) if status in _FOR_GOOD else Unavailable(text)


def _plain(text: str) -> str:
    """What the other side wrote, as it may stand in a log."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
