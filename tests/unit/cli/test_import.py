"""`floorgate import`: what it writes, what it prints, and what it refuses to write over."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.config import load
from tests.house import ROOT

CASES = ROOT / "tests/cases/import"
METER = str(CASES / "thingsboard/modbus_v2/modbus.json")
SHARED = str(CASES / "benthos-umh/flow/flow.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["import", *arguments])


def test_it_prints_the_site_and_tells_beside_it_what_became_of_the_file() -> None:
    result = run(METER)
    assert result.exit_code == 0, result.output
    assert "gateway: {id: gw-1}\n" in result.stdout
    assert result.stderr.startswith("modbus.json: ThingsBoard gateway\n")
    assert "not carried:" in result.stderr
    assert result.stderr.endswith("1 device, 13 tags\n")


def test_what_it_writes_is_a_site(tmp_path: Path) -> None:
    out = tmp_path / "new" / "site.yaml"
    result = run(METER, "-o", str(out), "--gateway", "gw-7")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert f"next: floorgate check {out}" in result.stderr
    site = load(out)
    assert (site.gateway.id, [device.name for device in site.devices]) == ("gw-7", ["Main_Meter"])


def test_a_folder_gets_a_map_for_tags_that_devices_share(tmp_path: Path) -> None:
    result = run(SHARED, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out/maps").iterdir()) == ["modbus-7.yaml", "modbus.yaml"]
    site = load(tmp_path / "out/site.yaml")
    assert [(device.name, device.map) for device in site.devices] == [
        ("modbus", "./maps/modbus.yaml"),
        ("modbus-2", "./maps/modbus.yaml"),
        ("modbus-7", "./maps/modbus-7.yaml"),
    ]


def test_nothing_is_written_over_unless_it_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "site.yaml"
    out.write_text("mine\n", "utf-8")
    result = run(METER, "-o", str(out))
    assert result.exit_code == 1
    assert f"floorgate: {out} is there already (another name, or --force to write over it)" in result.stderr
    assert out.read_text("utf-8") == "mine\n"
    assert run(METER, "-o", str(out), "--force").exit_code == 0
    assert out.read_text("utf-8").startswith("# Imported by")


def test_as_json_it_tells_everything_for_a_program() -> None:
    result = run(METER, "--json")
    told = json.loads(result.stdout)
    assert told["formats"] == {"modbus.json": "thingsboard"}
    assert told["devices"] == [
        {"name": "Main_Meter", "driver": "modbus", "endpoint": "tcp://192.168.1.20:502", "tags": 13}
    ]
    assert told["names"] == [{"place": "modbus.json:master.slaves[0]", "old": "Main Meter", "new": "Main_Meter"}]
    kinds = {note["kind"] for note in told["notes"]}
    assert kinds == {"assumed", "changed", "not carried"}
    assert {"kind", "message", "hint", "count", "places", "keys"} == set(told["notes"][0])
    assert "gateway: {id: gw-1}" in told["site"]


def test_a_format_may_be_named_and_must_fit() -> None:
    assert run("thingsboard", METER).exit_code == 0
    result = run("opc-publisher", METER)
    assert result.exit_code == 1
    assert "nothing of modbus.json could be carried" in result.stderr


def test_what_is_no_format_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"hello": 1}', "utf-8")
    result = run(str(tmp_path / "x.json"))
    assert result.exit_code == 1
    assert "none of the known formats: ThingsBoard gateway, Telegraf, Neuron" in result.stderr
    assert "floorgate import FORMAT FILE" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["telegraf"], ["--order", "XYZ", METER], ["--unit", "300", METER]])
def test_a_line_that_is_wrong_is_a_usage_error(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_file_that_says_no_host_makes_a_device_that_is_not_read() -> None:
    profile = str(CASES / "edgex/profile/profile.yaml")
    result = run(profile)
    assert "enabled: false" in result.stdout
    assert "say --host ADDRESS" in result.stderr
    told = run(profile, "--host", "10.0.0.7", "--unit", "9")
    assert "endpoint: tcp://10.0.0.7:502\n    unit: 9\n" in told.stdout
    assert "rtu:///dev/ttyS0?baud=9600" in run(profile, "--host", "rtu:///dev/ttyS0?baud=9600").stdout
    assert "tcp://[fe80::1]:502" in run(profile, "--host", "fe80::1").stdout


def test_order_and_base_are_what_the_files_do_not_say() -> None:
    tags = str(CASES / "kepware/tags/tags.csv")
    plain = run(tags, "--host", "10.0.0.7")
    assert "order: CDAB" in plain.stdout and "low word first (CDAB)" in plain.stderr
    told = run(tags, "--host", "10.0.0.7", "--order", "abcd", "--base", "0")
    assert "order:" not in told.stdout.partition("devices:")[2].partition("tags:")[0]
    assert "{name: Boiler.Total, address: 3, type: uint32, unit: kWh}" in told.stdout
    assert "does not say" not in told.stderr.replace("does not say the unit", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--gateway", "a b/c"), "is not a name"), (("--gateway", "$x"), "is not a name"), (("-o", METER), "no .yaml")],
)
def test_what_was_asked_for_is_not_changed_silently(arguments: tuple[str, ...], said: str) -> None:
    result = run(METER, *arguments)
    assert (result.exit_code, result.stdout, said in result.stderr) == (2, "", True)
