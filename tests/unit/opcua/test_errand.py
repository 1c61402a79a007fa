"""What a feed does beside its messages, and how its groups grow by it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import pytest

from agent.model.errors import Refused
from agent.model.frame import Frame
from agent.model.quality import Quality
from drivers.opcua.feed import PUBLISHERS, TICK, Feed
from drivers.opcua.gap import Times
from drivers.opcua.group import Group
from drivers.opcua.session import Session
from tests.unit.opcua.fakes import FakeSession, Hands, group_of

NODES = ["ns=1;s=A", "ns=1;s=B", "ns=1;s=C"]


class Errand:
    """So many steps; the last one gives these groups."""

    def __init__(self, steps: int, *groups: Group, then: Callable[[int], None] = lambda left: None) -> None:
        self.left, self.done, self._groups, self._then = steps, 0, groups, then

    def __call__(self) -> Awaitable[Sequence[Group]] | None:
        return self._step() if self.left else None

    async def _step(self) -> Sequence[Group]:
        self.left, self.done = self.left - 1, self.done + 1
        await asyncio.sleep(0)
        self._then(self.left)
        return () if self.left else self._groups


def feed_of(session: FakeSession, errand: Errand, *groups: Group, hands: Hands | None = None) -> Feed:
    return Feed(cast(Session, session), groups, (hands or Hands()).clock(), errand=errand, newest={})


async def soon(feed: Feed) -> Frame:
    """The next frame, without a wait for the next look around at each step."""
    async with asyncio.timeout(5 * TICK):
        return await anext(feed)


async def started(feed: Feed, session: FakeSession) -> Frame:
    """The first frame: until then there is no errand."""
    waiting = asyncio.ensure_future(soon(feed))
    while not session.asked:
        await asyncio.sleep(0)
    session.say((0, 1.0))
    return await waiting


async def test_a_group_that_grows_has_only_its_new_columns_asked_for() -> None:
    """It goes on in the same subscription, with all that is known of it; its frames have the bigger schema."""
    session = FakeSession()
    small, big = [await group_of(session, NODES[:count]) for count in (1, 3)]
    errand = Errand(20, big, then=lambda left: session.say((0, 2.0), sequence=2) if left == 10 else None)
    feed = feed_of(session, errand, small)
    first = await started(feed, session)
    assert (first.schema, list(first.values), errand.done) == (small.plan.schema, [1.0], 0)
    second = await soon(feed)
    assert (second.schema, list(second.values), errand.left) == (small.plan.schema, [2.0], 10)
    while errand.left or len(session.wanted) < 3:
        await feed._tend()
    assert [int(item.ClientHandle) for item in session.wanted] == [0, 1, 2]
    assert list(feed.heard) == [big.plan.schema]
    session.say((2, 5.0), (0, 3.0), sequence=3)
    third = await soon(feed)
    assert (third.schema, third.columns, list(third.values)) == (big.plan.schema, (2, 0), [5.0, 3.0])
    newest = cast("dict[object, Times]", feed._newest)
    assert list(newest) == [big.plan.schema] and set(newest[big.plan.schema]) == {0, 2}
    assert feed.streams[0].items.keys() == {0, 1, 2}


async def test_new_columns_that_the_server_refuses_are_told_and_tried_again() -> None:
    session = FakeSession(unknown=frozenset({"C"}))
    small, big = [await group_of(session, NODES[:count]) for count in (1, 3)]
    feed = feed_of(session, Errand(1, big), small)
    await started(feed, session)
    frame = await soon(feed)
    assert (frame.schema, frame.columns, frame.quality) == (big.plan.schema, (2,), bytes([Quality.BAD_CONFIG]))
    assert feed.streams[0].refused.keys() == {2}


async def test_what_a_group_has_learnt_goes_over_to_the_bigger_one() -> None:
    session = FakeSession()
    small, big = [await group_of(session, NODES[:count]) for count in (1, 3)]
    small.unfiltered.add(0)
    small.note(0, "BadNodeIdUnknown")
    big.note(2, "its path leads nowhere")
    big.follow(small)
    assert big.unfiltered == {0}
    assert big.refused == {"t0": "BadNodeIdUnknown", "t2": "its path leads nowhere"}


async def test_a_feed_without_a_group_asks_for_nothing_until_it_has_one() -> None:
    session = FakeSession()
    group = await group_of(session, NODES)
    feed = feed_of(session, Errand(5, group, then=lambda left: session.asked.clear() if session.asked else None))
    for _ in range(4):
        await feed._tend()
    assert session.asked == []
    waiting = asyncio.ensure_future(soon(feed))
    while len(session.asked) < PUBLISHERS:
        await asyncio.sleep(0)
    session.say((1, 4.0))
    frame = await waiting
    assert (frame.schema, list(frame.values)) == (group.plan.schema, [4.0])


async def test_a_group_without_room_for_its_subscription_grows_all_the_same() -> None:
    """When there is room, it is asked for as a whole."""
    hands, session = Hands(), FakeSession(numbers=[])
    small, big = [await group_of(session, NODES[:count]) for count in (1, 3)]
    feed = feed_of(session, Errand(1, big), small, hands=hands)
    refused = await soon(feed)
    assert refused.quality == bytes([Quality.BAD_DEVICE])
    await feed._tend()
    session.numbers = [7]
    hands.seconds += 11
    await feed._tend()
    assert [int(item.ClientHandle) for item in session.wanted] == [0, 1, 2]
    assert feed.streams[0].refused == {}


async def test_a_feed_that_always_has_something_to_hand_out_goes_on_with_its_errand_once_a_second() -> None:
    hands, session = Hands(), FakeSession()
    errand = Errand(100)
    feed = feed_of(session, errand, await group_of(session, NODES), hands=hands)
    await started(feed, session)
    for number in range(30):
        session.say((0, float(number)), sequence=number + 2)
    before = errand.done
    for number in range(25):
        assert list((await soon(feed)).values) == [float(number)]
        hands.seconds += TICK / 4
    assert 5 <= errand.done - before <= 7


async def test_an_errand_that_fails_ends_the_feed_after_what_has_come() -> None:
    session = FakeSession()

    def fails(left: int) -> None:
        session.say((0, 2.0), sequence=2)
        raise Refused("nothing on the server is meant")

    feed = feed_of(session, Errand(1, then=fails), await group_of(session, NODES))
    await started(feed, session)
    assert list((await soon(feed)).values) == [2.0]
    with pytest.raises(Refused, match="nothing on the server is meant"):
        await soon(feed)
