"""Which messages wait, which are under way, and which the broker has confirmed; no I/O happens here.

All sends of a connection share one window, and a message that is in doubt makes it narrower while it is under way.
Packets are made when the window has room for them and handed over in one piece, so that a burst costs one system call.
Packet ids belong to this book alone: nothing is ever re-sent from it.
"""

from collections import deque
from collections.abc import Callable, Sequence

from agent.northbound.mqtt import packet
from agent.northbound.mqtt.codes import UNCONFIRMED
from agent.northbound.mqtt.learnt import Learnt
from agent.northbound.mqtt.packet import Message

_PIECE = 256 * 1024  # bytes handed over at once: what the socket does not take is copied again


class Sending:
    """The messages of one send: a reason code each, and `finished()` when the last one has its PUBACK."""

    __slots__ = ("codes", "finished", "left")

    def __init__(self, count: int, finished: Callable[[], None]) -> None:
        self.codes = [UNCONFIRMED] * count
        self.left = count
        self.finished = finished


_Item = tuple[Sending, int, Message]


class Outbox:
    """At most `window` messages without PUBACK; `next_mid` gives packet ids from 1 to 65,535, round and round."""

    def __init__(self, window: int, properties: bytes, next_mid: Callable[[], int], learnt: Learnt) -> None:
        self._window = window
        self._properties = properties
        self._next_mid = next_mid
        self._learnt = learnt
        self._waiting: deque[_Item] = deque()
        self._flight: dict[int, tuple[_Item, int]] = {}  # with the bytes of each packet
        self._doubtful: dict[int, tuple[Message, int]] = {}  # those under way that bear little company

    def __len__(self) -> int:
        return len(self._flight)

    def add(self, sending: Sending, messages: Sequence[Message]) -> None:
        self._waiting.extend((sending, index, message) for index, message in enumerate(messages))

    def add_first(self, sending: Sending, message: Message) -> None:
        """Before everything that waits."""
        self._waiting.appendleft((sending, 0, message))

    def forget(self, sending: Sending) -> None:
        """Messages that wait will not be sent; those under way keep their place until the broker has spoken."""
        self._waiting = deque(item for item in self._waiting if item[0] is not sending)

    def take(self) -> bytes:
        """The next packets that the window has room for, back to back; empty when there are none."""
        flight, waiting, size, packets = self._flight, self._waiting, 0, []
        while waiting and size < _PIECE and len(flight) < self._room(waiting[0][2]):
            mid = self._next_mid()
            if mid in flight:
                continue
            item = waiting.popleft()
            head, payload, retain = item[2]
            packets.append(packet.publish(head, mid, payload, self._properties, retain=retain))
            flight[mid] = item, len(packets[-1])
            size += len(packets[-1])
            if self._learnt.doubts and self._learnt.company(item[2], len(packets[-1]), self._window) < self._window:
                self._doubtful[mid] = item[2], len(packets[-1])
        return b"".join(packets)

    def _room(self, message: Message) -> int:
        """How many may be under way together with this one."""
        if not self._learnt.doubts:
            return self._window
        both = ((message, packet.size(message, self._properties)), *self._doubtful.values())
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
