"""Requests as they come over a wire: Modbus TCP, RTU and ASCII, taken apart and answered in the same framing."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from drivers.modbus.frames import Ascii, Rtu, checked

_LARGEST = 1024  # bytes that may wait for the rest of a request
_FIXED = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 5),
    **dict.fromkeys((7, 11, 12, 17), 1),
    22: 7,
    43: 4,
}  # bytes of a PDU


class Asked(NamedTuple):
    """A request, and what makes a frame of the PDU that answers it."""

    unit: int
    pdu: bytes
    reply: Callable[[bytes], bytes]


class Reader(Protocol):
    """Takes bytes as they come."""

    def feed(self, data: bytes) -> list[Asked]:
        """The requests that are whole now."""
        ...


class TcpReader:
    """Transaction, protocol 0, length, unit, PDU."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, data: bytes) -> list[Asked]:
        self._left += data
        found: list[Asked] = []
        while len(self._left) >= 8:
            size = 6 + int.from_bytes(self._left[4:6], "big")
            if self._left[2:4] != b"\0\0" or not 8 <= size <= 260:
                self._left = b""  # no Modbus TCP
                break
            if len(self._left) < size:
                break
            frame, self._left = self._left[:size], self._left[size:]
            found.append(Asked(frame[6], frame[7:], lambda pdu, head=frame[:7]: _tcp(head, pdu)))  # type: ignore[misc]  # bound now
        return found


def _tcp(head: bytes, pdu: bytes) -> bytes:
    return head[:4] + (len(pdu) + 1).to_bytes(2, "big") + head[6:] + pdu


class RtuReader:
    """Unit, PDU, CRC; what has no right checksum is noise."""

    def __init__(self) -> None:
        self._left = b""
        self._framing = Rtu()

    def feed(self, data: bytes) -> list[Asked]:
        self._left = (self._left + data)[-_LARGEST:]
        found: list[Asked] = []
        start = 0
        while start + 4 <= len(self._left):
            size = self._size(start)
            pdu = checked(self._left, start, size or 0)
            if not size or not pdu:
                start += 1
                continue
            unit = self._left[start]
            found.append(Asked(unit, pdu, lambda reply, unit=unit: self._framing.build(unit, reply)))  # type: ignore[misc]  # bound now
            start += size + 3
            self._left, start = self._left[start:], 0
        return found

    def _size(self, start: int) -> int | None:
        """Bytes of the PDU that begins there; 0 or None if none does or it is not all there: one behind it may be."""
        function = self._left[start + 1]
        if function in (15, 16):
            if start + 7 > len(self._left):
                return None
            size = 6 + self._left[start + 6]
        else:
            size = _FIXED.get(function, 0)
        return None if size and start + size + 3 > len(self._left) else size


class AsciiReader:
    """`:`, hexadecimal, CR LF."""

    def __init__(self) -> None:
        self._left = b""
        self._framing = Ascii()

    def feed(self, data: bytes) -> list[Asked]:
        self._left = (self._left + data)[-_LARGEST:]
        found = list(self._framing.others(self._left))
        if found:
            self._left = self._left[found[-1].end :]
        return [
            Asked(each.unit, each.pdu, lambda reply, unit=each.unit: self._framing.build(unit, reply))  # type: ignore[misc]  # bound now
            for each in found
        ]
