"""A group in a session: cut to the server's limits, and honest about what it does not get."""

from collections.abc import Sequence
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.quality import Quality
from drivers.opcua.group import all_refused
from drivers.opcua.limits import Limits
from drivers.opcua.notify import Batch
from drivers.opcua.refusal import ServiceRefused
from drivers.opcua.stream import FIRST, Stream
from tests.unit.opcua.fakes import FakeSession, batch_of, group_of

NODES = ["ns=1;s=A", "ns=1;s=B", "ns=1;s=C", "ns=1;s=D", "ns=1;s=E"]
TWO, ONE = [ua.DataValue(ua.Variant(1.0))] * 2, [ua.DataValue(ua.Variant(1.0))]


async def test_a_read_is_cut_to_what_the_server_takes() -> None:
    session = FakeSession(answers=iter([TWO, TWO, ONE]))
    answers, _ = await (await group_of(session, NODES)).read()
    assert [list(columns) for columns, _ in answers] == [[0, 1], [2, 3], [4]]
    assert session.reads == 3


async def test_a_tag_of_an_unknown_namespace_is_named_and_left_out() -> None:
    session = FakeSession(answers=iter([TWO]))
    group = await group_of(session, [NODES[0], "nsu=urn:gone;s=B", NODES[2]])
    answers, missing = await group.read()
    assert [list(columns) for columns, _ in answers] == [[0, 2]]
    assert missing[1] == Quality.BAD_CONFIG
    assert group.refused == {"t1": "the server has no namespace urn:gone"}


async def test_a_refused_part_does_not_hold_up_the_others() -> None:
    session = FakeSession(answers=iter([TWO, Refused("no"), ONE]))
    answers, missing = await (await group_of(session, NODES)).read()
    assert [list(columns) for columns, _ in answers] == [[0, 1], [4]]
    assert list(missing[2:4]) == [Quality.BAD_DEVICE] * 2


@pytest.mark.parametrize("silence", [Unreachable("no answer"), Garbled("noise")])
async def test_after_a_request_without_an_answer_no_other_is_made(silence: Exception) -> None:
    session = FakeSession(answers=iter([TWO, silence]))  # type: ignore[list-item]  # both are DeviceErrors
    answers, missing = await (await group_of(session, NODES)).read()
    assert [list(columns) for columns, _ in answers] == [[0, 1]]
    assert list(missing[2:]) == [Quality.BAD_COMM] * 3
    assert session.reads == 2


async def test_a_scan_without_any_answer_raises() -> None:
    session = FakeSession(answers=iter([Unreachable("no answer")]))
    with pytest.raises(Unreachable):
        await (await group_of(session, NODES)).read()
    assert session.reads == 1


async def test_a_scan_that_is_refused_altogether_raises() -> None:
    with pytest.raises(Refused):
        await (await group_of(FakeSession(answers=iter([Refused("no")] * 3)), NODES)).read()


async def test_monitored_items_are_cut_to_what_the_server_takes() -> None:
    session = FakeSession()
    assert await (await group_of(session, NODES, interval="500ms")).monitor(7, range(5)) == (
        {n: n for n in range(5)},
        {},
    )
    assert session.monitored == [2, 2, 1]
    assert [w.ClientHandle for w in session.wanted] == [0, 1, 2, 3, 4]
    assert {(w.SamplingInterval, w.QueueSize, w.DiscardOldest) for w in session.wanted} == {(500.0, 10, True)}


async def test_an_item_that_the_server_does_not_take_is_named() -> None:
    group = await group_of(FakeSession(unknown=frozenset("B")), ["ns=1;s=A", "ns=1;s=B", "nsu=urn:gone;s=C"])
    assert await group.monitor(7, range(3)) == ({0: 0}, {1: Quality.BAD_CONFIG, 2: Quality.BAD_CONFIG})
    assert group.refused == {"t1": "BadNodeIdUnknown", "t2": "the server has no namespace urn:gone"}


async def test_a_refused_call_costs_just_its_own_items() -> None:
    group = await group_of(FakeSession(refusal=Refused("BadTooManyOperations")), NODES)
    assert set((await group.monitor(7, range(5)))[1].values()) == {Quality.BAD_DEVICE}
    assert set(group.refused.values()) == {"BadTooManyOperations"}


async def test_when_nothing_can_be_had_the_first_tags_are_named() -> None:
    group = await group_of(FakeSession(), [f"nsu=urn:gone;s={name}" for name in "ABCDE"])
    assert str(all_refused("press-3", [group])) == (
        "press-3: the server has none of the tags: t0: the server has no namespace urn:gone, t1: the server has no "
        "namespace urn:gone, t2: the server has no namespace urn:gone and 2 more (check their `node` entries)"
    )


class Full(FakeSession):
    """It has room for so many items, and refuses a whole call that is for more."""

    room: int = 3
    calls: int = 0

    async def monitor(self, subscription: int, items: Any) -> Any:
        self.calls += 1
        if sum(self.monitored) + len(items) > self.room:
            raise ServiceRefused("BadTooManyMonitoredItems", StatusCodes.BadTooManyMonitoredItems)
        return await super().monitor(subscription, items)


async def test_a_full_server_is_not_asked_for_each_of_thousands() -> None:
    session = Full(limits=Limits({"monitor": 100}))
    group = await group_of(session, [f"ns=1;s={number}" for number in range(2000)])
    taken, bad = await group.monitor(7, range(2000))
    assert (len(taken), len(bad)) == (3, 1997)
    assert session.calls < 12
    assert session.limits.of("monitor") == 100, "when there is room again, it is filled by hundreds"


class Strict(FakeSession):
    """It refuses a call that deletes more items than it takes, and has lost its namespaces."""

    fails: bool = False

    async def forget(self, subscription: int, items: Sequence[int]) -> None:
        if len(items) > 2:
            raise ServiceRefused("BadTooManyOperations", StatusCodes.BadTooManyOperations)
        await super().forget(subscription, items)

    async def learn(self) -> None:
        if self.fails:
            raise ServiceRefused("BadOutOfMemory", StatusCodes.BadOutOfMemory)


def gone(*columns: int) -> Batch:
    return batch_of([ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(0x80340400)))] * len(columns), columns)


async def test_many_nodes_that_are_gone_are_tried_again_piece_by_piece() -> None:
    """A program was loaded into the PLC: all its nodes are new, and the server takes two items at once."""
    stream = Stream(await group_of(session := Strict(), NODES))
    await stream.open(0.0)
    await stream.fill(0.0)
    stream.look(gone(0, 1, 2, 3, 4), 0.0)
    for second in range(3):
        assert await stream.retry(FIRST + second) == {}
    assert (stream.refused, len(session.forgotten), len(stream.items)) == ({}, 5, 5)


async def test_a_service_that_fails_on_the_way_to_a_tag_does_not_end_the_others() -> None:
    stream = Stream(await group_of(session := Strict(), [*NODES, "nsu=urn:late;s=A"]))
    session.fails = True
    await stream.open(0.0)
    await stream.fill(0.0)
    assert await stream.retry(FIRST) == {}
    assert stream.refused[5].due == FIRST + 2 * FIRST


async def test_a_node_that_comes_back_by_itself_keeps_its_item() -> None:
    """Deleting it would throw away what the server holds of it."""
    stream = Stream(await group_of(session := Strict(), NODES))
    await stream.open(0.0)
    await stream.fill(0.0)
    stream.look(gone(0), 0.0)
    stream.look(batch_of(ONE, (0,)), 1.0)
    await stream.retry(FIRST)
    assert session.forgotten == []
