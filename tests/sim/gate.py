"""A TCP gate before a server on loopback: it can be open, shut, or swallow what comes."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

_PIECE = 65536


class Gate:
    """`port` leads to the server's. `open()`, `shut()`: what is through is cut, who comes is refused, `swallow()`.

    With `keep`, `passed` has all bytes that went to the server.
    """

    def __init__(self, to: int, *, keep: bool = False) -> None:
        self._to, self._keep, self.passed = to, keep, bytearray()
        self._near: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._opened, self._ended, self._swallows = True, False, False
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def open(self) -> None:
        self._opened, self._swallows = True, False

    def shut(self) -> None:
        self._opened = False
        with self._lock:
            for sock in list(self._pairs):
                self._drop(sock)

    def swallow(self) -> None:
        """Connections stay, and nothing gets through any more."""
        self._swallows = True

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                with self._lock, contextlib.suppress(OSError):
                    self._accept() if key.fileobj is self._listener else self._pass(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            if not self._opened:
                raise ConnectionRefusedError
            far = socket.create_connection(("127.0.0.1", self._to), 1.0)
        except OSError:
            near.close()
            return
        self._pairs |= {near: far, far: near}
        if self._keep:
            self._near.add(near)
        for sock in (near, far):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, selectors.EVENT_READ)

    def _pass(self, sock: socket.socket) -> None:
        if sock not in self._pairs:
            return
        try:
            piece = sock.recv(_PIECE)
            if sock in self._near:
                self.passed += piece
            if piece and not self._swallows:
                self._pairs[sock].sendall(piece)
        except OSError:
            piece = b""
        if not piece:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        for end in (sock, self._pairs.get(sock)):
            if end is not None and self._pairs.pop(end, None) is not None:
                self._selector.unregister(end)
                end.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        self.shut()
        self._listener.close()
        self._selector.close()
