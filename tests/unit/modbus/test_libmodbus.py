"""Against a server that is not ours: every type in every order, all four tables, and what the server refuses."""

import asyncio
import struct
import time
from typing import Any

import pytest

from agent.model.errors import Refused
from agent.model.frame import Frame
from agent.model.quality import Quality
from drivers.api import Poller
from tests.unit.modbus.builders import device

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
VALUES: dict[str, Any] = {
    "int16": -12345,
    "uint16": 54321,
    "int32": -123456789,
    "uint32": 3735928559,
    "int64": -1234567890123456789,
    "uint64": 12345678901234567890,
    "float32": struct.unpack(">f", struct.pack(">f", 3.14159274))[0],
    "float64": -2.718281828459045,
    "string": "Floorgate µ2",
}


def typed(kind: str, order: str) -> dict[str, Any]:
    address = 64 * list(VALUES).index(kind) + 16 * ORDERS.index(order)
    length = {"length": 8} if kind == "string" else {}
    return {"name": f"{kind}_{order}", "address": address, "type": kind, "order": order, **length}


async def scanned(endpoint: str, tags: list[dict[str, Any]], **keys: Any) -> Frame:
    made = device(endpoint, tags, **keys)
    await made.open()
    try:
        return await made.scan(made.schemas[0])
    finally:
        await made.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", VALUES)
async def test_a_type_in_an_order(libmodbus: str, kind: str, order: str) -> None:
    frame = await scanned(libmodbus, [typed(kind, order)])
    assert list(frame.values) == [VALUES[kind]]
    assert type(frame.values[0]) is type(VALUES[kind])
    assert frame.quality == b"\0"


async def test_all_types_and_orders_in_one_scan(libmodbus: str) -> None:
    tags = [typed(kind, order) for kind in VALUES for order in ORDERS]
    frame = await scanned(libmodbus, tags)
    assert {tag.name: value for tag, value, _ in frame.rows()} == {
        f"{kind}_{order}": value for kind, value in VALUES.items() for order in ORDERS
    }
    assert not any(frame.quality)


@pytest.mark.parametrize(
    ("register", "expected"),
    [
        ("coil", [at % 3 == 0 for at in range(2100)]),
        ("discrete", [at % 5 == 0 for at in range(2100)]),
        ("input", [3 * at + 1 for at in range(2100)]),
    ],
)
async def test_a_whole_table(libmodbus: str, register: str, expected: list[Any]) -> None:
    """More than one request holds, in the order of addresses."""
    frame = await scanned(libmodbus, [{"name": f"t{at}", "address": at, "register": register} for at in range(2100)])
    assert list(frame.values) == expected


@pytest.mark.parametrize("unit", [0, 1, 247, 255])
async def test_every_unit_number_works(libmodbus: str, unit: int) -> None:
    frame = await scanned(libmodbus, [{"name": "t", "address": 7, "register": "input"}], unit=unit)
    assert list(frame.values) == [22]


async def test_a_hole_is_read_along_and_left_out(libmodbus: str) -> None:
    tags = [{"name": f"t{at}", "address": at, "register": "input"} for at in (0, 5, 20)]
    assert list((await scanned(libmodbus, tags, max_gap=16)).values) == [1, 16, 61]


async def test_two_scans_are_two_requests(libmodbus: str) -> None:
    made = device(libmodbus, [{"name": "answered", "address": 1000, "type": "uint32"}])
    await made.open()
    first, second = [(await made.scan(made.schemas[0])).values[0] for _ in range(2)]
    await made.close()
    assert isinstance(first, int)
    assert second == first + 1


async def test_a_refusal_names_everything_that_a_person_needs(libmodbus: str) -> None:
    with pytest.raises(Refused) as refused:
        await scanned(libmodbus, [{"name": "beyond", "address": 2999, "type": "float32"}], unit=7)
    assert str(refused.value) == (
        f"{libmodbus}, unit 7, holding registers 2999-3000 (43000-43001): illegal data address "
        "(does the device have all of these registers?)"
    )


async def test_a_refused_block_leaves_the_others_alone(libmodbus: str) -> None:
    tags = [
        {"name": "before", "address": 2999, "register": "input"},
        {"name": "beyond", "address": 3500, "register": "input"},
        {"name": "after", "address": 448, "type": "float64"},
    ]
    frame = await scanned(libmodbus, tags)
    assert list(frame.values) == [8998, None, -2.718281828459045]
    assert frame.quality == bytes((0, Quality.BAD_DEVICE, 0))


async def test_the_first_register_that_a_server_does_not_have_is_found_out(libmodbus: str) -> None:
    """It has 3000 of them, and refuses a request that reaches beyond as a whole."""
    tags = [{"name": f"t{at}", "address": at, "register": "input"} for at in range(2990, 3002)]
    made = device(libmodbus, tags)
    await made.open()
    for _ in range(40):
        try:
            frame = await made.scan(made.schemas[0])
        except Refused:
            continue
    await made.close()
    assert list(frame.values) == [*(3 * at + 1 for at in range(2990, 3000)), None, None]
    assert list(frame.quality) == [*[0] * 10, Quality.BAD_DEVICE, Quality.BAD_DEVICE]


async def test_a_frame_is_stamped_when_the_last_answer_arrived(libmodbus: str) -> None:
    before, mono = time.time_ns(), time.monotonic_ns()
    frame = await scanned(libmodbus, [typed("int16", "ABCD")])
    assert before <= frame.ts <= time.time_ns()
    assert mono <= frame.mono <= time.monotonic_ns()


async def test_devices_of_one_line_may_be_read_at_the_same_time(libmodbus: str) -> None:
    """The line reads them in turn; a person at the command line may come between."""
    made = device(libmodbus, [{"name": f"t{at}", "address": at, "register": "input"} for at in range(0, 2000, 200)])
    await made.open()
    frames = await asyncio.gather(*(made.scan(made.schemas[0]) for _ in range(5)))
    await made.close()
    assert {tuple(frame.values) for frame in frames} == {tuple(3 * at + 1 for at in range(0, 2000, 200))}


async def test_groups_are_scanned_apart(libmodbus: str) -> None:
    tags = [
        {"name": "quick", "address": 64},
        {"name": "slow", "address": 65, "group": "slow"},
        {"name": "off", "address": 66, "enabled": False},
    ]
    made = device(libmodbus, tags, groups={"slow": {"interval": "3s"}})
    assert isinstance(made, Poller)
    assert [(schema.group, schema.interval, [tag.name for tag in schema.tags]) for schema in made.schemas] == [
        ("1s", 1.0, ["quick"]),
        ("slow", 3.0, ["slow"]),
    ]
