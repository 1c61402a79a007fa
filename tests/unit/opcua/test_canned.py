"""Against a server of ours that refuses, forgets and lies as it is told: limits, refusals, clocks, gaps."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncua import ua

from agent.model.clock import Clock
from agent.model.errors import Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from drivers.opcua.driver import OpcuaSubscriber
from drivers.opcua.feed import QUIET, TICK
from drivers.opcua.refusal import FULL
from drivers.opcua.stream import FIRST
from tests.lengths import often
from tests.sim.gate import Gate
from tests.sim.opcua_canned import NAMESPACE, Plant
from tests.unit.opcua.conftest import Canned, Connect

TAGS = {name.lower(): f"nsu={NAMESPACE};s={name}" for name in "ABCDE"}


async def told(frames: AsyncIterator[Frame], tags: int, seconds: float = 5.0) -> dict[str, tuple[Value, int]]:
    """What so many tags say first."""
    found: dict[str, tuple[Value, int]] = {}
    async with asyncio.timeout(seconds):
        while len(found) < tags:
            found |= {tag.name: (value, quality) for tag, value, quality in (await anext(frames)).rows()}
    return found


async def until(frames: AsyncIterator[Frame], tag: str, wanted: Value, seconds: float = 5.0) -> Frame:
    async with asyncio.timeout(seconds):
        async for frame in frames:
            if any(each.name == tag and value == wanted for each, value, _ in frame.rows()):
                return frame
    raise AssertionError(f"{tag} was never {wanted}")


def wanted(plant: Plant) -> list[ua.MonitoringParameters]:
    """What was asked for of each monitored item."""
    made = plant.requests(ua.CreateMonitoredItemsRequest)
    return [item.RequestedParameters for request in made for item in request.Parameters.ItemsToCreate]


async def test_all_values_come_with_one_session_that_ends(canned: Canned, connect: Connect) -> None:
    driver = await connect(canned.endpoint, TAGS)
    assert await told(driver.frames(), 5) == {name: (float(n), 0) for n, name in enumerate("abcde")}
    assert canned.plant.sessions == 1
    await driver.close()
    await asyncio.sleep(0.05)
    assert canned.plant.sessions == 0


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
async def test_a_limit_that_is_lower_than_announced_is_learnt(canned: Canned, connect: Connect, mode: str) -> None:
    """It says nothing, takes two at once, and loses nothing by it; the second time it is not tried in vain."""
    driver = await connect(canned.endpoint, TAGS, mode=mode)
    canned.plant.allowed = (2, 2)
    if mode == "subscribe":
        assert len(await told(driver.frames(), 5)) == 5
        sizes = [len(r.Parameters.ItemsToCreate) for r in canned.plant.requests(ua.CreateMonitoredItemsRequest)]
        assert sizes == [5, 2, 2, 1]
        return
    for _ in range(2):
        frame = await driver.scan(driver.schemas[0])
        assert list(frame.values) == [0.0, 1.0, 2.0, 3.0, 4.0]
    sizes = [len(r.Parameters.NodesToRead) for r in canned.plant.requests(ua.ReadRequest)]
    assert sizes[-7:] == [5, 2, 2, 1, 2, 2, 1]


async def test_even_the_first_question_may_be_too_long(canned: Canned, connect: Connect) -> None:
    canned.plant.allowed = (3, 100)
    driver = await connect(canned.endpoint, TAGS)
    assert len(await told(driver.frames(), 5)) == 5


class Time:
    """The driver's clock, moved by a test while the server goes on to speak."""

    def __init__(self, canned: Canned, driver: OpcuaSubscriber) -> None:
        self.canned, self.added, self.said = canned, 0.0, 100.0
        driver._clock = Clock(lambda: self._ns(time.time_ns()), lambda: self._ns(time.monotonic_ns()))

    async def passes(self, frames: AsyncIterator[Frame], seconds: float) -> dict[str, tuple[Value, int]]:
        """What was said meanwhile, `a` excepted."""
        found: dict[str, tuple[Value, int]] = {}
        while seconds > 0:
            step = min(seconds, 6.0)
            seconds, self.added, self.said = seconds - step, self.added + step, self.said + 1.0
            for _ in range(2):  # what is tried again is told with the next message
                self.canned.tell(A=self.said)
                async with asyncio.timeout(5):
                    while (found.pop("a", (None, 0)))[0] != self.said:
                        found |= {tag.name: (value, quality) for tag, value, quality in (await anext(frames)).rows()}
        return found

    def _ns(self, now: int) -> int:
        return now + int(self.added * 1e9)


async def test_a_refused_tag_is_told_listed_and_tried_again_until_it_is_there(canned: Canned, connect: Connect) -> None:
    canned.plant.refused = {"B": "BadNotReadable", "C": "BadTooManyMonitoredItems"}
    driver = await connect(canned.endpoint, TAGS)
    clock = Time(canned, driver)
    frames = driver.frames()
    said = await told(frames, 5)
    assert (said["b"], said["c"]) == ((None, Quality.BAD_CONFIG), (None, Quality.BAD_DEVICE))
    full = f"BadTooManyMonitoredItems: {FULL}"
    assert driver.refused == {"b": "BadNotReadable", "c": full}
    assert "`mode: poll`" in full
    assert driver.remarks() == [f"the server refuses 2 tags (b: BadNotReadable, c: {full}); tried again later"]
    assert driver.remarks() == []
    del canned.plant.refused["B"]
    assert await clock.passes(frames, FIRST - 1) == {}
    assert len(wanted(canned.plant)) == 5
    assert await clock.passes(frames, 2) == {"b": (1.0, 0)}
    assert driver.refused == {"c": full}
    assert len(wanted(canned.plant)) == 7, "only these two were asked for again"
    canned.plant.refused.clear()
    assert await clock.passes(frames, 2 * FIRST - 2) == {}, "it waits twice as long now"
    assert await clock.passes(frames, 3) == {"c": (2.0, 0)}
    assert driver.refused == {}


async def test_a_namespace_that_comes_later_is_found(canned: Canned, connect: Connect) -> None:
    driver = await connect(canned.endpoint, {**TAGS, "late": "nsu=urn:late;s=A"})
    clock = Time(canned, driver)
    frames = driver.frames()
    assert (await told(frames, 6))["late"] == (None, Quality.BAD_CONFIG)
    assert driver.refused == {"late": "the server has no namespace urn:late"}
    canned.plant.namespaces.append("urn:late")
    await clock.passes(frames, FIRST + 1)
    assert driver.refused == {"late": "BadNodeIdUnknown"}, "it is looked for in its namespace now"


async def test_a_node_that_is_gone_is_monitored_anew_when_it_is_back(canned: Canned, connect: Connect) -> None:
    """Its old item is deleted: servers keep it, though it says nothing any more."""
    driver = await connect(canned.endpoint, TAGS)
    clock = Time(canned, driver)
    frames = driver.frames()
    await told(frames, 5)
    canned.tell(B=ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadNodeIdUnknown))))
    frame = await until(frames, "b", None)
    assert frame.quality == bytes((Quality.BAD_CONFIG,))
    assert await clock.passes(frames, FIRST + 1) == {"b": (1.0, 0)}
    assert len(canned.plant.requests(ua.DeleteMonitoredItemsRequest)) == 1
    (subscription,) = canned.plant.subscriptions.values()
    assert sorted(name for _, name in subscription.items.values()) == list("ABCDE")


async def test_what_is_asked_of_the_server_for_each_tag(canned: Canned, connect: Connect) -> None:
    """The tag goes before its group, and that before the device; what is not said is left to the server."""
    driver = await connect(
        canned.endpoint,
        {"a": TAGS["a"]},
        interval="200ms",
        sampling_interval="50ms",
        queue_size=3,
        discard_oldest=False,
        trigger="value_timestamp",
        deadband={"absolute": 0.5},
    )
    await told(driver.frames(), 1)
    (asked,) = wanted(canned.plant)
    assert (asked.SamplingInterval, asked.QueueSize, asked.DiscardOldest) == (50.0, 3, False)
    held = asked.Filter
    assert (held.Trigger, held.DeadbandType, held.DeadbandValue) == (ua.DataChangeTrigger.StatusValueTimestamp, 1, 0.5)


async def test_nothing_but_the_default_is_no_filter(canned: Canned, connect: Connect) -> None:
    await told((await connect(canned.endpoint, {"a": TAGS["a"]})).frames(), 1)
    assert not any(hasattr(asked.Filter, "DeadbandType") for asked in wanted(canned.plant))


async def test_a_deadband_that_the_server_does_not_take_is_left_out_and_said(canned: Canned, connect: Connect) -> None:
    driver = await connect(canned.endpoint, {"a": TAGS["a"]}, deadband={"percent": 1})
    assert await told(driver.frames(), 1) == {"a": (0.0, 0)}
    assert [hasattr(asked.Filter, "DeadbandType") for asked in wanted(canned.plant)] == [True, False]
    assert driver.remarks() == ["the server takes no such deadband or trigger: 1 tags (a: each change comes)"]
    assert driver.refused == {}


async def test_a_plc_that_is_known_is_not_asked_for_more_than_it_can(canned: Canned, connect: Connect) -> None:
    canned.plant.maker = "Siemens AG"
    driver = await connect(canned.endpoint, TAGS, profile="s7-1200", sampling_interval="10ms", interval="10ms")
    await told(driver.frames(), 5)
    assert {asked.SamplingInterval for asked in wanted(canned.plant)} == {100.0}
    (made,) = canned.plant.requests(ua.CreateSubscriptionRequest)
    assert made.Parameters.RequestedPublishingInterval == 200.0


@pytest.mark.parametrize(
    ("move", "reason"),
    [(lambda plant: setattr(plant, "start", 5.0), "started anew"), (None, "stood still"), (-3600.0, "went back")],
    ids=["restarted", "hangs", "went back"],
)
async def test_a_server_that_answers_and_is_not_well_is_left(
    canned: Canned, connect: Connect, move: Any, reason: str
) -> None:
    """It sends values and keep-alives all the while."""
    plant, start = canned.plant, time.time()
    plant.start, plant.clock = start, lambda: start
    driver = await connect(canned.endpoint, TAGS)
    clock = Time(canned, driver)
    frames = driver.frames()
    await told(frames, 5)
    await clock.passes(frames, 6)
    plant.clock = lambda: start + 6.0
    await clock.passes(frames, 6)
    if callable(move):
        move(plant)
    elif move is not None:
        plant.clock = lambda: start + move
    with pytest.raises(Unreachable, match=reason):
        await clock.passes(frames, 24)


async def test_a_clock_that_never_moved_is_not_judged(canned: Canned, connect: Connect) -> None:
    canned.plant.clock = lambda: 1_700_000_000.0
    driver = await connect(canned.endpoint, TAGS)
    clock = Time(canned, driver)
    frames = driver.frames()
    await told(frames, 5)
    await clock.passes(frames, 60)


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
async def test_how_far_the_server_s_clock_is_ahead_is_measured(canned: Canned, connect: Connect, mode: str) -> None:
    canned.plant.clock = lambda: time.time() + 90.0
    driver = await connect(canned.endpoint, TAGS, mode=mode)
    await (told(driver.frames(), 5) if mode == "subscribe" else driver.scan(driver.schemas[0]))
    assert driver.skew == pytest.approx(90.0, abs=0.5)


async def test_polled_nodes_are_registered(canned: Canned, connect: Connect) -> None:
    """And asked for by their own names once the server has lost the registered ones."""
    driver = await connect(canned.endpoint, TAGS, mode="poll")
    frame = await driver.scan(driver.schemas[0])
    assert list(frame.values) == [0.0, 1.0, 2.0, 3.0, 4.0]
    asked = canned.plant.requests(ua.ReadRequest)[-1].Parameters.NodesToRead
    assert {each.NodeId.Identifier for each in asked} == {f"alias of {name}" for name in "ABCDE"}
    canned.plant.refused = {"B": "BadNodeIdUnknown"}
    assert (await driver.scan(driver.schemas[0])).quality[1] == Quality.BAD_CONFIG
    canned.plant.refused = {}
    assert (await driver.scan(driver.schemas[0])).quality == bytes(5)
    asked = canned.plant.requests(ua.ReadRequest)[-1].Parameters.NodesToRead
    assert asked[1].NodeId.Identifier == "B"


async def test_a_server_that_registers_nothing_is_polled_all_the_same(canned: Canned, connect: Connect) -> None:
    canned.plant.registers = "BadServiceUnsupported"
    driver = await connect(canned.endpoint, TAGS, mode="poll")
    assert list((await driver.scan(driver.schemas[0])).values) == [0.0, 1.0, 2.0, 3.0, 4.0]


async def interrupted(canned: Canned, driver: OpcuaSubscriber) -> AsyncIterator[Frame]:
    """The frames of a second session, after a first one that was lost."""
    frames = driver.frames()
    await told(frames, 5)
    await driver.close()
    with pytest.raises(Unreachable):
        await anext(frames)
    await driver.open()
    return driver.frames()


async def test_a_gap_is_filled_from_history_page_by_page(canned: Canned, connect: Connect) -> None:
    """Each value with its own time and once, none of before the gap; a tag without history says so."""
    now = time.time()
    canned.plant.clock = lambda: now
    driver = await connect(canned.endpoint, TAGS, gap="history")
    canned.plant.history["A"] = [(now - 5, -1.0), *((now + n, float(n)) for n in range(1, 8)), (now + 99, 99.0)]
    canned.plant.history["B"] = [(now + 0.5, 0.5)]
    canned.plant.page = 3
    canned.plant.clock = lambda: now if not driver._heard else now + 10
    frames = await interrupted(canned, driver)
    found: dict[str, list[tuple[Value, float]]] = {"a": [], "b": []}
    async with asyncio.timeout(5):
        while len(found["a"]) < 8 or len(found["b"]) < 2:
            frame = await anext(frames)
            for (tag, value, quality), stamp in zip(frame.rows(), frame.stamps or (), strict=True):
                assert quality == 0
                found.get(tag.name, []).append((value, stamp / 1e9))
    assert [(value, round(stamp - now, 3)) for value, stamp in found["a"][:7]] == [(n, n) for n in range(1, 8)]
    assert found["b"][0] == (0.5, pytest.approx(now + 0.5, abs=1e-3))
    assert driver.remarks() == [
        f"no history of 3 tags ({', '.join(f'{tag}: BadHistoryOperationUnsupported' for tag in 'cde')})"
    ]


async def test_a_gap_is_only_marked_unless_told_otherwise(canned: Canned, connect: Connect) -> None:
    driver = await connect(canned.endpoint, TAGS)
    await told(await interrupted(canned, driver), 5)
    assert canned.plant.requests(ua.HistoryReadRequest) == []
    assert driver.heard[driver.schemas[0]] == pytest.approx(time.time_ns(), abs=5 * 10**9)


async def test_a_history_that_the_server_does_not_have_at_all_disturbs_nothing(
    canned: Canned, connect: Connect
) -> None:
    driver = await connect(canned.endpoint, TAGS, gap="history")
    frames = await interrupted(canned, driver)
    assert len(await told(frames, 5)) == 5


@pytest.mark.parametrize("way", ["shut", "swallow"])
async def test_a_wire_that_is_cut_or_frozen_leaves_one_session_with_every_item(
    canned: Canned, connect: Connect, way: str
) -> None:
    """Again and again: noticed soon, and when the wire is back the values flow again from one session."""
    with Gate(int(canned.endpoint.rpartition(":")[2])) as gate:
        driver = await connect(f"opc.tcp://127.0.0.1:{gate.port}", TAGS, timeout=0.5)
        for _ in range(often(2, 5)):
            frames = driver.frames()
            assert len(await told(frames, 5)) == 5
            heard = driver.heard
            getattr(gate, way)()
            began = time.monotonic()
            with pytest.raises(Unreachable):
                await until(frames, "a", -1.0, seconds=10)
            assert time.monotonic() - began < QUIET + TICK + 2 * 0.5 + 3
            assert driver.heard == heard, "the gap begins with the last message"
            await driver.close()
            gate.shut()
            gate.open()
            await asyncio.sleep(0.2)
            await driver.open()
        assert len(await told(driver.frames(), 5)) == 5
        assert canned.plant.sessions == 1
        assert [len(each.items) for each in canned.plant.subscriptions.values()] == [5]


async def test_a_server_without_room_for_all_gives_what_it_can_and_the_rest_when_there_is_room(
    canned: Canned, connect: Connect
) -> None:
    canned.plant.room = 3
    driver = await connect(canned.endpoint, TAGS)
    clock = Time(canned, driver)
    frames = driver.frames()
    said = await told(frames, 5)
    assert [quality for _, quality in said.values()].count(Quality.BAD_DEVICE) == 2
    assert set(driver.refused) == {"d", "e"}
    canned.plant.room = 5
    assert await clock.passes(frames, FIRST + 1) == {"d": (3.0, 0), "e": (4.0, 0)}
    (subscription,) = canned.plant.subscriptions.values()
    assert len(subscription.items) == len(TAGS)


async def test_a_polled_tag_whose_namespace_comes_later_is_found(canned: Canned, connect: Connect) -> None:
    """It is looked for once a minute; until then it is bad, and the others are read."""
    canned.plant.namespaces[2], canned.plant.registers = "urn:other", "BadServiceUnsupported"
    driver = await connect(canned.endpoint, {"a": TAGS["a"], "time": ("i=2258", "str")}, mode="poll")
    clock = Time(canned, driver)
    assert (await driver.scan(driver.schemas[0])).quality == bytes((Quality.BAD_CONFIG, 0))
    canned.plant.namespaces[2] = NAMESPACE
    assert (await driver.scan(driver.schemas[0])).quality[0] == Quality.BAD_CONFIG
    assert driver.refused == {"a": f"the server has no namespace {NAMESPACE}"}
    clock.added += 61.0
    assert (await driver.scan(driver.schemas[0])).values[0] == 0.0
    assert driver.refused == {}


async def test_a_polled_tag_that_is_back_is_not_listed_any_more(canned: Canned, connect: Connect) -> None:
    canned.plant.refused = {"B": "BadUserAccessDenied"}
    driver = await connect(canned.endpoint, TAGS, mode="poll")
    await driver.scan(driver.schemas[0])
    assert driver.refused == {"b": "BadUserAccessDenied"}
    canned.plant.refused = {}
    await driver.scan(driver.schemas[0])
    assert driver.refused == {}


async def test_a_server_that_follows_no_paths_gives_the_other_tags(canned: Canned, connect: Connect) -> None:
    tags = {**TAGS, "far": "/Objects/2:Press"}
    driver = await connect(canned.endpoint, tags, mode="poll")
    frame = await driver.scan(driver.schemas[0])
    assert list(frame.quality) == [0] * 5 + [Quality.BAD_CONFIG]
    assert driver.refused == {"far": "BadServiceUnsupported"}
