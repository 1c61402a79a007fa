"""Coal equivalent and CO2: each value by the factor of its time, which it names."""

from datetime import UTC, datetime
from math import isclose, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.factors import FactorsConfig, Known, read_factors
from agent.config.files import Files
from agent.config.problems import Mark, Report, Scope
from agent.config.tree import Mapping
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.normalise.carbon import scale
from agent.normalise.factors import ALWAYS, Factor, Version, Weighed
from agent.normalise.local import Local
from tests.unit.normalise.test_derived import told


def ns(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture(scope="module")
def factors() -> Known:
    """Those that come with the agent, in UTC."""
    report = Report()
    found = read_factors(FactorsConfig(), Mapping(Mark("site", 1, 1)), Path(), Local(), Files(), Scope(report))
    report.settle()
    return found


def weighed(factor: Factor, unit: str, value: Value, ts: int, quality: int = 0) -> tuple[Value, int, Value]:
    """Value, quality and factor of a tag of that unit."""
    schema = Schema("m", "15m", (Tag("x", unit=unit),))
    steps = Steps((), Recipes(weighed={("m", "x"): (Weighed("m", "out", "kgce", factor),)}))
    (_, made) = steps[schema](Frame(schema, ts, (value,), bytes((quality,))))
    assert (made.schema.group, made.schema.made, made.ts) == ("carbon", True, ts)
    found = told([made])
    return *found["out"], found["out_factor"][0]


def test_a_year_of_a_plant_in_coal_equivalent(factors: Known) -> None:
    """1,200,000 kWh, 85,000 m3 of gas, 3,200 t of steam and 12,000 t of water are 675.1352 tce."""
    parts = [
        ("electricity", "MWh", 1200, 147_480),
        ("natural_gas", "m3", 85_000, 113_050),
        ("steam", "t", 3_200, 411_520),
        ("fresh_water", "m3", 12_000, 3_085.2),
    ]
    total = 0.0
    for name, unit, amount, expected in parts:
        value, quality, label = weighed(factors["coal_equivalent", name], unit, amount, ns(2025))
        assert isinstance(value, float) and isclose(value, expected)
        assert (quality, label) == (0, f"{name}@GB/T 2589-2020")
        total += value
    assert isclose(total, 675_135.2)


@pytest.mark.parametrize(
    ("name", "ts", "expected"),
    [
        ("grid_cn-national", ns(2023, 7), (636_720.0, 0, "grid_cn-national@2023")),
        ("grid_cn-national", ns(2022, 7), (643_920.0, 0, "grid_cn-national@2022")),
        ("grid_cn-national", ns(2026, 3), (636_720.0, Quality.ESTIMATED, "grid_cn-national@2023")),
        ("grid_cn-national", ns(2019), (668_160.0, Quality.ESTIMATED, "grid_cn-national@2021")),
        ("grid_cn-east", ns(2023, 2), (660_000.0, 0, "grid_cn-east@2023")),
        ("grid_cn-zhejiang", ns(2022, 12, 31), (618_360.0, 0, "grid_cn-zhejiang@2022")),
    ],
)
def test_a_grid_has_a_factor_for_each_year(
    name: str, ts: int, expected: tuple[float, int, str], factors: Known
) -> None:
    value, quality, label = weighed(factors["co2", name], "kWh", 1_200_000, ts)
    assert (value, quality, label) == (pytest.approx(expected[0]), *expected[1:])


def test_an_older_standard_holds_for_older_values(factors: Known) -> None:
    water = factors["coal_equivalent", "fresh_water"]
    assert weighed(water, "t", 1000, ns(2020)) == (pytest.approx(85.7), 0, "fresh_water@GB/T 2589-2008")
    assert weighed(water, "t", 1000, ns(2021, 4)) == (pytest.approx(85.7), 0, "fresh_water@GB/T 2589-2008"), "its end"
    assert weighed(water, "t", 1000, ns(2021, 4) + 1) == (pytest.approx(257.1), 0, "fresh_water@GB/T 2589-2020")


def test_fuels_and_heat(factors: Known) -> None:
    assert weighed(factors["co2", "natural_gas"], "Nm3", 10_000, ns(2025))[0] == pytest.approx(21_622)
    assert weighed(factors["co2", "diesel"], "t", 1, ns(2025))[0] == pytest.approx(3_096)
    assert weighed(factors["co2", "heat"], "MJ", 1000, ns(2025))[0] == pytest.approx(110)


FACTOR = Factor("f", "kWh", (Version("v", 2.0),))


@pytest.mark.parametrize(
    ("value", "quality", "expected"),
    [
        (3, 0, (6.0, 0)),
        (True, 0, (2.0, 0)),
        (3.0, Quality.ESTIMATED, (6.0, Quality.ESTIMATED)),
        (None, Quality.BAD_COMM, (None, Quality.BAD_COMM)),
        (nan, 0, (None, Quality.BAD_DECODE)),
        (1e308, 0, (None, Quality.BAD_DECODE)),
        (2**64, 0, (2.0**65, 0)),
        ("x", 0, (None, Quality.BAD_DECODE)),
    ],
)
def test_a_value_is_no_better_than_what_is_weighed(value: Value, quality: int, expected: tuple[Value, int]) -> None:
    assert weighed(FACTOR, "kWh", value, 5, quality) == (*expected, "f@v")


def test_another_unit_is_a_mistake_of_the_file() -> None:
    assert weighed(FACTOR, "kW", 3, 5) == (None, Quality.BAD_CONFIG, "f@v")
    assert weighed(FACTOR, "", 3, 5) == (None, Quality.BAD_CONFIG, "f@v")
    for unit in ("K", "Cel", "m3", "nonsense"):
        with pytest.raises(ValueError, match="is not counted in kWh"):
            scale(unit, FACTOR)
    assert scale("GJ", FACTOR) == pytest.approx(277.7777778)


def test_sparse_frames_and_times_of_the_source() -> None:
    schema = Schema("m", "g", (Tag("a", unit="kWh"), Tag("b", unit="kWh"), Tag("c")))
    years = Factor("y", "kWh", (Version("1", 1.0, ALWAYS, 100), Version("2", 2.0, 100)))
    asked = {("m", tag): (Weighed("m", f"{tag}_co2", "kg", years),) for tag in "ab"}
    steps = Steps((), Recipes(weighed=asked | {("m", "d"): ()}))
    made = steps[schema](Frame(schema, 300, (5, 7.0), bytes(2), columns=(2, 1), stamps=(300, 90)))[1]
    assert told([made]) == {"b_co2": (7.0, 0), "b_co2_factor": ("y@1", 0)}
    assert made.stamps == (90, 90)
    made = steps[schema](Frame(schema, 300, (5, 6, 7), bytes(3)))[1]
    assert told([made]) == {
        "a_co2": (10.0, 0),
        "a_co2_factor": ("y@2", 0),
        "b_co2": (12.0, 0),
        "b_co2_factor": ("y@2", 0),
    }
    assert len(steps[schema](Frame(schema, 300, (5,), bytes(1), columns=(2,)))) == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), min_size=1, max_size=8), st.integers(-5, 99))
def test_the_version_is_the_one_of_the_time(spans: list[tuple[int, int]], at: int) -> None:
    begins = sorted({begin for begin, _ in spans})
    lengths = dict(spans)
    ends = [min(begin + lengths[begin], following) for begin, following in zip(begins, [*begins[1:], 99], strict=True)]
    versions = tuple(Version(str(b), 1.0, b, e) for b, e in zip(begins, ends, strict=True))
    within = [version for version in versions if version.begin <= at < (version.end or 0)]
    before = [version for version in versions if version.begin <= at]
    expected = within[0] if within else before[-1] if before else versions[0]
    assert Factor("f", "kWh", versions).at(at) == (expected, bool(within))
