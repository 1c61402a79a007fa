"""`floorgate read`: one look at a device, for people and for scripts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main

SITE = """\
gateway: {id: gw}
devices:
  - name: boiler
    driver: sim
    tags:
      - {name: temperature, wave: constant, low: 65.5, unit: Cel}
      - {name: on, wave: constant, low: 1, type: int16, group: slow}
      - {name: label, wave: constant, low: 7, type: str}
    groups: {slow: {interval: 1m}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def read(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["read", "-c", str(site), *arguments])


def test_all_tags_of_all_groups_are_shown(site: Path) -> None:
    result = read(site, "boiler")
    assert result.exit_code == 0
    for word in ("temperature", "65.5", "Cel", "good", "on", "label", "7"):
        assert word in result.output


def test_json_has_the_exact_values_of_the_tags_asked_for(site: Path) -> None:
    rows = json.loads(read(site, "boiler", "temperature", "on", "--json").output)
    assert [(row["tag"], row["value"], row["quality"]) for row in rows] == [
        ("temperature", 65.5, "good"),
        ("on", 1, "good"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("boilr",), "no device 'boilr' is enabled in the file (did you mean 'boiler'?)"),
        (("x",), "(it has: boiler)"),
        (("boiler", "temprature"), "device 'boiler' has no tag 'temprature' (did you mean 'temperature'?)"),
    ],
)
def test_a_name_that_is_not_there_is_a_configuration_error_with_a_hint(
    site: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = read(site, *arguments)
    assert (result.exit_code, said in result.output) == (78, True)


def test_a_device_that_cannot_be_reached_ends_with_1_and_says_what_to_look_at(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "gateway: {id: gw}\n"
        "devices:\n"
        "  - {name: m, driver: modbus, endpoint: 'tcp://127.0.0.1:1', tags: [{name: a, address: 0}]}\n"
    )
    result = read(path, "m")
    assert result.exit_code == 1
    assert "tcp://127.0.0.1:1: cannot connect" in result.output
