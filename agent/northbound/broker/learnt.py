"""What a broker's answers and hang-ups tell of the messages that it takes; no I/O happens here.

A broker of MQTT 3.1.1 that does not want a message hangs up without a word, and under MQTT 5 the word gets lost:
mosquitto 2.0 closes the connection right after it has refused a publish, and the PUBACK that says so arrives only when
no other is under way. So the topics of what was under way when a connection was lost are in doubt, and their messages
go with fewer others, until one as large is answered. A message over which the broker hangs up when it is alone, again
and again, is too large, unless the broker has taken larger ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.northbound.broker import codes, packet
from agent.northbound.broker.packet import Message

PROOF = 3  # hang-ups in a row over one message alone; each further one in the same row is proof too
SMALL = 1024  # bytes of a packet: what is not larger is not given up because of hang-ups
_CAUTION = 8  # each loss leaves this part of the company
_TOPICS = 1024  # in doubt at a time


@dataclass(slots=True)
class Doubt:
    """Of the messages to a topic whose packets are larger than `fine`."""

    company: int = 1  # how many may be under way together with one of them, itself included
    largest: int = 0  # the largest that was lost
    fine: int = 0  # the largest that was answered since
    alone: int = 0  # hang-ups in a row over one of them alone
    hung: int = packet.LARGEST  # the smallest of these


class Learnt:
    """Lives as long as a sink, over all its connections. Sizes are bytes of a packet.

    `shut` is the topic of messages over which the broker hangs up for another reason than their size.
    """

    def __init__(self) -> None:
        self._told = packet.LARGEST + 1  # the smallest packet that the broker called too large
        self.forget_hang_ups()

    def forget_hang_ups(self) -> None:
        """What was concluded from them may be wrong, or not be so any more."""
        self._guessed = (
            packet.LARGEST + 1
        )  # the smallest packet that must be too large, for the broker hangs up over it
        self._taken = 0  # the largest packet that was confirmed
        self.doubts: dict[bytes, Doubt] = {}  # by topic head
        self.shut = ""

    def answered(self, message: Message, size: int, code: int) -> None:
        """A PUBACK came."""
        if self.doubts:
            self._clear(message[0], size)
        if code == codes.TOO_LARGE:
            self.too_large(size)
        elif size > self._taken and code in codes.CONFIRMED:
            self._taken = size

    def too_large(self, size: int) -> None:
        """The broker says so."""
        self._told = min(size, self._told)
        if self._taken >= size:
            self._taken = 0  # it takes less than it did

    def lost(self, under_way: Sequence[tuple[Message, int]], *, hung_up: bool) -> None:
        """A connection is gone, and these messages, with their sizes, have no answer; `hung_up`: without a word."""
        for (head, _, _), size in under_way:
            self.doubts[head] = doubt = self.doubts.pop(head, None) or Doubt()
            doubt.company = max(1, len(under_way) // _CAUTION)
            doubt.largest = max(size, doubt.largest)
        while len(self.doubts) > _TOPICS:
            del self.doubts[next(iter(self.doubts))]
        if hung_up and len(under_way) == 1:
            self._hung_up_on(*under_way[0])

    def company(self, message: Message, size: int, window: int) -> int:
        """How many messages may be under way together with this one, itself included."""
        doubt = self.doubts.get(message[0])
        return window if doubt is None or size <= doubt.fine else min(window, doubt.company)

    def limits(self, announced: int | None) -> tuple[int, int]:
        """The largest packet to aim at when a frame is cut, and the largest that may work at all.

        Where the broker does not say how much it takes, two thirds of what was too large are tried next: halves fit.
        """
        too_large = min(self._told, self._guessed)
        most = min(too_large - 1, announced or packet.LARGEST)
        return most if too_large > packet.LARGEST else min(most, max(self._taken, too_large * 2 // 3)), most

    def only_guessed(self, size: int, announced: int | None) -> bool:
        """Whether nothing but hang-ups speaks against a packet of that size, and for its size it is too small."""
        return size <= min(SMALL, self._told - 1, announced or packet.LARGEST)

    def _clear(self, head: bytes, size: int) -> None:
        doubt = self.doubts.get(head)
        if doubt is None:
            return
        doubt.fine = max(size, doubt.fine)
        if doubt.fine >= doubt.largest:
            del self.doubts[head]
        elif size >= doubt.hung:
            doubt.alone, doubt.hung = 0, packet.LARGEST

    def _hung_up_on(self, message: Message, size: int) -> None:
        doubt = self.doubts[message[0]]
        doubt.alone, doubt.hung = doubt.alone + 1, min(size, doubt.hung)
        if doubt.alone < PROOF:
            return
        doubt.largest = 0  # what was too large does not go again: any answer will do
        if size <= self._taken:
            self.shut = packet.topic(message)
        else:
            self._guessed = min(size, self._guessed)
