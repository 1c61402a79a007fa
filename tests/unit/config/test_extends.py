"""A map that extends another is that map with what is said over it, key by key and tag by tag."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Files, Invalid, is_map, load, load_map

BASE = """\
device: {vendor: Acme, model: M1, kind: power_meter_3ph}
driver: modbus
status: confirmed
sources: [one, two]
notes: [of the base]
quirks: {max_registers: 80, pause: 20ms}
defaults: {register: input, type: float32}
groups: {slow: {interval: 1m}, fast: {interval: 200ms, defaults: {kind: state}}}
tags:
  - {name: voltage, address: 0, unit: V}
  - {name: energy, address: 0x48, unit: kWh, kind: counter, group: slow}
  - {name: running, address: 4, type: uint16, group: fast}
"""
OWN = """\
device: {vendor: Acme, model: M2}
extends: base.yaml
quirks: {pause: 50ms}
groups: {slow: {interval: 5m}}
tags:
  - {name: energy, address: 0x50}
  - {name: voltage, enabled: false}
  - {name: current, address: 6, unit: A}
"""


@pytest.fixture
def opened(write: Any, tmp_path: Path) -> Any:
    """The map that extends a base, as it is loaded."""

    def load_both(own: str = OWN, base: str = BASE) -> Any:
        write("base.yaml", base)
        return load_map(write("own.yaml", own))

    return load_both


@pytest.fixture
def wrong(opened: Any, tmp_path: Path) -> Any:
    def problems(own: str = OWN, base: str = BASE) -> list[str]:
        with pytest.raises(Invalid) as caught:
            opened(own, base)
        return [str(each).replace(f"{tmp_path}/", "") for each in caught.value.problems]

    return problems


def test_quirks_groups_and_tags_lie_over_those_of_the_base(opened: Any) -> None:
    found = opened()
    assert dict(found.quirks) == {"max_registers": 80, "pause": "50ms"}
    assert found.groups["slow"] == {"interval": "5m"} and "fast" in found.groups
    voltage, energy, running, current = found.tags
    assert (voltage.name, voltage.enabled, voltage.unit) == ("voltage", False, "V")
    assert (energy.address, energy.unit, energy.kind, energy.group) == (0x50, "kWh", "counter", "slow")
    assert (current.register, current.type) == ("input", "float32")
    assert running.kind == "state"


def test_what_is_said_of_one_map_alone_is_not_inherited(opened: Any) -> None:
    head = opened().head
    assert (head.driver, head.status, head.sources, head.notes) == ("modbus", "draft", [], [])
    assert (head.device.model, head.device.kind, head.extends) == ("M2", "", "base.yaml")


def test_defaults_of_its_own_hold_for_the_tags_of_the_base_too(opened: Any) -> None:
    found = opened(OWN + "defaults: {register: holding}\n")
    assert {tag.register for tag in found.tags} == {"holding"}
    assert {tag.type for tag in found.tags} == {"float32", "uint16"}


def test_it_needs_no_tags_of_its_own_and_may_extend_the_shelf(opened: Any, tmp_path: Path) -> None:
    found = opened("device: {vendor: A, model: B}\nextends: eastron-sdm630\nquirks: {max_registers: 30}\n")
    assert (len(found.tags), found.quirks["max_registers"]) == (72, 30)
    assert is_map(tmp_path / "own.yaml")


def test_a_table_may_extend_a_map_and_be_extended(write: Any) -> None:
    write("base.yaml", BASE)
    write("mid.csv", "# extends: base.yaml\nname,address,unit\nenergy,0x60,\nlevel,9,m\n")
    found = load_map(write("own.yaml", "device: {vendor: A, model: B}\nextends: mid.csv\n"))
    assert {tag.name: tag.address for tag in found.tags} == {"voltage": 0, "energy": 0x60, "running": 4, "level": 9}
    assert found.tags[1].kind == "counter"


def test_paths_start_at_the_map_that_says_them(write: Any, site: Any) -> None:
    write("maps/base/base.yaml", BASE)
    write("maps/own.yaml", OWN.replace("base.yaml", "base/base.yaml"))
    files = Files()
    path = write(
        "site.yaml",
        "gateway: {id: g}\ndevices: [{name: m, driver: modbus, endpoint: tcp://p, map: maps/own.yaml}]\n",
    )
    assert len(load(path, {}, files=files).devices[0].tags) == 4
    assert {each.name for each in files.taken} >= {"own.yaml", "base.yaml", "site.yaml"}


def test_a_device_lies_over_both(write: Any, site: Any) -> None:
    write("base.yaml", BASE)
    write("own.yaml", OWN)
    (device,) = site(
        "gateway: {id: g}\ndevices:\n  - {name: m, driver: modbus, endpoint: tcp://p, map: ./own.yaml, pause: 100ms,\n"
        "     tags: [{name: voltage, enabled: true}]}\n"
    ).devices
    assert (device.pause, device.max_registers, device.tags[0].enabled) == (0.1, 80, True)


def test_a_problem_of_the_base_is_said_in_the_base(wrong: Any) -> None:
    assert wrong(base=BASE.replace("address: 0,", "adress: 0,")) == [
        "own.yaml:7:5: tag 'voltage': address is missing (0-based: 40001 of a manual is 0)",
        "base.yaml:10:21: tag 'voltage': unknown key 'adress' (did you mean 'address'?)",
    ]


def test_circles_are_said_with_both_places(write: Any, tmp_path: Path, wrong: Any) -> None:
    assert wrong(base=BASE + "extends: own.yaml\n") == [
        (
            "base.yaml:13:10: extends: 'own.yaml': maps extend one another in a circle "
            "(it begins at own.yaml:2:10; end it here)"
        )
    ]
    (said,) = wrong(own=OWN.replace("base.yaml", "./own.yaml"))
    assert said.startswith("own.yaml:2:10: extends: './own.yaml': maps extend one another in a circle")


def test_a_chain_has_an_end(write: Any, tmp_path: Path) -> None:
    head = "device: {vendor: A, model: B}\ndriver: modbus\n"
    for n in range(12):
        write(f"m{n}.yaml", f"{head}extends: m{n + 1}.yaml\n")
    write("m12.yaml", head + "tags: [{name: a, address: 0}]\n")
    with pytest.raises(Invalid, match="more than 8 maps extend one another"):
        load_map(tmp_path / "m0.yaml")
    assert len(load_map(tmp_path / "m4.yaml").tags or ()) == 1


def test_a_map_for_another_driver_is_refused(wrong: Any) -> None:
    (said,) = wrong(own=OWN + "driver: sim\n")
    assert said.startswith("own.yaml:2:10: extends: 'base.yaml' is for the driver 'modbus', not 'sim'")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no.yaml", "extends: 'no.yaml': there is no such file"),
        ("eastron-sdm63", "extends: there is no device map 'eastron-sdm63' (did you mean 'eastron-sdm630'?)"),
        ("[a]", "extends: must be text"),
    ],
)
def test_what_cannot_be_extended_is_said_at_its_place(wrong: Any, name: str, says: str) -> None:
    assert any(says in each and each.startswith("own.yaml:2:10:") for each in wrong(own=OWN.replace("base.yaml", name)))


def test_a_name_twice_in_one_map_is_still_wrong(wrong: Any) -> None:
    assert wrong(own=OWN + "  - {name: current, address: 8}\n") == [
        "own.yaml:9:12: two tags are named 'current' (the first is on line 8)"
    ]


def test_short_forms_lie_over_by_their_names(opened: Any) -> None:
    found = opened("device: {vendor: A, model: B}\nextends: base.yaml\ntags: ['energy.input.96.float32']\n")
    assert [(tag.name, tag.address) for tag in found.tags][1] == ("energy", 96)
