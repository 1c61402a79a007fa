"""A sink as the store sees it: what it is owed, what it refused, and the row that says so on disk."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from zlib import crc32

from agent.model.errors import Damaged
from buffer.ranges import Ranges, parse

_SELECT = "SELECT id, name, since, active, acked, debt, aside, crc FROM sink"
_WRITE = (
    "INSERT OR REPLACE INTO sink (id, name, since, active, acked, debt, aside, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(slots=True)
class Debtor:
    """`debt` is what it must still get, `aside` what it refused and nobody has given up yet.

    `since` is the first seq that concerned it, `acked` the highest that it has confirmed; new frames are owed to it
    while it is `active`.
    """

    id: int
    name: str
    since: int
    active: bool = False
    acked: int = 0
    debt: Ranges = field(default_factory=Ranges)
    aside: Ranges = field(default_factory=Ranges)
    changed: bool = False

    @property
    def held(self) -> Iterable[Ranges]:
        """What of the file it still needs."""
        return self.debt, self.aside

    def write(self, connection: sqlite3.Connection) -> None:
        debt, aside = self.debt.text(), self.aside.text()
        crc = checksum(self.name, self.since, self.active, self.acked, debt, aside)
        connection.execute(_WRITE, (self.id, self.name, self.since, self.active, self.acked, debt, aside, crc))


def checksum(name: str, since: int, active: bool, acked: int, debt: str, aside: str) -> int:
    """CRC-32 of a row's contents: a debt in which one bit has flipped would be a silent loss."""
    return crc32(f"{name}\0{since}\0{int(active)}\0{acked}\0{debt}\0{aside}".encode())


def load(connection: sqlite3.Connection) -> list[Debtor]:
    """All rows. Raises Damaged for one that does not match its checksum; rows of version 1 have none."""
    found = []
    for id_, name, since, active, acked, debt, aside, crc in connection.execute(_SELECT).fetchall():
        if crc is not None and crc != checksum(name, int(since), bool(active), int(acked), debt, aside):
            raise Damaged(f"the debt of sink {name!r} does not match its checksum")
        found.append(Debtor(id_, name, int(since), bool(active), int(acked), parse(debt), parse(aside)))
    return found
