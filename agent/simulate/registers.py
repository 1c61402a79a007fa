"""The registers of one unit: what a Modbus device answers to a request, without any wire.

A device has the registers of its map, and those between them that the gateway reads along; all others it refuses with
exception 2, as real ones do. What is written stays, and is not moved any more. PDU in, PDU out (Modbus Application
Protocol 1.1b3, §6).
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from agent.simulate.device import Simulated
from drivers.modbus.asking import DEVICE_ID, IDENTIFY, MOST_COILS, MOST_READ, MOST_REGISTERS
from drivers.modbus.encode import encoder
from drivers.modbus.kinds import BIT_REGISTERS
from drivers.modbus.plan import BITS_PER_REGISTER, TABLES
from drivers.modbus.tag import Tag

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_READS = {table.function: register for register, table in TABLES.items()}
_WRITES = {5: "coil", 6: "holding", 15: "coil", 16: "holding", 22: "holding"}
_SAID = (b"Floorgate", b"simulated device", b"1")  # vendor, product code, revision

Place = tuple[str, int, int]  # register, from, up to and not including


@dataclass(frozen=True, slots=True)
class Part:
    """One device of a unit: its tags with the order of those that have none, and what else of it can be read."""

    device: Simulated
    tags: Sequence[Tag]
    order: Callable[[Tag], str]
    readable: Sequence[Place] = ()


class _Refused(Exception):
    """The device says no; the argument is the code."""


@dataclass(slots=True)
class _Point:
    """A tag in memory; `put` writes what it is now."""

    start: int
    stop: int
    put: Callable[[], None]


@dataclass(slots=True)
class _Stretch:
    """Neighbours: two bytes for each register, one for each coil. `held` are those that somebody has written."""

    start: int
    stop: int
    memory: bytearray
    points: list[_Point] = field(default_factory=list)  # by their start
    held: set[int] = field(default_factory=set)
    widest: int = 1

    def refresh(self, start: int, stop: int) -> None:
        """What all tags are now that have a part in it."""
        first = bisect_right(self.points, start - self.widest, key=lambda point: point.start)
        for point in self.points[first:]:
            if point.start >= stop:
                break
            if point.stop > start and not (self.held and self.held.intersection(range(point.start, point.stop))):
                point.put()


class Unit:
    """All devices with one unit id on a wire; `most` is how many registers one request may read."""

    def __init__(self, parts: Sequence[Part], most: int = 125) -> None:
        self.parts, self._most = parts, most
        self._tables = {register: _table(register, parts) for register in TABLES}

    @property
    def devices(self) -> list[Simulated]:
        return [part.device for part in self.parts]

    def answer(self, pdu: bytes) -> bytes:
        """The answer to a request, or the exception that a device would raise."""
        try:
            return self._answer(pdu)
        except _Refused as refusal:
            return bytes((pdu[0] | 0x80, refusal.args[0]))
        except (struct.error, IndexError):
            return bytes((pdu[0] | 0x80, ILLEGAL_VALUE))

    def _answer(self, pdu: bytes) -> bytes:
        function = pdu[0]
        if function in _READS:
            return self._read(function, *struct.unpack(">HH", pdu[1:5]))
        if function in _WRITES:
            return self._write(function, pdu)
        if function == IDENTIFY and pdu[1] == DEVICE_ID:
            said = b"".join(bytes((at, len(text))) + text for at, text in enumerate(_SAID))
            return bytes((IDENTIFY, DEVICE_ID, pdu[2], 1, 0, 0, len(_SAID))) + said
        raise _Refused(ILLEGAL_FUNCTION)

    def _read(self, function: int, start: int, count: int) -> bytes:
        register = _READS[function]
        single = register in BIT_REGISTERS
        most = min(MOST_READ[register], self._most * (BITS_PER_REGISTER if single else 1))
        if not 1 <= count <= most:
            raise _Refused(ILLEGAL_VALUE)
        stretch = self._find(register, start, count)
        stretch.refresh(start, start + count)
        at = start - stretch.start
        if single:
            found = stretch.memory[at : at + count]
            packed = sum(1 << place for place, on in enumerate(found) if on).to_bytes(-(-count // 8), "little")
            return bytes((function, len(packed))) + packed
        return bytes((function, 2 * count)) + stretch.memory[2 * at : 2 * (at + count)]

    def _write(self, function: int, pdu: bytes) -> bytes:
        register = _WRITES[function]
        (start,) = struct.unpack(">H", pdu[1:3])
        count, data = 1, pdu[3:5]
        if function in (15, 16):
            count, size = struct.unpack(">HB", pdu[3:6])
            data = pdu[6 : 6 + size]
            least = -(-count // 8) if function == 15 else 2 * count
            if not 1 <= count <= (MOST_COILS if function == 15 else MOST_REGISTERS) or not len(data) == size == least:
                raise _Refused(ILLEGAL_VALUE)
        stretch = self._find(register, start, count)
        at = start - stretch.start
        if register == "coil":
            if function == 5 and data not in (b"\xff\x00", b"\x00\x00"):
                raise _Refused(ILLEGAL_VALUE)
            bits = int.from_bytes(data, "little") if function == 15 else int(data == b"\xff\x00")
            stretch.memory[at : at + count] = bytes(bits >> place & 1 for place in range(count))
        else:
            if function == 22:
                stretch.refresh(start, start + 1)
                keep, put = struct.unpack(">HH", pdu[3:7])
                (old,) = struct.unpack(">H", stretch.memory[2 * at : 2 * at + 2])
                data = struct.pack(">H", (old & keep) | (put & ~keep & 0xFFFF))
            stretch.memory[2 * at : 2 * (at + count)] = data
        stretch.held.update(range(start, start + count))
        return pdu[:5] if function in (15, 16) else pdu

    def _find(self, register: str, start: int, count: int) -> _Stretch:
        table = self._tables[register]
        at = bisect_right(table, start, key=lambda stretch: stretch.start) - 1
        if at < 0 or start + count > table[at].stop:
            raise _Refused(ILLEGAL_ADDRESS)
        return table[at]


def _table(register: str, parts: Sequence[Part]) -> list[_Stretch]:
    """All that can be read of it, with the tags that are there."""
    spans = [(start, stop) for part in parts for name, start, stop in part.readable if name == register]
    spans += [(tag.address, tag.address + tag.words) for part in parts for tag in part.tags if tag.register == register]
    size = 1 if register in BIT_REGISTERS else 2
    table = [_Stretch(start, stop, bytearray(size * (stop - start))) for start, stop in _merged(spans)]
    for part in parts:
        for tag in part.tags:
            if tag.register == register:
                at = bisect_right(table, tag.address, key=lambda stretch: stretch.start) - 1
                _place(table[at], part, tag)
    for stretch in table:
        stretch.points.sort(key=lambda point: point.start)
    return table


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


def _place(stretch: _Stretch, part: Part, tag: Tag) -> None:
    memory, value = stretch.memory, partial(part.device.value, tag.name)
    at = tag.address - stretch.start
    if tag.register in BIT_REGISTERS:

        def put() -> None:
            memory[at] = bool(value())
    else:
        encode = encoder(tag, part.order(tag))

        def put() -> None:
            encode(memory, 2 * at, value())

    stretch.points.append(_Point(tag.address, tag.address + tag.words, put))
    stretch.widest = max(stretch.widest, tag.words)
