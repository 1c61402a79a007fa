"""What is asked of a running store is answered in slices, and commits go in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec.msgpack import decode as unpack

from agent.health import Part
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime import desk as desks
from agent.runtime.desk import Desk, since_row, stats_row
from agent.runtime.inlet import Inlet
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff
from buffer.ledger import Account
from buffer.parcel import pack
from buffer.schemas import Key
from buffer.shelf import ENDLESS, Opener, Page
from buffer.snapshots import Past
from buffer.state import NOTHING, Kept
from buffer.stats import Stats
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("meter", "1s", (Tag("a", "int32"),))
STATS = Stats(10, 5 << 20, 64 << 20, 36 << 20, 72 << 20, 1 << 40, 1_700_000_000_123_456_789, 77, {"a": 4}, {"a": 1})


class Diary(Store):
    """Notes the calls that it gets."""

    calls: list[str]

    def warm(self, seconds: float) -> bool:
        self.calls.append("warm")
        return super().warm(seconds)

    def append(self, frames: Sequence[Frame], kept: Kept = NOTHING) -> tuple[int, int]:
        self.calls.append("append")
        return super().append(frames, kept)

    def ledger(self) -> list[Account]:
        self.calls.append("ledger")
        return super().ledger()


def frames(count: int) -> list[Frame]:
    return [Frame(SCHEMA, number, (number,), bytes(1)) for number in range(count)]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    writer = Writer(lambda: Diary.open(tmp_path / "store.db", boot="b", keep=3600, max_size=1 << 28, reserve=0))
    writer.store.calls = []  # type: ignore[attr-defined]  # a Diary
    storage = Storage(writer, Inlet(), Part("store", "store.db"), 0.01, Backoff(0.01))
    await storage.call(storage.store.attach, ["platform"])
    yield storage
    writer.close()


async def commit(storage: Storage, count: int) -> None:
    """As the inlet would."""
    await storage._append(frames(count))


async def test_commits_go_in_between_the_slices_of_a_long_count(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "SLICE", 0.0)
    for _ in range(3):
        await commit(storage, 1500)
    diary = storage.store.calls  # type: ignore[attr-defined]  # a Diary
    diary.clear()
    asked, committed = asyncio.gather(Desk(storage).ledger()), asyncio.gather(commit(storage, 1))
    ((account,),) = await asked
    await committed
    assert (account["balanced"], account["buffered"] >= 4500) == (True, True)
    assert diary.index("append") < diary.index("ledger")
    assert diary.count("warm") >= 5


async def test_stats_tell_how_fast_it_fills(storage: Storage) -> None:
    found = await Desk(storage).stats()
    assert (found["frames"], found["samples_per_s"], found["hours_left"]) == (0, 0, None)
    await commit(storage, 3000)
    found = await Desk(storage).stats()
    assert (found["frames"], found["owed"], found["set_aside"]) == (3000, {"platform": 3000}, {"platform": 0})
    assert 90 < found["samples_per_s"] <= 100, "averaged over 30 s"
    assert 50 * found["samples_per_s"] < found["bytes_per_s"] < 70 * found["samples_per_s"]
    assert found["hours_left"] == pytest.approx(found["room"] / found["bytes_per_s"] / 3600, 0.01)


def test_stats_are_told_in_ms_and_hours() -> None:
    row = stats_row(STATS, 5.04, 1024.0)
    assert (row["oldest_ts"], row["hours_left"], row["samples_per_s"]) == (1_700_000_000_123, 10.2, 5.0)
    assert "aside" not in row and "oldest" not in row


def test_without_a_rate_or_a_limit_nobody_knows_how_long_the_room_will_do() -> None:
    assert stats_row(STATS)["hours_left"] is None
    assert stats_row(STATS, 0.0, 1e-300)["hours_left"] is None
    unsaid = stats_row(Stats(0, 0, 0, 0, 0, 0, 0, 0, {}, {}), 1.0, 1024.0)
    assert (unsaid["limit"], unsaid["room"], unsaid["hours_left"], unsaid["oldest_ts"]) == (None, None, None, None)


async def test_frames_are_handed_out_as_they_lie(storage: Storage) -> None:
    await commit(storage, 5)
    desk = Desk(storage)
    page = unpack(await desk.frames(1, back=False, sink="platform", device="", aside=False, until=4), type=Page)
    assert ([row.seq for row in page.rows], page.left) == ([2, 3, 4], 0)
    back = unpack(await desk.frames(4, back=True, sink="", device="meter", aside=False, until=ENDLESS), type=Page)
    assert [row.seq for row in back.rows] == [1, 2, 3]
    known = unpack(await desk.schemas([row.schema for row in page.rows]), type=dict[int, Key])
    entries = Opener(lambda ids: known).open(page)
    assert [entry and entry.frame.values for entry in entries] == [(1,), (2,), (3,)]


async def test_small_tables_are_checked_by_name(storage: Storage) -> None:
    assert await Desk(storage).check("sink") == []
    with pytest.raises(LookupError):
        await Desk(storage).check("frame")


async def test_what_is_put_back_rings_the_pumps(storage: Storage) -> None:
    bell = storage.bell()
    bell.clear()
    assert await Desk(storage).put(pack(frames(3))) == 3
    assert bell.is_set()
    assert (await Desk(storage).stats())["owed"] == {"platform": 3}
    with pytest.raises(ValueError, match="not a parcel"):
        await Desk(storage).put(b"junk")


async def test_what_is_owed_again_is_asked_for_anew(storage: Storage) -> None:
    """A pump that has passed these frames would not come by them a second time."""
    await commit(storage, 5)
    store, before = storage.store, storage.generation
    await storage.call(store.set_aside, "platform", await storage.call(store.read, "platform", 3), "no")
    assert await Desk(storage).retry("platform", [(2, 2), (4, 9)]) == 1
    assert storage.generation == before + 1
    assert await Desk(storage).retry("platform", None) == 2
    assert (await Desk(storage).stats())["owed"] == {"platform": 5}


async def test_a_sink_is_forgotten_in_slices(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "AT_ONCE", 2)
    await commit(storage, 5)
    with pytest.raises(StoreError, match="in use"):
        await Desk(storage).forget("platform")
    await storage.call(storage.store.attach, ["other"])
    assert [await Desk(storage).forget("platform") for _ in range(4)] == [2, 2, 1, 0]


NOW = {
    "sink": "a",
    "device": "m",
    "read": 8,
    "made": 2,
    "delivered": 5,
    "buffered": 1,
    "set_aside": 1,
    "balanced": True,
}
NOW |= {"suppressed": {"unchanged": 2}, "dropped": {"age": 1}}


def test_the_account_of_a_period_is_what_was_counted_since() -> None:
    then = Account("a", "m", read=3, delivered=3, suppressed={"unchanged": 2}, dropped={}, made=1)
    assert since_row([NOW], Past(1_700_000_000_123_456_789, [then])) == {
        "since_ts": 1_700_000_000_123,
        "accounts": [NOW | {"read": 5, "made": 1, "delivered": 2, "suppressed": {}, "dropped": {"age": 1}}],
    }


def test_a_device_that_was_not_there_then_is_told_whole() -> None:
    other = Account("a", "another", read=4, delivered=4)
    assert since_row([NOW], Past(0, [other]))["accounts"] == [NOW]


async def test_before_the_first_hour_no_period_is_known(storage: Storage) -> None:
    with pytest.raises(StoreError, match="does not know yet how its ledger stood"):
        await Desk(storage).since(0)
    await commit(storage, 3)
    await storage.call(storage.store.tend)
    await commit(storage, 4)
    found = await Desk(storage).since(0)
    assert [account["read"] for account in found["accounts"]] == [4]
