"""Who retries, and when."""

import asyncio
import logging

import pytest

from agent.health import Part
from agent.model.errors import Denied, Garbled, Refused, Unavailable, Unreachable
from agent.runtime.supervise import Backoff, attempt, keep, unreachable, waited


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(10, now=Time(), jitter=lambda: 1.0)
    assert [backoff.failed() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_waits_are_a_random_share_of_the_bound() -> None:
    backoff = Backoff(60)
    waits = [backoff.failed() for _ in range(200)]
    assert all(0 <= wait <= 60 for wait in waits)
    assert len(set(waits)) > 150


def test_a_short_success_does_not_reset_the_wait_but_a_healthy_minute_does() -> None:
    time = Time()
    backoff = Backoff(60, now=time, jitter=lambda: 1.0)
    assert [backoff.failed(), backoff.failed()] == [1, 2]
    backoff.succeeded()
    time.now += 59
    assert backoff.failed() == 4
    backoff.succeeded()
    time.now += 61
    assert backoff.failed() == 1


def test_tries_that_are_spaced_begin_that_far_apart() -> None:
    """However they fail, and however long each took; what had lived long enough is tried again at once."""
    for jitter, least in ((0.0, 5.0), (1.0, 7.5)):
        time = Time()
        backoff = Backoff(5, spacing=5, now=time, jitter=lambda jitter=jitter: jitter)
        for spent in (0.0, 0.5, 4.0):
            backoff.began()
            time.now += spent
            assert backoff.failed() + spent >= least
        backoff.began()
        time.now += 30
        assert backoff.failed() <= 5


async def test_an_error_of_the_field_is_noted_once_on_the_edge(caplog: pytest.LogCaptureFixture) -> None:
    part = Part("device", "meter")

    async def fail() -> None:
        raise Unreachable("no answer", hint="is it on?")

    with caplog.at_level(logging.INFO, "floorgate"):
        for _ in range(3):
            assert isinstance(await attempt(fail(), part), Unreachable)
        part.up()
    assert part.failures == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "no answer (is it on?)" in caplog.text


async def test_a_bug_is_contained_counted_and_its_traceback_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    part = Part("line", "tcp://x")

    async def bug() -> None:
        raise ZeroDivisionError

    for _ in range(3):
        assert isinstance(await attempt(bug(), part), ZeroDivisionError)
    assert (part.bugs, part.state) == (3, "down")
    assert caplog.text.count("Traceback") == 1


async def test_a_group_of_errors_counts_as_its_first_one() -> None:
    part = Part("sink", "platform")

    async def fail() -> None:
        raise ExceptionGroup("sends", [Unavailable("gone"), Unavailable("gone too")])

    assert isinstance(await attempt(fail(), part), Unavailable)
    assert (part.failures, part.bugs, part.error) == (1, 0, "gone")


async def test_being_cancelled_is_not_an_error() -> None:
    part = Part("line", "x")
    task = asyncio.create_task(attempt(asyncio.sleep(60), part))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert part.failures == 0


async def test_a_cancellation_that_nobody_asked_for_does_not_end_the_task() -> None:
    """A library cancels the future that is waited for: the line, or the sink, would be gone without a word."""
    part, tries = Part("line", "x"), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            answer = asyncio.get_running_loop().create_future()
            answer.cancel()
            await answer

    await keep(work, part, Backoff(1, jitter=lambda: 0.001), asyncio.Event())
    assert (tries, part.bugs, part.state) == (2, 1, "down")
    assert "nobody had asked for that" in part.error


async def test_work_is_started_again_until_it_ends_by_itself() -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Unavailable("not yet")

    await keep(work, Part("sink", "x"), Backoff(1, jitter=lambda: 0.001), asyncio.Event())
    assert tries == 4


async def test_a_denied_sink_is_blocked_and_waits_for_a_minute() -> None:
    part, stop = Part("sink", "x"), asyncio.Event()

    async def work() -> None:
        raise Denied("bad password")

    task = asyncio.create_task(keep(work, part, Backoff(1), stop))
    await asyncio.sleep(0.05)
    assert (part.state, part.failures, task.done()) == ("blocked", 1, False)
    stop.set()
    await task


async def test_stopping_ends_a_wait_at_once() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await waited(stop, 60)
    assert not await waited(asyncio.Event(), 0.001)


def test_a_refusal_does_not_put_the_whole_device_in_doubt() -> None:
    assert unreachable(Unreachable("")) and unreachable(Garbled("")) and unreachable(ValueError())
    assert not unreachable(Refused("")) and not unreachable(None)


async def test_a_cancellation_that_a_task_group_forgets_is_remembered() -> None:
    """Python 3.11: when a child fails in the moment in which the group is cancelled, only the error comes out."""

    async def fails() -> None:
        raise Unreachable("away")

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            await asyncio.sleep(0)
            task.cancel()

    kept = asyncio.create_task(keep(work, Part("device", "a"), Backoff(60), asyncio.Event()))
    done, _ = await asyncio.wait([kept], timeout=5)
    assert kept in done and kept.cancelled()
