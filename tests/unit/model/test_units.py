"""Units are what UCUM says, become one another exactly, and what is no unit is told apart from what was meant."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.unit_hints import COMMON, hint, meant
from agent.model.units import LONGEST, conversion, exact, parse


@pytest.mark.parametrize(
    ("source", "target", "factor", "offset"),
    [
        ("kWh", "MJ", 3.6, 0),
        ("kW.h", "kWh", 1, 0),
        ("Cel", "[degF]", 1.8, 32),
        ("[degF]", "Cel", 5 / 9, -160 / 9),
        ("K", "Cel", 1, -273.15),
        ("[psi]", "kPa", 6.894757293168361, 0),
        ("mm[Hg]", "Pa", 133.322, 0),
        ("m[H2O]", "kPa", 9.80665, 0),
        ("r/min", "Hz", 1 / 60, 0),
        ("1/min", "r/min", 1, 0),
        ("/min", "1/min", 1, 0),
        ("m3/h", "L/s", 1 / 3.6, 0),
        ("[gal_us]/min", "m3/h", 0.22712470704, 0),
        ("kgce", "MJ", 29.3076, 0),
        ("tce", "kWh", 8141, 0),
        ("Nm3/h", "NL/min", 1000 / 60, 0),
        ("kg{steam}/h", "t/h", 0.001, 0),
        ("{pcs}", "1", 1, 0),
        ("%", "[ppm]", 10_000, 0),
        ("kvarh", "varh", 1000, 0),
        ("10*4.kWh", "MWh", 10, 0),
        ("100.g", "kg", 0.1, 0),
        ("W/m2.K", "W.K/m2", 1, 0),
        ("W/(m2.K)", "W/m2/K", 1, 0),
        ("uS/cm", "S/m", 1e-4, 0),
        ("deg", "circ", 1 / 360, 0),
        ("kBy", "bit", 8000, 0),
        ("KiBy", "By", 1024, 0),
    ],
)
def test_a_unit_becomes_another(source: str, target: str, factor: float, offset: float) -> None:
    assert conversion(source, target) == (factor, pytest.approx(offset, abs=1e-12))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kW", "kvar"),
        ("kW", "kVA"),
        ("kvar", "kVA"),
        ("kWh", "kvarh"),
        ("kWh", "kVAh"),
        ("Nm3", "m3"),
        ("deg/s", "r/min"),
        ("dB[SPL]", "dB[mW]"),
        ("[pH]", "1"),
        ("kWh", "kW"),
        ("Cel", "1"),
    ],
)
def test_what_is_not_the_same_does_not_convert(one: str, other: str) -> None:
    with pytest.raises(ValueError, match="not of the same dimension"):
        conversion(one, other)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("kWH", "there is no 'kWH'"),
        ("m³", "'³' is not understood"),
        ("kW h", "' h' is not understood"),
        ("kW/", "something is missing at its end"),
        ("m..s", "'.s' is not understood"),
        ("(m", "a bracket is not closed"),
        ("m)", "')' is not understood"),
        ("{pcs", "'{pcs' is not understood"),
        ("{\u4ef6}", "is not understood"),
        ("Cel/min", "a difference of 1 Cel is 1 K"),
        ("Cel2", "a difference of 1 Cel is 1 K"),
        ("m99999", "a power of 99999 is too much"),
        ("0.m", "a factor of 0"),
        ("Mmin", "there is no 'Mmin'"),
        ("pH", "'pH' would be a picohenry"),
        ("ft3/min", "'ft' would be a femtotonne"),
        ("PA", "'PA' would be a petaampere"),
        ("MB/s", "'MB' would be a megabel"),
        ("", f"1 to {LONGEST} characters"),
        ("m" * 65, f"1 to {LONGEST} characters"),
        ("(" * 64, "is not a unit"),
    ],
)
def test_what_is_no_unit_is_refused(code: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse(code)


def test_units_that_are_too_far_apart_for_a_float_do_not_convert() -> None:
    with pytest.raises(ValueError, match="too far"):
        conversion("Ym30", "ym30")
    with pytest.raises(ValueError, match="too far"):
        conversion("ym30", "Ym30")


def test_factors_are_exact() -> None:
    assert exact("kWh", "J") == (3_600_000, 0)
    assert exact("[degF]", "Cel") == (Fraction(5, 9), Fraction(-160, 9))
    assert exact("[gal_us]", "L") == (Fraction("3.785411784"), 0)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("°C", "Cel"),
        ("℃", "Cel"),
        ("degC", "Cel"),
        ("℃/min", "K/min"),
        ("m³/h", "m3/h"),
        ("m^3/h", "m3/h"),
        ("㎥", "m3"),
        ("KWh", "kWh"),
        ("kwh", "kWh"),
        ("kW·h", "kW.h"),
        ("Kvar", "kvar"),
        ("KW", "kW"),
        ("Mpa", "MPa"),
        ("rpm", "r/min"),
        ("psi", "[psi]"),
        ("mmHg", "mm[Hg]"),
        ("mH2O", "m[H2O]"),
        ("Nm", "N.m"),
        ("Nm³/h", "Nm3/h"),
        ("pH", "[pH]"),
        ("ppm", "[ppm]"),
        ("µS/cm", "uS/cm"),
        ("kΩ", "kOhm"),
        ("吨", "t"),
        ("吨/小时", "t/h"),
        ("千瓦时", "kWh"),
        ("次/分", "{count}/min"),
        ("pcs", "{pcs}"),
        ("dB(A)", "dB[SPL]"),
        ("kWhr", "kWh"),
        ("PA", "Pa"),
        ("MB", "MBy"),
        ("ft3", "[ft_i]3"),
        ("Grad", "deg"),
        ("PS", "73549875.10*-5.W"),
        ("kp/cm²", "kgf/cm2"),
        ("kg/cm²", "kgf/cm2"),
        ("mWS", "m[H2O]"),
        ("tCO2e", "t{CO2}"),
        ("Stück/Std", "{pcs}/h"),
        ("万千瓦时", "10*4.kWh"),
        ("标立方米/小时", "Nm3/h"),
        ("吨标准煤", "tce"),
        ("Δ°C", "K"),
    ],
)
def test_what_people_write_is_refused_with_what_they_mean(written: str, code: str) -> None:
    with pytest.raises(ValueError, match=r"unit|would be"):
        parse(written)
    assert hint(written) == f"did you mean {code!r}?"


def test_a_unit_that_nobody_can_guess_has_a_hint_as_well() -> None:
    assert "UCUM" in hint("foo")
    assert "Nm3" in hint("Sm3/h")
    assert meant("x" * 100_000) == ""


@pytest.mark.parametrize("code", COMMON)
def test_common_codes_are_units_and_not_far_from_themselves(code: str) -> None:
    assert conversion(code, code) == (1, 0)


@given(st.text(max_size=70) | st.text("kMmWhsVA/.()10*^23{}[]Celvar%'-+", max_size=70))
def test_any_text_is_a_unit_or_refused_with_a_hint(text: str) -> None:
    try:
        unit = parse(text)
    except ValueError:
        assert hint(text)
    else:
        assert unit.code == text and unit.factor > 0
        assert exact(text, text) == (1, 0)


@given(st.sampled_from(COMMON), st.sampled_from(COMMON), st.sampled_from(COMMON))
def test_conversions_follow_one_another(one: str, two: str, three: str) -> None:
    if parse(one).dimension == parse(two).dimension == parse(three).dimension:
        (a, b), (c, d), (e, f) = exact(one, two), exact(two, three), exact(one, three)
        assert (a * c, b * c + d) == (e, f)
