"""Questions to one unit: is it there, who is it, and which device map does it behave like."""

from functools import cache
from pathlib import Path

import pytest

from agent.cli.raw import connected
from agent.cli.shelf import modbus_maps
from agent.model.errors import Garbled
from drivers.modbus.identify import Identity
from drivers.modbus.likeness import LIKELY, features
from drivers.modbus.sweeping import MOST, SILENCES, Guess, guesses, introduced, presence
from tests.cases.modbus.maps.test_register_images import holding, image
from tests.house import ROOT
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import Behaviour, faulty_device
from tests.sim.pymodbus_server import pymodbus_meter

IMAGES = sorted((ROOT / "tests" / "cases" / "modbus" / "maps").glob("*/usual.hex"))
WEAK = {
    "xy-md02",
    "peacefair-pzem-017",
    "victron-gx",
    "delta-vfd",
    "tuf-2000m",
}  # nothing of the mains: many things have the like


SHELF = cache(modbus_maps)  # read once for all tests, and not while they are collected


async def guessed(behave: Behaviour, who: Identity | None = None) -> tuple[list[Guess], int]:
    """The likely maps, and how many requests that took."""
    async with faulty_device(behave) as plc, connected(plc.endpoint, 0.1) as ask:
        maps = {name: features(config) for name, config in SHELF().items()}
        return await guesses(ask, 1, maps, who), len(plc.asked)


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.parent.name)
async def test_a_device_behaves_like_its_own_map(case: Path) -> None:
    """As good as any other one; where several are as good, the name that it says of itself decides."""
    name = case.parent.name
    behave = holding(image(case), SHELF()[name].max_registers)
    found, asked = await guessed(behave)
    assert asked <= MOST
    own = [guess for guess in found if guess.map == name]
    if name in WEAK:
        assert not own
        return
    assert own and own[0].likeness.score == found[0].likeness.score >= LIKELY
    vendor, _, model = name.partition("-")
    told, _ = await guessed(behave, Identity(vendor.title(), model.upper()))
    assert told[0].map == name


async def test_of_two_that_are_as_good_the_one_that_more_readings_speak_for() -> None:
    """A meter of one phase has few registers, and one of three phases has the same among others."""
    case = next(each for each in IMAGES if each.parent.name == "eastron-sdm630")
    found, _ = await guessed(holding(image(case), SHELF()["eastron-sdm630"].max_registers))
    assert {guess.map for guess in found if guess.likeness.score == 1} > {"eastron-sdm120", "eastron-sdm630"}
    assert found[0].map == "eastron-sdm630"


@pytest.mark.parametrize("behave", [fault.good, fault.exception(1), fault.exception(2)])
async def test_what_is_no_meter_is_taken_for_none(behave: Behaviour) -> None:
    """Registers that hold their own addresses, or none at all."""
    found, asked = await guessed(behave)
    assert found == [] and asked <= MOST


async def test_a_device_that_falls_silent_is_not_asked_for_long() -> None:
    found, asked = await guessed(fault.silent)
    assert (found, asked) == ([], SILENCES)


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (fault.good, "holding 0 is 0000"),
        (fault.exception(1), "illegal function"),
        (fault.exception(6), "device busy"),
        (fault.exception(10), None),
        (fault.exception(11), None),
        (fault.silent, None),
        (fault.close_at_once, None),
    ],
)
async def test_a_unit_is_there_when_it_answers_whatever_it_says(behave: Behaviour, said: str | None) -> None:
    async with faulty_device(behave) as plc, connected(plc.endpoint, 0.1) as ask:
        assert await presence(ask, 1) == said


async def test_an_answer_that_is_none_is_neither() -> None:
    async with faulty_device(fault.foreign_unit) as plc, connected(plc.endpoint, 0.1) as ask:
        with pytest.raises(Garbled):
            await presence(ask, 1)


async def test_a_device_introduces_itself() -> None:
    async with pymodbus_meter([1]) as endpoint, connected(endpoint, 1.0) as ask:
        assert await introduced(ask, 1) == Identity("Eastron", "SDM630", "1.2")


PART = b"\x2b\x0e\x01\x01"


@pytest.mark.parametrize(
    ("parts", "who", "asked"),
    [
        ([PART + b"\xff\x01\x01\x00\x02ab", PART + b"\x00\x00\x01\x01\x01c"], Identity("ab", "c"), 2),
        ([PART + b"\xff\x00\x01\x00\x02ab"], Identity("ab"), 1),  # more of the same for ever
        ([PART + b"\xff\x01\x01\x00\x02ab", b"\xab\x02"], Identity("ab"), 2),
        ([PART + b"\x00\x00\x05\x00\x02ab"], None, 1),
        ([b"\xab\x01"], None, 1),
    ],
)
async def test_an_introduction_in_parts_and_one_that_makes_no_sense(
    parts: list[bytes], who: Identity | None, asked: int
) -> None:
    left = [*parts]
    async with faulty_device(lambda adu: [fault.answer(adu, left.pop(0))]) as plc, connected(plc.endpoint, 0.2) as ask:
        assert await introduced(ask, 1) == who
        assert len(plc.asked) == asked
