"""Which messages wait, which are under way, and which the broker has confirmed; no I/O happens here.

All sends of a connection share one window, and a message that is in doubt makes it narrower while it is under way.
Packets are made when the window has room for them and handed over in one piece, so that a burst costs one system call.
Packet ids belong to this book alone: nothing is ever re-sent from it. What needs no PUBACK waits in the same queue, so
that everything goes in the order in which it was added.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from agent.northbound.broker import packet
from agent.northbound.broker.codes import UNCONFIRMED
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.packet import Message

_PIECE = 256 * 1024  # bytes handed over at once: what the socket does not take is copied again


class Sending:
    """The messages of one send: a reason code each, and `finished()` when the last one has its PUBACK."""

    __slots__ = ("codes", "finished", "left")

    def __init__(self, count: int, finished: Callable[[], None]) -> None:
        self.codes = [UNCONFIRMED] * count
        self.left = count
        self.finished = finished


class Plain:
    """Packets that wait for their turn and for no PUBACK; `gone()` is called when they are handed over."""

    __slots__ = ("gone", "packets")

    def __init__(self, packets: bytes, gone: Callable[[], None] | None = None) -> None:
        self.packets = packets
        self.gone = gone


_Item = tuple[Sending, int, Message]


class Outbox:
    """At most `window` messages without PUBACK; `next_mid` gives packet ids from 1 to 65,535, round and round."""

    def __init__(self, window: int, properties: bytes, next_mid: Callable[[], int], learnt: Learnt) -> None:
        self._window = window
        self.properties = properties
        self.largest = 0  # bytes of the largest QoS 0 packet so far
        self._next_mid = next_mid
        self._learnt = learnt
        self._waiting: deque[_Item | Plain] = deque()
        self._flight: dict[int, tuple[_Item, int]] = {}  # with the bytes of each packet
        self._doubtful: dict[int, tuple[Message, int]] = {}  # those under way that bear little company
        self._reserved: set[int] = set()  # packet ids that others use

    def __len__(self) -> int:
        return len(self._flight)

    def add(self, sending: Sending, messages: Sequence[Message]) -> None:
        self._waiting.extend((sending, index, message) for index, message in enumerate(messages))

    def add_unconfirmed(self, messages: Iterable[Message]) -> None:
        """With QoS 0."""
        packets, size = [], 0
        for head, payload, retain in messages:
            packets.append(packet.publish_unconfirmed(head, payload, self.properties, retain=retain))
            self.largest = max(len(packets[-1]), self.largest)
            size += len(packets[-1])
            if size >= _PIECE:
                self.add_plain(Plain(b"".join(packets)))
                packets, size = [], 0
        if packets:
            self.add_plain(Plain(b"".join(packets)))

    def add_plain(self, plain: Plain) -> None:
        """Behind everything that waits, whatever the window says."""
        self._waiting.append(plain)

    def add_first(self, sending: Sending, message: Message) -> None:
        """Before everything that waits."""
        self._waiting.appendleft((sending, 0, message))

    def forget(self, sending: Sending) -> None:
        """Messages that wait will not be sent; those under way keep their place until the broker has spoken."""
        self._waiting = deque(item for item in self._waiting if isinstance(item, Plain) or item[0] is not sending)

    def take(self) -> bytes:
        """The next packets that may go, back to back; empty when there are none."""
        flight, waiting, size, packets = self._flight, self._waiting, 0, []
        while waiting and size < _PIECE:
            item = waiting[0]
            if isinstance(item, Plain):
                packets.append(self._turn_of(item))
                size += len(packets[-1])
                continue
            if len(flight) >= self._room(item[2]):
                break
            mid = self._next_mid()
            if mid in flight or mid in self._reserved:
                continue
            waiting.popleft()
            head, payload, retain = item[2]
            packets.append(packet.publish(head, mid, payload, self.properties, retain=retain))
            flight[mid] = item, len(packets[-1])
            size += len(packets[-1])
            if self._learnt.doubts and self._learnt.company(item[2], len(packets[-1]), self._window) < self._window:
                self._doubtful[mid] = item[2], len(packets[-1])
        return b"".join(packets)

    def _turn_of(self, plain: Plain) -> bytes:
        self._waiting.popleft()
        if plain.gone is not None:
            plain.gone()
        return plain.packets

    def reserve(self) -> int:
        """A packet id that no message has until `release`."""
        mid = self._next_mid()
        while mid in self._flight or mid in self._reserved:
            mid = self._next_mid()
        self._reserved.add(mid)
        return mid

    def release(self, mid: int) -> None:
        self._reserved.discard(mid)

    def _room(self, message: Message) -> int:
        """How many may be under way together with this one."""
        if not self._learnt.doubts:
            return self._window
        both = ((message, packet.size(message, self.properties)), *self._doubtful.values())
        return min(self._learnt.company(each, size, self._window) for each, size in both)

    def confirm(self, mid: int, code: int) -> bool:
        """Note a PUBACK; False when nothing of that id is under way."""
        found = self._flight.pop(mid, None)
        if found is None:
            return False
        (sending, index, message), size = found
        self._doubtful.pop(mid, None)
        self._learnt.answered(message, size, code)
        sending.codes[index] = code
        sending.left -= 1
        if not sending.left:
            sending.finished()
        return True

    def oldest(self) -> object:
        """What identifies the message that has waited longest for its PUBACK; None when none does."""
        return next(iter(self._flight.values()), None)

    def under_way(self) -> list[tuple[Message, int]]:
        """The messages without PUBACK and the bytes of their packets, in the order in which they went."""
        return [(message, size) for (_, _, message), size in self._flight.values()]


def ranges(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending (first, last) runs of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return tuple(runs)
