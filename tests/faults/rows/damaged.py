"""Files that were damaged: noticed, mended without a person, and all that can be read is delivered."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from buffer.keeper import Keeper
from tests.faults.damage import Drained, drain, fill, flip, frame, limits, used_bytes
from tests.faults.table import Seen, row


def _copy(model: Path, folder: Path) -> Path:
    """The whole data directory; the blocks that hold nothing take no time."""
    subprocess.run(["cp", "-r", "--sparse=always", f"{model}/.", folder], check=True)
    return folder / "store.db"


ENOUGH = 50  # runs, of which a share of 95 % can be told; a few in a hurry tell that flips are noticed at all


@row("16", "one bit flipped in the used bytes of the file, two sinks", runs=100, short=6)
def bit_flips(seen: Seen) -> None:
    model, dice = seen.folder / "model", random.Random()
    model.mkdir()
    fill(model / "store.db").close()
    used = used_bytes(model / "store.db")
    found = []
    for run in range(seen.runs):
        folder = seen.folder_of(run)
        path = _copy(model, folder)
        flip(path, used, dice)
        drained, keeper = drain(path)
        keeper.store.close()
        found.append(drained)
        shutil.rmtree(folder)
    seen.least("% noticed", 100 * sum(each.noticed for each in found) / seen.runs, 95 if seen.runs >= ENOUGH else 50)
    _sound(seen, found)
    seen.most("frames lost for one bit, on average", sum(len(each.missing("dead")) for each in found) / seen.runs, 60)


@row("17", "one bit flipped in the -wal file of a store that was killed", runs=30, short=4)
def bit_flips_in_the_wal(seen: Seen) -> None:
    """What was behind the bit is gone, and the store says so; no number is given again to another frame."""
    model, dice = seen.folder / "model", random.Random()
    model.mkdir()
    store = fill(model / "store.db")
    for _ in range(20):  # since the last checkpoint
        store.append([frame(seq) for seq in range(store.next, store.next + 50)])
    last = store.last()
    copied = seen.folder / "killed"
    copied.mkdir()
    _copy(model, copied)  # while it is open: as a kill leaves it
    store.close()
    untold = again = slow = 0
    for run in range(seen.runs):
        path = _copy(copied, seen.folder_of(run))
        wal = path.with_name("store.db-wal")
        flip(wal, [(0, _end_of(wal))], dice)
        began = time.monotonic()
        keeper = Keeper(path, limits(), boot="boot")
        store = keeper.open()
        slow = max(slow, time.monotonic() - began)
        keeper.attach(["live", "dead"], [])
        kept = [entry.seq for entry in store.read("dead", 1 << 20) if not entry.frame.schema.device.startswith("$")]
        untold += max(0, last - len(kept) - store.missing) if kept[-1] < last else 0
        again += store.next <= last
        store.close()
    seen.none("frames gone of which the store does not tell", untold)
    seen.none("ids given twice", again)
    seen.most("s to open it, the slowest", slow, 5.0)


def _end_of(wal: Path) -> int:
    """Bytes up to the last frame that is not empty."""
    return len(wal.read_bytes().rstrip(b"\0"))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _short(path: Path) -> None:
    os.truncate(path, 1_000_000 + 123)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _random(path: Path) -> None:
    path.write_bytes(os.urandom(1 << 20))


def _without_wal(path: Path) -> None:
    path.with_name("store.db-wal").unlink()


def _gone(path: Path) -> None:
    path.unlink()
    path.with_name("store.db-wal").unlink()


_WAYS: list[Callable[[Path], None]] = [_truncated, _short, _emptied, _zeroed, _random, _without_wal, _gone]


@row("10, 18", "file cut in half, cut short, emptied, zeroed, random, gone; -wal file deleted", runs=14, short=7)
def broken_files(seen: Seen) -> None:
    """Of a store that was killed, so that the -wal file holds something."""
    model = seen.folder / "model"
    model.mkdir()
    store = fill(model / "store.db")
    for _ in range(20):
        store.append([frame(seq) for seq in range(store.next, store.next + 50)])
    last = store.last()
    untold = again = wrong = 0
    slow = 0.0
    copied = seen.folder / "killed"
    copied.mkdir()
    _copy(model, copied)
    store.close()
    for run in range(seen.runs):
        path = _copy(copied, seen.folder_of(run))
        _WAYS[run % len(_WAYS)](path)
        began = time.monotonic()
        drained, keeper = drain(path)
        slow = max(slow, time.monotonic() - began)
        wrong += drained.wrong
        gone = last - len(drained.got["dead"])
        told = drained.dropped.get("dead", 0)
        untold += max(0, gone - told)
        again += keeper.store.next <= last
        keeper.store.close()
    seen.none("frames gone of which the store does not tell", untold)
    seen.none("ids given twice", again)
    seen.none("wrong frames", wrong)
    seen.most("s until it has started and given out what it holds, the slowest", slow, 5.0)


def _sound(seen: Seen, found: list[Drained]) -> None:
    seen.none("frames not delivered of which the store does not tell", sum(each.untold for each in found))
    seen.none("frames delivered with wrong contents", sum(each.wrong for each in found))
