"""What pint knows as well, it sees as we do."""

from functools import cache
from typing import Any

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.units import PREFIXES, conversion, parse

METRIC = {  # code to pint's name, for units that take prefixes
    "m": "meter", "g": "gram", "s": "second", "A": "ampere", "K": "kelvin", "cd": "candela", "mol": "mole",
    "N": "newton", "Pa": "pascal", "J": "joule", "W": "watt", "C": "coulomb", "V": "volt", "Ohm": "ohm",
    "S": "siemens", "F": "farad", "Wb": "weber", "T": "tesla", "H": "henry", "Hz": "1/second", "kat": "katal",
    "Bq": "becquerel", "Gy": "gray", "Sv": "sievert", "L": "liter", "l": "liter", "t": "metric_ton", "ar": "are",
    "bar": "bar", "bit": "bit", "By": "byte", "Wh": "watt_hour", "Ah": "ampere_hour", "cal": "calorie",
    "cal_th": "calorie", "cal_IT": "international_calorie", "[g]": "standard_gravity", "gf": "force_gram",
    "m[H2O]": "9.80665 kilopascal",
}  # fmt: skip
PLAIN = {
    "min": "minute", "h": "hour", "d": "day", "wk": "week", "a": "julian_year", "mo": "month", "atm": "atmosphere",
    "att": "technical_atmosphere", "[in_i]": "inch", "[ft_i]": "foot", "[yd_i]": "yard", "[mi_i]": "mile",
    "[nmi_i]": "nautical_mile", "[kn_i]": "knot", "[sft_i]": "square_foot", "[sin_i]": "square_inch",
    "[cft_i]": "cubic_foot", "[cin_i]": "cubic_inch", "[gal_us]": "gallon", "[bbl_us]": "oil_barrel",
    "[gal_br]": "imperial_gallon", "[lb_av]": "pound", "[oz_av]": "ounce", "[lbf_av]": "force_pound",
    "[psi]": "psi", "[HP]": "horsepower", "[Btu_IT]": "international_british_thermal_unit",
    "[Btu_th]": "thermochemical_british_thermal_unit", "%": "percent", "[ppm]": "ppm", "[degR]": "degree_Rankine",
}  # fmt: skip
ANGLES = {"circ": "turn", "deg": "degree", "'": "arcminute", "''": "arcsecond", "gon": "grade", "rad": "radian"}
KNOWN = METRIC | PLAIN
SAFE = sorted(set(KNOWN) - {"Hz", "Bq", "m[H2O]"})  # as factors: one word each


@cache
def registry() -> pint.UnitRegistry:
    return pint.UnitRegistry(cache_folder=None)


def theirs(name: str) -> Any:
    """A quantity of one such unit."""
    return registry().Quantity(1.0, "") * registry().parse_expression(name)


def base(name: str) -> float:
    return float(theirs(name).to_base_units().magnitude)


def ours(code: str) -> float:
    """In pint's base units, of which the one of mass is the kilogram and the one of data the bit."""
    unit = parse(code)
    grams = dict(unit.dimension).get("g", 0)
    return float(unit.factor / 1000**grams)


@pytest.mark.parametrize(("code", "name"), KNOWN.items())
def test_a_unit_is_as_large(code: str, name: str) -> None:
    assert ours(code) == pytest.approx(base(name), rel=1e-7 if "Hg" in code else 1e-12)


@pytest.mark.parametrize(("code", "name"), ANGLES.items())
def test_an_angle_is_as_large(code: str, name: str) -> None:
    assert conversion(code, "rad")[0] == pytest.approx(base(name), rel=1e-12)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_is_as_large(prefix: str) -> None:
    name, (unit, atom) = {"u": "µ"}.get(prefix, prefix), ("By", "B") if prefix.endswith("i") else ("m", "m")
    factor = theirs(f"{name}{atom}").to(atom).magnitude
    assert conversion(f"{prefix}{unit}", unit)[0] == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("value", [-40.0, 0.0, 25.5, 1000.0])
@pytest.mark.parametrize(("one", "other"), [("Cel", "[degF]"), ("[degF]", "K"), ("K", "Cel"), ("[degR]", "Cel")])
def test_temperatures_are_as_warm(value: float, one: str, other: str) -> None:
    names = {"Cel": "degC", "[degF]": "degF", "K": "kelvin", "[degR]": "degR"}
    factor, offset = conversion(one, other)
    warm = registry().Quantity(value, names[one]).to(names[other]).magnitude
    assert value * factor + offset == pytest.approx(warm, abs=1e-9)


PARTS = st.lists(
    st.tuples(st.sampled_from(SAFE), st.integers(-3, 3).filter(bool), st.booleans()), min_size=1, max_size=4
)


@given(PARTS)
def test_a_product_is_as_large(parts: list[tuple[str, int, bool]]) -> None:
    code, found = "1", theirs("dimensionless")
    for atom, power, over in parts:
        code += f"{'/' if over else '.'}{atom}{power}"
        factor = theirs(KNOWN[atom]) ** power
        found = found / factor if over else found * factor
    assert ours(code) == pytest.approx(float(found.to_base_units().magnitude), rel=1e-9)
