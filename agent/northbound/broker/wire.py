"""The socket under paho: reads in large pieces, and acknowledges at once so that PUBACKs do not wait for each other.

paho reads a PUBACK in three system calls; here a burst of them costs one. Neither paho nor aiomqtt sets TCP_NODELAY,
and a broker that leaves Nagle's algorithm on (mosquitto does) holds back all but the first small PUBACK until our side
acknowledges it, which by default takes 40 ms: measured with mosquitto, 2,200 messages a second at best and 460 with its
default window of 20. TCP_QUICKACK, renewed at each read, lifts that to 50,000.

A network that swallows packets without a word is no news to TCP for a quarter of an hour; TCP_USER_TIMEOUT makes it
give up when nothing that was sent has been acknowledged for a while.
"""

import socket
from contextlib import suppress
from typing import Any

LARGEST = 262_144  # bytes of a packet to us: what is larger is not read
_PIECE = 65536
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only, as the next one
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


class BufferedSocket:
    """What paho needs of a socket, around a TCP or TLS one; errors pass through unchanged.

    `patience` is how long, in seconds, the other side may not acknowledge what was sent; `silent` says that it did not.
    paho asks for the rest of a packet in one piece: `oversized` is one that was refused for its size.
    """

    def __init__(self, sock: Any, patience: float) -> None:
        self._sock = sock
        self._buffer = b""
        self._at = 0
        self._tcp = isinstance(sock, socket.socket) and sock.family in {socket.AF_INET, socket.AF_INET6}
        self.send = sock.send
        self.fileno = sock.fileno
        self.setblocking = sock.setblocking
        self.silent = False
        self.oversized = 0
        self._set(socket.TCP_NODELAY, 1)
        self._set(_USER_TIMEOUT, round(patience * 1000))

    def recv(self, size: int) -> bytes:
        if size > LARGEST:
            self.oversized = size
            raise ConnectionAbortedError
        at = self._at
        if at == len(self._buffer):
            self._buffer, at = self._read(), 0
            self._set(_QUICKACK, 1)
        piece = self._buffer[at : at + size]
        self._at = at + len(piece)
        return piece

    def left(self) -> int:
        """Bytes that a read gets without the network."""
        inner = getattr(self._sock, "pending", None)
        return len(self._buffer) - self._at + (inner() if inner else 0)

    def _read(self) -> bytes:
        try:
            return bytes(self._sock.recv(_PIECE))
        except TimeoutError:
            self.silent = True
            raise

    def _set(self, option: int | None, value: int) -> None:
        if self._tcp and option is not None:
            with suppress(OSError):  # the connection is gone already: the next read says so
                self._sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def close(self) -> None:
        self._sock.close()
