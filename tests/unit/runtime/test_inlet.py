"""The bounded place between the field and the disk."""

import asyncio
from dataclasses import replace

from agent.health import Part
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.inlet import Inlet

SCHEMA = Schema("meter", "1s", tuple(Tag(f"t{i}") for i in range(10)))


def frame(ts: int = 0) -> Frame:
    return Frame(SCHEMA, ts, (1.0,) * 10, bytes(10))


async def test_frames_wait_for_the_commit_interval_and_come_together() -> None:
    inlet = Inlet()
    taking = asyncio.create_task(inlet.take(0.05))
    await asyncio.sleep(0.01)
    inlet.add(frame(1))
    inlet.add(frame(2))
    assert [each.ts for each in await taking] == [1, 2]
    assert len(inlet) == 0


async def test_plenty_of_bytes_do_not_wait() -> None:
    inlet = Inlet(soon=450)
    for ts in range(5):
        inlet.add(frame(ts))
    async with asyncio.timeout(1):
        assert len(await inlet.take(60)) == 5


async def test_a_poller_waits_for_room_and_then_goes_on() -> None:
    inlet = Inlet(limit=180, soon=180)
    inlet.add(frame(1))
    assert not inlet.full
    inlet.add(frame(2))
    assert inlet.full
    waiting = asyncio.create_task(inlet.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert [each.ts for each in await inlet.take(0)] == [1, 2]
    await waiting


async def test_an_alarm_goes_first_and_at_once() -> None:
    alarms = Schema("meter", "alarm", (Tag("voltage_high", "bool", kind="event"),), made=True)
    inlet = Inlet()
    inlet.add(frame(1))
    inlet.add(Frame(alarms, 2, (True,), bytes(1)))
    async with asyncio.timeout(1):
        assert [each.ts for each in await inlet.take(60)] == [2, 1]


async def test_a_group_that_a_file_calls_alarm_waits_like_any_other() -> None:
    inlet = Inlet()
    inlet.add(frame(1))
    inlet.add(Frame(Schema("meter", "alarm", (Tag("a"),)), 2, (1,), bytes(1)))
    assert [each.ts for each in await inlet.take(0.01)] == [1, 2]


async def test_a_subscription_gives_up_its_oldest_frame_and_it_is_counted() -> None:
    inlet, part = Inlet(limit=180, soon=180), Part("device", "press")
    for ts in range(5):
        inlet.push(frame(ts), part)
    assert part.dropped == 30
    assert [each.ts for each in await inlet.take(0)] == [3, 4]


async def test_what_was_made_is_not_given_up_for_what_is_read() -> None:
    """The energy of an interval is told once; there is a bound for it all the same."""
    inlet, part, made = Inlet(limit=180, soon=180), Part("device", "press"), replace(SCHEMA, made=True)
    for ts in range(5):
        inlet.push(replace(frame(ts), schema=made if ts in (1, 2) else SCHEMA), part)
    assert [each.ts for each in await inlet.take(0)] == [1, 2]
    assert part.dropped == 30
    for ts in range(20):
        inlet.push(replace(frame(ts), schema=made), part)
    assert len(inlet) == 4
    assert part.dropped == 30 + 160


async def test_a_flood_of_alarms_has_a_bound_too() -> None:
    alarms = Schema("press", "alarm", (Tag("hot", "bool", kind="event"),), made=True)
    inlet, part = Inlet(limit=180, soon=180), Part("device", "press")
    inlet.push(frame(0), part)
    for ts in range(1, 20):
        inlet.push(Frame(alarms, ts, (True,), bytes(1)), part)
    assert part.dropped == 10 + 11
    assert [each.ts for each in await inlet.take(0)] == [*range(12, 20)]


async def test_a_closed_inlet_gives_what_it_has_and_then_nothing() -> None:
    inlet = Inlet()
    inlet.add(frame(1))
    inlet.close()
    assert len(await inlet.take(60)) == 1
    assert await inlet.take(60) == []


async def test_long_texts_fill_the_inlet_too() -> None:
    texts = Schema("press", "1s", (Tag("recipe", "str"), Tag("n")))
    inlet = Inlet(limit=10_000)
    inlet.add(Frame(texts, 1, ("x" * 10_000, 1.0), bytes(2)))
    assert inlet.full
