"""Whether the clock is in step, for who may not ask the kernel: systemd's timedated may, and tells over D-Bus.

A service that is kept from setting the clock is kept from asking about it, too: both are one call. What is said on the
bus is fixed but for our user id: https://dbus.freedesktop.org/doc/dbus-specification.html
"""

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from agent.model import host

if TYPE_CHECKING:
    import socket

PATH = "/run/dbus/system_bus_socket"
OFTEN, SELDOM = 30.0, 900.0  # seconds between two questions, twice as long each time: it may be started for each
WAIT = 30.0  # seconds for an answer: timedated may have to be started
MOST = 64 << 10  # bytes of all that is said to us
_METHOD, _RETURN, _ERROR = 1, 2, 3
_BUS = "org.freedesktop.DBus"
_TIME = "org.freedesktop.timedate1"


class Timedated:
    """The newest answer; never waits for one. Without a bus, or before the first answer, the clock is in doubt."""

    def __init__(self, path: str = PATH, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now, self._lock = path, now, Lock()
        self._end: socket.socket | None = None
        self._heard, self._due, self._pause = b"", 0.0, OFTEN
        self._synced = False

    def __call__(self) -> bool:
        if self._lock.acquire(blocking=False):  # else another thread is at it
            try:
                if self._end is not None:
                    self._listen(self._end)
                elif self._now() >= self._due:
                    self._ask()
            finally:
                self._lock.release()
        return self._synced

    def close(self) -> None:
        if self._end is not None:
            self._end.close()
        self._end, self._heard = None, b""

    def _ask(self) -> None:
        self._due = self._now() + WAIT
        self._end = end = host.unix_socket(stream=True)
        if end is None:
            return
        try:
            end.connect(self._path)
            end.sendall(question(host.user_id() or 0))
        except OSError:
            self._answered(None)

    def _listen(self, end: "socket.socket") -> None:
        try:
            while len(self._heard) < MOST and (data := end.recv(4096)):
                self._heard += data
        except BlockingIOError:
            found = answer(self._heard)
            if found is None and self._now() < self._due:
                return
            self._answered(found)
        except OSError:
            self._answered(None)
        else:  # it has hung up, or does not come to an end
            self._answered(answer(self._heard))

    def _answered(self, found: bool | None) -> None:
        """None: it does not say, and what it said before is not relied on any more."""
        self._synced = bool(found)
        self._due = self._now() + self._pause
        self._pause = min(SELDOM, 2 * self._pause)
        self.close()


def question(uid: int) -> bytes:
    """Who we are, and all that we have to say, in one go."""
    who = b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nBEGIN\r\n"
    hello = _call(1, _BUS, "/org/freedesktop/DBus", _BUS, "Hello")
    path = "/org/freedesktop/timedate1"
    return who + hello + _call(2, _TIME, path, "org.freedesktop.DBus.Properties", "Get", _TIME, "NTPSynchronized")


def answer(heard: bytes) -> bool | None:
    """What the second reply says; None as long as there is none, or when it is no yes or no."""
    first, end, rest = heard.partition(b"\r\n")
    if not end or not first.startswith(b"OK "):
        return None
    with suppress(struct.error, IndexError):
        replies = [body for kind, body in _messages(rest) if kind in (_RETURN, _ERROR)]
        if len(replies) > 1 and replies[1][:4] == b"\x01b\0\0":
            return any(replies[1][4:8])
    return None


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each that is complete. Raises struct.error for what is none."""
    while len(data) >= 16:
        order = "<" if data[:1] == b"l" else ">"
        body, _, fields = struct.unpack_from(f"{order}III", data, 4)
        begin = 16 + -(-fields // 8) * 8
        if len(data) < begin + body:
            return
        yield data[1], data[begin : begin + body]
        data = data[begin + body :]


def _call(serial: int, destination: str, path: str, interface: str, member: str, *arguments: str) -> bytes:
    body = b""
    for each in arguments:
        body = _text(_padded(body, 4), each)
    fields = b""
    parts = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)]
    for code, kind, value in parts:
        fields = _text(_padded(fields, 8) + bytes((code, 1)) + kind.encode() + b"\0", value)
    if arguments:
        signature = b"s" * len(arguments)
        fields = _padded(fields, 8) + b"\x08\x01g\0" + bytes((len(signature),)) + signature + b"\0"
    head = struct.pack("<cBBBIII", b"l", _METHOD, 0, 1, len(body), serial, len(fields))
    return _padded(head + fields, 8) + body


def _text(before: bytes, value: str) -> bytes:
    data = value.encode()
    return before + struct.pack("<I", len(data)) + data + b"\0"


def _padded(data: bytes, to: int) -> bytes:
    return data + bytes(-len(data) % to)
