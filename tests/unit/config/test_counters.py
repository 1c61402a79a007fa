"""Counters in the file: read, or refused at their place."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.config import Site
from agent.normalise.counters.ask import Counter

SECOND = 10**9
CALENDARS = "calendars: {tou: {days: [{times: {00:00: valley, 08:00: peak}}]}}\n"
Complaint = Callable[..., str]


def tag(counter: str, more: str = "kind: counter") -> str:
    return (
        "gateway: {id: gw-1, timezone: Asia/Shanghai}\n" + CALENDARS + "devices:\n"
        "  - name: meter\n"
        "    driver: sim\n"
        "    tags:\n"
        f"      - {{name: energy, counter: {counter}, {more}}}\n"
    )


def asked(site: Callable[..., Site], counter: str, more: str = "kind: counter") -> Counter:
    rules = site(tag(counter, more)).recipes.tags["meter", "energy"]
    assert rules.counter is not None
    return rules.counter


def plain(counter: Counter) -> Counter:
    """Without what its numbers are."""
    return replace(counter, basis="")


def test_all_that_can_be_asked(site: Callable[..., Site]) -> None:
    text = "{rollover: 1000000, max_rate: 500, confirm: 3, total: false, intervals: [1m, 60m], demand: {every: 15m}"
    text += ", tariff: tou}"
    assert plain(asked(site, text)) == Counter(
        1_000_000, 500.0, 3, False, (60 * SECOND, 3600 * SECOND), 900 * SECOND, "tou"
    )


def test_short_forms_and_what_holds_unless_told(site: Callable[..., Site]) -> None:
    assert plain(asked(site, "{}")) == Counter("auto", None, 2, True, (), 0, "")
    short = asked(site, "{intervals: 15m, demand: 30m, rollover: none}")
    assert plain(short) == Counter("none", intervals=(900 * SECOND,), demand=1800 * SECOND)
    slides = asked(site, "{demand: {sliding: 1m}}")
    assert plain(slides) == Counter(demand=900 * SECOND, sliding=60 * SECOND)


def test_other_numbers_have_another_basis(site: Callable[..., Site]) -> None:
    others = ["unit: Wh", "unit: kWh", "unit: kWh, as: MWh", "unit: MWh"]
    assert len({asked(site, "{}", f"kind: counter, {other}").basis for other in others}) == len(others)
    same = [
        asked(site, said, f"kind: counter, unit: kWh, {more}")
        for said, more in (("{}", "low: 0"), ("{intervals: 15m}", "limits: {min: 0}"))
    ]
    assert same[0].basis == same[1].basis


@pytest.mark.parametrize(
    ("counter", "said"),
    [
        (
            "{intervals: [15m, 7m]}",
            "7:51: device 'meter', tag 'energy': counter.intervals[1]: intervals of 7m do not fill an hour or a day",
        ),
        ("{intervals: [1h, 60m]}", "counter.intervals: 1h is there twice"),
        ("{demand: {every: 15m, sliding: 2m}}", "counter.demand: sliding: a window of 15m has no whole number of such"),
        (
            "{demand: {every: 15m, sliding: 15m}}",
            "counter.demand: sliding: a window of 15m has no whole number of such",
        ),
        (
            "{demand: {every: 1h, sliding: 30s}}",
            "counter.demand: sliding: a window has at most 60 steps: take at least 1m",
        ),
        ("{demand: {sliding: 7m}}", "counter.demand.sliding: intervals of 7m do not fill an hour or a day"),
        ("{demand: 11m}", "counter.demand.every: intervals of 11m do not fill an hour or a day"),
        ("{rollover: 0}", "counter.rollover: must be auto, none, or the number at which the register begins again"),
        ("{rollover: sometimes}", "counter.rollover: must be auto, none, or the number"),
        ("{max_rate: -5}", "counter.max_rate:"),
        ("{confirm: 0}", "counter.confirm:"),
        (
            "{tariff: tow}",
            "7:42: device 'meter', tag 'energy': counter.tariff: there is no calendar 'tow' (did you mean 'tou'?)",
        ),
        ("{intervall: 15m}", "did you mean 'intervals'?"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(complaint: Complaint, counter: str, said: str) -> None:
    assert said in complaint(tag(counter))


def test_text_and_gauges_are_no_counters(complaint: Complaint) -> None:
    assert "counter: its values are text" in complaint(tag("{}", "kind: counter, type: str, wave: text"))
    assert "7:33: device 'meter', tag 'energy': counter: it is a gauge (add `kind: counter`)" in complaint(
        tag("{}", "kind: gauge")
    )


def test_a_name_leaves_room_for_what_is_made_of_it(complaint: Complaint) -> None:
    assert "at most 128: give it a shorter name" in complaint(tag("{}").replace("name: energy", f"name: {'e' * 110}"))


def test_derived_counters_are_looked_at_as_those_that_are_read(complaint: Complaint, site: Callable[..., Site]) -> None:
    text = tag("{}") + (
        "    derived:\n      both: {expr: energy + 1, kind: counter, counter: {intervals: 15m, tariff: tou}}\n"
        "virtual:\n  - name: line\n    derived:\n"
        "      all: {expr: e, inputs: {e: meter/energy}, kind: counter, counter: {tariff: tou}}\n"
    )
    tags = site(text).recipes.tags
    assert [tags[key].counter is not None for key in (("meter", "both"), ("line", "all"))] == [True, True]
    wrong = complaint(text.replace("{tariff: tou}", "{tariff: tod}"))
    assert "13:82: virtual device 'line', tag 'all': counter.tariff: there is no calendar 'tod'" in wrong
    wrong = complaint(text.replace("15m, tariff: tou", "15m, tariff: tod"))
    assert "device 'meter', tag 'both': counter.tariff: there is no calendar 'tod'" in wrong
