"""What a server kept of a gap: each value once, whatever the server's pages and clocks are like."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua

from agent.model.frame import Frame, Value
from drivers.opcua.gap import IDLE, Gap
from drivers.opcua.group import Group
from drivers.opcua.notify import Batch, Past
from drivers.opcua.session import Session
from tests.sim.opcua_canned import EPOCH
from tests.unit.opcua.conftest import Canned, Connect
from tests.unit.opcua.fakes import FakeSession, group_of
from tests.unit.opcua.test_canned import TAGS, interrupted

SECOND = 10_000_000
NO_POINTS = 0x804B0000
Node = tuple[ua.NodeId, bytes | None]


def ns(second: float) -> int:
    return round(second * 10**9)


def kept(*seconds: float, served: bool = False) -> Batch:
    """A value per second, which is its number."""
    moments = [EPOCH + round(each * SECOND) for each in seconds]
    nothing = [0] * len(seconds)
    return Batch([], list(seconds), [], nothing if served else moments, moments if served else nothing, {11})


class Archive(FakeSession):
    """`pages` says what is kept of some nodes, given their continuation points."""

    pages: Callable[[Sequence[Node]], list[Past]]
    spans: list[tuple[datetime, datetime]]

    async def history(self, nodes: Sequence[Node], start: datetime, end: datetime, most: int) -> list[Past]:
        self.spans.append((start, end))
        return self.pages(nodes)


async def filled(
    pages: Callable[[Sequence[Node]], list[Past]],
    tags: int = 1,
    *,
    newest: dict[int, int] | None = None,
    most: int = 20,
) -> tuple[Gap, Archive, dict[int, list[object]]]:
    """The values by column of a gap from second 100 to 200."""
    session = Archive()
    session.pages, session.spans = pages, []
    session.limits.sizes["history"] = most
    group: Group = await group_of(session, [f"ns=1;s={name}" for name in "ABCDE"[:tags]])
    gap = Gap({group.plan.schema: ns(100)}, {group.plan.schema: newest or {0: EPOCH + 99 * SECOND}})
    found: dict[int, list[object]] = {}
    async for batch in gap.pages(cast(Session, session), group, ns(200)):
        for column, value in zip(batch.handles, batch.values, strict=True):
            found.setdefault(column, []).append(value)
    return gap, session, found


async def test_a_value_from_the_far_future_does_not_end_all_history() -> None:
    """One tag's clock is wrong; from then on every gap would begin in 2200."""
    future = EPOCH + 7_258_118_400 * SECOND
    _, session, found = await filled(
        lambda nodes: [Past(0, b"", kept(150.0)) for _ in nodes], 2, newest={0: future, 1: EPOCH + 99 * SECOND}
    )
    assert found == {0: [150.0], 1: [150.0]}
    assert session.spans == [(datetime.fromtimestamp(100, UTC), datetime.fromtimestamp(200, UTC))]


async def test_a_value_that_came_live_before_its_group_s_last_message_comes_once() -> None:
    """Its source's clock is ahead."""
    _, _, found = await filled(
        lambda nodes: [Past(0, b"", kept(101.0, 105.0, 110.0))], newest={0: EPOCH + 105 * SECOND}
    )
    assert found == {0: [110.0]}


async def test_pages_without_order_or_with_old_values_give_each_value_once() -> None:
    pages = iter([[Past(0, b"1", kept(120.0, 110.0, 50.0, 999.0))], [Past(0, b"", kept(110.0, 120.0, 130.0))]])
    _, _, found = await filled(lambda nodes: next(pages))
    assert found == {0: [110.0, 120.0, 130.0]}


async def test_a_history_that_never_ends_is_left() -> None:
    """Each page is empty, and has another point to go on from; the tags after it get their turn."""

    def pages(nodes: Sequence[Node]) -> list[Past]:
        return [
            Past(0, b"", kept(150.0)) if node.Identifier == "B" else Past(0, str(len(asked)).encode(), Batch())
            for node, _ in nodes
            if asked.append(1) is None
        ]

    asked: list[int] = []
    gap, session, found = await filled(pages, 2, most=1)
    assert found == {1: [150.0]}
    assert gap.without == {"t0": "the server says for ever that there is more"}
    assert len(session.spans) == IDLE + 1


async def test_values_with_the_server_s_time_alone_are_values() -> None:
    _, _, found = await filled(lambda nodes: [Past(0, b"", kept(110.0, 120.0, served=True))])
    assert found == {0: [110.0, 120.0]}


async def test_a_server_with_few_continuation_points_is_asked_for_fewer_tags_at_once() -> None:
    """Two are all it has: what got none is asked for again, not given up."""
    held: set[str] = set()

    def pages(nodes: Sequence[Node]) -> list[Past]:
        return [one(str(node.Identifier), point) for node, point in nodes]

    def one(name: str, point: bytes | None) -> Past:
        if point:
            held.discard(name)
            return Past(0, b"", kept(120.0))
        if len(held) == 2:
            return Past(NO_POINTS, b"", Batch())
        held.add(name)
        return Past(0, b"more", kept(110.0))

    gap, _, found = await filled(pages, 5)
    assert found == {column: [110.0, 120.0] for column in range(5)}
    assert gap.without == {}


async def test_a_server_without_any_continuation_point_has_no_long_history() -> None:
    gap, session, found = await filled(lambda nodes: [Past(NO_POINTS, b"", Batch()) for _ in nodes], 5)
    assert found == {} and set(gap.without.values()) == {"BadNoContinuationPoints"} and len(gap.without) == 5
    assert len(session.spans) < 15


async def rows(frames: Any, seen: int) -> list[tuple[str, Value, float]]:
    found: list[tuple[str, Value, float]] = []
    while len(found) < seen:
        frame: Frame = await anext(frames)
        stamps = frame.stamps or ()
        found += [(tag.name, value, stamp / 1e9) for (tag, value, _), stamp in zip(frame.rows(), stamps, strict=True)]
    return found


async def test_a_value_of_the_gap_that_still_stands_comes_once_and_last(canned: Canned, connect: Connect) -> None:
    """The server keeps it, and tells it again as the first value of the new session, some time after it was asked."""
    now = time.time()
    canned.plant.clock = lambda: now
    driver = await connect(canned.endpoint, TAGS, gap="history", interval="300ms")
    frames = await interrupted(canned, driver)
    canned.plant.clock = lambda: now + 10
    moment = datetime.fromtimestamp(now + 5, UTC)
    canned.plant.values["A"] = ua.DataValue(ua.Variant(5.0), SourceTimestamp=moment)
    canned.plant.history["A"] = [(now + 4, 4.0), (now + 5, 5.0)]
    found = await rows(frames, 6)
    assert [value for name, value, _ in found if name == "a"] == [4.0, 5.0]


async def test_a_long_history_is_not_thrown_away_for_being_read_fast(canned: Canned, connect: Connect) -> None:
    """Page after page waited here while the first one was handed out, until the oldest went."""
    now = time.time()
    canned.plant.clock = lambda: now
    driver = await connect(canned.endpoint, TAGS, gap="history")
    frames = await interrupted(canned, driver)
    frames._limit = 100  # type: ignore[attr-defined]  # as if it were a thousand times longer
    canned.plant.clock = lambda: now + 10
    canned.plant.page = 30
    canned.plant.history["A"] = [(now + n / 100, float(n)) for n in range(1, 900)]
    found = await rows(frames, 899 + 5)
    assert [value for name, value, _ in found if name == "a"][:-1] == [float(n) for n in range(1, 900)]
    assert driver.dropped == 0
