"""What will hurt although nothing is wrong with it is warned of, at its place."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.cli.forecast import FRAME, SAMPLE, per_day
from agent.config import Report, load, load_vocabulary

SINKS = "sinks: [{name: p, type: file, path: /tmp/x.jsonl}]\n"
METER = "  - {name: %s, driver: modbus, endpoint: %s, %stags: [%s]}\n"
TAG = "{name: a, address: 0}"


def warned(folder: Path, devices: str, rest: str = SINKS, **environ: str) -> list[str]:
    path = folder / "site.yaml"
    path.write_text(f"gateway: {{id: gw}}\ndevices:\n{devices}{rest}", "utf-8")
    report = Report(load_vocabulary())
    load(path, environ, report)
    return [str(warning).removeprefix(f"{path}:") for warning in report.warnings]


def test_two_devices_that_ask_the_same_unit(tmp_path: Path) -> None:
    devices = METER % ("one", "tcp://plc", "", TAG) + METER % ("two", "tcp://plc:502", "unit: 1, ", TAG)
    assert warned(tmp_path, devices) == [
        (
            "4:64: device 'two': unit 1 at tcp://plc:502 is read by 'one' too "
            "(is one of the unit numbers wrong? else put the tags of both into one device)"
        )
    ]
    assert warned(tmp_path, devices.replace("unit: 1", "unit: 2")) == []
    assert warned(tmp_path, devices.replace("unit: 1", "enabled: false")) == []


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ("{name: a, address: 3}, {name: b, address: 3}", "it stands at the same place as 'a'"),
        ("{name: a, address: 3}, {name: b, address: 3, bit: 1}", ""),
        ("{name: a, address: 3}, {name: b, address: 3, enabled: false}", ""),
        ("{name: a, address: 3}, {name: b, address: 3, register: input}", ""),
        ("{name: a, address: 1}, {name: b, address: 3, enabled: false, alarms: {h: 1}}", "its `alarms` never comes"),
        ("{name: a, address: 1}, {name: b, address: 3, enabled: false}", ""),
    ],
)
def test_tags_that_are_read_twice_or_ask_in_vain(tmp_path: Path, tags: str, says: str) -> None:
    found = warned(tmp_path, METER % ("m", "tcp://plc", "", tags))
    assert len(found) == bool(says)
    assert not says or says in found[0]


def test_a_group_in_which_no_tag_is(tmp_path: Path) -> None:
    (said,) = warned(tmp_path, METER % ("m", "tcp://plc", "groups: {slow: {interval: 1m}}, ", TAG))
    assert "group 'slow': no tag is in it (say `group: slow` at its tags)" in said


@pytest.mark.parametrize(
    ("one", "two", "says"),
    [
        ("kW", "W", "its unit is 'W', and 'kW' at 'one' (`as: kW` converts it)"),
        ("kW", "kW", ""),
        ("L", "dm3", ""),  # the same by other letters
        ("kW", "m3", "give the two things two names"),
        ("kW, as: W", "W", ""),
    ],
)
def test_one_name_with_two_units(tmp_path: Path, one: str, two: str, says: str) -> None:
    tag = "{name: strange, address: 0, unit: %s}"
    devices = METER % ("one", "tcp://a", "", tag % one) + METER % ("two", "tcp://b", "", tag % two)
    found = warned(tmp_path, devices)
    assert len(found) == bool(says)
    assert not says or says in found[0]


def test_a_map_is_looked_at_once_whoever_uses_it(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "device: {vendor: A, model: B}\ndriver: modbus\ntags: [{name: a, address: 0}, {name: b, address: 0}]\n"
    )
    devices = "".join(f"  - {{name: d{n}, driver: modbus, endpoint: 'tcp://h{n}', map: ./m.yaml}}\n" for n in range(9))
    assert len(warned(tmp_path, devices)) == 1


@pytest.mark.parametrize("rest", ["", SINKS.replace("type", "enabled: false, type")])
def test_a_site_of_which_nothing_leaves(tmp_path: Path, rest: str) -> None:
    (said,) = warned(tmp_path, METER % ("m", "tcp://plc", "", TAG), rest)
    assert "none is enabled, so nothing leaves this gateway" in said


@pytest.mark.parametrize(("url", "told"), [("mqtt://b", True), ("mqtts://b", False), ("mqtt://127.0.0.1", False)])
def test_a_password_that_goes_in_the_open(tmp_path: Path, url: str, told: bool) -> None:
    sink = f"sinks: [{{name: p, type: mqtt, url: '{url}', username: u, password: '${{PW}}'}}]\n"
    found = warned(tmp_path, METER % ("m", "tcp://plc", "", TAG), sink, PW="hush")
    assert len(found) == told
    assert not told or "its password goes over the network without encryption (take mqtts://" in found[0]


def check(folder: Path, devices: str, buffer: str) -> str:
    path = folder / "site.yaml"
    path.write_text(f"gateway: {{id: gw}}\ndevices:\n{devices}{SINKS}buffer: {buffer}\n", "utf-8")
    return CliRunner().invoke(main, ["check", str(path), "--data", str(folder / "data")]).stderr


def test_a_store_that_does_not_hold_what_keep_says(tmp_path: Path) -> None:
    device = METER % ("m", "tcp://plc", "interval: 10ms, ", TAG)
    said = check(tmp_path, device, "{keep: 30d, max_size: 64MB, reserve: 1MB}")
    assert "buffer: max_size: 64MB holds 3h of an outage, and keep says 30d (max_size: 17GB, a longer" in said
    assert "buffer" not in check(tmp_path, device, "{keep: 1h, max_size: 64MB, reserve: 1MB}")
    assert "holds 46h of an outage" in check(tmp_path, device, "{keep: 7d, reserve: 1MB}")


def test_a_disk_that_is_smaller_than_what_is_promised(tmp_path: Path) -> None:
    most = f"{shutil.disk_usage(tmp_path).total >> 20}MB"
    said = check(tmp_path, METER % ("m", "tcp://plc", "", TAG), f"{{max_size: {most}, reserve: 1GB}}")
    assert "are more than the disk has" in said


def test_the_forecast_counts_frames_and_samples(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    tags = "{name: a, address: 0}, {name: b, address: 1}, {name: c, address: 2, group: slow}"
    tags += ", {name: d, address: 9, enabled: false}"
    path.write_text(
        "gateway: {id: gw}\ndevices:\n"
        + METER % ("m", "tcp://plc", "interval: 2s, groups: {slow: {interval: 10s}}, ", tags)
    )
    site: Any = load(path, {})
    assert per_day(site) == pytest.approx(86400 * ((FRAME + 2 * SAMPLE) / 2 + (FRAME + SAMPLE) / 10))
