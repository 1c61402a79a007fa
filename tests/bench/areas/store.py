"""The store alone: frames of 100 floats from 100 devices, in commits of 64 KB, synced to the disk."""

import time
from collections.abc import Iterator
from pathlib import Path

import rig
import stopwatch
from report import Row, at_most, shown

from agent.model.clock import SYSTEM, boot_id
from buffer.store import Store

COMMIT, COMMITS = 150, 60  # frames in one, how many
SINK = "platform"
FRAMES = [stopwatch.frame(stopwatch.schema(f"d{i % 100:03d}")) for i in range(COMMIT)]


def rows() -> Iterator[Row]:
    with rig.folder() as place:
        store = _open(place / "store.db")
        began = time.monotonic()
        yield at_most(
            "append, read and ack a frame: CPU", stopwatch.cpu_us(lambda: _turn(store), COMMITS) / COMMIT, 40, "µs"
        )
        took = (time.monotonic() - began) / (3 * COMMITS + 1)
        yield shown(f"a commit of {COMMIT} frames, synced: wall time", 1000 * took, "ms")
        store.close()
    with rig.folder() as place:
        store = _open(place / "store.db")
        for _ in range(COMMITS):
            store.append(FRAMES)
        frames = store.owed(SINK)
        store.close()
        size = sum(path.stat().st_size for path in place.iterdir())
        yield at_most("on disk", size / (frames * stopwatch.TAGS), 6, "bytes/sample")
        began = time.monotonic()
        store = _open(place / "store.db")
        yield shown(f"opened with {frames:,} frames owed: wall time", 1000 * (time.monotonic() - began), "ms")
        began = time.process_time()
        read = sum(1 for _ in _history(store))
        yield at_most("a frame of history read and acked: CPU", (time.process_time() - began) / read * 1e6, 40, "µs")
        store.close()


def _open(path: Path) -> Store:
    store = Store.open(path, clock=SYSTEM, boot=boot_id(), keep=86_400.0, max_size=1 << 30, reserve=0)
    store.attach([SINK])
    return store


def _turn(store: Store) -> None:
    first, _ = store.append(FRAMES)
    store.ack(SINK, store.read(SINK, COMMIT, after=first - 1))
    store.tend()


def _history(store: Store) -> Iterator[object]:
    while entries := store.read(SINK, COMMIT):
        store.ack(SINK, entries)
        yield from entries
