"""Where a SQLite file keeps something, and what a store gives out that was damaged: read without our own parsers."""

import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from agent.model.errors import Damaged, DiskFailed
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer.keeper import Keeper, Limits
from buffer.ledger import Account
from buffer.store import Store
from tests.faults.oracle import FOREVER

SAMPLES = 40
SCHEMAS = [Schema(f"d{i}", "1s", tuple(Tag(f"t{j}", "float32") for j in range(SAMPLES)), 1.0) for i in range(3)]
MAX_SIZE = 4 << 20
FRAMES = 6000
ACKED = 2000  # of them, by the first sink
SINKS = ["live", "dead"]


def frame(seq: int) -> Frame:
    values = (float(seq), *(float(seq * j % 977) for j in range(1, SAMPLES)))
    return Frame(SCHEMAS[seq % 3], 1_700_000_000 * 10**9 + seq * 10**7, values, bytes(SAMPLES), seq * 10**7)


def limits() -> Limits:
    return Limits(FOREVER, MAX_SIZE, 0)


def fill(path: Path) -> Store:
    """A store with a history: frames, acknowledged ones, deleted ones, a schema of each device."""
    store = Store.open(path, boot="boot", keep=FOREVER, max_size=MAX_SIZE, reserve=0)
    store.attach(SINKS)
    while store.last() < FRAMES:
        store.append([frame(seq) for seq in range(store.next, store.next + 50)])
        if store.last() <= ACKED:
            store.ack("live", store.read("live", 1000))
        store.tend()
    return store


@dataclass
class Drained:
    """What came out of a store, sink by sink, and what it said of the rest."""

    got: dict[str, dict[int, Frame]] = field(default_factory=lambda: {sink: {} for sink in SINKS})
    accounts: list[Account] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lost: int = 0  # frames, as the store says
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def noticed(self) -> bool:
        return bool(self.notes or self.lost or not all(account.balanced for account in self.accounts))

    def missing(self, sink: str) -> set[int]:
        first = 1 if sink == "dead" else ACKED + 1
        return set(range(first, FRAMES + 1)) - set(self.got[sink])

    @property
    def wrong(self) -> int:
        """Frames with contents that nobody wrote."""
        return sum(
            found.values != (made := frame(seq)).values
            or found.ts != made.ts
            or found.schema.device != made.schema.device
            for frames in self.got.values()
            for seq, found in frames.items()
        )

    @property
    def untold(self) -> int:
        """Frames that did not come out, beyond those of which the store says that they are lost."""
        return sum(max(0, len(self.missing(sink)) - self.dropped.get(sink, 0)) for sink in SINKS)


def drain(path: Path) -> tuple[Drained, Keeper]:
    """Open it as the agent does, hand all out to both sinks, mend what must be mended, and close it."""
    keeper, found = Keeper(path, limits(), boot="boot"), Drained()
    keeper.open()
    keeper.attach(SINKS, [])
    for sink in SINKS:
        while _some(keeper, sink, found):
            pass
    store = keeper.store
    store.tend()
    found.lost = sum(store.lost().values())
    found.accounts, found.notes = store.ledger(), list(keeper.notes)
    connection = store._log.connection  # the losses, as they stand in the file
    for name, frames in connection.execute("SELECT name, frames FROM loss JOIN sink ON sink.id = loss.sink").fetchall():
        found.dropped[name] = found.dropped.get(name, 0) + frames
    return found, keeper


def _some(keeper: Keeper, sink: str, found: Drained) -> bool:
    try:
        entries = keeper.store.read(sink, 500)
        for entry in entries:
            if not entry.frame.schema.device.startswith("$"):
                found.got[sink].setdefault(entry.seq, entry.frame)
        keeper.store.ack(sink, entries)
        return bool(entries)
    except (Damaged, DiskFailed):
        keeper.heal()
        return True


def used_bytes(path: Path) -> list[tuple[int, int]]:
    """(start, end) of what the file needs: headers, cell pointers, cells, trunks of the freelist (file format, §1)."""
    data, found = path.read_bytes(), []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tree = dict(connection.execute("SELECT pageno, pagetype FROM dbstat").fetchall())
    connection.close()
    for number, kind in tree.items():
        start = (number - 1) * 4096
        page = data[start : start + 4096]
        if kind != "overflow":
            found += [(start + a, start + b) for a, b in _parts(page, 100 if number == 1 else 0)]
    trunk = int.from_bytes(data[32:36], "big")
    while trunk:
        start = (trunk - 1) * 4096
        found.append((start, start + 8 + 4 * int.from_bytes(data[start + 4 : start + 8], "big")))
        trunk = int.from_bytes(data[start : start + 4], "big")
    return [*found, (0, 100)]


def _parts(page: bytes, at: int) -> list[tuple[int, int]]:
    """Of one page of a tree: its header with the pointers, and the cells without the free blocks between them."""
    cells, content = (int.from_bytes(page[at + i : at + i + 2], "big") for i in (3, 5))
    head = at + (8 if page[at] in (10, 13) else 12) + 2 * cells
    free, blocks = int.from_bytes(page[at + 1 : at + 3], "big"), []
    while free:
        blocks.append((free, free + int.from_bytes(page[free + 2 : free + 4], "big")))
        free = int.from_bytes(page[free : free + 2], "big")
    edges = [content or 65536, *(edge for block in blocks for edge in block), 4096]
    return [(at, head), *zip(edges[::2], edges[1::2], strict=True)]


def flip(path: Path, used: list[tuple[int, int]], dice: random.Random) -> None:
    """Turn one bit over among the used ones, each with the same chance."""
    at = dice.randrange(sum(end - start for start, end in used))
    for start, end in used:
        if at < end - start:
            break
        at -= end - start
    with path.open("r+b") as file:
        file.seek(start + at)
        (byte,) = file.read(1)
        file.seek(start + at)
        file.write(bytes([byte ^ 1 << dice.randrange(8)]))
