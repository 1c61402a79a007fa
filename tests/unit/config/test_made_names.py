"""What is made of tags is known by its names before anything is made: for clashes, for references, for circles."""

from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.normalise.made import Names
from agent.registry import names_of
from tests.lengths import often

CALENDARS = "calendars: {tou: {days: [{times: {00:00: valley, 08:00: peak}}]}}\n"
GATEWAY = f"gateway: {{id: g, timezone: UTC}}\n{CALENDARS}"
SLIDING = "{demand: {every: 15m, sliding: 1m}}"
COUNTERS = ["", "{}", "{total: false, intervals: [15m, 90m]}", "{demand: 15m}", "{demand: 30m, tariff: tou}", SLIDING]
WINDOWS = [
    "",
    "{every: 15m, of: [min, time_mean]}",
    "[{every: 1500ms, of: [first], late: 0s}, {every: 8h, of: [late]}]",
]
STATES = ["", "{run: [1, 5], idle: 2}", "{run: 1, other: fault}"]
ALARMS = ["", "{h: 80, l: 2, text: hot}", "[{on_bad: true, name: lost}, {rate: {above: 1 per hour, over: 1m}}]"]
NAMES = ["e", "e_total", "电"]


def tag(name: str, counter: str = "", windows: str = "", states: str = "", alarms: str = "") -> str:
    parts = {"counter": counter, "aggregate": windows, "state": states, "alarms": alarms}
    asked = "".join(f", {key}: {value}" for key, value in parts.items() if value)
    return f"{{name: {name}, kind: counter{asked}}}"


def device(*tags: str, more: str = "") -> str:
    listed = "".join(f"      - {each}\n" for each in tags)
    return f"{GATEWAY}devices:\n  - name: m\n    driver: sim\n    tags:\n{listed}{more}"


@settings(deadline=None, max_examples=often(40, 400), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.sampled_from(list(product(NAMES, COUNTERS, WINDOWS, STATES, ALARMS))))
def test_the_names_are_those_of_what_is_made(site: Any, asked: tuple[str, ...]) -> None:
    found = site(device(tag(*asked)))
    schema = Schema("m", "1s", (Tag(asked[0], kind="counter"),), 1.0)
    steps = Steps((schema,), found.recipes)
    made = {(each.group, tag.name) for each in steps.made for tag in each.tags}
    rules = found.recipes.tags.get(("m", asked[0]))
    told = Names(found.recipes.calendars).made(asked[0], rules) if rules else []
    assert sorted(told) == sorted(made)


def test_names_of_equal_rules_are_each_tags_own(site: Any) -> None:
    found: Recipes = site(device(tag("a", "{}", WINDOWS[1]), tag("b", "{}", WINDOWS[1]))).recipes
    names = Names(found.calendars)
    assert found.tags["m", "a"] is found.tags["m", "b"]
    assert names.names("a", found.tags["m", "a"]) == ["a_total", "a_min_15m", "a_time_mean_15m"]
    assert names.names("b", found.tags["m", "b"]) == ["b_total", "b_min_15m", "b_time_mean_15m"]


def test_what_is_made_may_be_used(site: Any) -> None:
    oee = "    oee: {state: s, produced: c, good: c, cycle: 1s, calendar: tou}\n"
    energy = "    energy: {coal_equivalent: [{tag: c, factor: electricity}]}\n"
    formulas = {
        "x1": "c_total + c_15m", "x2": "c_15m_kgce * 2", "x3": "oee * 100", "x4": "p if p_h else 0",
        "x5": "c_valley / 2", "x6": "s_run_s + s_run_count", "x7": "p_min_15m", "x8": "x1_h and x7 > 1",
    }  # fmt: skip
    derived = "".join(f"      {name}: {formula}\n" for name, formula in formulas.items() if name != "x1")
    text = device(
        "{name: c, unit: kWh, kind: counter, counter: {intervals: 15m, tariff: tou}}",
        "{name: p, alarms: {h: 5}, aggregate: {every: 15m, of: [min]}}",
        "{name: s, type: int32, state: {run: 1}}",
        more=f"{oee}{energy}    derived:\n      x1: {{expr: {formulas['x1']}, alarms: {{h: 3}}}}\n{derived}",
    )
    (found,) = site(text).recipes.derived
    assert [each.tag.name for each in found.tags] == list(formulas)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("c_16m", "there is no tag 'c_16m' (did you mean 'c_15m'?)"),
        ("c_foo", "there is no tag 'c_foo' ("),
        ("p_total", "there is no tag 'p_total' ("),
    ],
)
def test_what_is_not_made_is_not_there(complaint: Any, formula: str, said: str) -> None:
    text = device("{name: c, kind: counter, counter: {intervals: 15m}}", "{name: p}", more="    derived: {x: %s}\n")
    assert complaint(text % formula).startswith(f"site.yaml:9:18: device 'm', derived tag 'x': {said}")
    energy = "    energy: {co2: [{tag: %s, factor: grid_cn-national}]}\n"
    assert said.partition(" (")[0] in complaint(text.replace("    derived: {x: %s}\n", energy) % formula)


@pytest.mark.parametrize(
    ("derived", "circle"),
    [
        ("x: {expr: a + 1 if usable(x_total) else a, kind: counter, counter: {}}", "x → x_total → x"),
        ("x: {expr: a - 9 if x_h else a, alarms: {h: 5}}", "x → x_h → x"),
        ("{x: a - 9 if y_h else a, y: {expr: x, alarms: {h: 5}}}", "x → y_h → y → x"),
        ("{x: {expr: x_15m_kgce + a, unit: kWh, kind: counter, counter: {intervals: 15m}}}", "x_15m → x"),
        ("{x: a if y_deviation else b, y: {expr: a, alarms: {deviation: {from: x, by: 1}}}}", "x → y_deviation → x"),
    ],
)
def test_who_uses_itself_over_what_is_made_of_it_is_refused(complaint: Any, derived: str, circle: str) -> None:
    derived = derived if derived.startswith("{") else f"{{{derived}}}"
    energy = "    energy: {coal_equivalent: [{tag: x, factor: electricity}]}\n" if "kgce" in derived else ""
    said = complaint(device("{name: a}", "{name: b}", more=f"    derived: {derived}\n{energy}"))
    assert said.startswith("site.yaml:9:")
    assert "it uses itself: x → " in said
    assert circle in said


def test_the_same_over_two_devices(complaint: Any) -> None:
    one = "{name: v, inputs: {a: m/a, t: w/y_total}, derived: {x: {expr: a + t, kind: counter, counter: {}}}}"
    two = "{name: w, inputs: {t: v/x_total}, derived: {y: {expr: t, kind: counter, counter: {}}}}"
    said = complaint(device("{name: a}", more=f"virtual: [{one}, {two}]\n"))
    assert "it uses itself: v/x → w/y_total → w/y → v/x_total → v/x" in said


def test_names_of_bits_are_those_that_count(site: Any) -> None:
    bits = "{name: b, address: 1, bits: {0: x}, state: {run: true}}"
    found = site(f"{GATEWAY}devices: [{{name: m, driver: modbus, endpoint: tcp://h, tags: [{bits}]}}]\n")
    (name,) = names_of(found.devices[0].tags[0])
    assert Names({}).names(name, found.recipes.tags["m", name])[0] == "b_x_run_s"
