"""Turn tag addresses into few read requests, and each reply into columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.model.frame import Value
from agent.model.quality import Quality
from drivers.modbus.config import BIT_REGISTERS, Tag
from drivers.modbus.decode import Decode, bits, registers

BITS_PER_REGISTER = 16
_GOOD, _BAD = bytes((Quality.GOOD,)), bytes((Quality.BAD_DECODE,))


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
    texts: bool

    @property
    def size(self) -> int:
        """Bytes of data that the answer must hold."""
        return -(-self.count // 8) if self.table.function < 3 else 2 * self.count

    def quality(self, values: Sequence[Value]) -> bytes:
        """Only a text can fail to decode; numbers that are not finite are found by normalise."""
        if self.texts and None in values:
            return b"".join(_BAD if value is None else _GOOD for value in values)
        return _GOOD * len(self.tags)

    def __str__(self) -> str:
        """`holding registers 0-99 (40001-40100)`: 0-based, and as manuals number them."""
        first, last = self.address, self.address + self.count - 1
        return f"{self.table.name} {_range(first, last)} ({_range(self._number(first), self._number(last))})"

    def _number(self, address: int) -> str:
        digits = 4 if self.address + self.count <= 9999 else 5
        return f"{self.table.digit}{address + 1:0{digits}}"


def _range(first: int | str, last: int | str) -> str:
    return str(first) if first == last else f"{first}-{last}"


def plan(tags: Sequence[Tag], *, order: str, max_registers: int, max_gap: int) -> tuple[Block, ...]:
    """The requests that read `tags`, in the order of tables and addresses; a value is never split between two."""
    ordered = sorted(tags, key=lambda tag: (_RANK[tag.register], tag.address, tag.bit or 0))
    return tuple(_block(group, order) for group in _grouped(ordered, max_registers, max_gap))


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
    return Block(
        TABLES[tags[0].register],
        start,
        count,
        tuple(tags),
        decode,
        bridges=len(covered) < count,
        texts=any(tag.type == "string" for tag in tags),
    )
