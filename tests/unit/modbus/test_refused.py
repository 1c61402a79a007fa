"""A device on the wire that does not have some of its registers: columns stay, and only what is missing is bad."""

import asyncio
from typing import Any

import pytest

from agent.model.clock import Clock
from agent.model.errors import Refused
from agent.model.quality import Quality
from drivers.api import Learner
from drivers.modbus.driver import Device
from drivers.modbus.wires import lone_wire
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import Behaviour, FaultyDevice, faulty_device
from tests.unit.modbus.builders import TIMEOUT, config

TAGS = [{"name": f"t{at}", "address": at} for at in (*range(8), *range(12, 20))]
SLOW = [{"name": "s5", "address": 5, "group": "slow"}, {"name": "s3", "address": 3, "group": "slow"}]
GOOD, DEVICE = int(Quality.GOOD), int(Quality.BAD_DEVICE)


def without(*missing: int, most: int = 125) -> Behaviour:
    """A device that refuses any request that has one of these registers, or too many of them."""

    def behave(adu: bytes) -> list[fault.Act]:
        first, count = int.from_bytes(adu[8:10], "big"), int.from_bytes(adu[10:12], "big")
        if set(missing) & set(range(first, first + count)):
            return fault.exception(2)(adu)
        return fault.exception(3)(adu) if count > most else fault.good(adu)

    return behave


def address(adu: bytes) -> int:
    return int.from_bytes(adu[8:10], "big")


def device(plc: FaultyDevice, tags: list[dict[str, Any]], now: list[int], **keys: Any) -> Device:
    wire = lone_wire(plc.endpoint, TIMEOUT)
    return Device(config(tags, plc.endpoint, **keys), wire, clock=Clock(wall=lambda: now[0], mono=lambda: now[0]))


async def scans(made: Device, count: int, schema: int = 0) -> tuple[list[Any], list[int]]:
    """(values, qualities) of the last of several scans."""
    for _ in range(count):
        try:
            frame = await made.scan(made.schemas[schema])
        except Refused:
            continue
    return list(frame.values), list(frame.quality)


async def test_a_missing_register_costs_its_own_tag_and_no_other() -> None:
    async with faulty_device(without(5)) as plc:
        made = device(plc, TAGS, [0])
        assert isinstance(made, Learner)
        await made.open()
        names = [tag.name for tag in made.schemas[0].tags]
        values, quality = await scans(made, 20)
        assert [tag.name for tag in made.schemas[0].tags] == names == [str(tag["name"]) for tag in TAGS]
        assert values == [None if name == "t5" else int(name[1:]) for name in names]
        assert quality == [DEVICE if name == "t5" else GOOD for name in names]
        plc.asked.clear()
        await made.scan(made.schemas[0])
        assert len(plc.asked) == 2
        await made.close()


async def test_a_hole_between_tags_is_not_read_along_any_more() -> None:
    async with faulty_device(without(9)) as plc:
        made = device(plc, TAGS, [0])
        await made.open()
        values, quality = await scans(made, 20)
        assert values == [tag["address"] for tag in TAGS]
        assert not any(quality)
        plc.asked.clear()
        await made.scan(made.schemas[0])
        assert len(plc.asked) == 2
        await made.close()


async def test_the_most_that_a_device_takes_is_found() -> None:
    async with faulty_device(without(most=7)) as plc:
        made = device(plc, TAGS, [0])
        await made.open()
        values, quality = await scans(made, 30)
        assert values == [tag["address"] for tag in TAGS]
        assert not any(quality)
        await made.close()


async def test_what_one_group_found_serves_the_others_and_the_next_run() -> None:
    tags = [*TAGS, *SLOW]
    async with faulty_device(without(5)) as plc:
        now = [0]
        made = device(plc, tags, now, groups={"slow": {"interval": "1m"}})
        await made.open()
        await scans(made, 20)
        assert await scans(made, 1, schema=1) == ([3, None], [GOOD, DEVICE])
        kept = made.learnt()
        assert kept
        assert made.learnt() is None
        await made.close()
        again = device(plc, tags, now, groups={"slow": {"interval": "1m"}})
        again.recall(kept)
        await again.open()
        values, _ = await scans(again, 1)
        assert values.count(None) == 1
        await again.close()


async def test_a_register_that_comes_with_an_update_is_read_within_a_minute() -> None:
    async with faulty_device(without(5)) as plc:
        now = [0]
        made = device(plc, TAGS, now)
        await made.open()
        await scans(made, 20)
        plc.behave = fault.good
        assert (await scans(made, 3))[0].count(None) == 1
        now[0] += 61_000_000_000
        assert not any((await scans(made, 1))[1])
        plc.asked.clear()
        assert not any((await scans(made, 1))[1])
        assert len(plc.asked) == 1
        await made.close()


async def test_a_group_of_which_nothing_is_left_goes_on_being_refused() -> None:
    async with faulty_device(without(5, 3)) as plc:
        made = device(plc, [*TAGS, *SLOW], [0], groups={"slow": {"interval": "1m"}})
        await made.open()
        await scans(made, 40)
        plc.asked.clear()
        for _ in range(5):
            with pytest.raises(Refused, match="illegal data address"):
                await made.scan(made.schemas[1])
        assert sorted(set(map(address, plc.asked))) == [3, 5]
        assert len(plc.asked) == 5, "one for each scan, in turn"
        await made.close()


async def test_who_looks_once_sees_all_that_there_is() -> None:
    """Nobody waits for a search who stands at the cabinet: what is refused is asked for value by value."""
    async with faulty_device(without(5, 10)) as plc:
        made = device(plc, [*TAGS, {"name": "far", "address": 300}], [0])
        await made.open()
        frame, raws = await made.reveal(made.schemas[0])
        names = [tag.name for tag in made.schemas[0].tags]
        assert list(frame.values) == [
            None if name == "t5" else 300 if name == "far" else int(name[1:]) for name in names
        ]
        assert list(frame.quality) == [DEVICE if name == "t5" else GOOD for name in names]
        assert raws["t7"].raw == "0007"
        assert len(plc.asked) == 2 + len(TAGS) + 1
        assert (made.learnt(), made.searching) == (None, False)
        plc.behave = fault.exception(2)
        with pytest.raises(Refused, match="illegal data address"):
            await made.reveal(made.schemas[0])
        plc.behave = fault.exception(1)
        with pytest.raises(Refused, match="illegal function"):
            await made.reveal(made.schemas[0])
        await made.close()


async def test_a_cancelled_scan_teaches_nothing() -> None:
    async with faulty_device(without(5)) as plc:
        made = device(plc, TAGS, [0])
        await made.open()
        plc.behave = fault.silent
        task = asyncio.ensure_future(made.scan(made.schemas[0]))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made.learnt() is None
        await made.close()


async def test_other_exceptions_say_nothing_of_registers() -> None:
    async with faulty_device(fault.by_address({0: fault.exception(4)})) as plc:
        made = device(plc, [{"name": "a", "address": 0}, {"name": "b", "address": 500}], [0])
        await made.open()
        assert await scans(made, 10) == ([None, 500], [DEVICE, GOOD])
        assert made.learnt() is None
        await made.close()
