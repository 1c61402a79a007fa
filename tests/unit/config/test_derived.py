"""Derived tags and virtual devices: what is right becomes a plan, what is wrong is told at its character."""

from pathlib import Path
from typing import Any

import pytest

from agent.model.tag import Tag
from agent.normalise.calculated import Calculated, Derived

GATEWAY = "gateway: {id: g}\n"
TAGS = "tags: [{name: a}, {name: b}, {name: p-1}, {name: off, enabled: false}]"
DEVICE = f"devices:\n  - {{name: m, driver: sim, {TAGS}}}\n"


def device(derived: str) -> str:
    return f"{GATEWAY}devices:\n  - name: m\n    driver: sim\n    {TAGS}\n    derived:\n{derived}"


def test_a_formula_becomes_a_tag(site: Any) -> None:
    text = device(
        "      x: a + b\n"
        "      y: a > b\n"
        "      z: {expr: x * p, inputs: {p: p-1}, unit: W, dtype: int64, kind: counter, max_age: 5s}\n"
    )
    a, b = ("a", ("m", "a")), ("b", ("m", "b"))
    assert site(text).recipes.derived == (
        Calculated(
            "m",
            (
                Derived(Tag("x"), "a + b", (a, b)),
                Derived(Tag("y", "bool", kind="state"), "a > b", (a, b)),
                Derived(Tag("z", "int64", "W", "counter"), "x * p", (("x", ("m", "x")), ("p", ("m", "p-1"))), 5.0),
            ),
        ),
    )


def test_a_virtual_device_takes_tags_of_others(site: Any) -> None:
    text = GATEWAY + DEVICE + "virtual:\n  - {name: v, inputs: {q: m/a}, derived: {x: q * 2, y: x + q}}\n"
    (found,) = site(text).recipes.derived
    assert (found.device, found.every) == ("v", 1.0)
    assert [each.inputs for each in found.tags] == [(("q", ("m", "a")),), (("x", ("v", "x")), ("q", ("m", "a")))]


def test_a_derived_tag_may_ask_what_a_tag_may(site: Any) -> None:
    recipes = site(device("      x: {expr: a + b, limits: {max: 5}}\n")).recipes
    assert recipes.tags["m", "x"].limits.max == 5


def test_a_disabled_device_is_known_and_works_nothing_out(site: Any) -> None:
    off = "  - {name: o, driver: sim, enabled: false, tags: [{name: a}], derived: {x: a + 1}}\n"
    text = GATEWAY + DEVICE + off + "virtual: [{name: v, inputs: {q: o/a}, derived: {x: q + 1}}]\n"
    assert [each.device for each in site(text).recipes.derived] == ["v"]


def test_bits_with_names_are_tags(site: Any) -> None:
    tag = "{name: alarm, address: 1, bits: {0: jam, 1: heat}}"
    text = f"devices: [{{name: m, driver: modbus, endpoint: tcp://h, tags: [{tag}], derived: {{x: alarm_jam}}}}]\n"
    assert site(GATEWAY + text).recipes.derived[0].tags[0].inputs == (("alarm_jam", ("m", "alarm_jam")),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x: a + c", "7:14: device 'm', derived tag 'x': there is no tag 'c' ("),
        ("x: 'a + nothing'", "7:15: device 'm', derived tag 'x': there is no tag 'nothing' ("),
        ('x:   "a . b"', "8:13: device 'm', derived tag 'x': a dot is not understood ("),
        ("x: {expr: a.b}", "7:17: device 'm', derived tag 'x': a dot is not understood ("),
        ("x: a ** 9", "7:15: device 'm', derived tag 'x': a power must be a whole number from 0 to 8"),
        ("x: p-1 + a", "7:10: device 'm', derived tag 'x': there is no tag 'p' ('p-1' needs another name here: "),
        ("x: off + 1", "7:10: device 'm', derived tag 'x': the tag 'off' is not read (it is `enabled: false`)"),
        (
            "x: {expr: c, inputs: {c: o/a}}",
            "7:32: device 'm', derived tag 'x': inputs: c: there is no device 'o' (one of: m)",
        ),
        (
            "x: {expr: c, inputs: {c: m/d}}",
            "7:32: device 'm', derived tag 'x': inputs: c: device 'm': there is no tag 'd' (",
        ),
        ("a: b + 1", "7:7: device 'm', derived tag 'a': the device has a tag of this name (choose another name)"),
        ("x: x + a", "7:10: device 'm', derived tag 'x': it uses itself: x → x ("),
        ("x: 1 + 2", "7:10: device 'm', derived tag 'x': there is no tag in it ("),
        ("x y: a", "7:7: device 'm': derived.x y: "),
        ("x: [a]", "7:10: device 'm': derived.x: must be "),
        ("x: {expr: a, dtype: str}", "7:27: device 'm': derived.x.dtype: "),
        ("x: {exp: a}", "7:10: device 'm': derived.x: expr is missing ("),
    ],
)
def test_a_mistake_is_told_at_its_character(line: str, said: str, problems: Any) -> None:
    assert problems(device(f"      {line}\n"))[0].startswith(f"site.yaml:7:{said[2:]}")


def test_a_circle_is_named(problems: Any) -> None:
    said = problems(device("      x: a + y\n      y: z\n      z: b * x\n      w: x + 1\n"))
    assert said == [
        "site.yaml:7:14: device 'm', derived tag 'x': it uses itself: x → y → z → x (take one of them out of a formula)"
    ]


def test_a_circle_over_devices_is_named(complaint: Any) -> None:
    one = "{name: v1, inputs: {b: v2/y}, derived: {x: b + 1}}"
    other = "{name: v2, inputs: {c: v1/x}, derived: {y: c}}"
    said = complaint(f"{GATEWAY}{DEVICE}virtual:\n  - {one}\n  - {other}\n")
    assert said.startswith("site.yaml:5:48: virtual device 'v1', derived tag 'x': it uses itself: v1/x → v2/y → v1/x (")


@pytest.mark.parametrize(
    ("virtual", "said"),
    [
        ("{}", "site.yaml:4:10: virtual: must be a list"),
        ("[{name: m, derived: {x: y}}]", "site.yaml:4:18: virtual device 'm': two devices are named 'm' ("),
        ("[{name: v, derived: {}}]", "site.yaml:4:30: virtual device 'v': derived: has fewer than 1 items"),
        ("[{name: v, every: 100ms, derived: {x: y}}]", "site.yaml:4:28: virtual device 'v': every: between 0s and 1s"),
        ("[{name: v}]", "site.yaml:4:11: virtual device 'v': it has no tags: give it `derived:`"),
        ("[{name: v, derived: {x: a}}]", "site.yaml:4:34: virtual device 'v', derived tag 'x': there is no tag 'a'"),
    ],
)
def test_a_wrong_virtual_device_is_told(virtual: str, said: str, problems: Any) -> None:
    assert problems(f"{GATEWAY}{DEVICE}virtual: {virtual}\n")[0].startswith(said)


def test_a_formula_from_elsewhere_or_over_lines_is_told_where_it_is_named(problems: Any, tmp_path: Path) -> None:
    (tmp_path / "formula").write_text("a + secret.x")
    (tmp_path / "formula").chmod(0o600)
    (said,) = problems(device("      x: file:formula\n"))
    assert said.startswith("site.yaml:7:10: device 'm', derived tag 'x': a dot")
    (said,) = problems(device("      x: >\n        a +\n        c\n"))
    assert said.startswith("site.yaml:7:10: device 'm', derived tag 'x': there is no tag 'c'")


def test_a_device_with_patterns_may_have_any_tag(site: Any) -> None:
    text = 'devices: [{name: p, driver: opcua, endpoint: "opc.tcp://h", security: none, tags: [{match: "A/*"}], '
    assert site(GATEWAY + text + "derived: {x: found + 1}}]\n").recipes.derived[0].tags[0].inputs


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x: {expr: a > b, limits: {max: 3}}", "7:38: device 'm', derived tag 'x': limits.max: a bool has none ("),
        (
            "x: {expr: a, unit: kWh, as: m3}",
            "7:35: device 'm', derived tag 'x': as: 'kWh' and 'm3' are not of the same",
        ),
        ("x: {expr: a, counter: {intervals: 15m}}", "7:29: device 'm', tag 'x': counter: it is a gauge ("),
    ],
)
def test_what_it_asks_is_checked_as_of_any_tag(line: str, said: str, problems: Any) -> None:
    assert problems(device(f"      {line}\n"))[0].startswith(f"site.yaml:{said}")


def test_what_is_made_of_a_counter_can_stand_in_a_formula(site: Any, problems: Any) -> None:
    tag = "{name: e, kind: counter, counter: {intervals: 15m}}"
    text = f"{GATEWAY}devices: [{{name: m, driver: sim, tags: [{tag}, {{name: f}}], derived: {{x: %s}}}}]\n"
    assert site(text % "4 * e_15m").recipes.derived[0].tags[0].inputs == (("e_15m", ("m", "e_15m")),)
    assert "there is no tag 'f_15m'" in problems(text % "4 * f_15m")[0]


def test_energy_carbon_and_shifts_may_be_used(site: Any) -> None:
    made = "{co2: [{tag: a, factor: diesel, name: fuel}], coal_equivalent: [{tag: m/b, factor: diesel}]}"
    tags = "tags: [{name: a, unit: kg}, {name: b, unit: kg}, {name: s, state: {run: 1}}, {name: n, kind: counter}]"
    more = "oee: {state: s, run: run, produced: n, good: n, cycle: 1s, calendar: c}"
    devices = f"devices:\n  - {{name: m, driver: sim, {tags}, energy: {made}, {more}, derived: {{x: fuel + oee}}}}\n"
    calendars = "calendars: {c: {days: [{times: {06:00: early}}]}}\n"
    virtual = "virtual: [{name: v, inputs: {f: m/fuel, k: m/b_kgce, o: m/oee_quality}, derived: {y: f + k + o}}]\n"
    assert len(site(GATEWAY + calendars + devices + virtual).recipes.derived) == 2


def test_of_tags_that_are_wrong_nobody_says_that_they_are_missing(complaint: Any) -> None:
    text = "gateway: {id: g}\ndevices:\n  - name: m\n    driver: sim\n    tags: [{name: a}, {name: b, wave: wavy}]\n"
    said = complaint(text + "    derived: {c: a + b}\n")
    assert "wavy" in said
    assert "no tag" not in said
