"""Turn tag addresses into few read requests, and each reply into columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.model.frame import Value
from agent.model.quality import Quality
from drivers.modbus.decode import Decode, bits, registers
from drivers.modbus.kinds import BCD, BIT_REGISTERS
from drivers.modbus.tag import Tag

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
    bridges: bool  # it reads registers that no tag asked for
    blanks: bytes = b""  # what None means in each column, when it can be there at all

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
        first, last = self.address, self.address + self.count - 1
        return f"{self.table.name} {_range(first, last)} ({_range(self._number(first), self._number(last))})"

    def _number(self, address: int) -> str:
        digits = 4 if self.address + self.count <= 9999 else 5
        return f"{self.table.digit}{address + 1:0{digits}}"


def _range(first: int | str, last: int | str) -> str:
    return str(first) if first == last else f"{first}-{last}"


def plan(tags: Sequence[Tag], *, order: str, max_registers: int, max_gap: int | None) -> tuple[Block, ...]:
    """The requests that read `tags`, in the order of tables and addresses; a value is never split between two."""
    ordered = sorted(tags, key=lambda tag: (_RANK[tag.register], tag.address, tag.bit or 0))
    return tuple(_block(group, order) for group in _grouped(ordered, max_registers, 16 if max_gap is None else max_gap))


def _grouped(tags: Sequence[Tag], most: int, gap: int) -> Iterator[list[Tag]]:
    group: list[Tag] = []
    start = end = 0
    for tag in tags:
        factor = BITS_PER_REGISTER if tag.register in BIT_REGISTERS else 1
        stop = max(end, tag.address + tag.words)
        fits = stop - start <= most * factor and tag.address - end <= gap * factor
        if group and fits and tag.register == group[0].register:
            group.append(tag)
            end = stop
            continue
        if group:
            yield group
        group, start, end = [tag], tag.address, tag.address + tag.words
    if group:
        yield group


def _block(tags: list[Tag], order: str) -> Block:
    start = tags[0].address
    count = max(tag.address + tag.words for tag in tags) - start
    single = tags[0].register in BIT_REGISTERS
    decode = bits([tag.address - start for tag in tags]) if single else registers(tags, start, order)
    covered = {address for tag in tags for address in range(tag.address, tag.address + tag.words)}
    blanks = bytes(map(_blank, tags))
    return Block(
        TABLES[tags[0].register],
        start,
        count,
        tuple(tags),
        decode,
        bridges=len(covered) < count,
        blanks=blanks if any(blanks) else b"",
    )


def _blank(tag: Tag) -> int:
    """The quality of a tag whose value is None: the device says that it has none, or what it says makes no sense."""
    if tag.invalid:
        return Quality.BAD_DEVICE
    return Quality.BAD_DECODE if tag.type in BCD | {"string", "datetime"} else Quality.GOOD
