"""The socket under paho: reads in large pieces, and acknowledges at once so that PUBACKs do not wait for each other.

Neither paho nor aiomqtt sets TCP_NODELAY, and a broker that leaves Nagle's algorithm on (mosquitto does) holds back all
but the first small PUBACK until our side acknowledges it, which by default takes 40 ms: measured with mosquitto, 2,200
messages a second at best and 460 with its default window of 20. TCP_QUICKACK, renewed at each read, makes it 50,000.

A network that swallows packets without a word is no news to TCP for a quarter of an hour; TCP_USER_TIMEOUT makes it
give up when nothing that was sent has been acknowledged for a while.
"""

import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress

from agent.northbound import trust

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only, as the next one
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)
_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None  # elsewhere its struct is another
_UNTAKEN, _TAKEN, _UNSENT = slice(24, 28), slice(120, 128), slice(144, 148)  # of its struct in <linux/tcp.h>: unacked,
# bytes_acked and notsent_bytes


class Wire:
    """What paho needs of a socket, around a TCP or TLS one; errors pass through unchanged.

    `patience` is how long, in seconds, the other side may not acknowledge what was sent; `silent` says that it did not.
    `farewell` is what it said when it closed, where that can be said; `shown` is the certificate that it has shown.
    """

    piece = 65_536  # bytes read at once, more than a TLS record: nothing decoded stays behind, unseen by the loop
    send: Callable[[bytes], int]
    close: Callable[[], None]

    def __init__(self, sock: socket.socket, patience: float, where: str = "") -> None:
        self._sock = sock
        self._tcp = sock.family in {socket.AF_INET, socket.AF_INET6}
        self.send = sock.send
        self.fileno = sock.fileno
        self.setblocking = sock.setblocking
        self.close = sock.close
        self._failed: OSError | None = None
        self.silent = False
        self.farewell = ""
        self.shown = trust.shown(sock, where)
        self._set(socket.TCP_NODELAY, 1)
        self._set(_USER_TIMEOUT, round(patience * 1000))

    def read(self) -> bytes:
        """What has come, empty at the end. Raises BlockingIOError when nothing has."""
        if self._failed is not None:
            raise self._failed
        try:
            data = self._sock.recv(self.piece)
            if isinstance(self._sock, ssl.SSLSocket):
                data = self._records(data)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except OSError as error:
            self._ended(error)
            raise
        self._set(_QUICKACK, 1)
        return data

    def _records(self, data: bytes) -> bytes:
        """With all that are there after the first: a PUBACK is a record, and a turn of the loop costs more than it."""
        parts, size = [data], len(data)
        try:
            while parts[-1] and size < self.piece:
                parts.append(self._sock.recv(self.piece))
                size += len(parts[-1])
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            self._failed = error  # after what came before it
            self._ended(error)
        return b"".join(parts)

    def _ended(self, error: OSError) -> None:
        self.silent = isinstance(error, TimeoutError)
        if isinstance(error, ssl.SSLError):
            self.farewell = f": {error}"

    def progress(self) -> tuple[int, bool]:
        """Bytes that the other side has acknowledged, and whether there are any that it has not; Linux only."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, _INFO, 256) if self._tcp and _INFO is not None else b""
        except OSError:
            info = b""
        if len(info) < _UNSENT.stop:
            return 0, False
        return int.from_bytes(info[_TAKEN], sys.byteorder), any(info[_UNTAKEN]) or any(info[_UNSENT])

    def _set(self, option: int | None, value: int) -> None:
        if self._tcp and option is not None:
            with suppress(OSError):  # the connection is gone already: the next read says so
                self._sock.setsockopt(socket.IPPROTO_TCP, option, value)
