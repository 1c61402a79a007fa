"""`floorgate read`: one look at a device, for people and for scripts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.read import read_groups
from agent.model.errors import Refused
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from tests.sim.fixtures import libmodbus_server

PRESSURE, SERIAL = (Schema("boiler", group, (Tag("a", "int16"),), 1.0) for group in ("1s", "1m"))
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


def test_what_is_shown_is_what_leaves(site: Path) -> None:
    text = SITE.replace("unit: Cel}", 'unit: Cel, as: "[degF]"}').replace("slow}", "slow, unit: A, ratio: ct}")
    site.write_text(text.replace("driver: sim\n", "driver: sim\n    ct: 400/5\n"))
    rows = json.loads(read(site, "boiler", "temperature", "on", "--json").output)
    assert [(row["value"], row["unit"]) for row in rows] == [(149.9, "[degF]"), (80, "A")]


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
        (("x",), "(one of: boiler)"),
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


REGISTERS = """\
gateway: {{id: gw}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    tags:
      - {{name: voltage, address: 384, type: float32, order: CDAB, unit: V}}
      - {{name: pump, register: coil, address: 3}}
      - {{name: beyond, address: 3500}}
"""


def test_the_registers_stand_beside_the_values_of_the_same_answer(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    with libmodbus_server() as port:
        path.write_text(REGISTERS.format(port=port))
        rows = json.loads(read(path, "meter", "--json").output)
        shown = read(path, "meter").output
    assert [(row["tag"], row["address"], row["raw"]) for row in rows] == [
        ("pump", "coil 3", "1"),
        ("voltage", "holding 384-385", "4049 0fdb"),
        ("beyond", "holding 3500", ""),
    ]
    for word in ("raw", "address", "4049 0fdb", "holding 384-385", "bad_device"):
        assert word in shown


def test_a_driver_without_registers_shows_none(site: Path) -> None:
    assert "raw" not in read(site, "boiler").output
    assert "raw" not in json.loads(read(site, "boiler", "--json").output)[0]


class Boiler:
    """A device that does not have the groups that it refuses."""

    device, endpoint, line, schemas = "boiler", "tcp://boiler", "tcp://boiler", (PRESSURE, SERIAL)

    def __init__(self, *refuses: Schema) -> None:
        self._refuses = refuses

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def scan(self, schema: Schema) -> Frame:
        if schema in self._refuses:
            raise Refused(f"group {schema.group}: illegal data address")
        return Frame(schema, 0, (7,), bytes(1))


async def test_a_group_that_the_device_refuses_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    frames = await read_groups(Boiler(SERIAL), (PRESSURE, SERIAL), {})
    assert [(list(frame.values), list(frame.quality)) for frame in frames] == [([7], [0]), ([None], [65])]
    assert capsys.readouterr().err == "floorgate: group 1m: illegal data address\n"


async def test_a_device_that_refuses_every_group_is_an_error() -> None:
    with pytest.raises(Refused, match="group 1s"):
        await read_groups(Boiler(PRESSURE, SERIAL), (PRESSURE, SERIAL), {})
