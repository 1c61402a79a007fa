"""What is lost between two values is marked, and from where on it may be: no later than the first lost one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Garbled, Unreachable
from drivers.opcua.feed import Feed
from drivers.opcua.notify import Message
from drivers.opcua.pulse import DAY, KEEP_ALIVE, Numbers
from drivers.opcua.refusal import ServiceRefused
from drivers.opcua.session import Session
from tests.sim.opcua_canned import NAMESPACE, Connection, Plant, code
from tests.unit.opcua.conftest import Canned, Connect
from tests.unit.opcua.fakes import FakeSession, Hands
from tests.unit.opcua.test_feed import feed_of, started, two_groups

NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return round(moment.timestamp()) * 10**9


async def test_a_slow_group_s_gap_begins_with_its_own_last_message() -> None:
    """What the server held back of it since then is lost, however lately the fast one spoke."""
    session = FakeSession()
    groups = await two_groups(session)
    feed = Feed(cast(Session, session), groups, Hands().clock())
    await started(feed, session)
    session.say((0, 1.0), number=8, published=NOON)
    session.say((0, 1.0), number=7, published=NOON + timedelta(seconds=50))
    assert feed.heard == {groups[0].plan.schema: ns(NOON) + 50 * 10**9, groups[1].plan.schema: ns(NOON)}


async def test_a_message_that_is_not_the_last_of_its_time_ends_no_gap() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((0, 1.0), published=NOON)
    session.say((0, 2.0), published=NOON + timedelta(seconds=1), more=True)
    assert list(feed.heard.values()) == [ns(NOON)]
    session.say((1, 2.0), published=NOON + timedelta(seconds=1))
    assert list(feed.heard.values()) == [ns(NOON) + 10**9]


async def test_a_server_without_a_time_of_publishing_is_heard_by_our_clock() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((0, 1.0), published=datetime(1601, 1, 1, tzinfo=UTC))
    assert list(feed.heard.values()) == [Hands().clock().wall()]


async def test_a_message_that_makes_no_sense_was_not_heard() -> None:
    """What it held is lost, so the gap begins before it."""
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((0, 1.0), published=NOON)
    session.say((0, 2.0), (99, 1.0), published=NOON + timedelta(seconds=1))
    assert list(feed.heard.values()) == [ns(NOON)]
    await anext(feed)
    with pytest.raises(Garbled):
        await anext(feed)


LAST = (1 << 32) - 1
TOLD, LIVES = True, False


@pytest.mark.parametrize(
    ("messages", "missed"),
    [
        ([(1, TOLD), (2, TOLD), (3, TOLD)], [0, 0, 0]),
        ([(1, TOLD), (2, LIVES), (2, LIVES), (2, TOLD)], [0, 0, 0, 0]),
        ([(1, TOLD), (3, TOLD), (4, TOLD)], [0, 1, 0]),
        ([(1, TOLD), (3, LIVES)], [0, 1]),
        ([(LAST, TOLD), (1, TOLD), (3, TOLD)], [0, 0, 1]),
        ([(7, TOLD), (8, LIVES), (9, LIVES), (10, TOLD)], [0, 0, 0, 0]),
        ([(0, TOLD), (0, TOLD), (0, TOLD)], [0, 0, 0]),
        ([(5, TOLD), (4, TOLD), (6, TOLD), (1, TOLD), (2, TOLD)], [0, 0, 0, 0, 0]),
    ],
    ids=[
        "in order",
        "alive",
        "lost",
        "lost and alive",
        "around",
        "counts all",
        "counts nothing",
        "repeats, begins anew",
    ],
)
def test_a_message_that_never_came_is_noticed(messages: list[tuple[int, bool]], missed: list[int]) -> None:
    """By the numbers of those that do, as far as a server's numbers mean something."""
    numbers = Numbers()
    assert [numbers.missed(Message(7, number, others=(("i=0", b""),) * told)) for number, told in messages] == missed


async def test_a_session_that_lost_a_message_is_made_anew() -> None:
    """The gap begins with the last message before it."""
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((0, 1.0), sequence=2, published=NOON)
    session.say((0, 3.0), sequence=4, published=NOON + timedelta(seconds=2))
    assert list((await anext(feed)).values) == [1.0]
    with pytest.raises(Unreachable, match="1 messages of a subscription never came"):
        await anext(feed)
    assert feed.skipped and list(feed.heard.values()) == [ns(NOON)]


async def test_numbers_that_were_found_to_mean_nothing_are_not_judged() -> None:
    session = FakeSession()
    feed = await feed_of(session, strict=False)
    await started(feed, session)
    session.say((0, 3.0), sequence=40)
    assert list((await anext(feed)).values) == [3.0]


async def test_a_message_that_the_server_cannot_send_is_lost() -> None:
    """Though another request still waits."""
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.asked.pop(0)(ServiceRefused("BadResponseTooLarge", StatusCodes.BadResponseTooLarge))
    with pytest.raises(ServiceRefused, match="BadResponseTooLarge"):
        await anext(feed)


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan"), float("inf"), 1e300, 1.0])
async def test_a_publishing_interval_without_a_meaning_is_taken_for_the_one_that_was_asked(interval: float) -> None:
    """Otherwise it would be silent after a second already, or never be."""
    session, hands = FakeSession(interval=interval), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    (stream,) = feed.streams
    assert stream.patience == 1.5 * KEEP_ALIVE + session.timeout


async def test_a_server_may_publish_more_slowly_than_it_was_asked_to() -> None:
    session = FakeSession(interval=60_000.0)
    feed = await feed_of(session)
    await started(feed, session)
    assert feed.streams[0].patience == 1.5 * 5 * 60 + session.timeout < DAY


async def test_two_subscriptions_of_one_number_are_garbage() -> None:
    """The values of one group would be taken for those of the other."""
    session = FakeSession(numbers=[7, 7])
    with pytest.raises(Garbled, match="two subscriptions the number 7"):
        await anext(Feed(cast(Session, session), await two_groups(session), Hands().clock()))


class Names(Connection):
    """`A` is a number with names, which the node `names` holds."""

    def _translatebrowsepathstonodeids(self, request: ua.TranslateBrowsePathsToNodeIdsRequest) -> Any:
        answer = ua.TranslateBrowsePathsToNodeIdsResponse()
        answer.Results = [self._path(each) for each in request.Parameters.BrowsePaths]
        return answer

    def _path(self, path: ua.BrowsePath) -> ua.BrowsePathResult:
        if path.RelativePath.Elements[-1].TargetName.Name != "EnumStrings" or path.StartingNode.Identifier != "A":
            return ua.BrowsePathResult(code("BadNoMatch"))
        where = ua.ExpandedNodeId(cast(Any, "names"), path.StartingNode.NamespaceIndex)
        return ua.BrowsePathResult(code("Good"), [ua.BrowsePathTarget(where, cast(Any, 0xFFFFFFFF))])


async def test_names_that_change_are_read_again(connect: Connect) -> None:
    """The server says so in the status of the next value; that is told again with its new name."""
    plant = Plant({"A": 1, "names": [ua.LocalizedText("off"), ua.LocalizedText("on")]})
    server = await asyncio.get_running_loop().create_server(lambda: Names(plant), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        canned = Canned(plant, f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        driver = await connect(canned.endpoint, {"a": (f"nsu={NAMESPACE};s=A", "enum")})
        frames = driver.frames()
        assert (await anext(frames)).values == ["on"]
        plant.values["names"] = [ua.LocalizedText("stopped"), ua.LocalizedText("running")]
        for _ in range(2):
            canned.tell(A=ua.DataValue(ua.Variant(1), ua.StatusCode(cast(Any, 0x00004000))))
        said = [(await anext(frames)).values[0] for _ in range(3)]
        assert said == ["on", "on", "running"]
        assert len(plant.requests(ua.DeleteMonitoredItemsRequest)) == 1


async def test_a_keep_alive_from_before_the_items_says_nothing_of_them() -> None:
    """It comes at once from a subscription that is empty; the history of the gap must wait for what stands."""

    class Early(FakeSession):
        async def monitor(self, subscription: int, items: Any) -> Any:
            self.say(published=NOON)
            return await super().monitor(subscription, items)

    session = Early()
    feed = await feed_of(session)
    await started(feed, session)
    assert NOON.timestamp() * 1e9 not in feed.heard.values() and len(feed.heard) == 1


@pytest.mark.parametrize(("node", "value", "most"), [("A", 3.0, 5000), ("A[2]", 3.0, 50)])
async def test_arrays_come_in_messages_of_few(
    canned: Canned, connect: Connect, node: str, value: float, most: int
) -> None:
    """A thousand tags into an array of a thousand doubles are 8 MB: more than a message may have."""
    canned.plant.values["A"] = [1.0, 2.0, 3.0] if "[" in node else 3.0
    frames = (await connect(canned.endpoint, {"a": f"nsu={NAMESPACE};s={node}"})).frames()
    assert (await anext(frames)).values == [value]
    (made,) = canned.plant.requests(ua.CreateSubscriptionRequest)
    assert made.Parameters.MaxNotificationsPerPublish == most
