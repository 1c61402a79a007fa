"""What a server watches is compared with what it has taken, and mended."""

import asyncio
from typing import Any, cast

import pytest
from asyncua import ua

from agent.model.errors import Unreachable
from agent.model.quality import Quality
from drivers.opcua.eventing import EventsConfig
from drivers.opcua.events import Events, event_plan
from drivers.opcua.feed import Feed
from drivers.opcua.remarks import Remarks
from drivers.opcua.session import Session
from drivers.opcua.stream import FIRST
from drivers.opcua.tally import EVERY, TRIES, Tally, differences, listed
from tests.sim.opcua_canned import Subscription
from tests.sim.opcua_fixtures import PRESS, OpcuaServer
from tests.unit.opcua.conftest import Canned, Connect
from tests.unit.opcua.fakes import FakeSession, Hands, group_of
from tests.unit.opcua.test_canned import TAGS, Time, told

pytestmark = pytest.mark.xdist_group("opcua")

OURS = {0: 10, 1: 11, 2: 12}  # item by column


@pytest.mark.parametrize(
    ("found", "missing", "strays"),
    [
        ([(10, 0), (11, 1), (12, 2)], [], []),
        ([(10, 0), (12, 2)], [1], []),
        ([], [0, 1, 2], []),
        ([(10, 0), (11, 1), (12, 2), (13, 3)], [], [13]),
        ([(10, 0), (11, 1), (12, 2), (13, 1)], [], [13]),
        ([(10, 0), (11, 0), (12, 2)], [1], []),
        ([(90, 0), (91, 1), (92, 2)], [], []),
    ],
    ids=["alike", "one missing", "all missing", "unknown", "double", "mixed up", "ids of its own"],
)
def test_what_is_missing_and_what_is_too_many(found: Any, missing: list[int], strays: list[int]) -> None:
    assert differences(OURS, (), found) == (missing, strays)


def test_what_is_tried_again_anyway_is_not_missing() -> None:
    assert differences(OURS, {1}, [(10, 0), (12, 2)]) == ([], [])


def only(canned: Canned) -> Subscription:
    (found,) = canned.plant.subscriptions.values()
    return found


def compare(driver: Any) -> None:
    """At the next look."""
    for source in driver._feed._sources:
        source.compare_at = 0.0


def lists(canned: Canned) -> int:
    """How often its list was asked for."""
    return len(canned.plant.requests(ua.CallRequest))


async def test_an_item_that_the_server_drops_is_made_again_marked_and_said(canned: Canned, connect: Connect) -> None:
    canned.plant.lists = "Good"
    driver = await connect(canned.endpoint, TAGS)
    clock, frames = Time(canned, driver), driver.frames()
    assert len(await told(frames, 5)) == 5
    assert (lists(canned), driver.remarks()) == (1, [])
    items = only(canned).items
    for item in [item for item, (_, name) in items.items() if name in "BD"]:
        del items[item]
    assert await clock.passes(frames, EVERY + 1) == {"b": (1.0, 0), "d": (3.0, 0)}
    assert sorted(name for _, name in items.values()) == list("ABCDE")
    text = "the server has forgotten that it watches 2 tags (b: asked for again, d: asked for again)"
    assert driver.remarks() == [text]
    assert driver.refused == {}


async def test_the_mark_comes_before_the_values(canned: Canned, connect: Connect) -> None:
    """Between the two nothing is known: a consumer must see that."""
    canned.plant.lists = "Good"
    driver = await connect(canned.endpoint, TAGS)
    frames = driver.frames()
    await told(frames, 5)
    only(canned).items.clear()
    compare(driver)
    qualities = []
    async with asyncio.timeout(5):
        while len(qualities) < 2:
            qualities += [quality for tag, _, quality in (await anext(frames)).rows() if tag.name == "c"]
    assert qualities == [Quality.BAD_COMM, Quality.GOOD]


async def test_items_that_nobody_asked_for_are_deleted(canned: Canned, connect: Connect) -> None:
    canned.plant.lists = "Good"
    driver = await connect(canned.endpoint, TAGS)
    clock, frames = Time(canned, driver), driver.frames()
    await told(frames, 5)
    only(canned).items |= {98: (3, "A"), 99: (77, "B")}
    await clock.passes(frames, EVERY + 1)
    assert sorted(handle for handle, _ in only(canned).items.values()) == [0, 1, 2, 3, 4]
    assert driver.remarks() == ["the server watched 2 items that nobody had asked for: they are deleted"]


async def test_a_list_that_is_wrong_is_not_believed_and_leaves_no_item_twice(canned: Canned, connect: Connect) -> None:
    canned.plant.lists, canned.plant.hidden = "Good", {4}
    driver = await connect(canned.endpoint, TAGS)
    clock, frames = Time(canned, driver), driver.frames()
    await told(frames, 5)
    await clock.passes(frames, EVERY + 1)
    assert (lists(canned), len(only(canned).items)) == (2, 5)
    assert "the server's list of monitored items is wrong: it is looked at no more" in driver.remarks()


async def test_a_server_without_a_list_is_asked_once_in_a_session(canned: Canned, connect: Connect) -> None:
    driver = await connect(canned.endpoint, TAGS)
    clock, frames = Time(canned, driver), driver.frames()
    await told(frames, 5)
    await clock.passes(frames, EVERY + 1)
    assert (lists(canned), driver.remarks()) == (1, [])
    await driver.close()
    await driver.open()
    await told(driver.frames(), 5)
    assert lists(canned) == 2


class Answers(FakeSession):
    """Says this to GetMonitoredItems."""

    said: Any = None

    async def call(self, request: Any, kind: Any) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        columns = [ua.Variant(each) for each in self.said]
        return ua.CallResponse(Results=[ua.CallMethodResult(OutputArguments=columns)])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (([5, 6], [0, 1]), [(5, 0), (6, 1)]),
        ((None, None), []),
        (([5], [0, 1]), None),
        ((), None),
        (([5],), None),
        ((5, 0), None),
        ((["a"], [0]), None),
        (([True], [0]), None),
    ],
)
async def test_an_answer_that_is_no_list_is_none(said: Any, found: Any) -> None:
    session = Answers()
    session.said = said
    assert await listed(cast(Session, session), 7) == found


async def test_a_server_that_dies_of_the_question_is_asked_no_more() -> None:
    """In later sessions, too: they share the tally."""
    tally, asked = Tally(), 0
    for _ in range(2 * TRIES):
        session = Answers()
        session.said = Unreachable("connection lost")
        feed = Feed(cast(Session, session), [await group_of(session, ["ns=1;s=A"])], Hands().clock(), tally=tally)
        waiting = asyncio.ensure_future(anext(feed))
        while not session.asked:
            await asyncio.sleep(0)
        session.say((0, 1.0))
        try:
            assert list((await waiting).values) == [1.0]
        except Unreachable:
            asked += 1
    assert asked == TRIES


async def test_a_foreign_server_s_list_is_believed(press: OpcuaServer, connect: Connect) -> None:
    """It allows 10 items a call; seven of 25 are lost."""
    tags = {f"v{number}": f"nsu={PRESS};s=Value{number}" for number in range(25)}
    driver = await connect(press.endpoint, tags)
    frames = driver.frames()
    assert len(await told(frames, 25)) == 25
    assert driver.remarks() == []
    before = press.count()
    press.lose(7)
    assert press.count().items == before.items - 7
    compare(driver)
    marked: set[str] = set()
    async with asyncio.timeout(10):
        while len(marked) < 7:
            marked |= {tag.name for tag, _, quality in (await anext(frames)).rows() if quality == Quality.BAD_COMM}
        assert len(await told(frames, 25)) == 25
    assert press.count()[:4] == before[:4]
    (text,) = driver.remarks()
    assert text.startswith("the server has forgotten that it watches 7 tags (v0: asked for again, ")


async def test_events_that_a_foreign_server_drops_are_asked_for_again(press: OpcuaServer, connect: Connect) -> None:
    driver = await connect(press.endpoint, {"v": f"nsu={PRESS};s=Value3"}, events=[{"name": "all"}])
    frames = driver.frames()
    await told(frames, 1)
    before = press.count()
    press.lose(2)
    compare(driver)
    async with asyncio.timeout(10):
        while (frame := await anext(frames)).schema.group != "all":
            pass
    assert set(frame.quality) == {Quality.BAD_COMM}
    assert press.count()[:3] == before[:3]
    assert len(driver.remarks()) == 1
    assert driver.refused == {}


async def listening(session: FakeSession, node: str, hands: Hands) -> tuple[Feed, Events]:
    session.namespaces = {}  # type: ignore[attr-defined]  # as a session has it
    events = Events(event_plan("d", EventsConfig(name="alarms", node=node)), cast(Session, session))
    group = await group_of(session, ["ns=1;s=A"])
    return Feed(cast(Session, session), [group], hands.clock(), events=[events]), events


async def test_events_that_are_refused_are_tried_again_and_heard_when_they_are_there() -> None:
    """Later each time, on the same subscription, marked once; and a person hears of it."""
    session, hands, remarks = FakeSession(unknown=frozenset("E")), Hands(), Remarks()
    feed, events = await listening(session, "ns=1;s=E", hands)
    frame = await anext(feed)
    assert (frame.schema.group, set(frame.quality)) == ("alarms", {Quality.BAD_CONFIG})
    (text,) = remarks.fresh([], None, [events])
    assert text.startswith("the server refuses 1 groups of events (alarms: opc.tcp://fake:4840: events 'alarms': BadNo")
    assert text.endswith("tried again later")
    tries = []
    for second in range(100):
        hands.seconds += 1
        before = len(session.monitored)
        session.say((0, float(second)))
        assert (await anext(feed)).schema.group != "alarms"
        tries += [second] * (len(session.monitored) - before)
        if second == 40:
            session.unknown = frozenset()
    assert tries == [FIRST - 1, 3 * FIRST - 1, 7 * FIRST - 1]
    assert (events.refused, events.refusal, session.learnt, events.number) == ({}, None, 3, 8)
    assert remarks.fresh([], None, [events]) == []
