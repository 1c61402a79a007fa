"""Frames of serial lines, RTU and ASCII: built from a PDU, and found again among whatever else was on the wire.

An RTU frame has no mark at its beginning and none at its end, only a checksum, and neither kind says to which request
it belongs. So the answer to a request is looked for anywhere in what was heard: the right unit, function, byte count
and checksum together. What stands before it is the echo of the request, noise of a transceiver, the heartbeat of a
modem, or an answer of somebody else.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from pymodbus.framer import FramerRTU

SMALLEST = 4  # bytes of an RTU frame: unit, function, checksum
LARGEST = 256  # bytes of an RTU frame (Modbus over Serial Line 1.02, §2.5.1)
EXCEPTION = 2  # bytes of the PDU of a refusal
_FAILED = 0x80
_TABLE = FramerRTU.crc16_table
_FIXED = {5: 5, 6: 5, 15: 5, 16: 5, 22: 7}  # bytes of the PDU of the answer to a write


class Wanted(NamedTuple):
    """What an answer must be: PDU begins with `head` and has `length` bytes (0: unknown), or is a refusal of
    `head[0]`."""

    unit: int
    head: bytes
    length: int


class Heard(NamedTuple):
    """A whole frame with a right checksum."""

    unit: int
    pdu: bytes
    start: int
    end: int


class Framing(Protocol):
    """How a PDU travels."""

    most: int  # bytes of the longest frame

    def build(self, unit: int, pdu: bytes) -> bytes: ...

    def find(self, heard: bytes, wanted: Wanted, since: int = 0) -> tuple[Heard | None, int]:
        """The first whole frame that answers, looked for from `since` on; without one, where to look on when there
        is more."""
        ...

    def spoilt(self, heard: bytes, wanted: Wanted) -> bool:
        """Whether as many bytes came as the answer has, and yet it is none: what is still to come does not help."""
        ...

    def others(self, heard: bytes) -> Iterator[Heard]:
        """Every whole frame with a right checksum: for the person who asks what was there instead."""
        ...


class Rtu:
    """Unit, PDU, CRC-16 with its low byte first (Modbus over Serial Line 1.02, §2.5.1)."""

    most = LARGEST

    def build(self, unit: int, pdu: bytes) -> bytes:
        frame = bytes((unit,)) + pdu
        return frame + _crc(frame)

    def find(self, heard: bytes, wanted: Wanted, since: int = 0) -> tuple[Heard | None, int]:
        begun: list[int] = []
        start = heard.find(wanted.unit, since)
        while start >= 0:
            pdu = self._at(heard, start, wanted)
            if pdu:
                return Heard(wanted.unit, pdu, start, start + len(pdu) + 3), start
            if pdu is None:
                begun.append(start)
            start = heard.find(wanted.unit, start + 1)
        return None, begun[0] if begun else len(heard)

    def spoilt(self, heard: bytes, wanted: Wanted) -> bool:
        start = heard.find(bytes((wanted.unit,)) + wanted.head)
        if start < 0 or not wanted.length:
            refusal = heard.find(bytes((wanted.unit, wanted.head[0] | _FAILED)))
            return 0 <= refusal <= len(heard) - EXCEPTION - 3
        return len(heard) - start >= wanted.length + 3

    def others(self, heard: bytes) -> Iterator[Heard]:
        start = 0
        while start <= len(heard) - SMALLEST:
            pdu = self._whole(heard, start)
            if pdu:
                yield Heard(heard[start], pdu, start, start + len(pdu) + 3)
            start += len(pdu) + 3 if pdu else 1

    def _at(self, heard: bytes, start: int, wanted: Wanted) -> bytes | None:
        """The PDU of the answer that begins there; nothing if none does, None while it is not all there."""
        begun = heard[start + 1 : start + 1 + len(wanted.head)]
        refusal = begun[:1] == bytes((wanted.head[0] | _FAILED,))
        if not refusal and not wanted.head.startswith(begun):
            return b""
        size = EXCEPTION if refusal else wanted.length
        if size:
            return checked(heard, start, size) if start + size + 3 <= len(heard) else None
        return _shortest(heard, start)

    def _whole(self, heard: bytes, start: int) -> bytes:
        function = heard[start + 1]
        if function & _FAILED:
            return checked(heard, start, EXCEPTION)
        if function in _FIXED:
            return checked(heard, start, _FIXED[function])
        answer = checked(heard, start, 2 + heard[start + 2]) if 1 <= function <= 4 else b""
        return answer or (checked(heard, start, 5) if 1 <= function <= 4 else b"")  # the request of somebody else


def checked(heard: bytes, start: int, size: int) -> bytes:
    """The PDU of `size` bytes after the unit at `start`, if it is all there and its checksum is right."""
    end = start + 1 + size
    if end + 2 > len(heard) or heard[end : end + 2] != _crc(heard[start:end]):
        return b""
    return heard[start + 1 : end]


def _shortest(heard: bytes, start: int) -> bytes | None:
    """The shortest PDU after the unit at `start` with a right checksum, in one pass; None while there is none."""
    crc = 0xFFFF
    for at in range(start, min(start + LARGEST, len(heard)) - 2):
        crc = crc >> 8 ^ _TABLE[(crc ^ heard[at]) & 0xFF]
        if at >= start + 2 and heard[at + 1 : at + 3] == crc.to_bytes(2, "little"):
            return heard[start + 1 : at + 1]
    return None


def _crc(frame: bytes) -> bytes:
    return FramerRTU.compute_CRC(frame).to_bytes(2, "big")


class Ascii:
    """`:`, unit, PDU and LRC in hexadecimal, CR LF (Modbus over Serial Line 1.02, §2.5.2)."""

    most = 513

    def build(self, unit: int, pdu: bytes) -> bytes:
        frame = bytes((unit,)) + pdu
        return b":" + (frame + _lrc(frame)).hex().upper().encode() + b"\r\n"

    def find(self, heard: bytes, wanted: Wanted, since: int = 0) -> tuple[Heard | None, int]:
        found = next((each for each in self.others(heard) if self._answers(each, wanted)), None)
        return found, 0

    def spoilt(self, heard: bytes, wanted: Wanted) -> bool:
        """A line that ends is over, and it is none that answers."""
        start = heard.rfind(b":")
        return heard.endswith(b"\n") and start >= 0 and not any(self.others(heard[start:]))

    def others(self, heard: bytes) -> Iterator[Heard]:
        at = 0
        for line in heard.split(b"\n")[:-1]:
            start = line.rfind(b":")
            if start >= 0 and (frame := _unhexed(line[start + 1 :].rstrip(b"\r"))):
                yield Heard(frame[0], frame[1:-1], at + start, at + len(line) + 1)
            at += len(line) + 1

    @staticmethod
    def _answers(each: Heard, wanted: Wanted) -> bool:
        refusal = each.pdu[0] == wanted.head[0] | _FAILED and len(each.pdu) == EXCEPTION
        fits = each.pdu.startswith(wanted.head) and wanted.length in (0, len(each.pdu))
        return each.unit == wanted.unit and (refusal or fits)


def _unhexed(text: bytes) -> bytes:
    """Unit, PDU and LRC of a line; nothing if it is none."""
    try:
        frame = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return b""
    return frame if len(frame) >= 3 and not sum(frame) & 0xFF and b" " not in text else b""


def _lrc(frame: bytes) -> bytes:
    return bytes((-sum(frame) & 0xFF,))
