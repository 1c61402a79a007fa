"""Alarms that cannot be are refused with their place; those that can be are what the file says."""

from typing import Any

import pytest

from agent.normalise.alarms import Alarm

SECOND = 10**9


def plant(*tags: str, more: str = "") -> str:
    lines = "\n".join(f"      - {tag}" for tag in tags)
    return f"gateway: {{id: gw}}\ndevices:\n  - name: press\n    driver: sim\n{more}    tags:\n{lines}\n"


OIL = "{name: oil, alarms: %s}"


def rules(site: Any, alarms: str) -> tuple[Alarm, ...]:
    found: tuple[Alarm, ...] = site(plant(OIL % alarms, "{name: set}")).recipes.tags["press", "oil"].alarms
    return found


def test_a_mapping_has_an_alarm_for_each_condition(site: Any) -> None:
    said = "{hh: 90, h: 80.5, l: 10, ll: 5, hysteresis: 2, on_delay: 5s, off_delay: 1m, on_bad: true, text: oil is hot}"
    common = {"text": "oil is hot", "on_delay": 5 * SECOND, "off_delay": 60 * SECOND}
    assert rules(site, said) == (
        Alarm("ll", severity=750, low=5, hysteresis=2, **common),
        Alarm("l", severity=500, low=10, hysteresis=2, **common),
        Alarm("h", severity=500, high=80.5, hysteresis=2, **common),
        Alarm("hh", severity=750, high=90, hysteresis=2, **common),
        Alarm("bad", severity=500, **common),
    )


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("[{h: 1, severity: urgent}]", Alarm("h", severity=1000, high=1)),
        ("{h: 1, severity: 1, name: hot, chatter: 2}", Alarm("h", "hot", severity=1, high=1, chatter=2)),
        ("{deviation: {from: set, by: 5}}", Alarm("deviation", low=-5, high=5, other="set")),
        ("{deviation: {from: 60, by: 5.5}}", Alarm("deviation", low=54.5, high=65.5)),
        ("{rate: {above: 120 per minute, over: 30s}}", Alarm("rate", low=-2.0, high=2.0, over=30 * SECOND)),
        ("{state: 3}", Alarm("state", states=frozenset([3]))),
        ("{on_bad: true, on_delay: 10s}", Alarm("bad", on_delay=10 * SECOND)),
    ],
)
def test_each_kind_is_what_the_file_says(site: Any, said: str, asked: Alarm) -> None:
    assert rules(site, said) == (asked,)


def test_states_are_those_that_the_tag_can_have(site: Any) -> None:
    found = site(plant("{name: mode, type: str, alarms: {state: [fault, jam]}}")).recipes.tags["press", "mode"].alarms
    assert found == (Alarm("state", states=frozenset(["fault", "jam"])),)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{}", "6:29: device 'press', tag 'oil': alarms: no condition: such as `h: 80`"),
        ("[]", "6:29: device 'press', tag 'oil': alarms: "),
        ("{hh: 80, h: 90}", "alarms: h: 90 is not below hh, 80"),
        ("{l: 5, ll: 10}", "alarms: ll: 10 is not below l, 5"),
        ("{l: 50, h: 50}", "alarms: l: 50 is not below h, 50"),
        ("[{l: 50}, {h: 40, severity: high}]", "alarms: l: 50 is not below h, 40"),
        ("{l: 40, h: 50, hysteresis: 11}", "hysteresis: 11 is more than the band between low and high limits, 10"),
        ("{deviation: {from: set, by: 5}, hysteresis: 6}", "hysteresis: 6 is more than deviation.by, 5"),
        ("{rate: {above: 5 per second, over: 1s}, hysteresis: 6}", "hysteresis: 6 is more than rate.above, 5"),
        ("{on_bad: true, hysteresis: 1}", "hysteresis: it is for limits, deviation and rate"),
        ("{h: 1, l: 0, name: hot}", "name: there are 2 alarms here (l, h): write each as an item"),
        (
            "{h: 1, severity: grave}",
            "6:46: device 'press', tag 'oil': alarms.severity: 'grave' is none: a number from 1",
        ),
        ("{h: 1, severity: 0}", "alarms.severity: 0 is less than 1"),
        ("{h: 1, on_delay: 8d}", "alarms.on_delay:"),
        ("{h: .nan}", "alarms.h: "),
        ("{rate: {above: 10, over: 30s}}", "alarms.rate.above: 10 is no rate: write a number and what for"),
        ("{rate: {above: 10 per second}}", "alarms.rate: over is missing"),
        ("{deviation: {from: set}}", "alarms.deviation: by is missing"),
        ("{h: 1, x: 1}", "alarms: unknown key 'x'"),
        (
            "{deviation: {from: sat, by: 5}}",
            "6:48: device 'press', tag 'oil': alarms: deviation: from: there is no tag 'sat'",
        ),
        ("{deviation: {from: oil, by: 5}}", "from: it is the tag itself"),
        ("{deviation: {from: mode, by: 5}}", "from: the tag 'mode' is a text"),
        ("{state: fault}", "alarms: state: 'fault': the tag is no text (float64), and never has this value"),
        ("[{h: 1}, {h: 2, severity: high}]", "6:38: device 'press', tag 'oil': alarms: the alarm 'oil_h' on line 6"),
        ("{h: 1, name: set}", "alarms: the tag 'set' of this device has that name"),
        ("{h: 1, name: x}", "alarms: 'x' needs the name 'x_value': the tag 'x_value' of this device has that name"),
        (f"{{h: 1, name: {'x' * 125}}}", "would have 134 characters, 128 at most"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(complaint: Any, said: str, words: str) -> None:
    found = complaint(plant(OIL % said, "{name: set}", "{name: mode, type: str}", "{name: x_value}"))
    assert found.startswith("site.yaml:6:")
    assert words in found


def test_a_near_name_is_offered(complaint: Any) -> None:
    found = complaint(plant(OIL % "{deviation: {from: setpiont, by: 5}}", "{name: setpoint}"))
    assert found.endswith("(did you mean 'setpoint'?)")


def test_a_text_has_no_limits(complaint: Any) -> None:
    found = complaint(plant("{name: mode, type: str, alarms: [{state: a}, {h: 5, name: b}]}"))
    assert found.startswith("site.yaml:6:55: device 'press', tag 'mode': alarms: h: the tag is a text")
    assert complaint(plant("{name: mode, type: str, alarms: {state: [a, 1]}}")).startswith(
        "site.yaml:6:49: device 'press', tag 'mode': alarms: state: 1: the tag is a text, and never has this value"
    )


def test_two_tags_cannot_have_alarms_of_one_name(complaint: Any) -> None:
    found = complaint(plant(OIL % "{h: 1, name: hot}", "{name: water, alarms: {h: 1, name: hot}}"))
    assert found.startswith("site.yaml:7:31: device 'press', tag 'water': alarms: the alarm 'hot' on line 6 has that")


def test_what_is_worked_out_has_alarms_too(site: Any, complaint: Any) -> None:
    more = "    derived: {both: {expr: oil + water, alarms: {h: %s}}}\n"
    found = site(plant("{name: oil}", "{name: water}", more=more % "100")).recipes.tags["press", "both"].alarms
    assert found == (Alarm("h", high=100),)
    wrong = complaint(plant("{name: oil}", "{name: both_h}", more=more.replace("water", "both_h") % "100"))
    assert "derived tag 'both': alarms: the tag 'both_h' of this device has that name" in wrong


def test_a_tag_that_is_not_read_is_nothing_to_measure_from(complaint: Any) -> None:
    found = complaint(plant(OIL % "{deviation: {from: set, by: 5}}", "{name: set, enabled: false}"))
    assert "there is no tag 'set' that is read" in found


def test_bits_have_alarms_each_and_no_common_name(site: Any, complaint: Any) -> None:
    text = "gateway: {id: g}\ndevices: [{name: m, driver: modbus, endpoint: tcp://h, tags: [%s]}]\n"
    tag = "{name: a, address: 1, bits: {0: low, 5: lost}, alarms: {state: true%s}}"
    tags = site(text % (tag % "")).recipes.tags
    assert [name for _, name in tags] == ["a_low", "a_lost"]
    assert "this tag stands for many" in complaint(text % (tag % ", name: x"))
