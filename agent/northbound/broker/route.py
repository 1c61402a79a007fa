"""The way to a broker: TCP, perhaps through a proxy, TLS, WebSocket, one on top of the other."""

import socket
import ssl
import time
from dataclasses import dataclass

from agent.model.errors import SinkError
from agent.northbound.broker import refusal
from agent.northbound.broker.wire import Wire
from agent.northbound.proxy.config import Proxy
from agent.northbound.proxy.tunnel import left, straight, through


@dataclass(frozen=True, slots=True)
class Route:
    """`tls` None: not encrypted. `path` is that of a WebSocket, empty for none."""

    where: str
    host: str
    port: int
    timeout: float
    tls: ssl.SSLContext | None = None
    path: str = ""
    proxy: Proxy | None = None

    def open(self) -> Wire:
        """Blocks for `timeout` seconds at most, names to look up left out. Raises Denied and Unavailable."""
        deadline = time.monotonic() + self.timeout
        sock = None
        try:
            sock = self._connect(deadline)
            if self.tls is not None:
                sock.settimeout(left(deadline))
                sock = self.tls.wrap_socket(sock, server_hostname=self.host)
            return self._wire(sock, deadline)
        except OSError as error:
            if sock is not None:
                sock.close()
            text = str(error) or f"no connection within {self.timeout:g} s"
            hint = refusal.hint(text, tls=self.tls is not None)
            raise refusal.NotReached(f"{self.where}: {text}", hint=hint) from None
        except SinkError:
            if sock is not None:
                sock.close()
            raise

    def _connect(self, deadline: float) -> socket.socket:
        if self.proxy is None:
            return straight(self.host, self.port, deadline)
        return through(self.proxy, self.host, self.port, deadline, self.where)

    def _wire(self, sock: socket.socket, deadline: float) -> Wire:
        patience = self.timeout / 2
        if not self.path:
            return Wire(sock, patience, self.where)
        from agent.northbound.broker import websocket  # noqa: PLC0415  # 6 MB that most have no use for

        uri = websocket.address(self.host, self.port, self.path, tls=self.tls is not None)
        return websocket.WebSocket(sock, patience, self.where, websocket.upgrade(sock, uri, deadline, self.where))
