"""`floorgate probe`: the registers of a real device, and the line that reads them as the display does."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from agent.cli import main
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import faulty_device
from tests.sim.fixtures import libmodbus_server
from tests.unit.modbus.builders import device

FLOATS = 384  # of the server: 3.14159274 in each order, 16 registers apart


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with libmodbus_server() as port:
        yield f"tcp://127.0.0.1:{port}"


def probe(endpoint: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["probe", endpoint, "--again", "10ms", *arguments])


def rows(endpoint: str, *arguments: str) -> list[dict[str, Any]]:
    result = probe(endpoint, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("expect", [["--expect", "3.14"], []])
@pytest.mark.parametrize(("place", "order"), [(0, "ABCD"), (1, "CDAB"), (2, "BADC"), (3, "DCBA")])
def test_a_float_is_found_in_each_order_with_and_without_the_display(
    server: str, place: int, order: str, expect: list[str]
) -> None:
    first = rows(server, "--address", str(FLOATS + 16 * place), *expect)[0]
    assert (first["type"], first["order"], first["scale"], first["fits"]) == ("float32", order, 1.0, True)
    assert first["value"] == pytest.approx(3.14159274)


@pytest.mark.parametrize(("asked", "found"), [(FLOATS + 1, FLOATS), (FLOATS - 1, FLOATS), (0x180, FLOATS)])
def test_an_address_that_is_one_off_is_put_right(server: str, asked: int, found: int) -> None:
    assert rows(server, "--address", hex(asked), "--expect", "3.14")[0]["address"] == found


def test_the_printed_line_reads_what_the_display_shows(server: str) -> None:
    result = probe(server, "--address", "65", "--expect", "5432.1", "--tolerance", "0.1%")
    lines = [line.partition("  #")[0] for line in result.stdout.splitlines() if line.startswith("- {")]
    (tag,) = yaml.safe_load(lines[0])
    assert asyncio.run(scanned(server, tag)) == [5432.1]


async def scanned(endpoint: str, tag: dict[str, Any]) -> list[Any]:
    made = device(endpoint, [tag])
    await made.open()
    frame = await made.scan(made.schemas[0])
    await made.close()
    return list(frame.values)


def test_a_table_shows_value_registers_and_the_other_ways(server: str) -> None:
    result = probe(server, "--address", "64", "--expect", "54321")
    assert result.exit_code == 0
    for word in ("54321", "uint16", "ABCD", "d431", "0.00% off", "- {name: probed, register: holding, address: 64"):
        assert word in result.stdout, result.stdout


def test_nothing_near_is_said(server: str) -> None:
    result = probe(server, "--address", "64", "--expect", "777", "--tolerance", "0.0001%")
    assert (result.exit_code, "Nothing is near 777" in result.stderr) == (0, True)


@pytest.mark.parametrize("address", ["0", "2999"])
def test_the_ends_of_a_table_are_probed_too(server: str, address: str) -> None:
    """The server has 3000 registers: what lies behind them is refused, and left out."""
    assert rows(server, "--register", "input", "--address", address)[0]["fits"]


def test_a_device_that_refuses_all_is_an_error(server: str) -> None:
    result = probe(server, "--address", "5000")
    assert (result.exit_code, "illegal data address" in result.stderr) == (1, True)


def test_a_device_that_is_not_there_is_an_error() -> None:
    result = probe("tcp://127.0.0.1:1", "--address", "0")
    assert (result.exit_code, "cannot connect" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tcp//x", "--address", "0"], "is not an endpoint"),
        (["tcp://x"], "--address"),
        (["tcp://x", "--address", "65536"], "no address from 0 to 65535"),
        (["tcp://x", "--address", "one"], "no address"),
        (["tcp://x", "--address", "0", "--expect", "230V"], "no number such as 229.7"),
        (["tcp://x", "--address", "0", "--expect", "nan"], "no number such as 229.7"),
        (["tcp://x", "--address", "0", "--expect", "1e999999"], "no number such as 229.7"),
        (["tcp://x", "--address", "0", "--tolerance", "200%"], "neither a part"),
        (["tcp://x", "--address", "0", "--timeout", "1"], "not a duration"),
        (["tcp://x", "--address", "0", "--unit", "256"], "0<=x<=255"),
        (["tcp://x", "--address", "0", "--register", "coil"], "coil"),
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["probe", *arguments])
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


async def test_a_device_that_lets_no_half_values_go_is_read_value_by_value(tmp_path: Path) -> None:
    """Only the two registers of the float are answered, and only together."""
    from agent.cli.raw import connected
    from drivers.modbus.plausible import ranked
    from drivers.modbus.probing import around

    def picky(adu: bytes) -> list[fault.Act]:
        if adu[8:12] != bytes((0, 10, 0, 2)):
            return fault.exception(2)(adu)
        return [fault.answer(adu, b"\x03\x04" + bytes.fromhex("43668000"))]

    async with faulty_device(picky) as plc, connected(plc.endpoint, 1.0) as ask:
        found = ranked(await around(ask, 1, "holding", 10), expect=None, tolerance=0.01)
    assert (found[0].way.type, float(found[0].value)) == ("float32", 230.5)
