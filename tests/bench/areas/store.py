"""The store alone: floats from 100 devices, in commits of 64 KB or more, synced to the disk."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import rig
import stopwatch
from report import Row, at_least, at_most, shown

from agent.model.clock import SYSTEM, boot_id
from agent.model.frame import Frame
from buffer.store import Store
from tests.faults.disk import LoopDisk

COMMIT, COMMITS = 150, 60  # frames in one, how many
WIDE, BULK = 200, 300  # tags of a frame, frames in a commit, where the rate counts
SINK = "platform"


def rows() -> Iterator[Row]:
    narrow, wide = _frames(COMMIT, stopwatch.TAGS), _frames(BULK, WIDE)
    with rig.folder() as place:
        store = _open(place / "store.db")
        began = time.monotonic()
        cost = stopwatch.cpu_us(lambda: _turn(store, narrow), COMMITS) / COMMIT
        yield at_most("append, read and ack a frame of 100: CPU", cost, 40, "µs")
        took = (time.monotonic() - began) / (3 * COMMITS + 1)
        yield shown(f"a commit of {COMMIT} frames of 100, synced: wall time", 1000 * took, "ms")
        store.close()
    with rig.folder() as place:
        yield from _in_bulk(place / "store.db", wide)
    if os.geteuid() == 0:
        yield from _device(narrow)


def _in_bulk(path: Path, wide: list[Frame]) -> Iterator[Row]:
    """Rates in wall time, syncs included: the best of three rounds, because other work only ever takes away."""
    store = _open(path)
    rates = [_appended(store, wide) for _ in range(3)]
    yield at_least(f"append, frames of {WIDE}, synced: wall time", max(rates) / 1e6, 5, "million samples/s")
    frames = store.owed(SINK)
    yield at_most("on disk", store.stats().bytes / (frames * WIDE), 12, "bytes/sample")
    store.close()
    began = time.monotonic()
    store = _open(path)
    yield shown(f"opened with {frames:,} frames owed: wall time", 1000 * (time.monotonic() - began), "ms")
    rates = [_drained(store, frames // 3) for _ in range(3)]
    yield at_least(f"history read and acked, frames of {WIDE}: wall time", max(rates) / 1e6, 10, "million samples/s")
    store.close()


def _appended(store: Store, frames: list[Frame]) -> float:
    began = time.monotonic()
    for _ in range(COMMITS):
        store.append(frames)
    return COMMITS * len(frames) * WIDE / (time.monotonic() - began)


def _drained(store: Store, frames: int) -> float:
    began, left = time.monotonic(), frames
    while left > 0 and (entries := store.read(SINK, min(left, 500))):
        store.ack(SINK, entries)
        left -= len(entries)
    return frames * WIDE / (time.monotonic() - began)


def _device(frames: list[Frame]) -> Iterator[Row]:
    """What arrives at the block device under an ext4, journal included, a minute's worth of small commits."""
    with rig.folder() as place, LoopDisk(place, 256) as disk:
        store = _open(disk.path / "store.db", max_size=64 << 20)
        for count in (10, COMMIT):
            for _ in range(2):  # the first round is for what is written once
                before = disk.written()
                for _ in range(120):
                    store.append(frames[:count])
                store.tend()
                wrote = (disk.written() - before) / 120
            bodies = wrote / (count * stopwatch.TAGS)
            yield shown(f"to the device per commit of {count} frames of 100", wrote / 1024, "KB")
            yield shown(f"to the device, commits of {count} frames of 100", bodies, "bytes/sample")
        store.close()


def _frames(count: int, tags: int) -> list[Frame]:
    return [stopwatch.frame(stopwatch.schema(f"d{i % 100:03d}", tags)) for i in range(count)]


def _open(path: Path, max_size: int = 1 << 30) -> Store:
    store = Store.open(path, clock=SYSTEM, boot=boot_id(), keep=86_400.0, max_size=max_size, reserve=0)
    store.attach([SINK])
    return store


def _turn(store: Store, frames: list[Frame]) -> None:
    first, _ = store.append(frames)
    store.ack(SINK, store.read(SINK, len(frames), after=first - 1))
    store.tend()
