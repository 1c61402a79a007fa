"""`floorgate scan`: who answers, who they say they are, which map they behave like, and an entry to paste."""

import asyncio
import json
import os
import signal
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.cli.shelf import modbus_maps
from agent.cli.sweep import BAUDS, PARITIES, Sweep, lasting, settings
from agent.config import load
from drivers.modbus.config import PORTS
from drivers.transport import parse_endpoint
from tests.sim import faulty_line as bus
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_line import line_on_pty, line_over_tcp
from tests.sim.faulty_modbus import faulty_device
from tests.sim.fixtures import libmodbus_server
from tests.sim.pymodbus_server import pymodbus_meter


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with libmodbus_server() as port:
        yield f"tcp://127.0.0.1:{port}"


async def start(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "agent", "scan", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, preexec_fn=_heeds_ctrl_c)


def _heeds_ctrl_c() -> None:
    """Who runs the tests in the background of a shell hands down that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def scan(*arguments: str) -> tuple[int, str, str]:
    """In this process, which spares the start of another one."""
    done = await asyncio.to_thread(CliRunner().invoke, main, ["scan", *arguments])
    return done.exit_code, done.stdout, done.stderr


async def rows(*arguments: str) -> list[dict[str, Any]]:
    code, out, err = await scan(*arguments, "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


async def test_units_say_who_they_are_and_are_told_by_their_registers() -> None:
    async with pymodbus_meter([3, 7]) as endpoint:
        found = await rows(endpoint, "--units", "1-8", "--timeout", "150ms")
    assert [row["unit"] for row in found] == [3, 7]
    for row in found:
        assert row["identity"] == {"vendor": "Eastron", "product": "SDM630", "revision": "1.2"}
        assert (row["maps"][0]["map"], row["maps"][0]["score"]) == ("eastron-sdm630", 1.0)


async def test_what_is_printed_can_be_pasted_below_a_gateway(tmp_path: Path) -> None:
    async with pymodbus_meter([1]) as endpoint:
        _, out, err = await scan(endpoint, "--units", "1", "--timeout", "500ms")
    assert "says that it is: Eastron SDM630 1.2" in out and "a guess, 100%" in out
    assert "1 unit, 1 s if nobody answers" in err
    site = tmp_path / "site.yaml"
    site.write_text(f"gateway: {{id: gw}}\n{out}")
    (device,) = load(site).devices
    assert (device.name, device.endpoint, device.map) == ("unit-1", endpoint, "eastron-sdm630")


async def test_an_unknown_device_gets_an_entry_too(server: str, tmp_path: Path) -> None:
    _, out, err = await scan(server, "--units", "5")
    assert "No device map fits: floorgate probe" in err
    site = tmp_path / "site.yaml"
    site.write_text(f"gateway: {{id: gw}}\n{out}")
    assert load(site).devices[0].name == "unit-5"


async def test_a_device_that_answers_every_unit_is_shown_once(server: str) -> None:
    code, out, err = await scan(server)
    assert (code, out.count("- name:")) == (0, 1)
    assert "249 units" in err and "Every unit answers" in err


async def test_a_refusal_is_an_answer_and_what_a_gateway_says_for_a_silent_unit_is_none() -> None:
    units = {1: fault.exception(2), 2: fault.exception(11), 3: fault.exception(10), 4: fault.good, 5: fault.silent}
    async with faulty_device(fault.by_unit(units)) as plc:
        found = await rows(plc.endpoint, "--units", "1-5", "--timeout", "100ms")
    assert [(row["unit"], row["says"]) for row in found] == [(1, "illegal data address"), (4, "holding 0 is 0000")]
    assert all(row["identity"] is None for row in found)


async def test_answers_that_are_none_are_told_when_nobody_answers() -> None:
    async with faulty_device(fault.garbage) as plc:
        code, out, err = await scan(plc.endpoint, "--units", "1,2", "--timeout", "100ms")
    assert (code, out) == (1, "")
    assert "No unit answers.\nWhat came 2 times was no answer, such as: tcp://" in err


async def test_a_serial_line_behind_a_converter_is_swept_by_unit() -> None:
    async with line_over_tcp(bus.by_unit({2: bus.exception(1), 9: bus.good})) as line:
        found = await rows(line.endpoint, "--units", "1-10", "--timeout", "60ms")
    assert [row["unit"] for row in found] == [2, 9]


async def test_the_baud_of_a_serial_port_is_found() -> None:
    """The device hears only its own baud; a pseudo-terminal tells which one is set."""
    async with line_on_pty(bus.silent) as (line, path):
        port = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)

        def at_19200(request: bytes) -> list[bus.Act]:
            hears = termios.tcgetattr(port)[5] == termios.B19200 and request[0] == 4
            return bus.exception(1)(request) if hears else []

        line.behave = at_19200
        found = await rows(f"rtu://{path}", "--parities", "N", "--units", "3,4", "--timeout", "60ms")
        os.close(port)
    assert [(row["endpoint"], row["unit"]) for row in found] == [(f"rtu://{path}?baud=19200&parity=N", 4)]
    assert {request[0] for request in line.asked} == {3, 4}


async def test_ctrl_c_shows_what_was_found_so_far() -> None:
    async with faulty_device(fault.by_unit({1: fault.exception(1)})) as plc:
        plc.behave = lambda adu: fault.exception(1)(adu) if adu[6] == 1 else []
        process = await start(plc.endpoint, "--units", "1-200", "--timeout", "300ms")
        while len(plc.asked) < 3:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 1
    assert "unit: 1" in out.decode() and "interrupted, the rest was not asked" in err.decode()


async def test_what_cannot_be_connected_to_is_an_error() -> None:
    code, _, err = await scan("tcp://127.0.0.1:1", "--units", "1")
    assert (code, "cannot connect" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tcp://x", "--bauds", "9600"], "is no serial port"),
        (["tcp://x", "--units", "1-300"], "not within 0 to 255"),
        (["tcp://x", "--units", "9-3"], "not within"),
        (["tcp://x", "--units", "a"], "no number and no range"),
        (["tcp://x", "--units", ""], "no number and no range"),
        (["rtu:///dev/ttyUSB0", "--units", "0-5"], "1 to 247"),
        (["rtu:///dev/ttyUSB0", "--units", "248"], "1 to 247"),
        (["rtu:///dev/ttyUSB0", "--parities", "N,X"], "no list of N, E, O"),
        (["rtu:///dev/ttyUSB0", "--bauds", "1"], "not within"),
        (["rtu://ttyUSB0"], "names no serial port"),
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["scan", *arguments])
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_the_most_usual_settings_come_first_and_each_once() -> None:
    found = list(settings(parse_endpoint("rtu:///dev/ttyUSB0?stop=2", PORTS), (), ()))
    assert found[:3] == [
        "rtu:///dev/ttyUSB0?stop=2&baud=9600&parity=N",
        "rtu:///dev/ttyUSB0?stop=2&baud=19200&parity=E",
        "rtu:///dev/ttyUSB0?stop=2&baud=9600&parity=E",
    ]
    assert len(set(found)) == len(found) == len(BAUDS) * len(PARITIES)


def test_what_the_endpoint_says_is_not_varied_unless_asked_for() -> None:
    endpoint = parse_endpoint("rtu:///dev/ttyUSB0?baud=1200&parity=O", PORTS)
    assert list(settings(endpoint, (), ())) == ["rtu:///dev/ttyUSB0?baud=1200&parity=O"]
    assert list(settings(endpoint, (2400,), ("N",))) == ["rtu:///dev/ttyUSB0?baud=2400&parity=N"]


def test_the_longest_a_scan_takes_is_told_before() -> None:
    sweep = Sweep(("rtu:///dev/ttyUSB0?baud=9600&parity=N",), tuple(range(1, 33)), 0.3, tries=2)
    assert sweep.longest(PORTS) == pytest.approx(2 * 32 * (0.3 + 0.02 + 15 * 10 / 9600))
    assert [lasting(seconds) for seconds in (0.2, 60, 200, 9000)] == ["1 s", "60 s", "3 min", "2.5 h"]


def test_every_map_is_loaded_with_its_quirks() -> None:
    maps = modbus_maps()
    assert {"eastron-sdm630", "chint-dtsu666"} <= set(maps)
    assert maps["eastron-sdm630"].max_registers == 80
