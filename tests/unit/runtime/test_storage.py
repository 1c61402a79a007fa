"""The writer commits in groups, and a disk that fails costs time but no frame."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.health import Part
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.inlet import Inlet
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, keep
from buffer.state import MOST, NOTHING, Kept
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("meter", "1s", (Tag("a", "int32"),))


class Moody(Store):
    """A store whose disk fails for the next `failures` commits."""

    failures = 0
    commits = 0

    def append(self, frames: Sequence[Frame], kept: Kept = NOTHING) -> tuple[int, int]:
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        self.commits += 1
        return super().append(frames, kept)


def opened(folder: Path, max_size: int = 1 << 28) -> Writer:
    return Writer(lambda: Moody.open(folder / "store.db", boot="b", keep=3600, max_size=max_size, reserve=0))


async def run(writer: Writer, count: int, failures: int = 0) -> tuple[Moody, Part]:
    store = writer.store
    assert isinstance(store, Moody)
    store.failures = failures
    inlet, part, backoff = Inlet(), Part("store", "store.db"), Backoff(0.01)
    storage = Storage(writer, inlet, part, 0.02, backoff)
    await storage.call(store.attach, ["platform"])
    bell = storage.bell()
    bell.clear()
    task = asyncio.create_task(keep(storage.run, part, backoff, asyncio.Event()))
    for number in range(count):
        inlet.add(Frame(SCHEMA, number, (number,), bytes(1)))
        await asyncio.sleep(0.001)
    inlet.close()
    async with asyncio.timeout(5):
        await task
        await bell.wait()
    return store, part


async def test_frames_are_committed_in_groups_and_the_pumps_are_told(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    store, part = await run(writer, 100)
    assert await asyncio.wrap_future(writer.call(store.owed, "platform")) == 100
    assert 2 <= store.commits <= 20
    assert (part.state, part.frames) == ("up", 100)
    writer.close()


async def test_a_disk_that_fails_is_tried_again_with_the_same_frames(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    store, part = await run(writer, 50, failures=3)
    entries = await asyncio.wrap_future(writer.call(store.read, "platform", 100))
    assert [entry.frame.values[0] for entry in entries] == list(range(50))
    assert part.failures == 3
    writer.close()


class Hollow:
    """Values that have a number and nothing else."""

    def __len__(self) -> int:
        return 1


async def test_a_frame_that_no_store_can_hold_costs_itself_and_no_other(tmp_path: Path) -> None:
    """One driver's bug must not keep the others from the disk, however often the commit is tried."""
    writer, part, backoff = opened(tmp_path), Part("store", "store.db"), Backoff(0.01)
    inlet = Inlet()
    storage = Storage(writer, inlet, part, 0.01, backoff)
    await storage.call(storage.store.attach, ["platform"])
    for number in range(20):
        values: Any = Hollow() if number in (7, 13) else (number,)
        inlet.add(Frame(SCHEMA, number, values, bytes(1)))
    inlet.close()
    async with asyncio.timeout(5):
        await keep(storage.run, part, backoff, asyncio.Event())
    entries = await storage.call(storage.store.read, "platform", 100)
    assert [entry.frame.ts for entry in entries] == [number for number in range(20) if number not in (7, 13)]
    assert (part.rejected, part.bugs, part.frames) == (2, 3, 18)
    writer.close()


async def test_what_the_store_gives_up_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The ledger has every sample; the log says at once that it happens, and why."""
    writer, part = opened(tmp_path, max_size=1 << 16), Part("store", "housekeeping")
    storage = Storage(writer, Inlet(), part, 0.02, Backoff(0.01))
    await storage.call(storage.store.attach, ["platform"])
    await storage.call(storage.store.append, [Frame(SCHEMA, n, (n,), bytes(1)) for n in range(5000)])
    task = asyncio.create_task(storage.tend(part, every=0.001))
    async with asyncio.timeout(5):
        while not part.rejected:
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    owed = await storage.call(storage.store.owed, "platform")
    assert caplog.messages == [
        f"store housekeeping gave up {5000 - owed:,} frames: a sink was away until `max_size` was full"
    ]
    writer.close()


async def test_housekeeping_that_works_again_is_up(tmp_path: Path) -> None:
    writer, part = opened(tmp_path), Part("store", "housekeeping")
    part.down(StoreError("disk full"))
    task = asyncio.create_task(Storage(writer, Inlet(), part, 0.02, Backoff(0.01)).tend(part, every=0.001))
    async with asyncio.timeout(5):
        while part.state != "up":
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    writer.close()


async def learnt(folder: Path, what: bytes, *, frames: int = 1, failures: int = 0) -> tuple[bytes | None, Part]:
    """What the next run recalls of a device that has learnt this."""
    writer, inlet, part, backoff = opened(folder), Inlet(), Part("store", "store.db"), Backoff(0.01)
    assert isinstance(writer.store, Moody)
    writer.store.failures = failures
    storage = Storage(writer, inlet, part, 0.001, backoff)
    storage.learn("meter", what)
    for number in range(frames):
        inlet.add(Frame(SCHEMA, number, (number,), bytes(1)))
    task = asyncio.create_task(keep(storage.run, part, backoff, asyncio.Event()))
    inlet.close()
    async with asyncio.timeout(5):
        await task
    assert storage._kept == {} or not frames
    writer.close()
    again = opened(folder)
    try:
        return await Storage(again, Inlet(), part, 0.01, backoff).recall("meter"), part
    finally:
        again.close()


async def test_what_a_device_has_learnt_is_there_after_a_restart(tmp_path: Path) -> None:
    assert (await learnt(tmp_path, b"a hole"))[0] == b"a hole"
    assert (await learnt(tmp_path, b"another"))[0] == b"another"


async def test_it_is_kept_by_an_orderly_end_without_any_frame_too(tmp_path: Path) -> None:
    assert (await learnt(tmp_path, b"a hole", frames=0))[0] == b"a hole"


async def test_it_goes_with_the_commit_that_succeeds_at_last(tmp_path: Path) -> None:
    kept, part = await learnt(tmp_path, b"a hole", failures=2)
    assert (kept, part.failures) == (b"a hole", 2)


async def test_too_much_of_it_is_said_and_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept, part = await learnt(tmp_path, bytes(MOST + 1))
    assert (kept, part.state) == (None, "up")
    assert "device meter has learnt 65,537 bytes, too many to be kept" in caplog.text


async def test_nothing_is_known_of_a_device_that_has_learnt_nothing(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    storage = Storage(writer, Inlet(), Part("store", "store.db"), 0.01, Backoff(0.01))
    assert await storage.recall("meter") is None
    writer.close()
