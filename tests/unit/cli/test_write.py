"""`floorgate write` and `floorgate audit`: asked, allowed, on record, sent, read back."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import faulty_device
from tests.sim.fixtures import libmodbus_server

SITE = """\
gateway: {{id: gw}}
devices:
  - name: heating
    driver: modbus
    endpoint: {endpoint}
    tags:
      - {{name: setpoint, address: 2600, scale: 0.5, unit: Cel, write: {{min: -20, max: 80, step: 0.5, rate: 0s}}}}
      - {{name: slow, address: 2601, write: {{rate: 1h}}}}
      - {{name: pump, register: coil, address: 2600, write: {{rate: 0s}}}}
      - {{name: read_only, address: 2602}}
  - {{name: wave, driver: sim, tags: [{{name: t, wave: constant}}]}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with libmodbus_server() as port:
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def site(tmp_path: Path, server: str) -> Path:
    return written(tmp_path, server)


def written(folder: Path, endpoint: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.format(endpoint=endpoint))
    return path


def write(site: Path, *arguments: str, answer: str | None = None) -> Result:
    base = ["write", "-c", str(site), "--data", str(site.parent / "data")]
    return CliRunner().invoke(main, [*base, *arguments], input=answer)


def audit(site: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(main, ["audit", "--data", str(site.parent / "data"), "--json", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_old_and_new_are_shown_and_asked_for_then_written_read_back_and_on_record(site: Path) -> None:
    assert write(site, "heating", "setpoint", "20", "--yes").exit_code == 0
    result = write(site, "heating", "setpoint", "21.5", answer="y\n")
    assert result.exit_code == 0, result.output
    assert "heating, setpoint: 20 -> 21.5 Cel  [holding 2600: 002b]\nWrite? [y/N]" in result.stderr
    assert result.stdout == "heating, setpoint: 21.5 Cel, read back\n"
    first, second = audit(site)
    assert (first["new"], second["old"], second["new"], second["found"]) == (20.0, 20.0, 21.5, 21.5)
    assert (second["outcome"], second["raw"], second["device"]) == ("done", "holding 2600: 002b", "heating")
    assert second["user"] and second["uid"] >= 0


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_sent_and_nothing_on_record(site: Path, answer: str) -> None:
    write(site, "heating", "setpoint", "30", "-y")
    assert write(site, "heating", "setpoint", "40", answer=answer).exit_code == 1
    assert [row["new"] for row in audit(site)] == [30.0]
    assert json.loads(write(site, "heating", "setpoint", "31", "-y", "--json").stdout)["old"] == 30.0


def test_json_has_all_there_is_to_know(site: Path) -> None:
    write(site, "heating", "pump", "off", "--yes")
    row = json.loads(write(site, "heating", "pump", "on", "--yes", "--json").stdout)
    assert row.pop("time") and row.pop("audit") == 2
    assert row == {
        "device": "heating",
        "tag": "pump",
        "unit": "",
        "old": False,
        "new": True,
        "found": True,
        "raw": "coil 2600: on",
        "outcome": "done",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("heating", "read_only", "1"), 1, "heating, read_only: the configuration does not let this tag be written"),
        (("heating", "setpoint", "81"), 1, "heating, setpoint: 81 is more than 80 (the tag allows -20 to 80)"),
        (("heating", "setpoint", "-21"), 1, "-21 is less than -20"),
        (("heating", "setpoint", "-1"), 1, "-1 is outside of what the uint16 can say: 0 to 32767.5"),
        (("heating", "setpoint", "20.25"), 1, "20.25 is no whole step of 0.5 (nearest: 20 or 20.5)"),
        (("heating", "setpoint", "nan"), 1, "heating, setpoint: 'nan' is no number"),
        (("heating", "slow", "1.5"), 1, "heating, slow: 1.5 is not whole"),
        (("heating", "slow", "65536"), 1, "outside of what the uint16 can say"),
        (("heating", "pump", "2"), 1, "'2' is neither true nor false"),
        (("heating", "pumpe", "1"), 78, "no tag 'pumpe' (did you mean 'pump'?)"),
        (("heatin", "pump", "1"), 78, "(did you mean 'heating'?)"),
        (("wave", "t", "1"), 1, "driver sim cannot write"),
        (("heating", "pump"), 2, "Missing argument"),
        (("heating", "pump", "1", "--jsn"), 2, "unexpected extra argument"),
    ],
)
def test_what_may_not_be_written_is_told_before_anything_is_sent(
    site: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = write(site, *arguments, "--yes")
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    assert not (site.parent / "data").exists()


def test_the_rate_holds_from_one_process_to_the_next(site: Path) -> None:
    assert write(site, "heating", "slow", "1", "--yes").exit_code == 0
    result = write(site, "heating", "slow", "2", "--yes")
    assert (result.exit_code, "there must be 3600 s between two" in result.stderr) == (1, True)
    assert [row["new"] for row in audit(site)] == [1]


def test_when_the_audit_cannot_be_written_nothing_is_sent(site: Path) -> None:
    write(site, "heating", "setpoint", "50", "--yes")
    (site.parent / "file").touch()
    command = [
        "write",
        "-c",
        str(site),
        "heating",
        "setpoint",
        "60",
        "--yes",
        "--data",
        str(site.parent / "file" / "x"),
    ]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, "without it nothing is written to a device" in result.stderr) == (1, True)
    assert json.loads(write(site, "heating", "setpoint", "50", "-y", "--json").stdout)["old"] == 50.0


def test_the_audit_is_shown_as_a_table_with_the_reasons_below(site: Path) -> None:
    write(site, "heating", "setpoint", "22.5", "--yes")
    result = CliRunner().invoke(main, ["audit", "--data", str(site.parent / "data")])
    assert result.exit_code == 0
    for word in ("heating", "setpoint", "22.5", "done", "holding 2600: 002d"):
        assert word in result.output


def test_without_an_audit_there_is_a_hint(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["audit", "--data", str(tmp_path)])
    assert (result.exit_code, "was nothing written yet?" in result.stderr) == (1, True)


async def run(site: Path, *arguments: str) -> tuple[int | None, str]:
    """The command in a process of its own."""
    process = await start(site, *arguments)
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def start(site: Path, *arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "agent", "write", "-c", str(site), "--data", str(site.parent / "data"), "--yes"]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, *arguments, stdout=pipe, stderr=pipe)


async def test_a_device_that_keeps_another_value_is_an_error_that_says_which(tmp_path: Path) -> None:
    async with faulty_device(fault.by_function({6: fault.written})) as plc:
        code, said = await run(written(tmp_path, plc.endpoint), "heating", "setpoint", "20")
    assert (code, "20 was written, but 1300 stands there now" in said) == (1, True), said
    (row,) = audit(tmp_path / "site.yaml")
    assert (row["outcome"], row["found"]) == ("differs", 1300.0)


async def test_a_device_that_says_no_has_written_nothing_and_the_audit_says_so(tmp_path: Path) -> None:
    async with faulty_device(fault.by_function({6: fault.exception(3)})) as plc:
        code, said = await run(written(tmp_path, plc.endpoint), "heating", "setpoint", "20")
    assert (code, "illegal data value" in said) == (1, True)
    (row,) = audit(tmp_path / "site.yaml")
    assert (row["outcome"], "illegal data value" in row["message"]) == ("refused", True)


async def test_a_tag_that_cannot_be_read_before_is_written_with_an_unknown_old_value(tmp_path: Path) -> None:
    reads = fault.in_turn(fault.exception(2), fault.good)
    async with faulty_device(fault.by_function({6: fault.written, 3: reads})) as plc:
        _, said = await run(written(tmp_path, plc.endpoint), "heating", "setpoint", "20")
    assert "the value before cannot be read" in said and "setpoint: ? -> 20 Cel" in said
    assert audit(tmp_path / "site.yaml")[0]["old"] is None


async def test_a_silent_device_leaves_an_outcome_that_nobody_knows(tmp_path: Path) -> None:
    async with faulty_device(fault.by_function({6: fault.silent})) as plc:
        code, said = await run(written(tmp_path, plc.endpoint), "heating", "setpoint", "20")
    assert (code, "it is not known whether the device took it: read the tag" in said) == (1, True)
    assert audit(tmp_path / "site.yaml")[0]["outcome"] == "unknown"


async def test_a_process_killed_in_the_middle_leaves_its_entry(tmp_path: Path) -> None:
    """The entry is on disk when the frame leaves: the device sees the frame, then the process dies."""
    async with faulty_device(fault.by_function({6: fault.silent})) as plc:
        process = await start(written(tmp_path, plc.endpoint), "heating", "setpoint", "20")
        while not any(adu[7] == 6 for adu in plc.asked):
            await asyncio.sleep(0.005)
        process.kill()
        await process.communicate()
    (row,) = audit(tmp_path / "site.yaml")
    assert (row["outcome"], row["new"], row["message"]) == ("unknown", 20.0, "")
