"""A scan of several blocks, several devices on one wire, pauses, and what cancelling leaves behind."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from agent.model.clock import Clock
from agent.model.errors import ConfigError, DeviceError, Garbled, Refused, Unreachable
from agent.model.quality import Quality
from drivers.modbus.config import Config
from drivers.modbus.driver import Device, build
from drivers.modbus.wires import lone_wire
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import Behaviour, FaultyDevice, faulty_device
from tests.unit.modbus.builders import TIMEOUT, config, device, line

THREE = [{"name": name, "address": address} for name, address in (("a", 0), ("b", 1000), ("c", 2000))]
GOOD, COMM, DEVICE = int(Quality.GOOD), int(Quality.BAD_COMM), int(Quality.BAD_DEVICE)


async def units(plc: FaultyDevice, *numbers: int, tags: list[dict[str, Any]] = THREE, **keys: Any) -> list[Device]:
    """The devices with these unit numbers, on one wire and open."""
    configs: list[Config] = [config(tags, plc.endpoint, name=f"unit{unit}", unit=unit) for unit in numbers]
    made = list(build(line(plc.endpoint, **keys), configs))
    for one in made:
        await one.open()
    return made


@pytest.mark.parametrize(
    ("trouble", "values", "quality", "asked"),
    [
        ({}, [0, 1000, 2000], [GOOD, GOOD, GOOD], 3),
        ({1000: fault.exception(2)}, [0, None, 2000], [GOOD, DEVICE, GOOD], 3),
        ({1000: fault.silent}, [0, None, None], [GOOD, COMM, COMM], 2),
        ({1000: fault.short_reply}, [0, None, None], [GOOD, COMM, COMM], 2),
        ({1000: fault.close_at_once}, [0, None, None], [GOOD, COMM, COMM], 3),  # once more, on a new connection
        ({1000: fault.exception(11)}, [0, None, None], [GOOD, COMM, COMM], 2),
        ({0: fault.exception(2), 2000: fault.silent}, [None, 1000, None], [DEVICE, GOOD, COMM], 3),
        ({2000: fault.exception(4)}, [0, 1000, None], [GOOD, GOOD, DEVICE], 3),
    ],
)
async def test_what_did_not_come_is_marked_and_after_silence_nothing_more_is_asked(
    trouble: dict[int, Behaviour], values: list[Any], quality: list[int], asked: int
) -> None:
    async with faulty_device(fault.by_address(trouble)) as plc:
        (made,) = await units(plc, 1)
        frame = await made.scan(made.schemas[0])
        assert (list(frame.values), list(frame.quality)) == (values, quality)
        assert len(plc.asked) == asked
        await made.close()


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        ({0: fault.silent}, Unreachable, "holding registers 0 (40001): no answer"),
        ({0: fault.garbage}, Garbled, "holding registers 0 (40001)"),
        ({0: fault.exception(2), 1000: fault.silent}, Unreachable, "holding registers 1000 (41001): no answer"),
        ({at: fault.exception(2) for at in (0, 1000, 2000)}, Refused, "illegal data address; 2 more requests"),
    ],
)
async def test_a_scan_without_any_value_raises(
    trouble: dict[int, Behaviour], kind: type[DeviceError], words: str
) -> None:
    async with faulty_device(fault.by_address(trouble)) as plc:
        (made,) = await units(plc, 1)
        with pytest.raises(kind) as error:
            await made.scan(made.schemas[0])
        assert words in str(error.value)
        await made.close()


async def test_a_refusal_over_a_hole_points_at_the_hole() -> None:
    tags = [{"name": "a", "address": 0}, {"name": "b", "address": 9}]
    async with faulty_device(fault.exception(2)) as plc:
        (made,) = await units(plc, 1, tags=tags)
        with pytest.raises(Refused, match="max_gap: 0"):
            await made.scan(made.schemas[0])
        await made.close()


async def test_the_stamp_is_the_arrival_of_the_last_values_not_the_end_of_waiting() -> None:
    now = [100, 5]
    clock = Clock(wall=lambda: now[0], mono=lambda: now[1])

    def refuse_later(adu: bytes) -> list[fault.Act]:
        now[:] = [999, 99]
        return []

    async with faulty_device(fault.by_address({1000: refuse_later})) as plc:
        wire = lone_wire(plc.endpoint, TIMEOUT)
        made = Device(config(THREE, plc.endpoint), wire, clock=clock)
        await made.open()
        frame = await made.scan(made.schemas[0])
        assert (frame.ts, frame.mono) == (100, 5)
        await made.close()


async def test_a_dead_unit_costs_one_timeout_and_does_not_hurt_its_neighbour() -> None:
    async with faulty_device(fault.by_unit({1: fault.good, 2: fault.silent})) as plc:
        alive, dead = await units(plc, 1, 2)
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(Unreachable, match="unit 2"):
                await dead.scan(dead.schemas[0])
            assert time.monotonic() - started < TIMEOUT + 0.5
            await dead.open()
            assert list((await alive.scan(alive.schemas[0])).values) == [0, 1000, 2000]
        assert plc.connections == 1
        await alive.close()
        await dead.close()


async def test_a_neighbour_goes_on_when_another_device_spoilt_the_connection() -> None:
    """Without being told to open again: it did nothing wrong."""
    async with faulty_device(fault.by_unit({1: fault.good, 2: fault.garbage})) as plc:
        alive, mad = await units(plc, 1, 2)
        for _ in range(2):
            with pytest.raises(Garbled):
                await mad.scan(mad.schemas[0])
            assert list((await alive.scan(alive.schemas[0])).values) == [0, 1000, 2000]
        await alive.close()
        await mad.close()


async def test_the_last_device_to_close_closes_the_connection() -> None:
    async with faulty_device() as plc:
        one, two = await units(plc, 1, 2)
        await one.close()
        await one.close()
        assert list((await two.scan(two.schemas[0])).values) == [0, 1000, 2000]
        await two.close()
        await two.close()
        assert await plc.left()


async def test_a_closed_device_does_not_open_the_connection_by_itself() -> None:
    async with faulty_device() as plc:
        (made,) = await units(plc, 1)
        await made.close()
        with pytest.raises(Unreachable, match="closed"):
            await made.scan(made.schemas[0])
        await made.open()
        assert list((await made.scan(made.schemas[0])).values) == [0, 1000, 2000]
        await made.close()


async def test_a_cancelled_scan_leaves_nothing_for_the_next_one() -> None:
    """Cancelled at any point of the answer, whole or in pieces."""
    slow = lambda adu: [0.01, fault.reply(adu)[:5], 0.02, fault.reply(adu)[5:]]  # noqa: E731  the name explains it
    async with faulty_device(slow) as plc:
        (made,) = await units(plc, 1)
        for after in (0.0, 0.005, 0.015, 0.025, 0.035, 0.045):
            task = asyncio.ensure_future(made.scan(made.schemas[0]))
            await asyncio.sleep(after)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await made.open()
            assert list((await made.scan(made.schemas[0])).values) == [0, 1000, 2000]
        await made.close()


async def test_cancelling_in_the_moment_of_the_answer_is_not_swallowed() -> None:
    async with faulty_device() as plc:
        (made,) = await units(plc, 1)
        for delay in range(40):
            task = asyncio.ensure_future(made.scan(made.schemas[0]))
            for _ in range(delay):
                await asyncio.sleep(0)
            if task.done():
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await made.close()


@pytest.mark.parametrize("keys", [{"line_pause": "30ms"}, {"device_pause": "30ms"}])
async def test_a_pause_is_kept_between_requests(keys: dict[str, str]) -> None:
    times: list[float] = []

    def watched(adu: bytes) -> list[fault.Act]:
        times.append(time.monotonic())
        return fault.good(adu)

    async with faulty_device(watched) as plc:
        pause = keys.get("line_pause", "0s")
        made = build(
            line(plc.endpoint, pause=pause), [config(THREE, plc.endpoint, pause=keys.get("device_pause", "0s"))]
        )[0]
        await made.open()
        await made.scan(made.schemas[0])
        assert all(after - before >= 0.029 for before, after in pairwise(times))
        await made.close()


async def test_a_pause_is_part_of_the_deadline() -> None:
    async with faulty_device(fault.by_address({1000: fault.silent})) as plc:
        (made,) = await units(plc, 1, pause="200ms")
        started = time.monotonic()
        frame = await made.scan(made.schemas[0])
        assert list(frame.quality) == [GOOD, COMM, COMM]
        assert time.monotonic() - started < TIMEOUT + 0.5
        await made.close()


def test_a_pause_that_uses_up_the_timeout_is_a_mistake_in_the_file() -> None:
    with pytest.raises(ConfigError, match=r"meter: the pause .* timeout of 0.25 s"):
        device("tcp://127.0.0.1", THREE, pause="250ms")


async def test_a_connection_that_ends_between_scans_is_replaced() -> None:
    async with faulty_device(lambda adu: [fault.reply(adu), *([None] if adu[8:10] == b"\x07\xd0" else [])]) as plc:
        (made,) = await units(plc, 1)
        for _ in range(3):
            assert list((await made.scan(made.schemas[0])).values) == [0, 1000, 2000]
            await plc.quiet(0.02)
        assert plc.connections == 3
        await made.close()
