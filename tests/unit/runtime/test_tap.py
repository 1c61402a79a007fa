"""What a consumer fetches: in order, again until it is acknowledged, and the ledger knows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.health import Health
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.model.text import Referenced
from agent.normalise import Steps
from agent.northbound.api import Pulled
from agent.runtime import tap
from agent.runtime.catalogue import Catalogue
from agent.runtime.house import Room
from agent.runtime.inlet import Inlet
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff
from agent.runtime.tap import AT_ONCE, MOST_SAMPLES, REMEMBERED, Tap
from agent.status.pull import Crowded, Mark, Page, Style, Unfit
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("press", "1s", (Tag("a"), Tag("b", "str")))
JSON, LINES = Style("json", "envelope"), Style("ndjson", "envelope")
CONFIG = Pulled.model_validate({"token": Referenced("0123456789abcdef")})


def frame(number: int, mono: int = 0) -> Frame:
    return Frame(SCHEMA, 10**18 + number * 10**9, (float(number), "x"), bytes(2), mono)


class Plant:
    """A store in a file, and one consumer."""

    def __init__(self, owner: Writer, health: Health) -> None:
        part = health.part("store", "store.db")
        self.storage = Storage(owner, Inlet(), part, 0.01, Backoff(1.0))
        self.part = health.part("sink", "apps")
        self.tap = self.another("apps")

    def another(self, name: str) -> Tap:
        room = Room(name, Catalogue((), Steps()), self.storage, self.part)
        return Tap(name, CONFIG, "gw-01", room, self.storage, self.part)

    async def commit(self, *frames: Frame) -> None:
        await self.storage.call(self.storage.store.append, frames)
        self.storage.ring()

    async def account(self, name: str = "apps") -> tuple[int, int, bool]:
        """Delivered, buffered, balanced."""
        accounts = await self.storage.call(self.storage.store.ledger)
        (found,) = [account for account in accounts if account.sink == name]
        return found.delivered, found.buffered, found.balanced


@asynccontextmanager
async def planted(path: Path, *sinks: str) -> AsyncIterator[Plant]:
    owner = Writer(lambda: Store.open(path, boot="b", keep=3600, max_size=64 << 20, reserve=0))
    await asyncio.wrap_future(owner.call(lambda: owner.store.attach(sinks or ("apps",))))
    try:
        yield Plant(owner, Health())
    finally:
        owner.close()


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with planted(tmp_path / "store.db") as found:
        yield found


def body(page: Page) -> bytes:
    found = b"".join(page.pieces)
    page.done()
    return found


async def fetched(tap: Tap, limit: int = 1000, wait: float = 0.0) -> list[dict[str, Any]]:
    found = json.loads(body(await tap.frames(limit, wait, JSON)))
    assert isinstance(found["frames"], list)
    return found["frames"]


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [each["seq"] for each in frames]


def upto(frames: list[dict[str, Any]]) -> list[Mark]:
    return [Mark(frames[-1]["epoch"], 0, frames[-1]["seq"])]


async def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(plant: Plant) -> None:
    await plant.commit(*map(frame, range(1, 6)))
    first = await fetched(plant.tap, 3)
    assert seqs(first) == seqs(await fetched(plant.tap, 3)) == [1, 2, 3]
    assert await plant.account() == (0, 10, True)
    assert await plant.tap.ack(upto(first)) == 3
    assert await plant.account() == (6, 4, True)
    assert seqs(await fetched(plant.tap)) == [4, 5]


async def test_the_same_acknowledgement_again_does_nothing(plant: Plant) -> None:
    await plant.commit(frame(1), frame(2))
    frames = await fetched(plant.tap)
    assert [await plant.tap.ack(upto(frames)) for _ in range(3)] == [2, 0, 0]
    assert await plant.tap.ack([Mark(frames[0]["epoch"], 1, 2)]) == 0
    assert plant.part.frames == 2


async def test_ranges_leave_what_lies_between_them(plant: Plant) -> None:
    await plant.commit(*map(frame, range(1, 8)))
    epoch = (await fetched(plant.tap))[0]["epoch"]
    assert await plant.tap.ack([Mark(epoch, 1, 2), Mark(epoch, 5, 6), Mark(epoch, 6, 6)]) == 4
    assert seqs(await fetched(plant.tap)) == [3, 4, 7]


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ([(0, 3)], "frames 3 to 3 some were not handed out"),
        ([(2, 4)], "frames 2 to 4 some were not handed out"),
        ([(1, 1), (3, 3)], "not handed out"),
        ([(0, 5)], "frame 5 of run .* is not there yet"),
        ([(1, 2**62)], "is not there yet"),
    ],
)
async def test_what_was_not_handed_out_cannot_be_acknowledged(
    plant: Plant, marks: list[tuple[int, int]], why: str
) -> None:
    """And nothing changes, also where some of it was."""
    await plant.commit(*map(frame, range(1, 5)))
    epoch = (await fetched(plant.tap, 2))[0]["epoch"]
    with pytest.raises(Unfit, match=why):
        await plant.tap.ack([Mark(epoch, *mark) for mark in marks])
    assert seqs(await fetched(plant.tap)) == [1, 2, 3, 4]


async def test_another_run_s_frame_is_not_taken_for_ours(plant: Plant) -> None:
    await plant.commit(frame(1))
    await fetched(plant.tap)
    with pytest.raises(Unfit, match="there is no run 00"):
        await plant.tap.ack([Mark("00" * 8, 0, 1)])


async def test_after_a_crash_what_was_handed_out_comes_again(tmp_path: Path) -> None:
    """Its acknowledgement is refused until it has: nobody knows any more that it was handed out."""
    async with planted(tmp_path / "store.db") as plant:
        await plant.commit(frame(1), frame(2))
        frames = await fetched(plant.tap)
    async with planted(tmp_path / "store.db") as plant:
        with pytest.raises(Unfit, match="since the agent was started"):
            await plant.tap.ack(upto(frames))
        assert [(each["epoch"], each["seq"]) for each in await fetched(plant.tap)] == [
            (each["epoch"], each["seq"]) for each in frames
        ]
        assert await plant.tap.ack(upto(frames)) == 2
        assert await plant.account() == (4, 0, True)


async def test_each_consumer_has_a_debt_of_its_own(tmp_path: Path) -> None:
    async with planted(tmp_path / "store.db", "apps", "other") as plant:
        other = plant.another("other")
        await plant.commit(frame(1), frame(2))
        frames = await fetched(plant.tap)
        with pytest.raises(Unfit):
            await other.ack(upto(frames))
        await plant.tap.ack(upto(frames))
        assert seqs(await fetched(other)) == [1, 2]
        assert (await plant.account(), await plant.account("other")) == ((4, 0, True), (0, 4, True))


async def test_one_that_waits_gets_what_is_committed_meanwhile(plant: Plant) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waits = [group.create_task(fetched(plant.tap, wait=60)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in waits)
        await plant.commit(frame(1))
    assert [seqs(each.result()) for each in waits] == [[1], [1]]
    assert plant.storage._bells == []


async def test_one_that_waits_in_vain_gets_nothing(plant: Plant) -> None:
    page = await plant.tap.frames(10, 0.05, JSON)
    assert (page.cursor, body(page)) == ("", b'{"frames":[],"cursor":null}')


async def test_one_that_is_gone_is_not_waited_for(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a consumer with a short deadline of its own would fill its places with ghosts."""
    monkeypatch.setattr(tap, "LOOK", 0.01)
    there = [True] * 3
    async with asyncio.timeout(5):
        page = await plant.tap.frames(1, 60, JSON, lambda: bool(there and there.pop()))
    assert (page.cursor, body(page)) == ("", b'{"frames":[],"cursor":null}')


async def test_nobody_is_kept_waiting_by_an_agent_that_stops(plant: Plant) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(fetched(plant.tap, wait=60))
        await asyncio.sleep(0.02)
        plant.tap.stop()
        plant.storage.ring()
    assert task.result() == []


async def test_only_so_many_may_be_open_at_a_time(plant: Plant) -> None:
    """One that is answered is open until its answer is sent."""
    await plant.commit(frame(1))
    pages = [await plant.tap.frames(1, 0, LINES) for _ in range(AT_ONCE)]
    with pytest.raises(Crowded):
        await plant.tap.frames(1, 0, LINES)
    pages[0].done()
    assert seqs(await fetched(plant.tap)) == [1]


async def test_one_that_gives_up_waiting_leaves_its_place(plant: Plant) -> None:
    for _ in range(AT_ONCE + 1):
        task = asyncio.ensure_future(plant.tap.frames(1, 60, JSON))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
    assert (await plant.tap.frames(1, 0, JSON)).cursor == ""


async def test_a_page_ends_where_it_would_get_too_large(plant: Plant) -> None:
    wide = Schema("wide", "1s", tuple(Tag(f"t{number}") for number in range(10_000)))
    await plant.commit(*(Frame(wide, 10**18 + n, (1.0,) * 10_000, bytes(10_000)) for n in range(40)))
    page = await plant.tap.frames(1000, 0, LINES)
    assert MOST_SAMPLES <= 10_000 * len(body(page).splitlines()) < MOST_SAMPLES + 16 * 10_000


async def test_what_is_remembered_of_frames_that_nobody_acknowledges_is_bounded(plant: Plant) -> None:
    for start in range(0, 3000, 1000):
        await plant.commit(*map(frame, range(start, start + 1000)))
        frames = await fetched(plant.tap)
        await plant.tap.ack([Mark(frames[0]["epoch"], frames[1]["seq"], frames[-1]["seq"])])
        await fetched(plant.tap)
    assert len(plant.tap._handed) <= REMEMBERED


async def test_what_comes_late_is_history(plant: Plant) -> None:
    now = plant.tap._clock.mono()
    await plant.commit(frame(1, now - 11 * 10**9), frame(2, now))
    assert [each["history"] for each in await fetched(plant.tap)] == [True, False]


async def test_after_the_store_was_mended_frames_are_asked_for_anew(plant: Plant) -> None:
    """They may have other numbers now."""
    await plant.commit(frame(1))
    frames = await fetched(plant.tap)
    plant.storage.ask_anew()
    with pytest.raises(Unfit, match="not handed out"):
        await plant.tap.ack(upto(frames))
    assert await plant.tap.ack(upto(await fetched(plant.tap))) == 1


async def test_a_loss_arrives_as_a_frame(tmp_path: Path) -> None:
    """What retention took is told in its place among the frames."""
    async with planted(tmp_path / "store.db") as plant:
        store = plant.storage.store
        await plant.commit(*map(frame, range(1, 4)))
        entries = await plant.storage.call(store.read, "apps", 2)
        await plant.storage.call(store.drop, "apps", entries, "rejected")
        await plant.tap.ack(upto(await fetched(plant.tap)))
        for number in (4, 5):
            await plant.commit(frame(number))
            await plant.storage.call(store.tend)
        frames = await fetched(plant.tap)
        (gap,) = [each for each in frames if each.get("type") == "gap"]
        assert (gap["sink"], gap["reason"], gap["frames"]) == ("apps", "rejected", 2)
        assert [(each["from"], each["to"]) for each in gap["ranges"]] == [(1, 2)]
        assert await plant.tap.ack(upto(frames)) == len(frames) == 3
        accounts = await plant.storage.call(store.ledger)
        assert all(account.balanced for account in accounts)


async def test_a_command_is_passed_on_and_answered(plant: Plant) -> None:
    """Here to nobody: the sink takes none."""
    known, answer = await plant.tap.command(
        b'{"id": "7", "device": "press", "tag": "a", "value": 1, "issued_at": 1700000000123}'
    )
    found = json.loads(answer)
    assert (known, found["id"], found["outcome"]) == (True, "7", "forbidden")
    known, answer = await plant.tap.command(b'{"id": "8"}')
    found = json.loads(answer)
    assert (known, found["outcome"], "this is no command" in found["message"]) == (False, "forbidden", True)


async def test_a_store_that_fails_is_an_error_and_nothing_is_lost(plant: Plant) -> None:
    await plant.commit(frame(1))
    with pytest.raises(StoreError):
        await plant.another("nobody").frames(1, 0, JSON)
    assert seqs(await fetched(plant.tap)) == [1]
