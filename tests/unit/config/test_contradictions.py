"""What contradicts itself, can never be, or would silently do nothing: refused at its place, or a warning."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, load, load_map
from agent.config.problems import Report

GATEWAY = "gateway: {id: g, timezone: UTC}\n"
CALENDARS = "calendars: {s: {days: [{times: {06:00: early}}]}}\n"
MAP = "device: {vendor: v, model: m, kind: energy_meter}\ndriver: modbus\nstatus: draft\nsources: [x]\n"


def device(*tags: str, more: str = "") -> str:
    listed = "".join(f"      - {{{each}}}\n" for each in tags)
    return f"{GATEWAY}{CALENDARS}devices:\n  - name: m\n    driver: sim\n    tags:\n{listed}{more}"


def marked(text: str) -> tuple[str, str]:
    """Without the § before the place of a problem, and line:column of it."""
    before, _, after = text.partition("§")
    return before + after, f"{len(before.splitlines())}:{len(before.splitlines()[-1]) + 1}"


def warnings(path: Path, text: str) -> list[str]:
    path.write_text(text)
    report = Report()
    load(path, {}, report)
    return [f"{each.line}:{each.column} {each.message}" for each in report.warnings]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("kind: counter, type: bool, counter: §{}", "counter: its values are true and false ("),
        (
            "kind: counter, type: uint16, counter: {rollover: §100000}",
            "counter.rollover: 100000 is more than a uint16 can show (it begins again at 65536",
        ),
        ("type: uint8, state: {run: §300}", "state: run: 300 is nothing that a uint8 can be ("),
        ("type: bool, state: {run: §2}", "state: run: 2: the tag is a bool, and never has this value"),
        ("type: int32, state: §{run: [1, true]}", "state: true is twice in run: take it out of one"),
        ("type: uint8, alarms: {h: §300}", "alarms: h: 300 is a limit that no value is ever beyond (the tag"),
        ("type: uint16, alarms: {l: §0}", "alarms: l: 0 is a limit that no value is ever beyond ("),
        ("type: uint8, alarms: {state: §256}", "alarms: state: 256 is nothing that a uint8 can be ("),
        ("type: bool, alarms: {§h: 0}", "alarms: h: the tag is a bool (`state: true`)"),
        (
            "limits: {max: 50}, alarms: {h: §80}",
            "alarms: h: no value is ever beyond 80: `limits` has `max: 50` (change one of the two)",
        ),
        ("limits: {min: 5, max: 9}, alarms: {ll: §5}", "alarms: ll: no value is ever beyond 5: `limits` has"),
        (f"limits: {{min: §{'9' * 41}}}", "limits.min: must be a number (it has too many digits)"),
    ],
)
def test_what_a_tag_can_never_be(complaint: Any, tag: str, said: str) -> None:
    text, place = marked(device(f"name: a, {tag}"))
    assert complaint(text).startswith(f"site.yaml:{place}: device 'm', tag 'a': {said}")


def test_where_values_are_converted_the_type_bounds_nothing(site: Any) -> None:
    more = "type: uint8, unit: m, as: cm, state: {run: 300}, alarms: {h: 300}"
    counter = "kind: counter, type: uint16, unit: kWh, as: Wh, counter: {rollover: 65536000}"
    assert len(site(device(f"name: a, {more}", f"name: b, {counter}")).recipes.tags) == 2


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ("{expr: a > 1, unit: kW, as: W}", "as: text, true and false have no unit"),
        ("{expr: a > 1, alarms: {h: 1}}", "alarms: h: the tag is a bool"),
        ("{expr: a > 1, alarms: {state: fault}}", "alarms: state: 'fault': the tag is no text (bool)"),
        ("{expr: text + 1}", "text is text, and a number is needed here"),
        ("{expr: a == 'auto'}", "a is compared with text, and has none"),
        ("{expr: q, inputs: {q: v/x}}", "inputs: q: there is no device 'v'"),
        ("{expr: a, inputs: {true: a}}", "inputs: 'true' cannot stand in a formula"),
        ("{expr: a, inputs: {a b: a}}", "inputs: 'a b' cannot stand in a formula"),
        ("{expr: a, inputs: {q: none}}", "inputs: q: device 'm': there is no tag 'none'"),
    ],
)
def test_what_a_formula_can_never_be(complaint: Any, derived: str, said: str) -> None:
    found = complaint(device("name: a", "name: text, type: str", more=f"    derived: {{x: {derived}}}\n"))
    assert found.startswith("site.yaml:9:")
    assert f"derived tag 'x': {said}" in found


def test_an_input_of_a_virtual_device_is_told_once_however_many_use_it(problems: Any) -> None:
    virtual = "virtual: [{name: v, inputs: {q: m/b}, derived: {x: q, y: q, z: q + 1}}]\n"
    assert problems(device("name: a", more=virtual)) == [
        "site.yaml:8:33: virtual device 'v': inputs: q: device 'm': there is no tag 'b' (one of: a)"
    ]


def test_a_tag_of_another_device_needs_a_name(complaint: Any) -> None:
    said = complaint(device("name: a", more="virtual: [{name: v, derived: {x: m/a}}]\n"))
    assert "there is no tag 'm' (a tag of the device 'm' needs a name here: inputs: {x: m/TAG})" in said


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("produced: off, good: n", "oee: produced: the tag 'off' is not read (it is `enabled: false`)"),
        ("produced: n, rejects: n", "oee: rejects: 'n' is the tag of `produced`, too"),
        ("produced: yes_no, good: n", "oee: produced: the tag 'yes_no' is a bool"),
    ],
)
def test_what_shifts_cannot_count(complaint: Any, said: str, wrong: str) -> None:
    tags = "name: s, type: int32, state: {run: 1}", "name: n", "name: off, enabled: false", "name: yes_no, type: bool"
    found = complaint(device(*tags, more=f"    oee: {{state: s, {said}, cycle: 1s, calendar: s}}\n"))
    assert found.startswith("site.yaml:11:")
    assert wrong in found


def test_text_is_not_weighed(complaint: Any) -> None:
    energy = "    energy: {coal_equivalent: [{tag: a, factor: electricity}]}\n"
    said = complaint(device("name: a, type: bool, unit: kWh", more=energy))
    assert "'a' is no number (only numbers can be weighed)" in said


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        ("also: {MJ: 0.2}, years: {2024: 1}", "2:38: factors, co2.x: also: 'MJ' is converted to 'kWh' anyway"),
        ("also: {foo: 1}, years: {2024: 1}", "2:38: factors, co2.x: also: 'foo' is not a unit"),
        ("also: {m3: 0}, years: {2024: 1}", "2:42: factors: co2.x.also.m3: 0 is not more than 0"),
        (
            "versions: [{version: a, value: 1}, {version: a, value: 2, from: 2024-01-01}]",
            "2:66: factors, co2.x: two versions are called 'a'",
        ),
        ("versions: [{version: a, value: 1, from: 2024-W01-1}]", "2:71: factors: co2.x.versions[0].from: '2024-W01-1'"),
        ("versions: [{version: a, value: 1, from: 20240101}]", "2:71: factors: co2.x.versions[0].from: 20240101 is no"),
    ],
)
def test_what_a_factor_can_never_be(complaint: Any, factor: str, said: str) -> None:
    text = device("name: a").replace(GATEWAY, f"{GATEWAY}factors: {{co2: {{x: {{per: kWh, {factor}}}}}}}\n")
    assert complaint(text).startswith(f"site.yaml:{said}")


def test_the_grid_is_no_factor_of_its_own(complaint: Any) -> None:
    text = device("name: a").replace(
        GATEWAY, f"{GATEWAY}factors: {{co2: {{grid: {{per: kWh, years: {{2024: 1}}}}}}}}\n"
    )
    assert complaint(text).startswith("site.yaml:2:17: factors, co2.grid: `grid` stands for the one")


def test_what_hangs_on_a_wrong_section_is_not_said_as_well(complaint: Any) -> None:
    tariff = device("name: a, kind: counter, counter: {tariff: t}").replace(CALENDARS, "calendars: []\n")
    assert complaint(tariff) == "site.yaml:2:12: calendars: must be a mapping (name: calendar)"
    lost = "{name: m, driver: modbus, endpoint: tcp://h, map: eastron-sdm63, tags: [{name: current_l1, group: x}]}"
    assert "there is no device map 'eastron-sdm63'" in complaint(f"{GATEWAY}devices: [{lost}]\n")


def test_thousands_of_dates_are_looked_at_in_no_time(tmp_path: Path) -> None:
    """Each with each it were minutes."""
    entries = [
        f"{{dates: [{', '.join(f'{2001 + n // 12 + 33 * m}-{1 + n % 12:02d}-{1 + n % 28:02d}' for n in range(396))}], "
        "times: {0:00: a}}"
        for m in range(60)
    ]
    text = f"calendars: {{s: {{days: [{', '.join(entries)}, {{times: {{0:00: a}}}}]}}}}\n"
    (tmp_path / "site.yaml").write_text(device("name: a").replace(CALENDARS, text))
    assert list(load(tmp_path / "site.yaml", {}).recipes.calendars) == ["s"]


@pytest.mark.parametrize("beside", ["weekdays: mon", "seasons: 7"])
def test_dates_stand_alone(complaint: Any, beside: str) -> None:
    days = (
        f"calendars: {{s: {{days: [{{dates: 2026-10-01, {beside}, times: {{0:00: a}}}}, {{times: {{0:00: b}}}}]}}}}\n"
    )
    said = complaint(device("name: a").replace(CALENDARS, days))
    assert said.startswith("site.yaml:2:")
    assert "beside them it is not clear which days are meant" in said


@pytest.mark.parametrize("when", ["seasons: \uff17", "dates: 2026-W40-1", "dates: 20261001", "weekdays: Mon"])
def test_dates_are_spelt_in_one_way(complaint: Any, when: str) -> None:
    days = f"calendars: {{s: {{days: [{{{when}, times: {{0:00: a}}}}, {{times: {{0:00: b}}}}]}}}}\n"
    assert complaint(device("name: a").replace(CALENDARS, days)).startswith("site.yaml:2:")


def test_transformers_by_which_nothing_is_multiplied_are_odd(tmp_path: Path) -> None:
    path, more = tmp_path / "site.yaml", "    ct: 400/5\n    pt: 100\n"
    assert [said[:12] for said in warnings(path, device("name: a, ratio: ct", more=more))] == ["9:9 device '"]
    assert len(warnings(path, device("name: a, ratio: ct*pt", more=more))) == 0


def test_a_name_that_no_formula_uses_is_odd(tmp_path: Path) -> None:
    derived = (
        "    derived: {x: {expr: a, inputs: {b: a}}}\nvirtual: [{name: v, inputs: {b: m/a, c: m/a}, derived: {y: b}}]\n"
    )
    assert warnings(tmp_path / "site.yaml", device("name: a", more=derived)) == [
        "8:37 device 'm', derived tag 'x': inputs: no formula uses 'b'",
        "9:38 virtual device 'v': inputs: no formula uses 'c'",
    ]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("  - {name: a, address: 0, counter: §{}}\n", "counter: it is a gauge"),
        (
            "  - {name: a, address: 0, alarms: {deviation: {from: §b, by: 1}}}\n",
            "alarms: deviation: from:",
        ),
        ("  - {name: a, address: 0, state: {run: §x}}\n", "state: run: 'x': the tag is no text"),
        (
            "  - {name: a, address: 0, enum: {0: ok, 1: jam}, alarms: {state: §jamm}}\n",
            "alarms: state: 'jamm'",
        ),
        (
            "  - {name: a, address: 0, aggregate: §{every: 1h, of: [min]}}\n  - {name: a_min_1h, address: 1}\n",
            "aggregate: 'a_min_1h' is the tag",
        ),
    ],
)
def test_a_map_is_looked_at_as_a_device_is(tmp_path: Path, tags: str, said: str) -> None:
    path = tmp_path / "map.yaml"
    text, place = marked(f"{MAP}tags:\n{tags}")
    path.write_text(text)
    with pytest.raises(Invalid) as caught:
        load_map(path)
    assert [str(each).startswith(f"{path}:{place}: tag 'a': {said}") for each in caught.value.problems] == [True]


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ("{x: aa + 1}", "5:23: derived tag 'x': there is no tag 'aa'"),
        ("{x: {expr: a + 1, unit: kwh}}", "5:43: derived tag 'x': unit: 'kwh' is not a unit"),
        ("{x: {expr: a, kind: counter, counter: {tariff: t}}}", "5:66: tag 'x': counter.tariff: there is no calendar"),
    ],
)
def test_formulas_of_a_map_are_told_there_and_once(problems: Any, write: Any, derived: str, said: str) -> None:
    write("map.yaml", f"{MAP}quirks: {{derived: {derived}}}\ntags: [{{name: a, address: 0}}]\n")
    devices = [f"{{name: d{n}, driver: modbus, endpoint: tcp://10.0.0.{n}, map: ./map.yaml}}" for n in (1, 2)]
    (found,) = problems(f"{GATEWAY}devices: [{', '.join(devices)}]\n")
    assert found.startswith(f"map.yaml:{said}")


def test_what_an_alias_or_a_default_says_wrong_is_told_once(problems: Any, write: Any) -> None:
    limits = "{name: a, limits: &l {min: 9, max: 5}}", "{name: b, limits: *l}"
    assert len(problems(f"{GATEWAY}devices: [{{name: m, driver: sim, tags: [{', '.join(limits)}]}}]\n")) == 1
    write("map.yaml", f"{MAP}defaults: {{unit: kwh}}\ntags: [{{name: a, address: 0}}, {{name: b, address: 1}}]\n")
    assert len(problems(f"{GATEWAY}devices: [{{name: m, driver: modbus, endpoint: tcp://h, map: ./map.yaml}}]\n")) == 1


def test_a_key_of_a_tag_stands_for_all_that_its_map_says_there(site: Any, write: Any) -> None:
    write(
        "map.yaml",
        f"{MAP}defaults: {{limits: {{min: 0, max: 10}}}}\ntags: [{{name: a, address: 0}}, {{name: b, address: 1}}]\n",
    )
    over = "tags: [{name: a, limits: {max: 5}}]"
    recipes = site(
        f"{GATEWAY}devices: [{{name: m, driver: modbus, endpoint: tcp://h, map: ./map.yaml, {over}}}]\n"
    ).recipes
    assert [(recipes.tags["m", name].limits.min, recipes.tags["m", name].limits.max) for name in "ab"] == [
        (None, 5),
        (0, 10),
    ]


def test_of_thousands_of_names_the_one_that_was_meant_is_found(complaint: Any) -> None:
    tags = [f"name: temperature_zone_{n}" for n in range(2000)]
    said = complaint(device(*tags, more="    derived: {x: temperature_zonne_1234}\n"))
    assert said.endswith("(did you mean 'temperature_zone_1234'?)")
