"""State and counts of what was left out go with the frames that they speak of, whatever fails: real files throughout.

The steps here count the frames that have passed them. So the state that a file has must be the number of frames that it
has, and not one more.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.health import Part
from agent.model.errors import DiskFailed, StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime import storage as storages
from agent.runtime.inlet import Inlet
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, keep
from buffer.keeper import Keeper, Limits
from buffer.ledger import Account, LeftOut
from buffer.rest import peek_ledger
from buffer.state import NOTHING, Kept
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("meter", "1s", (Tag("a", "int32"),))
KEY = "normal/passed"
ROOT = Path(__file__).parents[3]


class Hollow:
    """Values that have a number and nothing else."""

    def __len__(self) -> int:
        return 1


class Passed:
    """Steps that know how many frames have passed, and leave out two samples besides each."""

    def __init__(self, inlet: Inlet) -> None:
        self.inlet, self.passed = inlet, 0
        self.left: Counter[LeftOut] = Counter()
        self.dropped: list[str] = []

    def feed(self, count: int, *, bad: Sequence[int] = ()) -> None:
        for _ in range(count):
            values: Any = Hollow() if self.passed in bad else (self.passed,)
            self.inlet.add(Frame(SCHEMA, self.passed, values, bytes(1)))
            self.passed += 1
            self.left["meter", "unchanged", False] += 2

    def kept(self, mono: int, *, all_of_it: bool = False) -> dict[str, bytes | None]:
        del mono, all_of_it
        dropped, self.dropped = self.dropped, []
        return dict.fromkeys(dropped) | {KEY: str(self.passed).encode()}

    def suppressed(self) -> Counter[LeftOut]:
        left, self.left = self.left, Counter()
        return left


class House:
    """Storage on a keeper and a real file; `append` of the store fails as a test says."""

    def __init__(self, folder: Path, commit: float = 0.01) -> None:
        self.path, self.away = folder / "data" / "store.db", folder / "away"
        self.keeper = Keeper(self.path, Limits(3600.0, 8 << 20, 0), boot="b")
        self.writer = Writer(self.keeper.open)
        self.inlet, self.stop = Inlet(), asyncio.Event()
        self.part, self.disk = Part("store", "store.db"), Part("store", "disk")
        self.steps = Passed(self.inlet)
        self.storage = Storage(self.writer, self.inlet, self.part, commit, Backoff(0.02), self.keeper, self.steps)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await asyncio.wrap_future(self.writer.call(self.keeper.attach, ["platform"], []))
        mend = keep(lambda: self.storage.mend(self.disk), self.disk, Backoff(0.02), self.stop)
        self.tasks = [asyncio.create_task(mend)]
        self.run = asyncio.create_task(keep(self.storage.run, self.part, Backoff(0.02), self.stop))

    async def drained(self) -> None:
        """All that was fed is committed."""
        async with asyncio.timeout(10):
            while len(self.inlet) or self.storage._frames or self.storage._suppressed:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.inlet.close()
        async with asyncio.timeout(10):
            await self.run
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        self.writer.close()

    def off(self) -> None:
        self.path.parent.rename(self.away)
        self.path.parent.write_bytes(b"in the way")

    def on(self) -> None:
        self.path.parent.unlink()
        self.away.rename(self.path.parent)


def on_file(path: Path) -> tuple[int, int]:
    """How many frames were ever given, and the state."""
    connection = sqlite3.connect(path)
    try:
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM frame").fetchone()
        state = connection.execute("SELECT v FROM state WHERE k = ?", (KEY,)).fetchone()
        return last, int(state[0]) if state else 0
    finally:
        connection.close()


def account(path: Path) -> Account:
    (found,) = [each for each in peek_ledger(path) if each.device == "meter"]
    return found


def whole(frames: int, left: int | None = None) -> Account:
    """What the account of so many frames is when each had two samples left out besides it."""
    left = 2 * frames if left is None else left
    return Account("platform", "meter", read=frames + left, buffered=frames, suppressed={"unchanged": left})


async def test_an_orderly_end_has_all_of_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    house.steps.feed(30)
    await house.drained()
    house.steps.feed(12)
    await house.end()
    assert on_file(house.path) == (42, 42)
    assert account(house.path) == whole(42)


async def test_what_is_left_out_without_any_frame_is_counted_at_the_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    house.steps.left["meter", "unchanged", False] += 7
    house.steps.left["meter", "unchanged", True] += 3
    await house.end()
    assert account(house.path) == Account("platform", "meter", read=7, made=3, suppressed={"unchanged": 10})


async def test_it_is_written_when_nothing_comes_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a frame for ten seconds; a kill then finds it in the file."""
    monkeypatch.setattr(storages, "QUIET", 0.02)
    house = House(tmp_path)
    await house.start()
    house.steps.passed = 5
    house.steps.left["meter", "unchanged", False] += 7
    tend = asyncio.create_task(house.storage.tend(Part("store", "housekeeping"), every=0.01))
    async with asyncio.timeout(5):
        while not house.storage.store._log.suppressed:
            await asyncio.sleep(0.01)
    await asyncio.wrap_future(house.writer.call(house.storage.store.abandon))
    tend.cancel()
    house.run.cancel()
    house.tasks[0].cancel()
    await asyncio.wait([tend, house.run, *house.tasks])
    house.writer.close()
    assert on_file(house.path) == (0, 5)
    assert account(house.path) == Account("platform", "meter", read=7, suppressed={"unchanged": 7})


FULL, BROKEN = StoreError("disk full"), DiskFailed("input/output error")


class Failing(Store):
    """Fails at a commit of frames, before or after it has happened, so often."""

    before = after = 0

    def append(self, frames: Sequence[Frame], kept: Kept = NOTHING) -> tuple[int, int]:
        if frames and self.before:
            self.before -= 1
            raise self.trouble
        found = super().append(frames, kept)
        if frames and self.after:
            self.after -= 1
            self._log.withdraw(*found, {("meter", "read"): found[1] - found[0] + 1})
            raise self.trouble
        return found

    trouble: Exception = FULL


@pytest.mark.parametrize(
    ("trouble", "before", "after"),
    [(FULL, 1, 0), (FULL, 3, 0), (BROKEN, 1, 0), (BROKEN, 3, 0), (BROKEN, 0, 1)],
)
async def test_a_commit_that_fails_is_counted_once(tmp_path: Path, trouble: Exception, before: int, after: int) -> None:
    """Also one that had happened, of which the keeper finds the frames in the file (a failing disk only)."""
    house = House(tmp_path)
    await house.start()
    house.steps.feed(5)
    await house.drained()
    store = house.storage.store
    store.__class__ = Failing
    assert isinstance(store, Failing)
    store.before, store.after, store.trouble = before, after, trouble
    house.steps.feed(5)
    await house.drained()
    house.steps.feed(5)
    await house.end()
    assert on_file(house.path) == (15, 15)
    assert account(house.path) == whole(15)


async def test_a_frame_that_no_store_can_hold_does_not_take_the_state_ahead(tmp_path: Path) -> None:
    """Frames are tried one by one then: the state, which knows of all of them, goes with the last."""
    house = House(tmp_path)
    await house.start()
    seen: list[tuple[int, int]] = []
    commit = house.storage._write

    async def write(frames: list[Frame], kept: dict[str, bytes | None]) -> int:
        first = await commit(frames, kept)
        seen.append((house.storage.store.last(), int(house.storage.store.state.get(KEY) or 0)))
        return first

    house.storage._write = write  # type: ignore[method-assign]  # what it did is looked at in between
    house.steps.feed(20, bad=(7, 13))
    await house.drained()
    assert seen == [(count, 0) for count in range(1, 18)] + [(18, 20)]
    house.steps.feed(2)
    await house.end()
    assert on_file(house.path) == (20, 22)
    assert account(house.path) == whole(20, left=44)


async def test_while_the_disk_is_away_memory_has_it_and_takes_it_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    house.steps.feed(5)
    await house.drained()
    house.off()
    store = house.storage.store
    store.__class__ = Failing
    assert isinstance(store, Failing)
    store.before, store.trouble = 1, DiskFailed("input/output error")
    house.steps.feed(5)
    await house.drained()
    assert house.storage.store.volatile
    house.steps.dropped = ["normal/old"]
    house.steps.feed(5)
    await house.drained()
    house.on()
    async with asyncio.timeout(10):
        while house.storage.store.volatile:
            await asyncio.sleep(0.01)
    house.steps.feed(5)
    await house.end()
    assert on_file(house.path) == (20, 20)
    assert account(house.path) == whole(20)


async def test_state_that_did_not_get_through_is_not_written_by_another_commit(tmp_path: Path) -> None:
    """Housekeeping commits, too: it must not take along what belongs to frames that are not there yet."""
    house = House(tmp_path)
    await house.start()
    house.steps.feed(5)
    await house.drained()
    connection = house.storage.store._log.connection
    refuse = "CREATE TEMP TRIGGER no BEFORE INSERT ON frame BEGIN SELECT RAISE(ABORT, 'no'); END"
    await house.storage.call(connection.execute, refuse)
    house.steps.feed(5)
    async with asyncio.timeout(5):
        while not house.part.failures:
            await asyncio.sleep(0.01)
    await house.storage.keep("other", b"1")
    assert on_wal(house.path) == (5, 5)
    await house.storage.call(connection.execute, "DROP TRIGGER no")
    await house.drained()
    await house.end()
    assert on_file(house.path) == (10, 10)


def on_wal(path: Path) -> tuple[int, int]:
    """As `on_file`, of a copy of what another process would find after a kill."""
    copy = path.with_name("copy.db")
    for end in ("", "-wal"):
        copy.with_name(copy.name + end).write_bytes(path.with_name(path.name + end).read_bytes())
    return on_file(copy)


async def test_what_is_forgotten_is_gone_from_the_file(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    await house.storage.keep("normal/old", b"1")
    house.steps.dropped = ["normal/old", "normal/never"]
    house.steps.feed(1)
    await house.end()
    connection = sqlite3.connect(house.path)
    assert connection.execute("SELECT k FROM state").fetchall() == [(KEY,)]
    connection.close()


async def test_a_store_that_was_replaced_takes_nothing(tmp_path: Path) -> None:
    """What is given to the one before is given to the next, and counted once."""
    house = House(tmp_path)
    await house.start()
    before = house.storage.store
    await asyncio.wrap_future(house.writer.call(before.abandon))
    samples: Counter[LeftOut] = Counter({("meter", "unchanged", False): 3})
    with pytest.raises(StoreError, match="is closed"):
        before.suppress(samples)
    with pytest.raises(StoreError, match="is closed"):
        before.append([])
    assert samples.total() == 3
    await asyncio.wrap_future(house.writer.heal(house.keeper, damaged=False))
    house.steps.feed(4)
    await house.drained()
    await house.end()
    assert account(house.path) == whole(4)


FEEDER = """
import asyncio, sys
from pathlib import Path
from tests.unit.runtime.test_storage_state import House

async def main() -> None:
    house = House(Path(sys.argv[1]), 0.0)
    await house.start()
    while True:
        await house.inlet.room()
        house.steps.feed(3)
        await asyncio.sleep(0)
        if house.storage.store.last() > 50:
            print("now", flush=True)

asyncio.run(main())
"""


def test_a_kill_finds_the_state_of_the_frames_and_accounts_that_balance(tmp_path: Path) -> None:
    """At any moment: frames and state are of one commit; of what was left out the last second may be forgotten."""
    command = [sys.executable, "-c", FEEDER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"now\n"
        child.send_signal(signal.SIGKILL)
    path = tmp_path / "data" / "store.db"
    found = account(path)
    frames, state = on_file(path)
    assert frames == state > 0
    assert found.balanced
    assert found.buffered == frames
    assert found.read - frames == found.suppressed.get("unchanged", 0) <= 2 * frames


async def test_what_lies_in_memory_at_the_end_is_brought_to_a_disk_that_is_back(tmp_path: Path) -> None:
    """Nobody waits for the next time that the disk would be tried."""
    house = House(tmp_path)
    await house.start()
    house.off()
    store = house.storage.store
    store.__class__ = Failing
    assert isinstance(store, Failing)
    store.before, store.trouble = 1, DiskFailed("input/output error")
    house.steps.feed(30)
    await house.drained()
    assert house.storage.store.volatile
    house.stop.set()
    await asyncio.wait(house.tasks)
    house.on()
    house.inlet.close()
    async with asyncio.timeout(10):
        await house.run
        await house.storage.rescue()
    house.writer.close()
    assert on_file(house.path) == (30, 30)
    assert account(house.path) == whole(30)
