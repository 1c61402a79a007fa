"""Turn tag addresses into few read requests, and each reply into columns.

Values are sorted by table and address. A request reads a stretch of neighbours; between two of them there may be
registers that nobody asked for, and reading them along is worth it while that costs less than one more request. Where
to cut is found for all at once: the cheapest plan up to a value is one request more than the cheapest plan up to some
value before it, and the best of those that still fit into a request is kept at hand while going forward.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

from agent.model.frame import Value
from agent.model.quality import Quality
from drivers.modbus.cost import NETWORK, Cost
from drivers.modbus.decode import Decode, bits, registers
from drivers.modbus.kinds import BCD, BIT_REGISTERS
from drivers.modbus.tag import Tag
from drivers.modbus.terrain import NOTHING, Known

BITS_PER_REGISTER = 16


@dataclass(frozen=True, slots=True)
class Table:
    """One of the four tables of a device: how it is asked (Modbus Application Protocol 1.1b3, §6.1 to §6.4)."""

    function: int
    name: str
    digit: int  # what manuals put before the 1-based number: 40001 is holding register 0


TABLES = {
    "coil": Table(1, "coils", 0),
    "discrete": Table(2, "discrete inputs", 1),
    "input": Table(4, "input registers", 3),
    "holding": Table(3, "holding registers", 4),
}
_RANK = {register: rank for rank, register in enumerate(TABLES)}


@dataclass(frozen=True, slots=True)
class Block:
    """One read request: `count` registers or coils from `address`; `decode` turns the reply into columns."""

    table: Table
    address: int
    count: int
    tags: tuple[Tag, ...]
    decode: Decode
    bridged: int = 0  # registers that no tag asked for
    blanks: bytes = b""  # what None means in each column, when it can be there at all
    lost: bool = False  # known to be refused: it is asked for rarely

    @property
    def bridges(self) -> bool:
        return self.bridged > 0

    @property
    def size(self) -> int:
        """Bytes of data that the answer must hold."""
        return -(-self.count // 8) if self.table.function < 3 else 2 * self.count

    def quality(self, values: Sequence[Value]) -> bytes:
        """Numbers that are not finite are found by normalise, all else that does not decode is None."""
        if self.blanks and None in values:
            return bytes(blank if value is None else 0 for value, blank in zip(values, self.blanks, strict=True))
        return bytes(len(self.tags))

    def __str__(self) -> str:
        """`holding registers 0-99 (40001-40100)`: 0-based, and as manuals number them."""
        return f"{self.table.name} {self.where} ({self.numbers})"

    @property
    def where(self) -> str:
        """0-based: `0-99`."""
        return _range(self.address, self.address + self.count - 1)

    @property
    def numbers(self) -> str:
        """As manuals number them: `40001-40100`."""
        return _range(self._number(self.address), self._number(self.address + self.count - 1))

    def _number(self, address: int) -> str:
        digits = 4 if self.address + self.count <= 9999 else 5
        return f"{self.table.digit}{address + 1:0{digits}}"


def _range(first: int | str, last: int | str) -> str:
    return str(first) if first == last else f"{first}-{last}"


class Span(NamedTuple):
    """Registers from `start` up to, not including, `stop`, that no request may read in part."""

    start: int
    stop: int


class Stretch(Protocol):
    """Registers or coils of a table that are known to be there, as those of a tag."""

    @property
    def register(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def words(self) -> int: ...


class Reach(NamedTuple):
    """A stretch that is not one of a tag."""

    register: str
    address: int
    words: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How far one request may reach in one table, in its registers or coils, and what it costs."""

    most: int
    gap: int  # longest hole that is bridged
    request: int
    each: int
    bridge: Callable[[int, int], bool]  # whether a hole, from and up to, may be read along


def plan(
    tags: Sequence[Tag],
    *,
    order: str,
    max_registers: int,
    max_gap: int | None = None,
    cost: Cost = NETWORK,
    declared: Sequence[Stretch] | None = None,
    known: Known = NOTHING,
) -> tuple[Block, ...]:
    """The requests that read `tags`, in the order of tables and addresses; a value is never split between two.

    Without `max_gap` a hole is bridged when that is cheaper. With `declared`, only registers of those are read.
    The order of the tags, and so of the columns, does not depend on anything but the tags.
    """
    blocks: list[Block] = []
    for register, group in groupby(sorted(tags, key=_place), lambda tag: tag.register):
        may = _bridges(register, declared, known)
        rules = _rules(register, max_registers, max_gap, cost, known, may)
        for lost, run in groupby(group, lambda tag: _lost(tag, known)):
            found = list(run)
            pieces = [found] if lost else _pieces(found, rules)
            blocks += [_block(piece, order, lost=lost is not None) for piece in pieces]
    return tuple(blocks)


def _place(tag: Tag) -> tuple[int, int, int]:
    return _RANK[tag.register], tag.address, tag.bit or 0


def spans(tags: Iterable[Tag]) -> list[Span]:
    """The registers of tags that are sorted by address; what lies within another's is part of it."""
    found: list[Span] = []
    for tag in tags:
        start, stop = tag.address, tag.address + tag.words
        if found and start == found[-1].start:
            found[-1] = Span(start, max(stop, found[-1].stop))
        elif not found or stop > found[-1].stop:
            found.append(Span(start, stop))
    return found


def _rules(
    register: str, most: int, gap: int | None, cost: Cost, known: Known, may: Callable[[int, int], bool]
) -> Rules:
    factor = BITS_PER_REGISTER if register in BIT_REGISTERS else 1
    request, each = (cost.request, cost.register) if gap is None else (gap, 1)
    longest = request // each if gap is None else gap
    limit = known.terrain.limit(register, most * factor)
    # One request more costs a trifle more than its price, so that of two plans of one price the one with fewer is taken
    return Rules(limit, longest * factor, request * factor << 20 | 1, each << 20, may)


def _bridges(register: str, declared: Sequence[Stretch] | None, known: Known) -> Callable[[int, int], bool]:
    covered = None if declared is None else _covered(tag for tag in declared if tag.register == register)

    def may(stop: int, start: int) -> bool:
        if known.parted(register, stop, start):
            return False
        if stop >= start:
            return True
        inside = covered is None or _within(covered, stop, start)
        return inside and not known.terrain.refuses(register, stop, start)

    return may


def _covered(tags: Iterable[Stretch]) -> list[Span]:
    """The registers of tags as stretches without holes."""
    found: list[Span] = []
    for start, stop in sorted((tag.address, tag.address + tag.words) for tag in tags):
        if found and start <= found[-1].stop:
            found[-1] = Span(found[-1].start, max(stop, found[-1].stop))
        else:
            found.append(Span(start, stop))
    return found


def uncovered(tags: Iterable[Tag], start: int, stop: int) -> Iterator[Span]:
    """What none of these tags reads from `start` up to, not including, `stop`."""
    for span in _covered(tags):
        if start < span.start < stop:
            yield Span(start, span.start)
        if span.start < stop:
            start = max(start, span.stop)
    if start < stop:
        yield Span(start, stop)


def _within(covered: Sequence[Span], start: int, stop: int) -> bool:
    at = bisect_right(covered, (start, 1 << 17)) - 1
    return at >= 0 and stop <= covered[at].stop


def _lost(tag: Tag, known: Known) -> Span | None:
    """The registers of a tag that the device refuses; those with the same ones are asked for together."""
    span = Span(tag.address, tag.address + tag.words)
    return span if known.terrain.holes and known.terrain.refuses(tag.register, *span) else None


def _pieces(tags: list[Tag], rules: Rules) -> Iterator[list[Tag]]:
    """The tags of each request."""
    starts = {tags[0].address}
    for run in _runs(spans(tags), rules):
        starts.update(span.start for span in _cuts(run, rules))
    piece: list[Tag] = []
    for tag in tags:
        if tag.address in starts and piece and piece[0].address != tag.address:
            yield piece
            piece = []
        piece.append(tag)
    yield piece


def _runs(found: Sequence[Span], rules: Rules) -> Iterator[list[Span]]:
    """Stretches between which no request may reach."""
    run: list[Span] = []
    for span in found:
        if run and not (span.start - run[-1].stop <= rules.gap and rules.bridge(run[-1].stop, span.start)):
            yield run
            run = []
        run.append(span)
    yield run


def _cuts(run: Sequence[Span], rules: Rules) -> Iterator[Span]:
    """The spans at which requests begin in the cheapest plan; of equal ones, that with full requests first."""
    if run[-1].stop - run[0].start <= rules.most:  # no hole in it costs more than a request
        yield run[0]
        return
    best = [0]  # cost of the spans before each
    came: list[int] = []
    window: deque[tuple[int, int]] = (
        deque()
    )  # (cost of a request that begins here, less what it reads up to here; where)
    for at, span in enumerate(run):
        value = best[at] - rules.each * span.start
        while window and window[-1][0] >= value:
            window.pop()
        window.append((value, at))
        while len(window) > 1 and span.stop - run[window[0][1]].start > rules.most:
            window.popleft()
        best.append(window[0][0] + rules.request + rules.each * span.stop)
        came.append(window[0][1])
    at = len(run)
    while at:
        at = came[at - 1]
        yield run[at]


def _block(tags: list[Tag], order: str, *, lost: bool) -> Block:
    start = tags[0].address
    count = max(tag.address + tag.words for tag in tags) - start
    single = tags[0].register in BIT_REGISTERS
    decode = bits([tag.address - start for tag in tags]) if single else registers(tags, start, order)
    blanks = bytes(map(_blank, tags))
    return Block(
        TABLES[tags[0].register],
        start,
        count,
        tuple(tags),
        decode,
        bridged=count - sum(stop - start for start, stop in _covered(tags)),
        blanks=blanks if any(blanks) else b"",
        lost=lost,
    )


def _blank(tag: Tag) -> int:
    """The quality of a tag whose value is None: the device says that it has none, or what it says makes no sense."""
    if tag.invalid:
        return Quality.BAD_DEVICE
    return Quality.BAD_DECODE if tag.type in BCD | {"string", "datetime"} else Quality.GOOD
