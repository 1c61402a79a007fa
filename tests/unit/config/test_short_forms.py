"""Tags as one line of text, in a device and in a map, and what is wrong with tags as a whole, each at its place."""

from typing import Any

import pytest

from agent.config import configs_dir, load_map

SITE = """\
gateway: {id: gw-1}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://plc
"""
MAP = """\
device: {vendor: Acme, model: M1, kind: power_meter}
driver: modbus
sources: [manual]
defaults: {register: input, type: float32}
tags:
"""


@pytest.fixture
def with_map(write: Any, site: Any) -> Any:
    def devices(tags: str, more: str = "", head: str = MAP) -> Any:
        write("m.yaml", head + tags)
        return site(SITE + "    map: ./m.yaml\n" + more).devices[0]

    return devices


@pytest.fixture
def wrong(write: Any, problems: Any) -> Any:
    def said(tags: str, more: str = "", head: str = MAP) -> Any:
        write("m.yaml", head + tags)
        return problems(SITE + "    map: ./m.yaml\n" + more)

    return said


def test_a_device_s_tags_may_be_text(site: Any) -> None:
    (device,) = site(SITE + "    tags: [v.holding.12.float32:scale=0.1, {name: w, address: 20}]\n").devices
    assert [(tag.name, tag.address, tag.scale) for tag in device.tags] == [("v", 12, 0.1), ("w", 20, 1.0)]


def test_what_a_short_form_says_wrong_is_told_with_its_number(complaint: Any) -> None:
    said = complaint(SITE + '    tags: [{name: s, address: "1!400001.255"}]\n')
    assert said == "site.yaml:6:12: device 'meter', tag 's': length: 128 is more than 125"


def test_a_map_s_tags_may_be_text_and_override_its_defaults(with_map: Any) -> None:
    device = with_map('  - v.holding.12.int16\n  - {name: w, address: "1!400020#B", type: uint16}\n')
    assert [(tag.name, tag.register, tag.type, tag.address) for tag in device.tags] == [
        ("v", "holding", "int16", 12),
        ("w", "holding", "uint16", 19),
    ]


def test_a_text_may_lie_over_a_tag_of_the_map(with_map: Any) -> None:
    device = with_map("  - {name: v, address: 12, unit: V}\n", "    tags: [v.input.14.int16]\n")
    (tag,) = device.tags
    assert (tag.address, tag.type, tag.unit) == (14, "int16", "V")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("voltage", "site.yaml:6:12: device 'meter': tags[0]: 'voltage' is no tag: write a mapping, or NAME.REG"),
        ("v.hold.1.int16", "site.yaml:6:12: device 'meter': tags[0]: 'hold' is not known here: one of coil, discr"),
        ("v.holding.70000.int16", "site.yaml:6:12: device 'meter', tag 'v': address: 70000 is more than 65535"),
        ("v.holding.1.string", "site.yaml:6:12: device 'meter', tag 'v': length: a string needs its length"),
        ("v.coil.1.int16", "site.yaml:6:12: device 'meter', tag 'v': type: a coil is one bit"),
        ("5", "site.yaml:6:12: device 'meter', tags[0]: must be a mapping (key: value)"),
    ],
)
def test_a_text_that_is_no_tag_is_told_at_its_place(text: str, message: str, problems: Any) -> None:
    (said,) = problems(SITE + f"    tags: [{text}, {{name: w, address: 20}}]\n")
    assert said.startswith(message)


def test_other_drivers_have_no_short_form(problems: Any) -> None:
    text = "gateway: {id: g}\ndevices: [{name: s, driver: sim, tags: [level]}]"
    (said,) = problems(text)
    assert said.startswith("site.yaml:2:41: device 's', tags[0]: must be a mapping (key: value)")


def test_two_texts_must_not_have_one_name(problems: Any) -> None:
    (said,) = problems(SITE + "    tags:\n      - v.holding.1.int16\n      - v.holding.2.int16\n")
    assert said == "site.yaml:8:9: device 'meter': two tags are named 'v' (the first is on line 7)"


OVERLAP = "reads registers 1-2 as float32, and 'v' reads registers 0-1 as float32: correct one of them, or disable it"


def test_a_contradiction_is_told_at_the_address_of_the_second(problems: Any) -> None:
    (said,) = problems(SITE + "    tags:\n      - v.holding.0.float32\n      - {name: w, address: 1, type: float32}\n")
    assert said == f"site.yaml:8:28: device 'meter': tags[1].address: {OVERLAP}"


def test_a_contradiction_in_a_map_is_told_in_the_map_and_once(wrong: Any) -> None:
    said = wrong("  - {name: v, address: 0}\n  - {name: w, address: 1}\n")
    assert said == [f"m.yaml:7:24: tags[1].address: {OVERLAP}"]


def test_a_contradiction_that_the_device_makes_is_told_at_the_device(wrong: Any) -> None:
    (said,) = wrong("  - {name: v, address: 0}\n", "    tags:\n      - {name: w, address: 1}\n")
    assert said == f"site.yaml:8:28: device 'meter': tags[1].address: {OVERLAP}"


def test_named_bits_of_a_map_are_tags_of_the_device(with_map: Any) -> None:
    device = with_map("  - {name: alarm, type: uint16, address: 7, bits: {0: fan, 0x3: pump}}\n")
    assert [(tag.name, tag.bit) for tag in device.tags] == [("alarm_fan", 0), ("alarm_pump", 3)]


def test_a_map_counts_from_1_when_its_quirks_or_its_defaults_say_so(with_map: Any) -> None:
    tags = "  - {name: v, address: 30001}\n  - {name: w, address: 7}\n"
    for head in (MAP.replace("defaults: {", "defaults: {address_base: 1, "), MAP + "quirks: {address_base: 1}\n"):
        text = head.replace("tags:\n", "") + "tags:\n"
        assert [tag.address for tag in with_map(tags, head=text).tags] == [0, 6]


def test_what_a_map_says_of_a_unit_is_compared_with_the_device_alone(wrong: Any, with_map: Any) -> None:
    tags = '  - {name: v, address: "3!300001"}\n'
    assert with_map(tags, "    unit: 3\n").tags[0].address == 0
    (said,) = wrong(tags)
    assert said.startswith("m.yaml:6:24: tags[0].address: names unit 3, and the device is unit 1: make a device")


@pytest.mark.parametrize("path", sorted((configs_dir() / "devices").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_map_of_the_shelf_contradicts_itself(path: Any) -> None:
    found = load_map(path)
    assert found.tags or found.areas
