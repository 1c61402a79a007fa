"""Defaults of a line, of a scan group and of a device map: who says what when nobody nearer does."""

from typing import Any

import pytest

GATEWAY = "gateway: {id: gw-1}\n"
MAP = """
device: {{vendor: Acme, model: M1}}
driver: modbus
quirks: {{pause: 20ms, priority: low}}
defaults: {{type: float32, unit: V, description: map, group: slow}}
groups:
  slow: {{interval: 1m, priority: high, defaults: {{description: map's group, register: input{more}}}}}
  fast: {{interval: 1s}}
tags:
  - {{name: a, address: 0}}
  - {{name: b, address: 2, description: map's tag}}
  - {{name: c, address: 4, group: fast}}
"""
DEVICE = "devices:\n  - {{name: {name}, driver: modbus, endpoint: tcp://plc, map: ./m.yaml{more}}}\n"


@pytest.fixture
def meter(site: Any, write: Any) -> Any:
    """The device of a map, with more keys."""

    def load(more: str = "", in_map: str = "") -> Any:
        write("m.yaml", MAP.format(more=in_map))
        (device,) = site(GATEWAY + DEVICE.format(name="m", more=more)).devices
        return device

    return load


def texts(device: Any) -> dict[str, str]:
    return {tag.name: tag.description for tag in device.tags}


def test_a_group_of_a_map_gives_its_tags_what_they_do_not_say(meter: Any) -> None:
    device = meter()
    assert texts(device) == {"a": "map's group", "b": "map's tag", "c": "map"}
    assert [tag.register for tag in device.tags] == ["input", "input", "holding"]
    assert [(tag.dtype, tag.unit) for tag in device.tags] == [("float32", "V")] * 3


def test_nearer_is_stronger(meter: Any) -> None:
    """The device's tag, the map's tag, the device's group, the map's group, the map."""
    own = ", groups: {slow: {defaults: {description: our group, unit: kV}}}"
    device = meter(own + ", tags: [{name: b, address: 6}, {name: a, description: our tag}]")
    assert texts(device) == {"a": "our tag", "b": "map's tag", "c": "map"}
    assert [tag.unit for tag in device.tags] == ["kV", "kV", "V"]
    assert [tag.register for tag in device.tags] == ["input", "input", "holding"]  # as the map's group says
    assert texts(meter(own))["a"] == "our group"


def test_a_device_changes_a_key_of_a_group_and_keeps_the_others(meter: Any) -> None:
    device = meter(", groups: {slow: {interval: 5m}}")
    assert (device.groups["slow"].interval, device.groups["slow"].priority) == (300.0, "high")
    assert texts(device)["a"] == "map's group"


def test_a_tag_that_a_device_moves_to_another_group_has_its_defaults(meter: Any) -> None:
    groups = ", groups: {fast: {defaults: {description: quick}}, slow: {defaults: {description: ''}}}"
    device = meter(groups + ", tags: [{name: a, group: fast}, {name: d, address: 8}]")
    assert texts(device) == {"a": "quick", "b": "map's tag", "c": "quick", "d": ""}
    assert device.tags[0].register == "holding"


def test_devices_of_a_map_share_its_tags_unless_their_groups_say_otherwise(site: Any, write: Any) -> None:
    write("m.yaml", MAP.format(more=""))
    own = ", groups: {slow: {defaults: {unit: kV}}}"
    lines = [DEVICE.format(name=name, more=more)[9:] for name, more in (("a", ""), ("b", ""), ("c", own))]
    one, two, three = site(GATEWAY + "devices:\n" + "".join(lines)).devices
    assert all(a is b for a, b in zip(one.tags, two.tags, strict=True))
    assert [a is b for a, b in zip(one.tags, three.tags, strict=True)] == [False, False, True]


def test_a_device_without_a_map_has_groups_with_defaults_too(site: Any) -> None:
    tags = "tags: [{name: a, address: 0, group: slow}, {name: b, address: 1, group: slow, type: bool, bit: 0}]"
    groups = "groups: {slow: {interval: 1m, defaults: {type: int16, report: {deadband: 1%}, limits: {max: 5}}}}"
    text = f"devices: [{{name: m, driver: modbus, endpoint: tcp://plc, {tags}, {groups}}}]"
    (device,) = site(GATEWAY + text.replace(", type: bool, bit: 0", ", limits: {max: 6}")).devices
    assert [(tag.dtype, tag.limits.max, tag.report.deadband) for tag in device.tags] == [
        ("int16", 5, "1%"),
        ("int16", 6, "1%"),
    ]


def test_a_line_gives_its_devices_what_neither_they_nor_their_map_say(site: Any, write: Any) -> None:
    write("m.yaml", MAP.format(more=""))
    line = "driver: modbus, map: ./m.yaml, interval: 5s, pause: 1s, priority: normal, place: [hall]"
    groups = "groups: {slow: {interval: 9m, priority: low, defaults: {unit: mV, order: CDAB}}, other: {interval: 7s}}"
    devices = "{name: a, endpoint: 'tcp://PLC:502', interval: 2s}, {name: b, endpoint: tcp://plc, priority: high}"
    other = "{name: c, driver: modbus, endpoint: tcp://elsewhere, tags: [{name: a, address: 0}]}"
    lines = f"lines: [{{endpoint: tcp://plc, timeout: 3s, defaults: {{{line}, {groups}}}}}]\n"
    one, two, three = site(f"{GATEWAY}devices: [{devices}, {other}]\n{lines}").devices
    assert [(each.interval, each.priority, each.place) for each in (one, two, three)] == [
        (2.0, "low", ["hall"]),
        (5.0, "high", ["hall"]),
        (1.0, "normal", []),
    ]
    assert (one.pause, one.groups["slow"].interval, one.groups["other"].interval) == (0.02, 60.0, 7.0)
    assert [(tag.unit, tag.order) for tag in one.tags] == [("mV", "CDAB"), ("mV", "CDAB"), ("V", None)]


def test_a_line_may_turn_its_devices_off(site: Any) -> None:
    devices = "{name: a, endpoint: tcp://plc, enabled: true}, {name: b, endpoint: tcp://plc}"
    line = "{endpoint: tcp://plc, defaults: {driver: sim, enabled: false}}"
    tags = ", tags: [{name: t}]}"
    text = f"{GATEWAY}devices: [{devices.replace('}', tags)}]\nlines: [{line}]\n"
    assert [each.name for each in site(text).devices] == ["a"]


def test_what_is_wrong_with_a_line_s_defaults_is_said_once_where_it_stands(problems: Any) -> None:
    """Of many devices, and of keys that each device says itself."""
    devices = "".join(f"  - {{name: m{n}, endpoint: tcp://plc, unit: {n}, interval: 1s}}\n" for n in range(1, 4))
    text = f"""{GATEWAY}devices:
{devices}lines:
  - endpoint: tcp://plc
    defaults:
      driver: modbus
      map: xy-md02
      intervall: 5s
      interval: 5x
      unit: 900
      name: x
      groups: {{slow: {{interval: 1m, defaults: {{reprot: 1, unit: furlong, name: y, group: z}}}}}}
"""
    assert problems(text) == [
        "site.yaml:11:7: defaults: unknown key 'intervall' (did you mean 'interval'?)",
        (
            "site.yaml:12:17: defaults: interval: '5x' is not a duration: "
            "write a number and ms, s, m, h or d, such as 250ms or 5m"
        ),
        "site.yaml:13:13: defaults: unit: 900 is more than 255",
        "site.yaml:14:7: lines[0]: defaults: name cannot be set here (it belongs to a device)",
        "site.yaml:15:48: defaults: unknown key 'reprot' (did you mean 'report'?)",
        "site.yaml:15:74: group 'slow': defaults: name cannot be set here (it belongs to a tag)",
        "site.yaml:15:83: group 'slow': defaults: group cannot be set here (it belongs to a tag)",
    ]


def test_what_is_wrong_with_a_group_s_defaults_is_said_once_where_it_stands(problems: Any, write: Any) -> None:
    write("m.yaml", MAP.format(more=", adress: 5, scale: x"))
    more = DEVICE.format(name="n", more="")[9:]
    own = ", groups: {fast: {defaults: {typ: int16}}, slow: {defaults: [1]}}"
    assert problems(GATEWAY + DEVICE.format(name="m", more=own) + more) == [
        "m.yaml:7:94: defaults: unknown key 'adress' (did you mean 'address'?)",
        "m.yaml:7:112: defaults: scale: must be a number ('x' is not)",
        "site.yaml:3:94: defaults: unknown key 'typ' (did you mean 'type'?)",
        "site.yaml:3:125: device 'm', group 'slow': defaults: must be a mapping (key: value)",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("defaults: 5", "site.yaml:3:41: lines[0]: defaults: must be a mapping (key: value)"),
        ("defaults: {driver: modbuss}", "driver: 'modbuss' is not known (did you mean 'modbus'?)"),
        ("defaults: {map: eastron-sdm63}", "map: there is no device map"),
        ("defaults: {groups: 5}", "groups: must be a mapping"),
        ("defaults: {groups: {slow: 5}}", "slow: must be a mapping"),
        ("defaults: ", ""),
        ("defaults: {}", ""),
    ],
)
def test_odd_defaults_of_a_line(line: str, said: str, site: Any, problems: Any) -> None:
    device = "devices: [{name: m, driver: modbus, endpoint: tcp://plc, tags: [{name: a, address: 0}]}]\n"
    text = f"{GATEWAY}{device}lines: [{{endpoint: tcp://plc, {line}}}]\n"
    if said:
        assert said in "\n".join(problems(text))
    else:
        assert len(site(text).devices) == 1
