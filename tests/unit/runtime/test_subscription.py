"""A device that speaks up by itself: up when it speaks, one bad frame and one line in the log when it stops."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from agent.health import Part
from agent.model.clock import Clock
from agent.model.errors import DeviceError, Refused, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Steps
from agent.runtime.inlet import Inlet
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff, keep

SCHEMA = Schema("press", "1s", (Tag("a", "int16"),), 1.0)


class Press:
    """Each session gives so many frames, then ends with an error."""

    device, endpoint, schemas = "press", "opc.tcp://press", (SCHEMA,)

    def __init__(self, *sessions: tuple[int, DeviceError]) -> None:
        self.sessions, self.stop = list(sessions), asyncio.Event()
        self.closed = self.dropped = 0

    async def open(self) -> None:
        """It takes every session."""

    async def close(self) -> None:
        self.closed += 1

    async def frames(self) -> AsyncIterator[Frame]:
        count, error = self.sessions.pop(0)
        if not self.sessions:
            self.stop.set()
        for number in range(count):
            yield Frame(SCHEMA, number, (number,), bytes(1))
        raise error


async def run(*sessions: tuple[int, DeviceError]) -> tuple[list[list[int]], Part]:
    """The qualities of what reached the inlet."""
    press, inlet, part = Press(*sessions), Inlet(), Part("device", "press")
    backoff = Backoff(60, jitter=lambda: 0.0)
    work = Subscription(press, {SCHEMA: Steps()[SCHEMA]}, inlet, part, Clock(), backoff)
    async with asyncio.timeout(5):
        await keep(work.run, part, backoff, press.stop)
    inlet.close()
    assert press.closed == len(sessions)
    return [list(frame.quality) for frame in await inlet.take(0)], part


async def test_a_session_that_ends_leaves_one_bad_frame_and_the_next_one_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "floorgate"):
        qualities, part = await run((2, Unreachable("lost")), (0, Unreachable("lost")), (1, Unreachable("lost")))
    assert qualities == [[0], [0], [Quality.BAD_COMM], [0], [Quality.BAD_COMM]]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert (part.state, part.failures, part.frames) == ("down", 3, 3)


async def test_the_steps_are_told_that_nothing_is_known_any_more() -> None:
    """Counters, windows and alarms must not take silence for a value that stands."""
    press, inlet, part = Press((1, Unreachable("lost"))), Inlet(), Part("device", "press")
    seen: list[list[int]] = []

    def step(frame: Frame) -> tuple[Frame, ...]:
        seen.append(list(frame.quality))
        return ()

    backoff = Backoff(60, jitter=lambda: 0.0)
    work = Subscription(press, {SCHEMA: step}, inlet, part, Clock(), backoff)
    async with asyncio.timeout(5):
        await keep(work.run, part, backoff, press.stop)
    assert seen == [[0], [Quality.BAD_COMM]]
    assert len(inlet) == 0


async def test_a_server_that_takes_each_session_and_no_tag_is_down_and_said_to_be_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "floorgate"):
        qualities, part = await run(*[(0, Refused("the server has none of the tags"))] * 5)
    assert qualities == [[Quality.BAD_COMM]]
    assert [record.getMessage() for record in caplog.records] == ["device press: the server has none of the tags"]
    assert part.failures == 5


async def test_samples_that_the_driver_had_to_give_up_are_counted_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hasty(Press):
        async def frames(self) -> AsyncIterator[Frame]:
            async for frame in super().frames():
                self.dropped += 5
                yield frame

    press, part = Hasty((3, Unreachable("gone"))), Part("device", "press")
    backoff = Backoff(60)
    work = Subscription(press, {SCHEMA: Steps()[SCHEMA]}, Inlet(), part, Clock(), backoff)
    await keep(work.run, part, backoff, press.stop)
    assert part.dropped == 15
    assert caplog.text.count("faster than they can be stored") == 1


class Watchful(Press):
    """One that knows its device's clock, what it refuses, and until when it heard of it."""

    heard, skew = {SCHEMA: 1_700_000_000_000_000_000}, 0.0
    expiries = {"own": 2e9}  # noqa: RUF012  # nobody changes it

    def __init__(self, *sessions: tuple[int, DeviceError]) -> None:
        super().__init__(*sessions)
        self.refused = {"a": "BadNotReadable"}
        self.skews, self.remarked = iter((1.0, 61.0, 62.0, 2.0)), iter((["the server refuses 1 tags"],))

    def remarks(self) -> list[str]:
        return next(self.remarked, [])

    async def frames(self) -> AsyncIterator[Frame]:
        async for frame in super().frames():
            self.skew = next(self.skews)
            yield frame


async def test_what_a_driver_notices_is_in_health_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """And the gap says since when nothing is known."""
    press, inlet, part = Watchful((4, Unreachable("lost"))), Inlet(), Part("device", "press")
    backoff = Backoff(60, jitter=lambda: 0.0)
    work = Subscription(press, {SCHEMA: Steps()[SCHEMA]}, inlet, part, Clock(), backoff)
    with caplog.at_level(logging.WARNING, "floorgate"):
        async with asyncio.timeout(5):
            await keep(work.run, part, backoff, press.stop)
    inlet.close()
    assert [record.getMessage() for record in caplog.records] == [
        "device press: the server refuses 1 tags",
        "device press: its clock is 61 s ahead of ours",
        "device press: its clock is 2 s ahead of ours",
        "device press: lost",
    ]
    assert (part.skew, part.refuses, part.expiries) == (2.0, {"a": "BadNotReadable"}, {"own": 2e9})
    assert (await inlet.take(0))[-1].stamps == (Watchful.heard[SCHEMA],)


async def test_a_device_that_takes_no_session_and_tells_its_time_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    class Closed(Watchful):
        async def open(self) -> None:
            self.skew = -1.8e9
            self.stop.set()
            raise Unreachable("the server hung up")

    press, part = Closed(), Part("device", "press")
    backoff = Backoff(60, jitter=lambda: 0.0)
    work = Subscription(press, {SCHEMA: Steps()[SCHEMA]}, Inlet(), part, Clock(), backoff)
    with caplog.at_level(logging.WARNING, "floorgate"):
        await keep(work.run, part, backoff, press.stop)
    assert part.skew == -1.8e9
    assert "device press: its clock is 1800000000 s behind ours" in caplog.messages
