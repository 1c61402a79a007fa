"""The wire between the agent and the broker, with a switch."""

import contextlib
import socket
import struct
from threading import Lock, Thread

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, with RST


class Uplink:
    """Passes connections on to `target` until it is cut; then they are reset, and new ones are refused."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._lock = Lock()
        self._ends: set[socket.socket] = set()
        self._door: socket.socket
        self.join()

    def join(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.port = self._door.getsockname()[1]
        Thread(target=self._admit, args=(self._door,), daemon=True).start()

    def cut(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._ends.clear()

    def _admit(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", self.target), 5)
                far.settimeout(None)
                with self._lock:
                    self._ends |= {near, far}
                for source, goal in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    Thread(target=self._carry, args=(source, goal), daemon=True).start()

    def _carry(self, source: socket.socket, goal: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                goal.sendall(data)
        with contextlib.suppress(OSError):
            goal.shutdown(socket.SHUT_WR)
