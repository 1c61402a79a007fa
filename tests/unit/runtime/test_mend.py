"""A store that fails is mended while the agent runs: commits wait for it, and nothing that was accepted is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from threading import Barrier

import pytest

from agent.health import Part
from agent.model.errors import DiskFailed
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.desk import Desk
from agent.runtime.inlet import Inlet
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, keep
from buffer.keeper import Keeper, Limits
from buffer.state import NOTHING, Kept
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("meter", "1s", (Tag("a", "int32"),))


class House:
    """A keeper on a real file, with the tasks that commit and mend."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keeper = Keeper(folder / "data" / "store.db", Limits(3600.0, 8 << 20, 0), boot="b")
        self.writer = Writer(self.keeper.open)
        self.inlet, self.disk, self.stop = Inlet(), Part("store", "disk"), asyncio.Event()
        part = Part("store", "store.db")
        self.storage = Storage(self.writer, self.inlet, part, 0.01, Backoff(0.02), self.keeper)
        self.tasks = [
            asyncio.create_task(keep(self.storage.run, part, Backoff(0.02), self.stop)),
            asyncio.create_task(keep(lambda: self.storage.mend(self.disk), self.disk, Backoff(0.05), self.stop)),
        ]

    async def feed(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.inlet.add(Frame(SCHEMA, number, (number,), bytes(1)))
            await asyncio.sleep(0.001)

    async def values(self) -> list[object]:
        """What the sink is owed, once all that was fed is there."""
        entries = await self.storage.call(self.storage.store.read, "platform", 10_000)
        return [entry.frame.values[0] for entry in entries]

    async def until(self, count: int) -> list[object]:
        async with asyncio.timeout(10):
            while len(found := await self.values()) < count:
                await asyncio.sleep(0.01)
        return found

    def disk_off(self) -> None:
        (self.folder / "data").rename(self.folder / "away")
        (self.folder / "data").write_bytes(b"in the way")

    def disk_on(self) -> None:
        (self.folder / "data").unlink()
        (self.folder / "away").rename(self.folder / "data")

    async def fail(self) -> None:
        """A call finds that the disk does not work."""

        def failing() -> None:
            raise DiskFailed("input/output error")

        with pytest.raises(DiskFailed):
            await self.storage.call(failing)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await asyncio.wrap_future(made.writer.call(made.keeper.attach, ["platform"], []))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.wait(made.tasks)
    made.writer.close()


async def test_a_moment_of_failure_costs_a_reopening_and_nothing_else(house: House) -> None:
    await house.feed(0, 20)
    await house.until(20)
    await house.fail()
    await house.feed(20, 20)
    assert await house.until(40) == list(range(40))
    assert house.storage.generation == 1
    assert not house.storage.store.volatile
    assert house.disk.state == "up"


async def test_without_a_disk_the_agent_works_in_memory_and_says_so(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.feed(0, 10)
    await house.until(10)
    house.disk_off()
    await house.fail()
    await house.feed(10, 30)
    assert (await house.until(30))[-1] == 39
    assert house.storage.store.volatile
    assert house.disk.state == "down"
    house.disk_on()
    async with asyncio.timeout(10):
        while house.disk.state != "up":
            await asyncio.sleep(0.01)
    await house.feed(40, 5)
    assert await house.until(45) == list(range(45))
    assert "store disk: back on the disk" in caplog.messages
    assert [record.levelname for record in caplog.records if "cannot be opened" in record.message] == ["ERROR"]


def fail_once(store: Store) -> None:
    """One disk, failing once at the worst moment."""
    original, failures = store.append, 1

    def append(frames: Sequence[Frame], kept: Kept = NOTHING) -> tuple[int, int]:
        nonlocal failures
        if not failures:
            return original(frames, kept)
        failures -= 1
        first, last = original(frames, kept)
        store._log.withdraw(first, last, {("meter", "read"): last - first + 1})
        raise DiskFailed("sync: input/output error")

    store.append = append  # type: ignore[method-assign]  # what fails is below SQLite


async def test_frames_whose_commit_arrived_all_the_same_are_not_committed_twice(house: House) -> None:
    """A sync may fail after the last byte was written."""
    fail_once(house.storage.store)
    await house.feed(0, 30)
    assert await house.until(30) == list(range(30))
    accounts = await Desk(house.storage).ledger()
    assert [(account["read"], account["balanced"]) for account in accounts] == [(30, True)]


async def test_their_values_are_the_latest(house: House) -> None:
    """Of a tag that does not change again nothing else ever comes."""
    fail_once(house.storage.store)
    await house.feed(7, 1)
    assert await house.until(1) == [7]
    async with asyncio.timeout(10):
        while house.storage._frames:
            await asyncio.sleep(0.01)
    found = house.storage.latest.get(SCHEMA)
    assert found is not None
    assert found.values == (7,)


async def test_what_waits_is_not_taken_for_a_report_whose_commit_arrived_all_the_same(house: House) -> None:
    """The store tells of itself in frames of its own; meanwhile frames of the field wait for the mending."""
    store = house.storage.store
    failing = Barrier(2)

    def report() -> None:
        failing.wait()
        first, last = store.append([Frame(SCHEMA, 1, (-1,), bytes(1)), Frame(SCHEMA, 2, (-2,), bytes(1))])
        store._log.withdraw(first, last, {("meter", "read"): last - first + 1})
        raise DiskFailed("sync: input/output error")

    call = asyncio.create_task(house.storage.call(report))
    await asyncio.sleep(0)
    house.storage._mended.clear()
    await house.feed(0, 30)
    await asyncio.sleep(0.05)
    failing.wait()
    with pytest.raises(DiskFailed):
        await call
    assert await house.until(32) == [-1, -2, *range(30)]


async def test_nothing_is_added_to_a_memory_while_it_moves(house: House) -> None:
    """A move that fails half-way leaves that memory behind, and another one serves."""
    keeper, halves = house.keeper, [Barrier(2), Barrier(2)]

    def on_disk(look: float) -> Store:
        if halves and keeper.store.volatile:
            for half in (halves.pop(), halves.pop()):
                half.wait()
            keeper._moving = keeper.store
        raise DiskFailed("input/output error")

    keeper._on_disk = on_disk  # type: ignore[method-assign]  # one disk, failing at the worst moment
    first, second = reversed(halves)
    await house.fail()
    await asyncio.to_thread(first.wait)
    await house.feed(0, 10)
    await asyncio.sleep(0.05)
    await asyncio.to_thread(second.wait)
    assert await house.until(10) == list(range(10))


async def test_what_is_learnt_while_the_disk_fails_is_on_it_afterwards(house: House) -> None:
    house.disk_off()
    await house.fail()
    house.storage.learn("meter", b"a hole")
    await house.feed(0, 3)
    assert await house.until(3) == [0, 1, 2]
    house.disk_on()
    async with asyncio.timeout(10):
        while house.storage.store.volatile:
            await asyncio.sleep(0.01)
    assert await house.storage.recall("meter") == b"a hole"
