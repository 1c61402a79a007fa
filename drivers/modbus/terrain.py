"""What is known of a device's registers: where it refuses to be read, and how much at once.

A hole is a range that the device refuses, a seam an address that no request may cross, a limit the most that one
request of a table may ask for. All of it is found out by `learning.py` and kept over restarts.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

VERSION = 1
MOST = 256  # holes or seams; a device with more has another problem
TABLES = ("coil", "discrete", "input", "holding")


class Hole(NamedTuple):
    """Registers (or coils) `first` to `last`, both included."""

    register: str
    first: int
    last: int


class Seam(NamedTuple):
    """No request may read across: `address` begins a new one."""

    register: str
    address: int


@dataclass(frozen=True, slots=True)
class Terrain:
    holes: frozenset[Hole] = frozenset()
    seams: frozenset[Seam] = frozenset()
    limits: tuple[tuple[str, int], ...] = ()  # most registers (or coils) at once, by table

    def refuses(self, register: str, start: int, stop: int) -> bool:
        """Whether a hole has a register from `start` up to, not including, `stop`."""
        return any(hole.register == register and hole.first < stop and start <= hole.last for hole in self.holes)

    def parted(self, register: str, stop: int, start: int) -> bool:
        """Whether a seam lies between a value that ends before `stop` and the next, which begins at `start`."""
        return any(seam.register == register and stop <= seam.address <= start for seam in self.seams)

    def limit(self, register: str, most: int) -> int:
        return min([most, *(limit for table, limit in self.limits if table == register)])

    def with_hole(self, register: str, first: int, last: int) -> "Terrain":
        if len(self.holes) >= MOST:
            return self
        return replace(self, holes=self.holes | {Hole(register, first, last)})

    def with_seam(self, register: str, address: int) -> "Terrain":
        return self if len(self.seams) >= MOST else replace(self, seams=self.seams | {Seam(register, address)})

    def with_limit(self, register: str, most: int) -> "Terrain":
        others = [each for each in self.limits if each[0] != register]
        return replace(self, limits=tuple(sorted([*others, (register, self.limit(register, most))])))

    def without(self, register: str, first: int, last: int) -> "Terrain":
        """After these registers were read: what is left of the holes."""
        left: set[Hole] = set()
        for hole in self.holes:
            if hole.register != register or last < hole.first or hole.last < first:
                left.add(hole)
                continue
            if hole.first < first:
                left.add(Hole(register, hole.first, first - 1))
            if last < hole.last:
                left.add(Hole(register, last + 1, hole.last))
        return replace(self, holes=frozenset(sorted(left)[:MOST]))


@dataclass(frozen=True, slots=True)
class Known:
    """What a plan must keep to: the terrain, and breaks that a search for a hole asks for meanwhile."""

    terrain: Terrain = field(default_factory=Terrain)
    breaks: frozenset[Seam] = frozenset()

    def parted(self, register: str, stop: int, start: int) -> bool:
        if self.terrain.parted(register, stop, start):
            return True
        return any(seam.register == register and stop <= seam.address <= start for seam in self.breaks)


NOTHING = Known()


def dump(terrain: Terrain) -> bytes:
    """Less than 20 KB whatever was found."""
    parts = {"holes": sorted(terrain.holes), "seams": sorted(terrain.seams), "limits": terrain.limits}
    return json.dumps({"version": VERSION, **parts}, separators=(",", ":")).encode()


def load(kept: bytes) -> Terrain:
    """What `dump` wrote; whatever cannot be understood is left out."""
    try:
        found = json.loads(kept)
    except (ValueError, RecursionError):
        return Terrain()
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return Terrain()
    holes = [Hole(*each) for each in _rows(found.get("holes"), 3) if each[1] <= each[2]]
    seams = [Seam(*each) for each in _rows(found.get("seams"), 2)]
    limits = {str(each[0]): int(each[1]) for each in _rows(found.get("limits"), 2) if each[1] > 0}
    return Terrain(frozenset(holes), frozenset(seams), tuple(sorted(limits.items())))


def _rows(found: Any, width: int) -> Iterable[list[Any]]:
    for row in found[:MOST] if isinstance(found, list) else ():
        if not isinstance(row, list) or len(row) != width or row[0] not in TABLES:
            continue
        if all(type(number) is int and 0 <= number <= 65_535 for number in row[1:]):
            yield row
