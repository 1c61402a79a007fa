"""A third implementation agrees: modbus-serial, over TCP and as a unit of a serial line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.fixtures import modbus_serial_line, modbus_serial_server
from tests.unit.modbus.test_transports import read

UNIT = 9
TAGS = [
    {"name": "holding", "address": 40},
    {"name": "wide", "address": 100, "type": "uint32", "order": "CDAB"},
    {"name": "input", "register": "input", "address": 12},
    {"name": "coil", "register": "coil", "address": 6},
    {"name": "discrete", "register": "discrete", "address": 11},
]
EXPECTED = {
    "holding": 40 + 256 * UNIT,
    "wide": (101 + 256 * UNIT) << 16 | (100 + 256 * UNIT),
    "input": 12,
    "coil": True,
    "discrete": False,
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with modbus_serial_server() as port:
        yield port


async def test_over_tcp(port: int) -> None:
    assert await read(f"tcp://127.0.0.1:{port}", unit=UNIT, tags=TAGS) == EXPECTED


async def test_as_a_unit_of_a_serial_line(tmp_path: Path) -> None:
    with modbus_serial_line(tmp_path, UNIT) as port:
        assert await read(f"rtu://{port}?baud=9600", unit=UNIT, tags=TAGS) == EXPECTED
