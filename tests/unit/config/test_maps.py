"""A device map is written once, read once, and used by many devices, each with its own on top."""

import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, is_map, load, load_map

SITE = """\
gateway: {id: gw-1}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://plc
    map: ./meter.yaml
"""
MAP = """\
device: {vendor: Acme, model: M1, kind: power_meter}
driver: modbus
sources: [manual]
quirks: {max_registers: 80, pause: 20ms}
defaults: {register: input, type: float32, order: CDAB}
groups: {slow: {interval: 1m}}
tags:
  - {name: voltage, address: 0, unit: V}
  - {name: energy, address: 0x48, type: uint32, unit: kWh, kind: counter, group: slow}
"""


@pytest.fixture
def with_map(site: Any, write: Any) -> Any:
    """The devices of a site that uses a map."""

    def devices(more: str = "", text: str = MAP) -> list[Any]:
        write("meter.yaml", text)
        return list(site(SITE + more).devices)

    return devices


@pytest.fixture
def wrong(problems: Any, write: Any) -> Any:
    """The problems of a site that uses a map."""

    def said(more: str = "", text: str = MAP) -> list[str]:
        write("meter.yaml", text)
        return list(problems(SITE + more))

    return said


def test_quirks_defaults_and_groups_of_the_map_count(with_map: Any) -> None:
    (device,) = with_map()
    assert (device.max_registers, device.pause, device.max_gap) == (80, 0.02, None)
    assert device.groups["slow"].interval == 60
    voltage, energy = device.tags
    assert (voltage.register, voltage.type, voltage.order, voltage.unit) == ("input", "float32", "CDAB", "V")
    assert (energy.address, energy.type, energy.register, energy.kind) == (72, "uint32", "input", "counter")


def test_what_the_device_says_wins(with_map: Any) -> None:
    more = "    max_registers: 10\n    groups: {slow: {interval: 5m}, fast: {interval: 100ms}}\n"
    (device,) = with_map(more)
    assert (device.max_registers, device.pause) == (10, 0.02)
    assert {name: group.interval for name, group in device.groups.items()} == {"slow": 300, "fast": 0.1}


def test_tags_of_the_device_lie_over_those_of_the_map_by_name(with_map: Any) -> None:
    more = "    tags: [{name: energy, scale: 0.1}, {name: extra, address: 8}, {name: voltage, enabled: false}]\n"
    (device,) = with_map(more)
    voltage, energy, extra = device.tags
    assert (voltage.name, voltage.enabled, voltage.unit) == ("voltage", False, "V")
    assert (energy.scale, energy.address, energy.group) == (0.1, 72, "slow")
    assert (extra.name, extra.register, extra.type) == ("extra", "input", "float32")


def test_devices_share_the_tags_of_their_map(site: Any, write: Any) -> None:
    write("meter.yaml", MAP)
    second = SITE.partition("devices:\n")[2].replace("name: meter", "name: second")
    one, two = site(SITE + second + "    tags: [{name: energy, scale: 2.0}]\n").devices
    assert one.tags[0] is two.tags[0]
    assert one.tags[1] is not two.tags[1]


def test_a_map_by_name_comes_with_the_agent(site: Any) -> None:
    (device,) = site(SITE.replace("./meter.yaml", "eastron-sdm630")).devices
    assert device.max_registers == 80
    assert {tag.name: tag.address for tag in device.tags}["energy_import_total"] == 0x48


@pytest.mark.parametrize("name", ["sub/meter.yaml", "./sub/meter.yaml", "sub/../sub/meter.yaml", "sub/plain"])
def test_a_path_starts_at_the_site(name: str, site: Any, write: Any) -> None:
    write("sub/meter.yaml", MAP)
    write("sub/plain", MAP)
    assert len(site(SITE.replace("./meter.yaml", name)).devices[0].tags) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("eastron-sdm360", "there is no device map 'eastron-sdm360' (did you mean 'eastron-sdm630'?)"),
        ("../../etc/passwd", "'../../etc/passwd' leads out of "),
        ("..", "there is no device map '..'"),
        ("no.yaml", "'no.yaml': there is no such file"),
        ("points.csv", "'points.csv': there is no such file"),
        ("./点表.XLSX", "'./点表.XLSX': there is no such file"),
    ],
)
def test_a_map_that_cannot_be_found_is_said_at_its_name(name: str, message: str, problems: Any) -> None:
    (said,) = problems(SITE.replace("./meter.yaml", name))
    assert said.startswith("site.yaml:6:10: device 'meter': map: ")
    assert message in said


def test_a_problem_in_a_map_is_said_in_the_map_and_once(problems: Any, write: Any) -> None:
    write("meter.yaml", MAP.replace("address: 0,", "adress: 0,").replace("max_registers: 80", "max_registers: 800"))
    second = SITE.partition("devices:\n")[2].replace("name: meter", "name: second")
    assert problems(SITE + second) == [
        "meter.yaml:4:25: quirks: max_registers: 800 is more than 125",
        "meter.yaml:8:5: tag 'voltage': address is missing (0-based: 40001 of a manual is 0)",
        "meter.yaml:8:21: tag 'voltage': unknown key 'adress' (did you mean 'address'?)",
    ]


def test_a_wrong_default_is_said_once_at_the_default(wrong: Any) -> None:
    assert wrong(text=MAP.replace("type: float32", "type: f32")) == [
        "meter.yaml:5:35: defaults: type: 'f32' is not known here (did you mean 'float32'?)"
    ]


def test_a_wrong_override_is_said_in_the_site(wrong: Any) -> None:
    assert wrong("    tags: [{name: energy, scale: two}, {name: energi, unit: kWh}]\n") == [
        "site.yaml:7:34: device 'meter', tag 'energy': scale: must be a number ('two' is not)",
        "site.yaml:7:40: device 'meter', tag 'energi': address is missing (0-based: 40001 of a manual is 0)",
    ]


def test_a_group_of_the_map_must_be_defined_somewhere(wrong: Any, with_map: Any) -> None:
    text = MAP.replace("groups: {slow: {interval: 1m}}\n", "")
    (said,) = wrong(text=text)
    assert said.startswith("meter.yaml:8:82: tag 'energy': there is no group 'slow'")
    assert with_map("    groups: {slow: {interval: 2m}}\n", text)[0].groups["slow"].interval == 120
    assert wrong("    tags: [{name: voltage, group: slwo}]\n") == [
        "site.yaml:7:35: device 'meter', tag 'voltage': there is no group 'slwo' (did you mean 'slow'?)"
    ]


def test_the_map_and_the_device_need_the_same_driver(wrong: Any) -> None:
    said = wrong(text="device: {vendor: a, model: b}\ndriver: sim\ntags: [{name: wave}]\n")
    assert said == [
        (
            "site.yaml:6:10: device 'meter': map: './meter.yaml' is for the driver 'sim', not 'modbus' "
            "(take a map for this driver, or change `driver:`)"
        )
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "meter.yaml:1:1: the file is empty"),
        ("- a", "meter.yaml:1:1: a device map is a mapping with `device`, `driver` and `tags`"),
        (MAP.replace("driver: modbus\n", ""), "meter.yaml:1:1: driver is missing (the driver that its tags"),
        (MAP.replace("driver: modbus", "driver: modbsu"), "meter.yaml:2:9: driver: 'modbsu' is not known (did you"),
        (MAP.replace("vendor: Acme, ", ""), "meter.yaml:1:9: device: vendor is missing (who makes it)"),
        (MAP.replace("kind: power_meter}", "kind: Power Meter}"), "meter.yaml:1:41: device.kind: 'Power Meter' does"),
        (MAP.replace("quirks: {", "quirks: {unit: 999, "), "meter.yaml:4:16: quirks: unit: 999 is more than 255"),
        (MAP.replace("quirks: {", "quirks: {name: x, "), "meter.yaml:4:10: quirks: name cannot be set here"),
        (MAP.replace("quirks: {", "quirks: {nope: x, "), "meter.yaml:4:10: quirks: unknown key 'nope'"),
        (
            MAP.replace("quirks: {max_registers: 80, pause: 20ms}", "quirks: 80"),
            "meter.yaml:4:9: quirks: must be a map",
        ),
        (MAP.replace("defaults: {", "defaults: {name: x, "), "meter.yaml:5:12: defaults: name cannot be set here"),
        (MAP.replace("interval: 1m", "interval: 1"), "meter.yaml:6:27: groups.slow.interval: 1 is not a duration"),
        (MAP.replace("1m}}", "1m}, 'a/b': {interval: 1s}}"), "meter.yaml:6:32: groups: 'a/b' is not a name"),
        (MAP.partition("tags:")[0] + "tags: []", "meter.yaml:7:7: a device map needs tags"),
        (MAP.partition("tags:")[0], "meter.yaml:1:1: a device map needs tags"),
        (MAP + "  - {name: voltage, address: 3}\n", "meter.yaml:10:12: two tags are named 'voltage' (the first is on"),
        (MAP + "  - voltage\n", "meter.yaml:10:5: tags[2]: 'voltage' is no tag: write a mapping, or NAME.REG"),
        (MAP + "maker: x\n", "meter.yaml:10:1: unknown key 'maker'"),
        (MAP.replace("sources: [manual]", "sources: manual"), "meter.yaml:3:10: sources: must be a list"),
        (MAP + "status: final\n", "meter.yaml:10:9: status: 'final' is not known here (one of: confirmed, draft)"),
        (
            MAP + "status: confirmed\n",
            "meter.yaml:10:9: status: confirmed needs 2 independent sources, 1 named: draft until then",
        ),
        (
            MAP.replace("[manual]", "[manual, manual]") + "status: confirmed\n",
            "meter.yaml:10:9: status: confirmed needs 2 independent sources, 1 named",
        ),
    ],
)
def test_a_wrong_map_says_what_is_wrong_with_it(text: str, message: str, wrong: Any) -> None:
    (said,) = wrong(text=text)
    assert said.startswith(message)


def test_a_map_is_a_draft_until_two_sources_agree(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MAP)
    assert load_map(path).head.status == "draft"
    path.write_text(MAP.replace("[manual]", "[manual, a meter in the workshop]") + "status: confirmed\n")
    assert load_map(path).head.status == "confirmed"


def test_a_map_is_pure_data(with_map: Any) -> None:
    """It reads neither the environment nor files: it may come from anybody."""
    (device,) = with_map(text=MAP.replace("unit: V", "unit: V, description: '${HOME} file:/etc/passwd'"))
    assert device.tags[0].description == "${HOME} file:/etc/passwd"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tags: []", "site.yaml:2:62: device 'm': has no tags (give it `map:` or `tags:`)"),
        ("unit: 1", "site.yaml:2:11: device 'm': has no tags (give it `map:` or `tags:`)"),
        ("tags: 5", "site.yaml:2:62: device 'm': tags: must be a list (such as - {name: voltage_l1, address: 0})"),
    ],
)
def test_a_device_has_tags(device: str, message: str, problems: Any) -> None:
    text = "gateway: {id: g}\ndevices: [{name: m, driver: modbus, endpoint: tcp://p, %s}]"
    assert problems(text % device) == [message]


def test_what_the_driver_says_of_all_tags_together_is_heard(problems: Any) -> None:
    text = SITE.replace("map: ./meter.yaml", "max_registers: 2\n    tags: [{name: e, address: 0, type: uint64}]")
    (said,) = problems(text)
    assert said.startswith("site.yaml:7:40: device 'meter': tags[0].type: 4 registers do not fit into max_registers: 2")


def test_what_the_driver_says_of_all_tags_of_a_map_is_said_in_the_map_and_once(problems: Any, write: Any) -> None:
    write("meter.yaml", MAP.replace("max_registers: 80", "max_registers: 1"))
    second = SITE.partition("devices:\n")[2].replace("name: meter", "name: second")
    assert problems(SITE + second) == [
        "meter.yaml:5:35: defaults: tags[0].type: 2 registers do not fit into max_registers: 1",
        "meter.yaml:9:41: tags[1].type: 2 registers do not fit into max_registers: 1",
    ]


def test_a_map_can_be_checked_alone(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAP)
    (tmp_path / "s.yaml").write_text(SITE)
    assert is_map(tmp_path / "m.yaml")
    assert not is_map(tmp_path / "s.yaml")
    assert not is_map(tmp_path / "missing.yaml")
    assert load_map(tmp_path / "m.yaml").head.device.vendor == "Acme"
    with pytest.raises(Invalid):
        load_map(tmp_path / "s.yaml")


def test_a_hundred_devices_with_one_map_load_at_once(tmp_path: Path) -> None:
    """100 devices of 100 tags: far below a second, and the tags are there once."""
    tags = "".join(f"  - {{name: t{n}, register: holding, address: {2 * n}, type: float32}}\n" for n in range(100))
    (tmp_path / "map.yaml").write_text("device: {vendor: a, model: b}\ndriver: modbus\ntags:\n" + tags)
    devices = "".join(
        f"  - {{name: d{n}, driver: modbus, endpoint: tcp://127.0.0.1:{5000 + n}, map: ./map.yaml}}\n"
        for n in range(100)
    )
    (tmp_path / "site.yaml").write_text("gateway: {id: g}\ndevices:\n" + devices)
    load(tmp_path / "site.yaml")
    started = time.process_time()
    site = load(tmp_path / "site.yaml")
    assert time.process_time() - started < 0.3
    assert sum(len(device.tags) for device in site.devices) == 10_000
    assert len({id(tag) for device in site.devices for tag in device.tags}) == 100
    tracemalloc.start()
    kept = load(tmp_path / "site.yaml")
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept.devices
    assert size < 1 << 20


def test_a_table_that_an_address_names_wins_over_a_default_beside_sections_too(
    write: Any,
) -> None:
    """What came from `defaults` is known as such where a section of the tag is shared with others."""
    text = (
        "device: {vendor: A, model: B}\ndriver: modbus\ndefaults: {register: input}\ntags:\n"
        '  - {name: a, address: "40001"}\n  - {name: b, address: "40003", limits: {max: 1}}\n'
    )
    tags = load_map(write("m.yaml", text)).tags
    assert [(tag.register, tag.address) for tag in tags or ()] == [("holding", 0), ("holding", 2)]
