"""Live frames do not wait for history, history keeps its pace, and a frame that cannot be sent stops nobody."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from agent.model.errors import SinkError, Unavailable
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema
from agent.northbound.api import Backfill
from agent.runtime.lanes import History, Stretch
from tests.unit.runtime.test_pump import SCHEMA, Rig, Target, frame, rig, seqs

__all__ = ["rig"]  # the fixture


async def until(condition: object, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # type: ignore[operator]  # a callable
            await asyncio.sleep(0.005)


def split(target: Target) -> tuple[list[int], list[int]]:
    """(live seqs, history seqs) in the order in which they arrived."""
    live = [entry.seq for entry in target.taken if not entry.history]
    return live, [entry.seq for entry in target.taken if entry.history]


async def test_live_frames_overtake_a_backlog_and_both_keep_their_order(rig: Rig) -> None:
    target = Target(window=1, limit=10, delay=0.01)
    await rig.start(target, before=400)
    await until(lambda: target.taken)
    for number in range(20):
        rig.inlet.add(frame(1000 + number))
        await asyncio.sleep(0.01)
    await until(lambda: len(split(target)[0]) == 20)
    live, history = split(target)
    assert 0 < len(history) < 400, "live frames did not wait for the backlog"
    account = await rig.finish()
    live, history = split(target)
    assert (live, history) == (list(range(401, 421)), list(range(1, 401)))
    assert account.delivered == 840


async def test_oldest_first_is_one_lane_in_the_order_of_reading(rig: Rig) -> None:
    rig.backfill = Backfill(order="oldest_first", rate="unlimited")
    target = Target(window=1, limit=10, delay=0.005)
    await rig.start(target, before=200)
    for number in range(20):
        rig.inlet.add(frame(1000 + number))
        await asyncio.sleep(0.002)
    await rig.finish()
    assert seqs(target) == list(range(1, 221))
    assert [entry.history for entry in target.taken] == [True] * 200 + [False] * 20


async def test_history_is_held_to_its_rate_while_live_goes_through(rig: Rig) -> None:
    """10 samples per second allow 100 at once and then one frame in 0.2 s; live frames are not counted."""
    rig.backfill = Backfill(rate="10/s")
    target = Target(window=4, limit=5)
    await rig.start(target, before=200)
    for number in range(50):
        rig.inlet.add(frame(1000 + number))
        await asyncio.sleep(0.005)
    await until(lambda: len(split(target)[0]) == 50)
    began = rig.began
    history = len(split(target)[1])
    allowed = 2 * history - 2 * 5  # samples, but for the last batch
    assert history >= 45
    assert allowed <= 100 + 10 * (time.monotonic() - began)


async def test_the_first_backfill_waits_for_its_jitter_and_live_does_not(rig: Rig) -> None:
    bounds: list[float] = []

    def long(low: float, high: float) -> float:
        bounds.append(high)
        return 60.0

    rig.jitter = long
    target = Target()
    await rig.start(target, before=50)
    rig.inlet.add(frame(1))
    await until(lambda: target.taken)
    assert bounds == [30.0], "the frames of the rig are years old"
    assert split(target) == ([51], [])


async def test_frames_for_which_the_link_is_too_slow_become_history(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live stays live: what has waited too long lets newer frames pass."""
    from agent.runtime import pump

    monkeypatch.setattr(pump, "LAG", 50_000_000)
    target = Target(window=1, limit=1, delay=0.05)
    await rig.start(target)
    for number in range(60):
        rig.inlet.add(Frame(frame(0).schema, number, (number, 0.5), bytes(2), time.monotonic_ns()))
        await asyncio.sleep(0.01)
    target.delay = 0.0
    account = await rig.finish()
    live, history = split(target)
    assert history, "some were overtaken"
    assert live == sorted(live)
    assert sorted(live + history) == list(range(1, 61))
    assert account.delivered == 120


async def test_a_frame_over_which_the_sink_stumbles_is_set_aside_and_the_rest_goes_on(rig: Rig) -> None:
    """A bug in an encoder, met with each try: three times alone, and it waits for a person."""
    target = Target(limit=16)

    def buggy(batch: Sequence[Entry]) -> SinkError | None:
        if any(entry.seq == 33 for entry in batch):
            raise ZeroDivisionError("of all things")
        return None

    target.judge = buggy
    await rig.start(target, before=50)
    await until(lambda: len(set(seqs(target))) == 49 and rig.part.aside == 1, 20)  # some are sent twice on the way
    account = await rig.finish()
    assert sorted(set(seqs(target))) == [seq for seq in range(1, 51) if seq != 33]
    assert (account.delivered, account.set_aside) == (98, 2)
    assert rig.part.aside == 1
    assert rig.pump._limit == 16, "batches grow again"


async def test_what_was_set_aside_is_sent_when_somebody_says_so(rig: Rig) -> None:
    target = Target()
    await rig.start(target, before=10)
    await until(lambda: len(target.taken) == 10)
    store = rig.storage.store
    await rig.storage.call(store.append, [frame(n) for n in range(2)])
    entries = await rig.storage.call(store.read, "platform", 5)
    await rig.storage.call(store.set_aside, "platform", entries, "no")
    await rig.storage.call(store.retry, "platform")
    rig.pump.wake()
    account = await rig.finish()
    assert account.set_aside == 0


async def test_a_store_that_was_mended_is_asked_anew_without_a_new_connection(rig: Rig) -> None:
    target = Target()
    await rig.start(target, before=5)
    await until(lambda: len(target.taken) == 5)
    await rig.storage.call(rig.storage.store.append, [frame(n) for n in range(3)])
    rig.storage.generation += 1
    rig.pump.wake()
    await until(lambda: len(target.taken) == 8)
    assert target.opened == 1
    await rig.finish()


async def test_transient_errors_are_tried_for_ever(rig: Rig) -> None:
    target, tries = Target(), 0

    def moody(batch: Sequence[Entry]) -> SinkError | None:
        nonlocal tries
        tries += 1
        return Unavailable("busy") if tries < 40 else None

    target.judge = moody
    await rig.start(target, before=5)
    await until(lambda: len(target.taken) == 5, 20)
    account = await rig.finish()
    assert (account.delivered, account.set_aside, account.dropped) == (10, 0, {})


def test_stretches_are_worked_off_oldest_first() -> None:
    history = History(10, [Stretch(0, 10)])
    history.demote(15, 30)
    assert (history.boundary, history.next) == (30, Stretch(0, 10))
    history.advance([])
    assert history.next == Stretch(15, 30)
    history.advance([])
    assert history.next is None


async def test_what_was_made_of_an_hour_that_is_over_is_no_history(rig: Rig) -> None:
    """Its time is the end of the hour, and it was made when the next reading came."""
    target = Target()
    await rig.start(target)
    made = Schema("meter", "interval-1h", SCHEMA.tags, made=True)
    hour_ago = time.monotonic_ns() - 3600 * 10**9
    rig.inlet.add(Frame(made, 1, (1, 0.5), bytes(2), max(hour_ago, 1)))
    await until(lambda: len(target.taken) == 1)
    rig.inlet.add(Frame(SCHEMA, 2, (2, 0.5), bytes(2), time.monotonic_ns()))
    await rig.finish()
    assert split(target) == ([1, 2], [])
