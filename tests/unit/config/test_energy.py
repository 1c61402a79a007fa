"""Factors and what is weighed by them: each mistake at its place, in the site's file or in that of the factors."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.config import configs_dir, load
from agent.normalise.factors import Version, Weighed

TAGS = (
    "[{name: e, unit: MWh}, {name: c, unit: kWh, kind: counter, counter: {intervals: [15m, 1h]}}, "
    "{name: r, unit: kWh, kind: counter}, {name: p, unit: kW}, {name: u}]"
)
HEAD = "gateway: {id: g, timezone: Asia/Shanghai}\n"


def text(energy: str, factors: str = "{grid: cn-east}") -> str:
    device = f"  - name: m\n    driver: sim\n    tags: {TAGS}\n    energy: {energy}\n"
    return f"{HEAD}factors: {factors}\ndevices:\n{device}"


def midnight(year: int) -> int:
    """In Shanghai."""
    return int(datetime(year - 1, 12, 31, 16, tzinfo=UTC).timestamp()) * 10**9


def test_a_tag_is_weighed_by_the_factor_of_the_site(site: Any) -> None:
    (found,) = site(text("{co2: [{tag: e, factor: grid}]}")).recipes.weighed["m", "e"]
    assert (found.device, found.name, found.unit, found.factor.per) == ("m", "e_co2", "kg", "kWh")
    assert found.factor.versions[-1] == Version("2023", 0.55, midnight(2023), midnight(2024))


def test_of_a_counter_it_is_the_intervals(site: Any) -> None:
    energy = "{coal_equivalent: [{tag: c, factor: electricity}], co2: [{tag: c, factor: grid, name: co2}]}"
    weighed = site(text(energy)).recipes.weighed
    assert {key: [each.name for each in found] for key, found in weighed.items()} == {
        ("m", "c_15m"): ["c_15m_kgce", "co2_15m"],
        ("m", "c_1h"): ["c_1h_kgce", "co2_1h"],
    }


def test_a_virtual_device_may_weigh_what_others_have(site: Any) -> None:
    virtual = "virtual: [{name: v, inputs: {e: m/e}, derived: {x: {expr: e, unit: kWh}}, energy: {co2: %s}}]\n"
    found = site(text("{}") + virtual % "[{tag: m/e, factor: grid}, {tag: x, factor: heat}]").recipes.weighed
    assert [(key, each.device, each.name) for key, (each,) in found.items()] == [
        (("m", "e"), "v", "e_co2"),
        (("v", "x"), "v", "x_co2"),
    ]


def test_a_factor_of_the_site_goes_before_that_of_the_file(site: Any, write: Any) -> None:
    own = "{coal_equivalent: {electricity: {per: kWh, years: {2024: 0.3, 2025: 0.29}}}}"
    (found,) = site(text("{coal_equivalent: [{tag: e, factor: electricity}]}", own)).recipes.weighed["m", "e"]
    years = (
        Version("2024", 0.3, midnight(2024), midnight(2025)),
        Version("2025", 0.29, midnight(2025), midnight(2026)),
    )
    assert found == Weighed("m", "e_kgce", "kgce", found.factor)
    assert found.factor.versions == years
    write("mine.yaml", 'version: "1"\nco2: {sun: {per: kWh, versions: [{version: "0", value: 0}]}}\n')
    (found,) = site(text("{co2: [{tag: e, factor: sun}]}", "{file: mine.yaml}")).recipes.weighed["m", "e"]
    assert found.factor.versions == (Version("0", 0.0),)


@pytest.mark.parametrize(
    ("energy", "said"),
    [
        ("{co2: [{tag: e, factor: gird}]}", "7:37: device 'm', energy.co2[0]: there is no factor 'gird' ("),
        (
            "{co2: [{tag: f, factor: heat}]}",
            "7:26: device 'm', energy.co2[0]: there is no tag 'f' (one of: c, e, p",
        ),
        ("{co2: [{tag: o/e, factor: heat}]}", "7:26: device 'm', energy.co2[0]: there is no device 'o' (one of: m)"),
        (
            "{co2: [{tag: p, factor: heat}]}",
            "7:26: device 'm', energy.co2[0]: 'p': its unit is kW, and heat is",
        ),
        (
            "{co2: [{tag: u, factor: heat}]}",
            "7:26: device 'm', energy.co2[0]: 'u': it has no unit, and heat is",
        ),
        ("{co2: [{tag: r, factor: heat}]}", "7:26: device 'm', energy.co2[0]: 'r' is a counter, and nothing says for"),
        (
            "{co2: [{tag: e, factor: heat}, {tag: e, factor: grid}]}",
            "7:50: device 'm', energy.co2[1]: 'e_co2': the name is taken, or too long (give it another `name`)",
        ),
        (
            "{co2: [{tag: e, factor: grid, name: x}, {tag: e, factor: grid, name: x_factor}]}",
            "7:59: device 'm', energy.co2[1]: 'x_factor': the name is taken, or too long (give it another `name`)",
        ),
        ("{co2: [{tag: e}]}", "7:20: device 'm': energy.co2[0]: factor is missing ("),
        ("{co3: []}", "7:14: device 'm': energy: unknown key 'co3' (did you mean 'co2'?)"),
    ],
)
def test_a_mistake_is_told_at_its_place(energy: str, said: str, complaint: Any) -> None:
    assert complaint(text(energy)).startswith(f"site.yaml:{said}")


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ("{grid: cn-eest}", "2:17: factors: there is no grid 'cn-eest' (did you mean 'cn-east'?)"),
        ("{file: no.yaml}", "2:17: factors: file: 'no.yaml': there is no such file"),
        ("{co2: {x: {per: kWh}}}", "2:20: factors: co2.x: it needs `years` or `versions`, one of the two"),
        ("{co2: {x: {per: KWH, years: {2023: 1}}}}", "2:26: factors, co2.x: per: "),
        ("{co2: {x: {per: kWh, years: {23: 1}}}}", "2:39: factors: co2.x.years.23: "),
        ("{co2: {x: {per: kWh, years: {2023: -1}}}}", "2:45: factors: co2.x.years.2023: -1 is less than 0"),
        ("{co2: {x: {per: kWh, years: {2023: .nan}}}}", "2:45: factors: co2.x.years.2023: "),
        (
            "{co2: {x: {per: kWh, versions: [{version: a, value: 1}, {version: b, value: 2}]}}}",
            "2:66: factors, co2.x: 'a' and 'b' begin on the same day (keep one of the two)",
        ),
        (
            "{co2: {x: {per: kWh, versions: [{version: a, value: 1, from: 2023-02-30}]}}}",
            "2:71: factors: co2.x.versions[0].from: '2023-02-30' is no date: write 2021-04-01",
        ),
        (
            "{co2: {x: {per: kWh, versions: [{version: a, value: 1, from: 2023-02-01, until: 2023-02-01}]}}}",
            "2:42: factors, co2.x: 'a' ends before it begins, or after the next has begun",
        ),
    ],
)
def test_a_wrong_factor_is_told_at_its_place(factors: str, said: str, problems: Any) -> None:
    assert problems(text("{}", factors))[0].startswith(f"site.yaml:{said}")


def test_what_is_wrong_in_the_file_of_factors_is_told_there(complaint: Any, write: Any) -> None:
    write("mine.yaml", 'version: "1"\nco2:\n  sun: {per: kWh, yaers: {2023: 0}, years: {2023: 0}}\n')
    assert complaint(text("{}", "{file: mine.yaml}")).startswith("mine.yaml:3:19: co2.sun: unknown key 'yaers'")
    write("mine.yaml", "- a\n")
    assert complaint(text("{}", "{file: mine.yaml}")).startswith("mine.yaml:1:1: a file of factors is a mapping")


def test_which_grid_must_be_said(complaint: Any) -> None:
    said = complaint(text("{co2: [{tag: e, factor: grid}]}", "{}"))
    assert said.startswith("site.yaml:7:37: device 'm', energy.co2[0]: which grid is not said (add `factors: {grid: ")


def test_every_factor_that_comes_with_the_agent_has_a_source() -> None:
    lines = (configs_dir() / "factors.yaml").read_text("utf-8").splitlines()
    assert sum(line.startswith("    per: ") for line in lines) == sum(line.startswith("    source: ") for line in lines)
    site = load(configs_dir() / "examples" / "line-energy.yaml", {})
    assert site.recipes.weighed.keys() == {("oven-meter", "energy_total_1m")}
