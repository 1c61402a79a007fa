"""The bounded place between the field and the disk."""

import asyncio

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
    assert inlet.offer(frame(1)) and inlet.offer(frame(2))
    assert [each.ts for each in await taking] == [1, 2]
    assert len(inlet) == 0


async def test_plenty_of_bytes_do_not_wait() -> None:
    inlet = Inlet(soon=450)
    for ts in range(5):
        assert inlet.offer(frame(ts))
    async with asyncio.timeout(1):
        assert len(await inlet.take(60)) == 5


async def test_a_poller_waits_for_room_and_then_goes_on() -> None:
    inlet = Inlet(limit=180, soon=180)
    assert inlet.offer(frame(1)) and inlet.offer(frame(2))
    assert not inlet.offer(frame(3))
    putting = asyncio.create_task(inlet.put(frame(3)))
    await asyncio.sleep(0)
    assert not putting.done()
    assert [each.ts for each in await inlet.take(0)] == [1, 2]
    await putting
    assert [each.ts for each in await inlet.take(0)] == [3]


async def test_a_subscription_gives_up_its_oldest_frame_and_it_is_counted() -> None:
    inlet, part = Inlet(limit=180, soon=180), Part("device", "press")
    for ts in range(5):
        inlet.push(frame(ts), part)
    assert part.dropped == 30
    assert [each.ts for each in await inlet.take(0)] == [3, 4]


async def test_a_closed_inlet_gives_what_it_has_and_then_nothing() -> None:
    inlet = Inlet()
    inlet.offer(frame(1))
    inlet.close()
    assert len(await inlet.take(60)) == 1
    assert await inlet.take(60) == []


async def test_long_texts_fill_the_inlet_too() -> None:
    texts = Schema("press", "1s", (Tag("recipe", "str"), Tag("n")))
    inlet = Inlet(limit=10_000)
    assert inlet.offer(Frame(texts, 1, ("x" * 10_000, 1.0), bytes(2)))
    assert not inlet.offer(Frame(texts, 2, (None, 1.0), bytes(2)))
