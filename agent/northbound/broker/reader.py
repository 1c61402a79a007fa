"""Cuts what comes from a broker into packets (MQTT 3.1.1 and 5.0, §2.1); no I/O happens here."""

LARGEST = 262_144  # bytes of a packet to us, its header left out


class Reader:
    """`feed` it bytes as they come, and take packets with `next` until there is none; it holds one packet at most.

    Which is so as long as packets are taken before more is fed.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0

    def first(self) -> int | None:
        """The first byte of what is not taken yet."""
        return self._bytes[self._at] if self._at < len(self._bytes) else None

    def feed(self, data: bytes) -> None:
        del self._bytes[: self._at]
        self._at = 0
        self._bytes += data

    def next(self) -> tuple[int, bytearray] | None:
        """First byte and body of the next packet, None when it is not all there. Raises ValueError."""
        data, first = self._bytes, self._at
        at, size, shift = first + 1, 0, 0
        while at < len(data):
            digit = data[at]
            at += 1
            size |= (digit & 0x7F) << shift
            if digit < 0x80:
                break
            shift += 7
            if shift > 21:
                raise ValueError("a packet whose length has more than four digits")
        else:
            return None
        if size > LARGEST:
            raise ValueError(f"a packet of {size:,} bytes, and no more than {LARGEST:,} are taken")
        if at + size > len(data):
            return None
        self._at = at + size
        return data[first], data[at : at + size]
