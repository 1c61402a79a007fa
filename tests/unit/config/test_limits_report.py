"""Limits of a tag and when it is told: read as they are meant, or refused at their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config import Site
from agent.normalise.limits.asked import Limits
from agent.normalise.report.asked import Reporting
from tests.unit.config.conftest import GATEWAY

S = 10**9


def sim(tag: str, device: str = "") -> str:
    return GATEWAY + f"devices:\n  - name: m\n    driver: sim\n{device}    tags:\n      - {{name: t, {tag}}}\n"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("{min: 0}", Limits(0)),
        ("{min: -5, max: 5.5, outside: clamp}", Limits(-5, 5.5, clamp=True)),
        ("{rate: 0.5, stuck: 10m, stuck_band: 0.1}", Limits(rate=0.5, stuck=600 * S, band=0.1)),
    ],
)
def test_limits_are_read(site: Callable[..., Site], said: str, meant: Limits) -> None:
    assert site(sim(f"limits: {said}")).recipes.tags["m", "t"].limits == meant


@pytest.mark.parametrize(
    ("tag", "complaint_is"),
    [
        ("limits: {min: 5, max: 3}", "limits.max: 3 is less than `min`, 5: no value would be left"),
        ("limits: {rate: 0}", "limits.rate: 0 is not more than 0"),
        ("limits: {rate: -1}", "limits.rate: -1 is not more than 0"),
        ("limits: {outside: clamp}", "limits.outside: clamp needs `min`, `max` or both"),
        ("limits: {stuck_band: 3}", "limits.stuck_band: stuck_band needs `stuck`, such as 10m"),
        ("limits: {minn: 3}", "limits: unknown key 'minn' (did you mean 'min'?)"),
        ("limits: {min: .nan}", "limits.min: must be a finite number"),
        ("type: uint16, limits: {min: -1}", "limits.min: -1 is nothing that a uint16 can be (it goes from 0 to 65535)"),
        ("type: int8, limits: {max: 128}", "limits.max: 128 is nothing that an int8 can be (it goes from -128 to 127)"),
        ("type: float32, limits: {max: 4e38}", "limits.max: 4e+38 is nothing that a float32 can be"),
        ("type: uint8, limits: {min: 0.2, max: 0.8}", "limits.max: between 0.2 and 0.8 is no whole number"),
        ("wave: text, limits: {min: 1}", "limits.min: text has none (only `stuck` says something of it)"),
        ("wave: square, limits: {rate: 1, stuck: 5m}", "limits.rate: a bool has none"),
        ("report: sometimes", "report: 'sometimes' is not known here (one of: always, on_change"),
        ("report: 5", "report: must be a mapping"),
        ("report: {deadband: abc}", "report.deadband: 'abc' does not have the right form"),
        ("report: {deadband: 0}", "report.deadband: 0 is not more than 0"),
        ("report: {deadband: 200%}", "report.deadband: 200% is not more than 0% and at most 100%"),
        ("report: {deadband: 1, door: 1}", "report.door: either a deadband or a door"),
        ("report: {when: period, door: 1}", "report.door: it says what a change is, and `when: period` asks for none"),
        ("report: {when: always, deadband: 1}", "report.deadband: it says what a change is"),
        ("report: {period: 5s}", "report.period: `when: on_change` has no period: period or on_change_or_period"),
        ("report: {deadband: 1, deadband_min: 3}", "report.deadband_min: it goes with a deadband in percent"),
        ("report: {whenn: always}", "report: unknown key 'whenn' (did you mean 'when'?)"),
    ],
)
def test_what_cannot_be_is_refused(complaint: Callable[..., str], tag: str, complaint_is: str) -> None:
    said = complaint(sim(tag))
    place, _, message = said.partition(": device 'm', tag 't': ")
    assert message.startswith(complaint_is)
    assert place.startswith("site.yaml:6:")


def test_a_complaint_points_at_the_value(complaint: Callable[..., str]) -> None:
    for tag, value in [("limits: {min: 5, max: 3}", "3}"), ("type: uint16, limits: {min: -1}", "-1}")]:
        column = sim(tag).splitlines()[5].index(value) + 1
        assert complaint(sim(tag)).startswith(f"site.yaml:6:{column}: ")


def test_a_tag_that_leaves_in_another_unit_has_limits_of_that(site: Callable[..., Site]) -> None:
    text = sim("type: uint16, unit: kW, as: W, limits: {max: 9000000}")
    assert site(text).recipes.tags["m", "t"].limits == Limits(max=9_000_000)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("always", None),
        ("on_change", Reporting(changes=True)),
        ("period", Reporting(period=60 * S)),
        ("on_change_or_period", Reporting(changes=True, period=60 * S)),
        ("{}", Reporting(changes=True)),
        ("{deadband: 0.5, max_time: 1h}", Reporting(changes=True, band=0.5, max_time=3600 * S)),
        ("{deadband: 1%, deadband_min: 0.2}", Reporting(changes=True, band=0.2, share=0.01)),
        ("{when: on_change_or_period, door: 2, period: 10s}", Reporting(changes=True, door=2.0, period=10 * S)),
        ("{when: always, max_time: 1m}", Reporting(max_time=60 * S)),
    ],
)
def test_report_is_read(site: Callable[..., Site], said: str, meant: Reporting | None) -> None:
    tags = site(sim(f"report: {said}")).recipes.tags
    assert tags.get(("m", "t")) is None if meant is None else tags["m", "t"].report == meant


def test_a_device_says_it_for_all_its_tags_and_a_tag_for_itself(site: Callable[..., Site]) -> None:
    device = "    report: on_change\n    derived: {d: 2 * t}\n"
    tags = site(sim("limits: {min: 1}", device) + "      - {name: u, report: always}\n").recipes.tags
    assert (tags["m", "t"].report, tags["m", "d"].report) == (Reporting(changes=True), Reporting(changes=True))
    assert ("m", "u") not in tags


MAP = "device: {vendor: v, model: m, kind: meter}\ndriver: sim\n"
USERS = GATEWAY + "devices: [{name: m, driver: sim, map: ./m.yaml}, {name: n, driver: sim, map: ./m.yaml}]\n"


def test_a_map_says_it_for_all_its_tags(site: Callable[..., Site], write: Callable[[str, str], Path]) -> None:
    write("m.yaml", f"{MAP}defaults: {{report: {{deadband: 1%}}}}\ntags: [{{name: t}}]\n")
    assert site(USERS).recipes.tags["n", "t"].report == Reporting(changes=True, share=0.01)


def test_what_is_wrong_in_a_map_is_told_once(complaint: Callable[..., str], write: Callable[[str, str], Path]) -> None:
    write("m.yaml", f"{MAP}tags: [{{name: t, type: int8, limits: {{max: 500}}}}]\n")
    assert complaint(USERS).startswith("m.yaml:3:44: tag 't': limits.max: 500 is nothing that an int8 can be")
