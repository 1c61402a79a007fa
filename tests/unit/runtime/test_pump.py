"""A pump clears what is confirmed and nothing else, on a real store."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from agent.health import Part
from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.northbound.api import Backfill
from agent.runtime import pump as pump_module
from agent.runtime.inlet import Inlet
from agent.runtime.pump import SAMPLES, Pump
from agent.runtime.storage import Storage
from agent.runtime.supervise import Backoff, keep
from buffer.ledger import Account
from buffer.store import Store
from buffer.writer import Writer

SCHEMA = Schema("meter", "1s", (Tag("a", "int32"), Tag("b", "float64")))


class Target:
    """A sink in memory: `judge` may refuse a batch; a send takes `delay` seconds."""

    def __init__(self, *, ordered: bool = False, window: int = 4, limit: int = 10, delay: float = 0.0) -> None:
        self.ordered, self.window, self.limit, self.delay = ordered, window, limit, delay
        self.taken: list[Entry] = []
        self.opened = self.closed = self.under_way = self.most = 0
        self.judge: Callable[[Sequence[Entry]], SinkError | None] = lambda batch: None

    async def open(self) -> None:
        self.opened += 1

    async def send(self, batch: Sequence[Entry]) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.delay)
            if error := self.judge(batch):
                self.taken += [entry for entry in batch if any(a <= entry.seq <= b for a, b in error.done)]
                raise error
            self.taken += batch
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.closed += 1


def at_once(low: float, high: float) -> float:
    return low


class Rig:
    """A store with its writer task and one pump, kept going by the supervisor."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(lambda: Store.open(folder / "store.db", boot="b", keep=3600, max_size=1 << 28, reserve=0))
        self.inlet, self.part, self.stopping = Inlet(), Part("sink", "platform"), asyncio.Event()
        self.storage = Storage(self.writer, self.inlet, Part("store", "store.db"), 0.01, Backoff(1))
        self.tasks: list[asyncio.Task[object]] = []
        self.backfill = Backfill(rate="unlimited")
        self.jitter = at_once
        self.began = time.monotonic()

    async def start(self, target: Target, before: int = 0) -> None:
        await self.storage.call(self.storage.store.attach, ["platform"])
        if before:
            await self.storage.call(self.storage.store.append, [frame(i) for i in range(before)])
        backoff = Backoff(0.02)
        pump = Pump(
            "platform", target, self.storage, self.part, backoff, self.stopping, self.backfill, jitter=self.jitter
        )
        self.pump = pump
        self.tasks = [
            asyncio.create_task(self.storage.run()),
            asyncio.create_task(keep(pump.run, self.part, backoff, self.stopping)),
        ]

    async def finish(self) -> Account:
        """Stop in order: writer, then pump; the ledger afterwards."""
        self.stopping.set()
        self.inlet.close()
        await self.tasks[0]
        self.pump.wake()
        async with asyncio.timeout(5):
            await self.tasks[1]
        return await self.account()

    async def account(self) -> Account:
        (account,) = await self.storage.call(self.storage.store.ledger)
        assert account.balanced
        return account


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(pump_module, "PAUSE", 0.01)
    made = Rig(tmp_path)
    yield made
    for task in made.tasks:
        task.cancel()
    if made.tasks:
        await asyncio.wait(made.tasks)
    made.writer.close()


def frame(number: int) -> Frame:
    return Frame(SCHEMA, 1_700_000_000_000_000_000 + number, (number, 0.5), bytes(2))


def seqs(target: Target) -> list[int]:
    return [entry.seq for entry in target.taken]


async def feed(rig: Rig, count: int) -> None:
    for number in range(count):
        rig.inlet.add(frame(number))
        await asyncio.sleep(0)


async def test_everything_that_was_read_is_delivered_once_and_leaves_the_debt(rig: Rig) -> None:
    target = Target()
    await rig.start(target)
    await feed(rig, 95)
    account = await rig.finish()
    assert sorted(seqs(target)) == list(range(1, 96))
    assert (account.read, account.delivered, account.buffered) == (190, 190, 0)
    assert target.closed == target.opened == 1


async def test_several_sends_are_under_way_but_an_ordered_sink_gets_one_at_a_time(rig: Rig) -> None:
    target = Target(window=3, limit=5, delay=0.02)
    await rig.start(target, before=60)
    await rig.finish()
    assert target.most == 3

    ordered = Target(ordered=True, window=3, limit=5, delay=0.002)
    await rig.storage.call(rig.storage.store.append, [frame(i) for i in range(40)])
    rig.stopping.clear()
    pump = Pump("platform", ordered, rig.storage, rig.part, Backoff(1), rig.stopping, jitter=at_once)
    rig.stopping.set()
    await pump.run()
    assert ordered.most == 1
    assert seqs(ordered) == list(range(61, 101))


async def test_wide_frames_go_few_at_a_time_whatever_the_sink_could_take(rig: Rig) -> None:
    """A thousand frames of thousands of tags would be gigabytes of messages."""
    target, sent = Target(limit=1000, window=1), []

    def noted(batch: Sequence[Entry]) -> SinkError | None:
        sent.append([len(entry.frame.values) for entry in batch])
        return None

    target.judge = noted
    await rig.start(target, before=1000)
    wide = Schema("meter", "wide", tuple(Tag(f"t{n}", "int16") for n in range(3000)))
    wider = Schema("meter", "wider", tuple(Tag(f"t{n}", "int16") for n in range(2 * SAMPLES)))
    for each in [wide] * 10 + [wider] + [wide] * 10:
        rig.inlet.add(Frame(each, 1, (1,) * len(each.tags), bytes(len(each.tags))))
    await rig.finish()
    assert sorted(seqs(target)) == list(range(1, 1022))
    assert max(sum(widths) for widths in sent if len(widths) > 1) <= SAMPLES
    assert [2 * SAMPLES] in sent
    assert max(map(len, sent)) >= 900


async def test_a_sink_that_is_away_is_owed_everything_and_gets_it_as_history(rig: Rig) -> None:
    target = Target()
    target.judge = lambda batch: Unavailable("no network")
    await rig.start(target, before=30)
    await asyncio.sleep(0.1)
    assert (await rig.account()).buffered == 60
    target.judge = lambda batch: None
    await asyncio.sleep(0.1)
    await feed(rig, 5)
    account = await rig.finish()
    assert sorted(seqs(target)) == list(range(1, 36))
    assert account.delivered == 70
    assert [entry.history for entry in sorted(target.taken, key=lambda entry: entry.seq)] == [True] * 30 + [False] * 5


async def test_what_was_confirmed_before_a_failure_is_not_sent_again(rig: Rig) -> None:
    target, failures = Target(limit=30), 0

    def once(batch: Sequence[Entry]) -> SinkError | None:
        nonlocal failures
        failures += 1
        return Unavailable("cut", done=((1, 10), (21, 30))) if failures == 1 else None

    target.judge = once
    await rig.start(target, before=30)
    await asyncio.sleep(0.1)
    await rig.finish()
    assert seqs(target) == [*range(1, 11), *range(21, 31), *range(11, 21)]


async def test_a_frame_that_is_never_taken_is_set_aside_counted_and_the_rest_goes_on(rig: Rig) -> None:
    target = Target(limit=30)
    target.judge = lambda batch: Rejected("too large") if any(entry.seq == 13 for entry in batch) else None
    await rig.start(target, before=30)
    await asyncio.sleep(0.1)
    account = await rig.finish()
    assert sorted(seqs(target)) == [seq for seq in range(1, 31) if seq != 13]
    assert (account.delivered, account.dropped, account.buffered, account.set_aside) == (58, {}, 0, 2)
    assert rig.part.aside == 1


async def test_a_sink_that_denies_is_blocked_and_keeps_its_data(rig: Rig) -> None:
    target = Target()
    target.judge = lambda batch: Denied("not authorised")
    await rig.start(target, before=20)
    await asyncio.sleep(0.2)
    assert rig.part.state == "blocked"
    assert target.opened == 1
    account = await rig.finish()
    assert (account.buffered, account.delivered) == (40, 0)


async def test_a_bug_in_a_sink_costs_no_data(rig: Rig) -> None:
    target, tries = Target(), 0

    def buggy(batch: Sequence[Entry]) -> SinkError | None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise ZeroDivisionError
        return None

    target.judge = buggy
    await rig.start(target, before=20)
    await asyncio.sleep(0.3)
    account = await rig.finish()
    assert sorted(seqs(target)) == list(range(1, 21))
    assert account.delivered == 40
    assert rig.part.bugs >= 1


async def test_a_sink_that_lets_us_in_and_takes_nothing_is_down_and_said_so_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    target = Target()
    target.judge = lambda batch: Unavailable("the connection was lost")
    await rig.start(target, before=5)
    await asyncio.sleep(0.2)
    assert target.opened > 2
    assert rig.part.state == "down"
    assert [record.message for record in caplog.records] == ["sink platform: the connection was lost"]
    target.judge = lambda batch: None
    await asyncio.sleep(0.1)
    assert rig.part.state == "up"


async def test_a_sink_that_is_owed_nothing_is_up_when_it_is_open(rig: Rig) -> None:
    await rig.start(Target())
    await asyncio.sleep(0.05)
    assert rig.part.state == "up"


async def test_frames_whose_answer_the_store_forgot_are_sent_again_while_the_link_holds(rig: Rig) -> None:
    """A debt of too many pieces is not cut further: the answers came in the wrong order."""
    target = Target(limit=10_000, window=1)

    def every_other(batch: Sequence[Entry]) -> SinkError | None:
        done = tuple((entry.seq, entry.seq) for entry in batch if entry.seq % 2)
        return Rejected("not all of it", done=done) if len(batch) == 5000 else None

    target.judge = every_other
    await rig.start(target, before=5000)
    async with asyncio.timeout(20):
        while await rig.storage.call(rig.storage.store.owed, "platform"):
            await asyncio.sleep(0.05)
    assert target.opened == 1


async def test_a_frame_that_was_set_aside_does_not_keep_the_batches_small(rig: Rig) -> None:
    """The sink stumbles over it at first, and then says that it does not want it."""
    target, stumbles = Target(window=1), 8
    sizes: list[int] = []

    def judge(batch: Sequence[Entry]) -> SinkError | None:
        nonlocal stumbles
        sizes.append(len(batch))
        if all(entry.frame.values[0] != 3 for entry in batch):
            return None
        stumbles -= 1
        if stumbles > 0:
            raise RuntimeError("a bug")
        return Rejected("no")

    target.judge = judge
    await rig.start(target, before=100)
    async with asyncio.timeout(10):
        while await rig.storage.call(rig.storage.store.owed, "platform"):
            await asyncio.sleep(0.01)
    assert rig.part.aside == 1
    assert max(sizes[-5:]) == target.limit


class Watched(Target):
    """Its other side wants something once `wanted` is set, and is gone when `gone` holds why."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = asyncio.Event()
        self.gone: asyncio.Future[SinkError] = asyncio.get_running_loop().create_future()

    async def ready(self) -> None:
        await self.wanted.wait()

    async def lost(self) -> None:
        raise await self.gone


async def test_nothing_is_sent_before_the_other_side_wants_it(rig: Rig) -> None:
    target = Watched()
    await rig.start(target, before=5)
    await asyncio.sleep(0.05)
    assert (target.opened, target.taken, rig.part.state) == (1, [], "starting")
    target.wanted.set()
    await rig.finish()
    assert seqs(target) == [1, 2, 3, 4, 5]


async def test_a_stop_does_not_wait_for_who_wants_nothing(rig: Rig) -> None:
    target = Watched()
    await rig.start(target, before=5)
    await asyncio.sleep(0.02)
    account = await rig.finish()
    assert (account.delivered, account.buffered, target.closed) == (0, 10, 1)


async def test_an_idle_sink_whose_other_side_goes_is_opened_again(rig: Rig) -> None:
    target = Watched()
    target.wanted.set()
    await rig.start(target, before=5)
    async with asyncio.timeout(5):
        while rig.part.state != "up":
            await asyncio.sleep(0.01)
        gone, target.gone = target.gone, asyncio.get_running_loop().create_future()
        gone.set_result(Unavailable("the host is offline"))
        while target.opened < 2:
            await asyncio.sleep(0.01)
    assert target.closed == 1
    await rig.finish()


async def test_a_sink_that_waits_in_vain_is_down_and_says_why(rig: Rig) -> None:
    class Vain(Watched):
        async def ready(self) -> None:
            raise Unavailable("the host is offline")

    await rig.start(Vain(), before=5)
    async with asyncio.timeout(5):
        while rig.part.state != "down":
            await asyncio.sleep(0.01)
    assert rig.part.error == "the host is offline"
