"""Writes to real devices: libmodbus takes every type in every order; a hostile one must never be believed."""

from typing import Any

import pytest

from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Value
from drivers.api import Writer
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import Behaviour, faulty_device
from tests.unit.modbus.builders import device
from tests.unit.modbus.test_libmodbus import ORDERS, VALUES

FREE = 2500  # holding registers and coils from here on belong to nobody


async def put(endpoint: str, value: Value, order: str = "ABCD", **keys: Any) -> tuple[Value, Value, Value]:
    """What was read before, what the driver found after writing, and what another connection sees."""
    tags = [{"name": "t", "address": FREE, **keys}]
    one, two = device(endpoint, tags, order=order), device(endpoint, tags, order=order)
    assert isinstance(one, Writer)
    try:
        await one.open()
        await two.open()
        before = await one.look("t")
        found = await one.write("t", value)
        assert found == one.encode("t", value).value
        return before, found, (await two.scan(two.schemas[0])).values[0]
    finally:
        await one.close()
        await two.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", VALUES)
async def test_every_type_in_every_order_is_taken_by_libmodbus(libmodbus: str, kind: str, order: str) -> None:
    length = {"length": 8} if kind == "string" else {}
    _, found, seen = await put(libmodbus, VALUES[kind], order, type=kind, address=FREE, **length)
    assert found == seen == VALUES[kind]


async def test_a_scaled_number_is_written_as_it_is_read(libmodbus: str) -> None:
    assert (await put(libmodbus, 21.5, scale=0.1, offset=-40))[1:] == (21.5, 21.5)
    assert (await put(libmodbus, -3.2, scale=0.1, offset=-40)) == (21.5, -3.2, -3.2)


@pytest.mark.parametrize("on", [True, False])
async def test_a_coil_is_switched(libmodbus: str, on: bool) -> None:
    await put(libmodbus, not on, register="coil")
    assert await put(libmodbus, on, register="coil") == (not on, on, on)


@pytest.mark.parametrize("order", ["ABCD", "BADC"])
async def test_one_bit_leaves_the_others_of_its_register_alone(libmodbus: str, order: str) -> None:
    """By function 22: the device does it, so that nobody's change in between is undone."""
    await put(libmodbus, 0x1234, address=FREE + 8, order=order)
    keys: dict[str, Any] = {"address": FREE + 8, "order": order}
    await put(libmodbus, True, bit=0, **keys)
    assert (await put(libmodbus, False, bit=2, **keys))[0] is True
    tags = [{"name": "t", "type": "uint16", **keys}]
    whole = device(libmodbus, tags)
    await whole.open()
    assert await whole.look("t") == 0x1231
    await whole.close()


async def test_a_byte_leaves_the_other_half_of_its_register_alone(libmodbus: str) -> None:
    await put(libmodbus, 0x1234, address=FREE + 9)
    assert (await put(libmodbus, -2, address=FREE + 9, type="int8"))[0] == 0x34
    assert (await put(libmodbus, 0x7777, address=FREE + 9))[0] == 0x12FE


async def test_a_tag_that_is_not_read_may_be_written(libmodbus: str) -> None:
    tags = [{"name": "read", "address": 0}, {"name": "t", "address": FREE + 10, "enabled": False}]
    made = device(libmodbus, tags)
    await made.open()
    assert await made.write("t", 7) == 7
    await made.close()


@pytest.mark.parametrize(("keys", "short", "long"), [({}, 6, 16), ({"register": "coil"}, 5, 15)])
async def test_a_device_without_the_short_function_is_written_with_the_long_one(
    keys: dict[str, Any], short: int, long: int
) -> None:
    behave = fault.by_function({short: fault.exception(1), long: fault.written})
    async with faulty_device(behave) as plc:
        made = device(plc.endpoint, [{"name": "t", "address": 3, **keys}])
        await made.open()
        await made.write("t", 1)
        assert [adu[7] for adu in plc.asked] == [short, long, 1 if keys else 3]
        await made.close()


async def refused(behave: Behaviour, **keys: Any) -> tuple[DeviceError, list[int]]:
    """What writing ends with, and which functions the device was asked for."""
    async with faulty_device(behave) as plc:
        made = device(plc.endpoint, [{"name": "t", "address": 3, **keys}])
        await made.open()
        await made.look("t")  # so that the connection has served
        with pytest.raises(DeviceError) as error:
            await made.write("t", 1)
        await made.close()
        return error.value, [adu[7] for adu in plc.asked][1:]


@pytest.mark.parametrize(
    ("behave", "keys", "kind", "words", "asked"),
    [
        (
            {6: fault.exception(3)},
            {},
            Refused,
            "(40004): illegal data value (the device does not take this value)",
            [6],
        ),
        ({6: fault.exception(1), 16: fault.exception(1)}, {}, Refused, "illegal function", [6, 16]),
        ({22: fault.exception(1)}, {"bit": 1}, Refused, "does not have function 22: write the whole", [22]),
        ({22: fault.exception(2)}, {"bit": 1}, Refused, "illegal data address", [22]),
        ({6: fault.silent}, {}, Unreachable, "not known whether the device took it", [6]),
        ({6: fault.close_at_once}, {}, Unreachable, "not known whether the device took it", [6]),
        ({6: fault.garbage}, {}, Garbled, "not known whether the device took it", [6]),
        ({6: fault.short_reply}, {}, Garbled, "not known whether the device took it", [6]),
        ({6: lambda adu: [fault.answer(adu, adu[7:11] + b"\x09")]}, {}, Garbled, "not known what the device did", [6]),
        ({6: fault.exception(11)}, {}, Unreachable, "not known whether the device took it", [6]),
    ],
)
async def test_a_write_that_fails_says_what_is_known_and_is_not_sent_twice(
    behave: dict[int, Behaviour], keys: dict[str, Any], kind: type[DeviceError], words: str, asked: list[int]
) -> None:
    error, functions = await refused(fault.by_function(behave), **keys)
    assert (isinstance(error, kind), words in str(error), functions) == (True, True, asked)


async def test_a_value_that_cannot_be_read_back_was_written_all_the_same() -> None:
    reads = fault.in_turn(fault.good, fault.exception(2))
    error, functions = await refused(fault.by_function({6: fault.written, 3: reads}))
    assert "written, but it cannot be read back" in str(error) and functions == [6, 3]


async def test_another_value_than_the_one_written_is_what_is_found() -> None:
    async with faulty_device(fault.by_function({6: fault.written})) as plc:
        made = device(plc.endpoint, [{"name": "t", "address": 3}])
        await made.open()
        assert await made.write("t", 77) == 3
        await made.close()


def _no() -> None:
    raise Refused("too late")


async def test_right_before_a_value_leaves_somebody_is_asked() -> None:
    async with faulty_device(fault.by_function({6: fault.written})) as plc:
        made = device(plc.endpoint, [{"name": "t", "address": FREE}])
        await made.open()
        asked: list[int] = []
        await made.write("t", 7, lambda: asked.append(len(plc.asked)))
        await made.look("t", lambda: asked.append(len(plc.asked)))
        assert asked == [0, 2]
        for call in (made.write("t", 8, _no), made.look("t", _no)):
            with pytest.raises(Refused, match="too late"):
                await call
        assert [adu[7] for adu in plc.asked] == [6, 3, 3]
        await made.look("t")
        await made.close()


async def test_a_value_that_did_not_leave_is_not_said_to_be_lost() -> None:
    async with faulty_device() as plc:
        made = device(plc.endpoint, [{"name": "t", "address": FREE}])
    with pytest.raises(Unreachable):
        await made.open()
    asked: list[int] = []
    with pytest.raises(Unreachable) as error:
        await made.write("t", 7, lambda: asked.append(1))
    assert (asked, "it is not known" in error.value.hint) == ([], False)
    await made.close()
