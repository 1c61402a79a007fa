"""What a broker's answers tell of the packets that it takes; no I/O happens here."""

from agent.northbound.mqtt import codes, packet


class Learnt:
    """Lives as long as a sink, over all its connections. Sizes are bytes of a packet."""

    def __init__(self) -> None:
        self._taken = 0  # the largest packet that was confirmed
        self._told = packet.LARGEST + 1  # the smallest one that the broker called too large

    def answered(self, size: int, code: int) -> None:
        """A PUBACK came for a packet of that size."""
        if code == codes.TOO_LARGE:
            self.too_large(size)
        elif size > self._taken and code in codes.CONFIRMED:
            self._taken = size

    def too_large(self, size: int) -> None:
        """The broker says so."""
        self._told = min(size, self._told)
        if self._taken >= size:
            self._taken = 0  # it takes less than it did

    def limits(self, announced: int | None) -> tuple[int, int]:
        """The largest packet to aim at when a frame is cut, and the largest that may work at all.

        Where the broker does not say how much it takes, half of what was too large is tried next.
        """
        most = min(self._told - 1, announced or packet.LARGEST)
        return most if self._told > packet.LARGEST else min(most, max(self._taken, self._told // 2)), most
