"""What systemd is to a service: a socket that hears what is said with sd_notify(3)."""

import socket


class Manager:
    """A socket as systemd's; an address that begins with `@` has no file."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(address.replace("@", "\0", 1))
        self._end.setblocking(False)

    def heard(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                found.append(self._end.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._end.close()
