"""What is lost between two values is marked, and from where on it may be: no later than the first lost one."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from agent.model.errors import Garbled
from drivers.opcua.config import Config
from drivers.opcua.feed import Feed
from drivers.opcua.group import Group, bind
from drivers.opcua.plan import plans
from drivers.opcua.session import Session
from tests.unit.opcua.fakes import FakeSession, Hands
from tests.unit.opcua.test_feed import feed_of, started

NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return round(moment.timestamp()) * 10**9


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
