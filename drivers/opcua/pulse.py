"""One subscription's pulse: how long it may be silent, and whether a message of it never came."""

from dataclasses import dataclass

from asyncua import ua

from drivers.opcua.notify import Message

KEEP_ALIVE = 5.0  # seconds after which a subscription without changes says that it lives
DAY = 86400.0
_RING = 1 << 32


def patience(made: ua.CreateSubscriptionResult, interval: float, timeout: float) -> float:
    """How long a subscription may be silent (seconds) that was asked to publish each `interval`.

    A server may take longer than it was asked to. An interval of 0, one that is no number, or of years means nothing.
    """
    asked = max(KEEP_ALIVE, interval)
    said = made.RevisedPublishingInterval / 1000 * max(made.RevisedMaxKeepAliveCount, 1)
    return 1.5 * (said if asked <= said <= DAY else asked) + timeout


@dataclass(slots=True)
class Numbers:
    """The numbers of a subscription's messages, which go up by one; a keep-alive has that of the next (part 4, 7.21).

    Servers that count keep-alives too are taken as they are, and so is one whose numbers go back.
    """

    _due: int = 0  # the highest number that the next message may have; 0: any

    def missed(self, message: Message) -> int:
        """How many messages must have been before this one that never came."""
        ahead = (message.sequence - self._due) % _RING if self._due else 0
        if ahead < _RING // 2 or not self._due:
            self._due = message.sequence % (_RING - 1) + 1
        return ahead if ahead < _RING // 2 else 0
