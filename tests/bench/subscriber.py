"""The platform's side: an MQTT 3.1.1 subscriber that notes when each frame came and what it carried, and drops repeats.

A few packets are all it needs, so it speaks them itself: a client library would use more of the processor than it may.
"""

import operator
import socket
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Thread

import msgspec

CONNACK, PUBLISH, SUBACK = 2, 3, 9


class Envelope(msgspec.Struct):
    """What the bench needs of a frame's JSON."""

    epoch: str
    seq: int
    device: str
    values: dict[str, float] = {}
    part: tuple[int, int] = (0, 1)


class Subscriber:
    """Counts on a thread of its own. `age` tells the time in the seconds that the farm puts into its registers.

    `decode` makes frames of a payload; without it one is a JSON envelope.
    """

    def __init__(
        self,
        port: int,
        topic: str,
        age: Callable[[], float],
        name: str = "bench-platform",
        decode: Callable[[bytes], Iterable[Envelope]] | None = None,
    ) -> None:
        self.age = age
        self.came = array("d")  # per frame that was not seen before: when, in the farm's seconds,
        self.born = array("d")  # how old the farm was when it gave the first of the values,
        self.count = array("L")  # and how many values there were
        self.repeated = self.wrong = self.bytes = 0
        self._seen: dict[str, set[tuple[int, int]]] = defaultdict(set)
        read = msgspec.json.Decoder(Envelope).decode
        self._decode = decode or (lambda payload: (read(payload),))
        self._wire = socket.create_connection(("127.0.0.1", port), 5)
        self._wire.settimeout(None)
        self._wire.sendall(_packet(0x10, b"\0\4MQTT\4\2\0\0" + _text(name)))
        self._packets = self._read()
        _expect(next(self._packets), CONNACK, last=0)
        self._wire.sendall(_packet(0x82, b"\0\1" + _text(topic) + b"\1"))
        _expect(next(self._packets), SUBACK, last=1)
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def samples(self) -> int:
        return sum(self.count)

    def frames(self) -> tuple[Sequence[float], Sequence[float], Sequence[int]]:
        """When they came, how old the farm was, how many values: of all frames that are here by now."""
        n = len(self.count)
        return self.came[:n], self.born[:n], self.count[:n]

    @property
    def missing(self) -> int:
        """Numbers that never came, per epoch, between the first and the last that did."""
        lost = 0
        for names in self._seen.values():
            numbers = {seq for seq, _ in names}
            lost += max(numbers) - min(numbers) + 1 - len(numbers)
        return lost

    def latencies(self, since: int = 0) -> list[float]:
        """Seconds from the device's answer to the arrival, sorted, of the frames from number `since` on."""
        came, born, _ = self.frames()
        return sorted(map(operator.sub, came[since:], born[since:]))

    def settle(self, quiet: float = 3.0, deadline: float = 60.0) -> None:
        """Wait until no samples have come for `quiet` s."""
        end = time.monotonic() + deadline
        seen, since = -1, time.monotonic()
        while time.monotonic() < min(since + quiet, end):
            if seen != (seen := self.samples):
                since = time.monotonic()
            time.sleep(0.2)

    def close(self) -> None:
        self._wire.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._wire.close()

    def _listen(self) -> None:
        for kind, flags, body in self._packets:
            if kind == PUBLISH:
                start = 2 + int.from_bytes(body[:2], "big")
                if flags & 6:
                    self._wire.sendall(b"\x40\2" + body[start : start + 2])
                    start += 2
                self._note(body[start:])

    def _note(self, payload: bytes) -> None:
        now = self.age()
        self.bytes += len(payload)
        for frame in self._decode(payload):
            self._count(frame, now)

    def _count(self, frame: Envelope, now: float) -> None:
        name, seen = (frame.seq, frame.part[0]), self._seen[frame.epoch]
        if name in seen:
            self.repeated += 1
            return
        seen.add(name)
        if not frame.values:
            return
        oldest = min(frame.values.values())
        if oldest < 0 or max(frame.values.values()) > now + 0.001:
            self.wrong += 1
        self.came.append(now)
        self.born.append(oldest)
        self.count.append(len(frame.values))

    def _read(self) -> Iterator[tuple[int, int, bytes]]:
        """(kind, flags, body) of each packet, until the connection ends."""
        data = bytearray()
        while chunk := self._wire.recv(1 << 18):
            data += chunk
            at = 0
            while (packet := _cut(data, at)) is not None:
                kind, flags, start, at = packet
                yield kind, flags, bytes(data[start:at])
            del data[:at]


def _cut(data: bytearray, at: int) -> tuple[int, int, int, int] | None:
    """(kind, flags, start of the body, end of it) of the packet at `at`, or None while it is not whole."""
    length = shift = 0
    for place in range(at + 1, min(at + 5, len(data))):
        length |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            start = place + 1
            whole = start + length <= len(data)
            return (data[at] >> 4, data[at] & 0xF, start, start + length) if whole else None
    return None


def _packet(head: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((head, len(body))) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _expect(packet: tuple[int, int, bytes], kind: int, *, last: int) -> None:
    if packet[0] != kind or packet[2][-1] != last:
        raise RuntimeError(f"the broker refused: packet {packet}")
