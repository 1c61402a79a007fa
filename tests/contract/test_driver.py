"""What the runtime may expect of every driver that is asked, whatever it talks to."""

import asyncio
import time
from typing import Any

import pytest

from agent.model.errors import DeviceError, Garbled, Unreachable
from agent.model.frame import Frame
from drivers.api import Poller
from tests.contract.rigs import RIGS, TIMEOUT, Rig, frame_values

SLACK = 0.5  # seconds that a busy machine may add


def rigs(situation: str) -> list[Any]:
    """The rigs whose driver can get into a situation."""
    return [pytest.param(rig, id=rig.name) for rig in RIGS if getattr(rig, situation) is not None]


async def scan(driver: Poller) -> Frame:
    return await driver.scan(driver.schemas[0])


async def opened_scan(driver: Poller) -> Frame:
    """As the runtime does after an error."""
    await driver.open()
    return await scan(driver)


@pytest.mark.parametrize("rig", rigs("healthy"))
async def test_a_scan_has_one_value_and_one_quality_for_each_tag(rig: Rig) -> None:
    async with rig.healthy() as driver:
        await driver.open()
        before, mono = time.time_ns(), time.monotonic_ns()
        for schema in driver.schemas:
            frame = await driver.scan(schema)
            assert frame.schema is schema
            assert len(frame.values) == len(frame.quality) == len(schema.tags) > 0
            assert before <= frame.ts <= time.time_ns()
            assert mono <= frame.mono <= time.monotonic_ns()
        assert rig.right(frame_values(frame))
        await driver.close()


@pytest.mark.parametrize("rig", rigs("healthy"))
async def test_a_schema_names_its_device_and_is_always_the_same_object(rig: Rig) -> None:
    async with rig.healthy() as driver:
        assert driver.device == "device"
        assert driver.endpoint
        assert [schema.device for schema in driver.schemas] == ["device"] * len(driver.schemas)
        assert all(one is other for one, other in zip(driver.schemas, driver.schemas, strict=True))


@pytest.mark.parametrize("rig", rigs("healthy"))
async def test_close_may_come_twice_and_before_open_and_after_it_open_works_again(rig: Rig) -> None:
    async with rig.healthy() as driver:
        await driver.close()
        for _ in range(2):
            await driver.open()
            assert rig.right(frame_values(await scan(driver)))
            await driver.close()
            await driver.close()


@pytest.mark.parametrize("rig", rigs("healthy"))
async def test_open_returns_at_once_when_the_wire_is_good(rig: Rig) -> None:
    async with rig.healthy() as driver:
        await driver.open()
        started = time.monotonic()
        for _ in range(100):
            await driver.open()
        assert time.monotonic() - started < SLACK
        assert rig.right(frame_values(await scan(driver)))
        await driver.close()


@pytest.mark.parametrize("rig", rigs("silent"))
async def test_a_silent_device_is_unreachable_within_the_timeout_every_time(rig: Rig) -> None:
    async with rig.silent() as driver:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(Unreachable) as error:
                await opened_scan(driver)
            assert time.monotonic() - started < TIMEOUT + SLACK
            assert driver.endpoint in str(error.value)
        await driver.close()


@pytest.mark.parametrize("rig", rigs("garbled"))
async def test_a_garbled_answer_is_an_error_and_never_a_value(rig: Rig) -> None:
    async with rig.garbled() as driver:
        for _ in range(3):
            await driver.open()
            with pytest.raises(Garbled) as error:
                await scan(driver)
            assert driver.endpoint in str(error.value)
        await driver.close()


@pytest.mark.parametrize("rig", rigs("absent"))
async def test_a_device_that_is_not_there_is_unreachable_and_the_error_says_what_next(rig: Rig) -> None:
    async with rig.absent() as driver:
        for _ in range(2):
            with pytest.raises(Unreachable) as error:
                await driver.open()
            assert driver.endpoint in str(error.value)
            assert error.value.hint
        await driver.close()


@pytest.mark.parametrize("rig", rigs("recovering"))
async def test_open_after_an_error_brings_a_recovered_device_back(rig: Rig) -> None:
    async with rig.recovering() as (driver, cure):
        with pytest.raises(DeviceError):
            await opened_scan(driver)
        cure()
        assert rig.right(frame_values(await opened_scan(driver)))
        await driver.close()


@pytest.mark.parametrize("rig", rigs("slow"))
@pytest.mark.parametrize("after", [0.0, 0.001, 0.01, 0.025, 0.05])
async def test_a_cancelled_scan_ends_at_once_and_leaves_no_stale_answer(rig: Rig, after: float) -> None:
    async with rig.slow() as driver:
        await driver.open()
        task = asyncio.ensure_future(scan(driver))
        await asyncio.sleep(after)
        started = time.monotonic()
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        assert time.monotonic() - started < SLACK
        await driver.open()
        assert rig.right(frame_values(await scan(driver)))
        await driver.close()


@pytest.mark.parametrize("rig", rigs("absent"))
async def test_a_cancelled_open_leaves_a_driver_that_can_be_closed(rig: Rig) -> None:
    async with rig.absent() as driver:
        task = asyncio.ensure_future(driver.open())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, Unreachable)):
            await task
        await driver.close()
