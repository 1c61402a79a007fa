"""What a broker's answers and hang-ups tell of the messages that it takes; no I/O happens here.

A broker of MQTT 3.1.1 that does not want a message hangs up without a word, and under MQTT 5 the word gets lost:
mosquitto 2.0 closes the connection right after it has refused a publish, and the PUBACK that says so arrives only when
no other is under way. So what was under way when a connection was lost goes with ever fewer others, until it is
answered. A message over which the broker hangs up when it is alone, again and again, is too large, unless the broker
has taken larger ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.northbound.mqtt import codes, packet
from agent.northbound.mqtt.packet import Message

PROOF = 3  # hang-ups in a row over one kind of message alone
SMALL = 1024  # bytes of a packet: what is not larger is not given up because of hang-ups
_CAUTION = 3  # bits: with each loss an eighth of the company
_KINDS = 1024  # in doubt at a time

Kind = tuple[bytes, int]  # the topic, and the size to within a factor of two: what a broker can judge a message by


@dataclass(slots=True)
class Doubt:
    """How many connections were lost while messages of a kind were under way, and hang-ups over one of them alone."""

    losses: int = 0
    alone: int = 0


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
        self.doubts: dict[Kind, Doubt] = {}
        self.shut = ""

    def answered(self, message: Message, size: int, code: int) -> None:
        """A PUBACK came."""
        if self.doubts:
            self.doubts.pop(kind(message), None)
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
        for doubtful in {kind(message) for message, _ in under_way}:
            self.doubts[doubtful] = doubt = self.doubts.pop(doubtful, None) or Doubt()
            doubt.losses += 1
        while len(self.doubts) > _KINDS:
            del self.doubts[next(iter(self.doubts))]
        if hung_up and len(under_way) == 1:
            self._hung_up_on(*under_way[0])

    def _hung_up_on(self, message: Message, size: int) -> None:
        doubt = self.doubts[kind(message)]
        doubt.alone += 1
        if doubt.alone < PROOF:
            return
        del self.doubts[kind(message)]
        if size <= self._taken:
            self.shut = packet.topic(message)
        else:
            self._guessed = min(size, self._guessed)

    def company(self, message: Message, window: int) -> int:
        """How many messages may be under way together with this one, itself included."""
        doubt = self.doubts.get(kind(message))
        return window if doubt is None else max(1, window >> _CAUTION * doubt.losses)

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


def kind(message: Message) -> Kind:
    return message[0], len(message[1]).bit_length()
