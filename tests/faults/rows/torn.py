"""Power cuts in which sectors that were not synced arrive in part and in any order: what was acknowledged is there."""

import random
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.inject import compiled
from tests.faults.oracle import Witness, look, use_and_kill
from tests.faults.table import Seen, row

_HEAD = struct.Struct("=4Q")
_NAME, _WRITE, _SIZE, _ROOM, _SYNC, _SAID = range(1, 7)
_SECTOR = 512
_MAX_SIZE = 1 << 20
_SECONDS = 2.0  # of work that is written down
_SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)  # of the sectors that were not synced


@dataclass
class Image:
    """One file on the device: what is certainly there, and the writes that may be, sector by sector."""

    sure: bytearray
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, at: int, data: bytes) -> None:
        self.pending.append((at, data))

    def sync(self) -> None:
        for at, data in self.pending:
            _put(self.sure, at, data)
        self.pending.clear()

    def resize(self, size: int) -> None:
        """Sizes are the business of the file system's journal: taken to be in order, and sure."""
        self.sync()
        self.sure[size:] = bytes(max(0, size - len(self.sure)))

    def torn(self, dice: random.Random) -> bytes:
        found, share = bytearray(self.sure), dice.choice(_SHARES)
        for at, data in self.pending:
            for start in range(0, len(data), _SECTOR):
                if dice.random() < share:
                    _put(found, at + start, data[start : start + _SECTOR])
        return bytes(found)


def _put(into: bytearray, at: int, data: bytes) -> None:
    into.extend(bytes(max(0, at + len(data) - len(into))))
    into[at : at + len(data)] = data


def _records(log: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    at = 0
    while at + _HEAD.size <= len(log):
        kind, file, where, size = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        yield kind, file, where, log[at : at + size]
        at += size


@row("7", "power cut with torn and reordered sectors, replayed from a recording", runs=700, short=20)
def torn_sectors(seen: Seen) -> None:
    """What was said before the cut is promised."""
    base, log = seen.folder / "base", seen.folder / "record"
    base.mkdir()
    use_and_kill(base / "store.db", 0, "plain", _MAX_SIZE, 0.2)
    look(base / "store.db", _MAX_SIZE)  # closes it in order
    work = Path(shutil.copytree(base, seen.folder / "work"))
    log.touch()
    environ = {"LD_PRELOAD": str(compiled(seen.folder, "record")), "RECORD": str(log)}
    use_and_kill(work / "store.db", 1, "checkpoint", _MAX_SIZE, _SECONDS, **environ)
    records, dice = list(_records(log.read_bytes())), random.Random()
    first = next(index for index, (kind, *_) in enumerate(records) if kind == _SAID)
    witness = Witness()
    lost = conflicts = unbalanced = mended = 0
    slowest, at = 0.0, 0
    images: dict[str, Image] = {path.name: Image(bytearray(path.read_bytes())) for path in base.glob("store.db*")}
    names: dict[int, str] = {}
    for run, cut in enumerate(sorted(dice.randrange(first, len(records)) for _ in range(seen.runs))):
        for kind, file, where, data in records[at:cut]:
            if kind == _SAID:
                witness.hear(1, data.decode().splitlines())
            else:
                _apply(images, names, kind, file, where, data)
        at = cut
        folder = seen.folder_of(run)
        for path in base.iterdir():
            if path.name not in images:
                shutil.copy(path, folder)
        for name, image in images.items():
            (folder / name).write_bytes(image.torn(dice))
        found = look(folder / "store.db", _MAX_SIZE)
        lost, conflicts = lost + witness.missing(found), conflicts + witness.conflicts(found)
        unbalanced += sum(not account.balanced for account in found.ledger)
        mended += len(found.notes)
        slowest = max(slowest, found.seconds)
        shutil.rmtree(folder)
    seen.none("acknowledged frames lost", lost)
    seen.none("id conflicts", conflicts)
    seen.none("accounts that do not balance", unbalanced)
    seen.none("databases that had to be mended", mended)
    seen.most("s to open it again, the slowest", slowest, 1.0)
    seen.least("frames acknowledged", len(witness.committed), 500)


def _apply(images: dict[str, Image], names: dict[int, str], kind: int, file: int, where: int, data: bytes) -> None:
    if kind == _NAME:
        names[file] = data.decode()
        images.setdefault(names[file], Image(bytearray()))
        return
    image = images[names[file]]
    if kind == _WRITE:
        image.write(where, data)
    elif kind == _SYNC:
        image.sync()
    else:
        image.resize(where if kind == _SIZE else max(where, len(image.sure)))
