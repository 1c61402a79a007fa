"""What a subscription brings, without a wire: order, bounds, silence."""

import asyncio
from typing import Any, cast

import pytest
from asyncua import ua

from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from drivers.opcua.config import Config
from drivers.opcua.feed import CHECK, PUBLISHERS, QUIET, Feed
from drivers.opcua.group import Group, bind
from drivers.opcua.limits import Limits
from drivers.opcua.plan import plans
from drivers.opcua.pulse import KEEP_ALIVE
from drivers.opcua.session import Session
from drivers.opcua.stream import FIRST
from tests.unit.opcua.fakes import FakeSession, Hands, group_of

NODES = ["ns=1;s=A", "ns=1;s=B"]


async def feed_of(session: FakeSession, *nodes: str, hands: Hands | None = None, **options: Any) -> Feed:
    group = await group_of(session, nodes or NODES)
    return Feed(cast(Session, session), [group], (hands or Hands()).clock(), **options)


async def two_groups(session: FakeSession) -> list[Group]:
    """A fast one and a slow one, a tag each."""
    config = Config.model_validate(
        {
            "name": "press-3",
            "driver": "opcua",
            "endpoint": session.endpoint,
            "security": "none",
            "groups": {"slow": {"interval": "60s"}},
            "tags": [{"name": "a", "node": "ns=1;s=A"}, {"name": "b", "node": "ns=1;s=B", "group": "slow"}],
        }
    )
    return [await bind(plan, cast(Session, session)) for plan in plans(config)]


async def started(feed: Feed, session: FakeSession) -> Frame:
    """The first frame; from then on the subscription stands."""
    first = asyncio.ensure_future(anext(feed))
    while not session.asked:
        await asyncio.sleep(0)
    session.say((0, 0.0))
    return await first


async def test_a_message_becomes_a_frame_of_the_tags_that_changed() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    assert list((await started(feed, session)).values) == [0.0]
    session.say((1, 2.5), (0, 1.5))
    frame = await anext(feed)
    assert [(tag.name, value, quality) for tag, value, quality in frame.rows()] == [("t1", 2.5, 0), ("t0", 1.5, 0)]


async def test_the_server_always_holds_requests_and_gets_its_messages_acknowledged() -> None:
    session = FakeSession()
    await started(await feed_of(session), session)
    for sequence in (2, 3, 4):
        session.say((0, 1.0), sequence=sequence)
        assert len(session.asked) == PUBLISHERS
    assert session.acknowledged == [1, 2, 3, 4]


async def test_a_keep_alive_is_no_frame_and_is_not_acknowledged() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say(sequence=2)
    session.say((0, 3.0), sequence=2)
    assert list((await anext(feed)).values) == [3.0]
    assert session.acknowledged == [1, 2]


async def test_changes_that_came_while_the_consumer_was_busy_keep_their_order() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    for number in range(50):
        session.say((0, float(number)), (0, number + 0.5))
    told = [(await anext(feed)).values[0] for _ in range(100)]
    assert told == [number / 2 for number in range(100)]
    assert feed.dropped == 0


async def test_a_slow_consumer_loses_the_oldest_and_it_is_counted() -> None:
    session = FakeSession()
    feed = await feed_of(session, limit=10)
    await started(feed, session)
    for number in range(20):
        session.say((0, float(number)), (1, float(number)))
    assert feed.dropped == 30
    assert [(await anext(feed)).values[0] for _ in range(5)] == [15.0, 16.0, 17.0, 18.0, 19.0]


async def test_a_message_larger_than_the_limit_still_arrives() -> None:
    session = FakeSession()
    feed = await feed_of(session, limit=1)
    await started(feed, session)
    session.say((0, 1.0), (1, 2.0))
    assert list((await anext(feed)).values) == [1.0, 2.0]


async def test_refused_tags_are_told_first() -> None:
    session = FakeSession(unknown=frozenset("B"))
    frame = await anext(await feed_of(session))
    assert (frame.columns, frame.quality, list(frame.values)) == ((1,), bytes((Quality.BAD_CONFIG,)), [None])


async def test_a_server_that_takes_none_of_the_tags_is_an_error_that_names_them() -> None:
    with pytest.raises(Refused, match="t0: BadNodeIdUnknown, t1: the server has no namespace urn:gone"):
        await anext(await feed_of(FakeSession(unknown=frozenset("A")), "ns=1;s=A", "nsu=urn:gone;s=B"))


async def test_a_lost_session_is_raised_after_what_had_come() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((0, 1.0))
    session.asked[0](Unreachable("connection lost"))
    assert list((await anext(feed)).values) == [1.0]
    with pytest.raises(Unreachable, match="connection lost"):
        await anext(feed)


async def test_a_server_found_dead_while_values_wait_loses_none_of_them() -> None:
    """They were heard before the gap, so its mark does not cover them."""
    session, hands = FakeSession(), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    session.say((0, 1.0))
    session.refusal = Unreachable("no answer")
    hands.seconds += QUIET + 0.1
    assert list((await anext(feed)).values) == [1.0]
    with pytest.raises(Unreachable, match="no answer"):
        await anext(feed)


async def test_values_that_come_while_the_server_is_asked_in_vain_are_not_lost() -> None:
    session, hands = FakeSession(), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    hands.seconds += CHECK

    async def status() -> tuple[int, int]:
        session.say((0, 1.0))
        raise Unreachable("no answer")

    session.status = status  # type: ignore[method-assign]  # a fake of a fake
    assert list((await anext(feed)).values) == [1.0]
    with pytest.raises(Unreachable, match="no answer"):
        await anext(feed)


async def test_the_server_may_let_fewer_requests_wait() -> None:
    """BadTooManyPublishRequests on one of two requests: the other goes on."""
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.asked.pop()(Refused("BadTooManyPublishRequests"))
    session.say((0, 1.0))
    assert list((await anext(feed)).values) == [1.0]
    session.asked.pop()(Refused("BadTooManyPublishRequests"))
    with pytest.raises(Refused):
        await anext(feed)


async def test_a_quiet_server_is_asked_whether_it_is_there() -> None:
    session, hands = FakeSession(), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    assert session.probes == 1
    hands.seconds += QUIET + 0.1
    session.refusal = Unreachable("no answer")
    with pytest.raises(Unreachable, match="no answer"):
        await anext(feed)
    assert session.probes == 2


async def test_a_server_that_talks_is_asked_for_its_time_alone() -> None:
    session, hands = FakeSession(), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    hands.seconds += QUIET + 0.1
    session.say((0, 1.0))
    await anext(feed)
    assert session.probes == 1
    hands.seconds += CHECK
    session.say((0, 1.0))
    await anext(feed)
    assert session.probes == 2


async def test_a_subscription_without_its_keep_alive_has_fallen_silent() -> None:
    """Though the server answers everything else."""
    session, hands = FakeSession(), Hands()
    feed = await feed_of(session, hands=hands)
    await started(feed, session)
    hands.seconds += 1.5 * KEEP_ALIVE + session.timeout + 0.1
    with pytest.raises(Unreachable, match="a subscription fell silent"):
        await anext(feed)


async def test_a_subscription_that_the_server_ends_is_lost() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.send(ua.StatusChangeNotification(ua.StatusCode(cast(Any, 0x800A0000))))
    with pytest.raises(Unreachable, match="ended a subscription: BadTimeout"):
        await anext(feed)


async def test_a_change_of_an_unknown_tag_is_garbage() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    session.say((99, 1.0))
    with pytest.raises(Garbled, match="not asked for"):
        await anext(feed)


async def test_a_stopped_feed_wakes_its_consumer_and_asks_no_more() -> None:
    session = FakeSession()
    feed = await feed_of(session)
    await started(feed, session)
    waiting = asyncio.ensure_future(anext(feed))
    await asyncio.sleep(0)
    feed.stop()
    with pytest.raises(Unreachable, match="closed"):
        await waiting
    session.say((0, 1.0))
    assert len(session.asked) == PUBLISHERS - 1


async def test_a_group_that_the_server_has_no_room_for_leaves_the_others_and_comes_later() -> None:
    """Small servers have room for a few subscriptions."""
    session, hands = FakeSession(numbers=[7]), Hands()
    groups = [*await two_groups(session)]
    feed = Feed(cast(Session, session), groups, hands.clock())
    frame = await anext(feed)
    assert (frame.schema, frame.quality) == (groups[1].plan.schema, bytes((Quality.BAD_DEVICE,)))
    assert groups[1].refused == {"b": "BadTooManySubscriptions"}
    session.say((0, 1.0))
    assert (await anext(feed)).schema is groups[0].plan.schema
    session.numbers = [8]
    hands.seconds += FIRST
    session.say((0, 2.0))
    await anext(feed)
    assert groups[1].refused == {}
    session.say((0, 3.0), number=8)
    assert (await anext(feed)).schema is groups[1].plan.schema


class Watched(FakeSession):
    """Notes how many publish requests waited when items were asked for."""

    waiting: int = 0

    async def monitor(self, subscription: int, items: Any) -> Any:
        self.waiting = len(self.asked)
        return await super().monitor(subscription, items)


async def test_messages_are_asked_for_before_the_items_are_made() -> None:
    """Thousands of items take a slow server longer than it keeps a subscription that nobody asks about."""
    session = Watched()
    await started(await feed_of(session), session)
    assert session.waiting == PUBLISHERS


async def test_what_came_while_a_session_was_lost_in_its_beginning_is_not_lost() -> None:
    class Dies(FakeSession):
        async def monitor(self, subscription: int, items: Any) -> Any:
            if self.monitored:
                self.say((0, 5.0))
                raise Unreachable("no answer")
            return await super().monitor(subscription, items)

    session = Dies(limits=Limits({"monitor": 1}))
    feed = await feed_of(session)
    assert list((await anext(feed)).values) == [5.0]
    with pytest.raises(Unreachable, match="no answer"):
        await anext(feed)
