"""A Modbus device that is answered from a recording: the same driver and the same codec, another wire.

A request that was recorded gets its own answer, with what was wrong with it. One that was not (the map has changed
since) is put together from what other requests had read of these registers by then; registers of which nothing was
recorded are refused as a device refuses registers that it does not have, and named in `missing`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agent.model.errors import DeviceError, Garbled, Unreachable
from agent.model.frame import Frame
from agent.model.tag import Schema
from drivers.api import DriverConfig, LineConfig
from drivers.modbus.config import NUMBERED, PORTS, Config
from drivers.modbus.dial import framing
from drivers.modbus.driver import Device, ordered
from drivers.modbus.faults import ILLEGAL_ADDRESS, SaysNo, refused
from drivers.modbus.frames import Framing, Wanted
from drivers.modbus.link import Read, Request, plain_read
from drivers.modbus.wire import Wire
from drivers.tapping import FAILED, HEARD, LEARNT, LOST, SENT, Note, Past
from drivers.transport import Endpoint, parse_endpoint

MOST_SAID = 50  # things that are missing, for people
_READS = (1, 2, 3, 4)


@dataclass(slots=True)
class Exchange:
    """A request that went out, and what was heard until the next one. `ended` is when the last of it came."""

    unit: int
    pdu: bytes
    sent: bytes
    wall: int
    mono: int
    heard: bytes = b""
    ended: tuple[int, int] = (0, 0)
    lost: str = ""
    failed: str = ""  # no request at all: the connection could not be made

    @property
    def key(self) -> tuple[int, bytes]:
        return self.unit, self.pdu

    @property
    def registers(self) -> tuple[int, int, int] | None:
        """(function, first, count) of a read."""
        if len(self.pdu) != 5 or self.pdu[0] not in _READS:
            return None
        return self.pdu[0], int.from_bytes(self.pdu[1:3], "big"), int.from_bytes(self.pdu[3:5], "big")


class Tape:
    """What was recorded of one wire."""

    def __init__(self, endpoint: Endpoint, notes: Sequence[Note]) -> None:
        self.endpoint = endpoint
        self._numbered = endpoint.scheme in NUMBERED
        self._framing = framing(endpoint)
        self.exchanges = sorted(self._exchanges(notes), key=lambda each: each.mono)
        self.failures = [each for each in self.exchanges if each.failed]
        self._by_key: dict[tuple[int, bytes], list[Exchange]] = {}
        self._by_unit: dict[tuple[int, int], dict[tuple[int, int], list[Exchange]]] = {}
        for each in self.exchanges:
            if not each.failed:
                self._by_key.setdefault(each.key, []).append(each)
                if read := each.registers:
                    ranges = self._by_unit.setdefault((each.unit, read[0]), {})
                    ranges.setdefault((read[1], read[1] + read[2]), []).append(each)
        self._image: dict[tuple[int, int, int], int] = {}  # (unit, function, address) -> word or bit
        self._drawn = 0

    def _exchanges(self, notes: Sequence[Note]) -> Iterator[Exchange]:
        by_wire: dict[str, list[Note]] = {}
        for note in notes:
            by_wire.setdefault(note.wire, []).append(note)
        for listed in by_wire.values():
            yield from _last_tries(self._of_connection(listed))

    def _of_connection(self, notes: Sequence[Note]) -> Iterator[Exchange]:
        now: Exchange | None = None
        for note in notes:
            if note.what == SENT:
                if now is not None:
                    yield now
                now = self._begun(note)
            elif note.what == FAILED:
                yield Exchange(-1, b"", b"", note.wall, note.mono, failed=note.data.decode("utf-8", "replace"))
            elif now is not None and note.what == HEARD:
                now.heard, now.ended = now.heard + note.data, (note.wall, note.mono)
            elif now is not None and note.what == LOST and not now.heard:
                now.lost, now.ended = note.data.decode("utf-8", "replace"), (note.wall, note.mono)
        if now is not None:
            yield now

    def _begun(self, note: Note) -> Exchange | None:
        frame = note.data
        if self._numbered:
            if len(frame) < 8:
                return None
            return Exchange(frame[6], frame[7:], frame, note.wall, note.mono, ended=(note.wall, note.mono))
        if self.endpoint.ascii:
            try:
                frame = bytes.fromhex(frame.strip(b":\r\n").decode("ascii")) + b"\0"
            except ValueError:
                return None
        if len(frame) < 4:
            return None
        return Exchange(frame[0], frame[1:-2], note.data, note.wall, note.mono, ended=(note.wall, note.mono))

    def exact(self, request: Request, since: int, until: int) -> Exchange | None:
        """The first exchange with this very request that began at `since` or later, and before `until`."""
        listed = self._by_key.get((request.dev_id, bytes((request.function_code,)) + request.encode()), [])
        at = bisect_left(listed, since, key=lambda each: each.mono)
        return listed[at] if at < len(listed) and listed[at].mono < until else None

    def asked(self, request: Request) -> list[Exchange]:
        """All exchanges with this request."""
        return self._by_key.get((request.dev_id, bytes((request.function_code,)) + request.encode()), [])

    def covering(self, unit: int, function: int, start: int, stop: int) -> list[Exchange]:
        """Those that read all of these registers with one and the same request, the most frequent one."""
        ranges = self._by_unit.get((unit, function), {})
        listed = [found for (first, last), found in ranges.items() if first <= start and stop <= last]
        return max(listed, key=len, default=[])

    def answer(self, request: Request, exchange: Exchange) -> bytes:
        """The PDU that answered. Raises what the driver raised: Unreachable, Garbled or Refused."""
        what = f"{self.endpoint}, {request}"
        if exchange.lost:
            raise Unreachable(f"{what}: connection lost ({exchange.lost})", hint="so it was recorded")
        pdu = self._pdu(request, exchange)
        if not pdu:
            if exchange.heard:
                raise Garbled(f"{what}: {len(exchange.heard)} bytes that are no answer", hint="so it was recorded")
            raise Unreachable(f"{what}: no answer", hint="so it was recorded")
        if request.fits(pdu):
            return pdu
        if len(pdu) == 2 and pdu[0] == request.function_code | 0x80:
            raise refused(what, request, pdu[1])
        raise Garbled(f"{what}: an answer that does not fit", hint="so it was recorded")

    def _pdu(self, request: Request, exchange: Exchange) -> bytes:
        if self._framing is not None:
            return _framed(self._framing, request, exchange)
        heard, at = exchange.heard, 0
        while at + 8 <= len(heard):
            size = int.from_bytes(heard[at + 4 : at + 6], "big")
            if heard[at : at + 2] == exchange.sent[:2] and heard[at + 6] == exchange.unit:
                return heard[at + 7 : at + 6 + size] if at + 6 + size <= len(heard) else b""
            at += 6 + max(size, 2)
        return b""

    def drawn(self, request: Read, until: int) -> bytes | None:
        """An answer out of what was read of these registers up to `until`, whoever read it; None if some never was."""
        self._draw(until)
        function = request.function_code
        places = range(request.address, request.address + request.count)
        found = [self._image.get((request.dev_id, function, place)) for place in places]
        if None in found:
            return None
        numbers = cast(list[int], found)
        if function > 2:
            return request.head + b"".join(number.to_bytes(2, "big") for number in numbers)
        packed = sum(bit << at for at, bit in enumerate(numbers))
        return request.head + packed.to_bytes(-(-len(numbers) // 8), "little")

    def _draw(self, until: int) -> None:
        while self._drawn < len(self.exchanges) and self.exchanges[self._drawn].mono < until:
            exchange = self.exchanges[self._drawn]
            self._drawn += 1
            read = exchange.registers
            if read is None or not 1 <= read[2] <= (2000 if read[0] < 3 else 125):
                continue
            function, first, count = read
            try:
                pdu = self.answer(plain_read(exchange.unit, function, first, count, "what was recorded"), exchange)
            except DeviceError:
                continue
            data = pdu[2:]
            for at in range(count):
                value = (
                    int.from_bytes(data[2 * at : 2 * at + 2], "big") if function > 2 else data[at // 8] >> at % 8 & 1
                )
                self._image[exchange.unit, function, first + at] = value


def _last_tries(exchanges: Iterator[Exchange]) -> Iterator[Exchange]:
    """Without those that were sent again at once on a new connection: the driver saw the last one only."""
    before: Exchange | None = None
    for each in exchanges:
        if before is not None and not (before.lost and before.key == each.key):
            yield before
        before = each
    if before is not None:
        yield before


def _framed(frames: Framing, request: Request, exchange: Exchange) -> bytes:
    heard = exchange.heard
    alike = len(exchange.pdu) == request.length
    if not alike and heard.startswith(exchange.sent):
        heard = heard[len(exchange.sent) :]
    found, _ = frames.find(heard, Wanted(request.dev_id, request.head, request.length))
    return found.pdu if found else b""


class _Line:
    """Stands where a `Wire` stands, and answers from a tape. `until` is when the next scan of the group begins."""

    def __init__(self, tape: Tape, past: Past, timeout: float) -> None:
        self.endpoint, self.name = tape.endpoint, str(tape.endpoint)
        self._tape, self._past, self.timeout = tape, past, timeout
        self.until = 0
        self.missing: dict[str, None] = {}

    async def ready(self, user: object) -> None:
        del user

    async def read(self, request: Request, pause: float = 0.0, timeout: float | None = None) -> bytes:
        del pause
        exchange = self._tape.exact(request, self._past.mono, self.until)
        if exchange is not None:
            late = round((timeout or self.timeout) * 1e9)
            if exchange.heard or exchange.lost:
                self._past.move(*exchange.ended)
            else:
                self._past.move(exchange.wall + late, exchange.mono + late)
            return self._tape.answer(request, exchange)
        drawn = self._tape.drawn(request, self.until) if isinstance(request, Read) else None
        if drawn is not None:
            return drawn
        if len(self.missing) < MOST_SAID:
            self.missing[f"{self.name}, {request}"] = None
        raise SaysNo(f"{self.name}, {request}: was not recorded", hint="record it again", code=ILLEGAL_ADDRESS)


class ModbusPlayer:
    """One device; implements `drivers.tapping.Player`."""

    def __init__(self, config: Config, line: LineConfig, tape: Tape, past: Past, learnt: bytes | None) -> None:
        self.device = config.name
        self._tape, self._config = tape, config
        self._line = _Line(tape, past, config.timeout or line.timeout)
        self._device = Device(config, cast(Wire, self._line), silence=line.silence, pause=line.pause, clock=past.clock)
        if learnt is not None:
            self._device.recall(learnt)
        self.schemas = self._device.schemas
        self._plan = sorted(self._moments(), key=lambda each: each[1])
        self.moments = [(wall, mono) for wall, mono, _, _ in self._plan]
        self._begins: dict[Schema | None, list[int]] = {}
        for _, mono, schema, _ in self._plan:
            self._begins.setdefault(schema, []).append(mono)

    def _moments(self) -> Iterator[tuple[int, int, Schema | None, str]]:
        for each in self._tape.failures:
            yield each.wall, each.mono, None, each.failed
        for schema in self.schemas:
            for each in self._scans(schema):
                yield each.wall, each.mono, schema, ""

    def _scans(self, schema: Schema) -> list[Exchange]:
        """The exchanges with which the scans of a group began: with its first request, or what held its registers."""
        requests = self._device.requests(schema)
        for request in requests:
            if found := self._tape.asked(request):
                return found[: len(found) - self._is_torn(found[-1], requests)]
        for request in requests:
            first, last = request.address, request.address + request.count
            for tag in self._device.tags(schema):
                if first <= tag.address < last:
                    unit, function = self._config.unit, request.function_code
                    if found := self._tape.covering(unit, function, tag.address, tag.address + tag.words):
                        return found
        self._line.missing.update({f"{self._line.name}, {request}": None for request in requests[:MOST_SAID]})
        return []

    def _is_torn(self, last: Exchange, requests: Sequence[Read]) -> bool:
        """Whether the recording ended within this scan: requests of it had been made before, and not any more."""
        others = [self._tape.asked(request) for request in requests]
        return bool(last.heard) and any(listed and listed[-1].mono < last.mono for listed in others)

    def group(self, number: int) -> Schema | None:
        return self._plan[number][2]

    async def play(self, number: int, past: Past) -> Sequence[Frame]:
        wall, mono, schema, failed = self._plan[number]
        past.move(wall, mono)
        if schema is None:
            raise Unreachable(failed)
        own = self._begins[schema]
        after = bisect_right(own, mono)
        self._line.until = own[after] if after < len(own) else 1 << 63
        return [await self._device.scan(schema)]

    @property
    def missing(self) -> Sequence[str]:
        return list(self._line.missing)


def players(
    line: LineConfig, devices: Sequence[DriverConfig], notes: Sequence[Note], past: Past, data: Path | None = None
) -> list[ModbusPlayer]:
    """A player for each device at one endpoint; `notes` are all that were recorded of its wires and devices."""
    del data
    learnt = {note.wire: note.data for note in reversed(notes) if note.what == LEARNT}
    wires = [note for note in notes if note.what != LEARNT]
    found: list[ModbusPlayer] = []
    tapes: dict[str, Tape] = {}
    for config in devices:
        assert isinstance(config, Config)
        endpoint = parse_endpoint(config.endpoint, PORTS)
        if endpoint.id not in tapes:
            tapes[endpoint.id] = Tape(endpoint, [note for note in wires if _is_of(note.wire, endpoint)])
        found.append(ModbusPlayer(ordered(config, line), line, tapes[endpoint.id], past, learnt.get(config.name)))
    return found


def _is_of(wire: str, endpoint: Endpoint) -> bool:
    """Whether the notes are of this wire: devices that dial in at one port are wires of their own."""
    if endpoint.scheme != "listen":
        return True
    try:
        return parse_endpoint(wire.partition(" #")[0], PORTS).id == endpoint.id
    except ValueError:
        return False
