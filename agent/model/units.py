"""Units of measure by their UCUM codes: what each is of, and how one becomes another.

The codes are those of UCUM 2.1 (case sensitive), with its prefixes, products, quotients, powers and annotations, and
with what the field says and UCUM does not have: `Wh`, `Ah`, `var`, `VA` and their hours, `r` (a turn), `gce` and `tce`
(coal equivalent: 1 kgce = 29,307.6 kJ, GB/T 2589-2020), `Nm3` and `NL` (gas at 0 °C and 101.325 kPa). Factors
are exact.

What is alike on paper and not in the field does not convert: W, var and VA are three dimensions, and so are m3 and Nm3,
a number of turns and an angle. `C` and `F` are what UCUM says, coulomb and farad; but what is never meant as it says, a
picohenry or a kilobel, is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import pi

LONGEST = 64  # characters of a code
MOST_POWER = 30
Dimension = tuple[tuple[str, int], ...]  # (base, power), sorted, without powers of 0


@dataclass(frozen=True, slots=True)
class Unit:
    """`value * factor + offset` is the value in the base units of its dimension."""

    code: str
    dimension: Dimension
    factor: Fraction
    offset: Fraction = Fraction(0)


def parse(code: str) -> Unit:
    """The unit that a code stands for. Raises ValueError."""
    if not code or len(code) > LONGEST:
        raise ValueError(f"a unit has 1 to {LONGEST} characters")
    return _parsed(code)


def is_unit(code: str) -> bool:
    try:
        parse(code)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def exact(source: str, target: str) -> tuple[Fraction, Fraction]:
    """(factor, offset) with which a value in `source` becomes one in `target`. Raises ValueError."""
    one, other = parse(source), parse(target)
    if one.dimension != other.dimension:
        raise ValueError(f"{source!r} and {target!r} are not of the same dimension")
    return one.factor / other.factor, (one.offset - other.offset) / other.factor


def conversion(source: str, target: str) -> tuple[float, float]:
    """As `exact`, each rounded once to the nearest float. Raises ValueError."""
    try:
        factor, offset = map(float, exact(source, target))
    except OverflowError:
        factor = offset = 0.0
    if not factor:
        raise ValueError(f"{source!r} and {target!r} are too far from each other")
    return factor, offset


PREFIXES: Mapping[str, Fraction] = {
    **{
        name: Fraction(10) ** -power
        for power, name in zip((1, 2, 3, 6, 9, 12, 15, 18, 21, 24), "dcmunpfazy", strict=True)
    },
    **{name: Fraction(10) ** power for power, name in zip(range(3, 25, 3), "kMGTPEZY", strict=True)},
    **{f"{name}i": Fraction(1 << bits) for bits, name in zip((10, 20, 30, 40), "KMGT", strict=True)},
    "da": Fraction(10),
    "h": Fraction(100),
}
_METRIC = {  # may have a prefix; each in terms of those above it, or a base of its own
    "m": "", "g": "", "s": "", "A": "", "K": "", "cd": "", "mol": "", "circ": "",
    "var": "", "VA": "", "B": "", "B[SPL]": "", "B[W]": "", "B[mW]": "", "bit": "",
    "N": "kg.m/s2", "Pa": "N/m2", "J": "N.m", "W": "J/s", "C": "A.s", "V": "W/A", "Ohm": "V/A", "S": "A/V", "F": "C/V",
    "Wb": "V.s", "T": "Wb/m2", "H": "Wb/A", "Hz": "1/s", "lm": "cd", "lx": "lm/m2", "kat": "mol/s", "Bq": "1/s",
    "Gy": "J/kg", "Sv": "J/kg", "L": "dm3", "l": "dm3", "t": "Mg", "ar": "100.m2", "bar": "100.kPa",
    "By": "8.bit", "Wh": "3600.J", "Ah": "3600.C", "varh": "3600.var.s", "VAh": "3600.VA.s",
    "gce": "293076.10*-1.J", "cal": "4184.10*-3.J", "cal_th": "4184.10*-3.J", "cal_IT": "41868.10*-4.J",
    "[g]": "980665.10*-5.m/s2", "gf": "g.[g]", "m[H2O]": "980665.10*-5.kPa", "m[Hg]": "133322.10*-3.kPa",
    "NL": "10*-3.Nm3",
}  # fmt: skip
_PLAIN = {
    "Nm3": "", "[pH]": "", "%": "10*-2", "[ppth]": "10*-3", "[ppm]": "10*-6", "[ppb]": "10*-9", "[pptr]": "10*-12",
    "r": "1", "deg": "circ/360", "'": "deg/60", "''": "deg/3600", "gon": "circ/400",
    "min": "60.s", "h": "60.min", "d": "24.h", "wk": "7.d", "a": "36525.10*-2.d", "mo": "a/12", "tce": "1000.kgce",
    "atm": "101325.Pa", "att": "kgf/cm2",
    "[in_i]": "254.10*-2.cm", "[ft_i]": "12.[in_i]", "[yd_i]": "3.[ft_i]", "[mi_i]": "5280.[ft_i]",
    "[nmi_i]": "1852.m", "[kn_i]": "[nmi_i]/h", "[sft_i]": "[ft_i]2", "[sin_i]": "[in_i]2", "[cft_i]": "[ft_i]3",
    "[cin_i]": "[in_i]3", "[gal_us]": "231.[cin_i]", "[bbl_us]": "42.[gal_us]", "[gal_br]": "454609.10*-5.L",
    "[lb_av]": "45359237.10*-5.g", "[oz_av]": "[lb_av]/16", "[lbf_av]": "[lb_av].[g]", "[psi]": "[lbf_av]/[sin_i]",
    "[HP]": "550.[ft_i].[lbf_av]/s", "[Btu_IT]": "[lb_av].cal_IT/g.5/9", "[Btu_th]": "[lb_av].cal_th/g.5/9",
}  # fmt: skip
_TRAPS = {  # right by UCUM, and never meant so
    "pH": "picohenry", "PH": "petahenry", "PA": "petaampere", "PS": "petasiemens", "ft": "femtotonne",
    "pt": "picotonne", "Grad": "gigaradian", "kB": "kilobel", "MB": "megabel", "GB": "gigabel", "TB": "terabel",
}  # fmt: skip
_TOKEN = re.compile(r"10[*^]|Nm3|(?:[A-Za-z%'_]|\[[^\[\]]*\])+")
_POWER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[0-9]+")
_ANNOTATION = re.compile(r"\{[\x21-\x7a|~]*\}")


@lru_cache(maxsize=1024)
def _parsed(code: str) -> Unit:
    try:
        reader = _Reader(code)
        found = reader.term()
        if reader.at < len(code):
            raise ValueError(f"{code!r} is not a unit: {code[reader.at :]!r} is not understood")
    except OverflowError:
        raise ValueError(f"{code!r} is not a unit: its numbers are too large") from None
    return Unit(code, found.dimension, found.factor, found.offset)


class _Reader:
    """One pass over a code. A component is a unit without its code; products go from left to right (UCUM §7)."""

    def __init__(self, code: str) -> None:
        self.code, self.at = code, 0

    def term(self) -> Unit:
        found = _ONE
        inverse = self._takes("/")
        while True:
            found = self._times(found, self._component(), -1 if inverse else 1)
            inverse = self._takes("/")
            if not inverse and not self._takes("."):
                return found

    def _component(self) -> Unit:
        if self._takes("("):
            found = self.term()
            if not self._takes(")"):
                raise ValueError(f"{self.code!r} is not a unit: a bracket is not closed")
            return found
        if annotation := _ANNOTATION.match(self.code, self.at):
            self.at = annotation.end()
            return _ONE
        found = self._simple()
        if annotation := _ANNOTATION.match(self.code, self.at):
            self.at = annotation.end()
        return found

    def _simple(self) -> Unit:
        if token := _TOKEN.match(self.code, self.at):
            self.at = token.end()
            if token[0] in _TRAPS:
                raise ValueError(f"{token[0]!r} would be a {_TRAPS[token[0]]}")
            unit = _atom(token[0])
            if unit is None:
                raise ValueError(f"{self.code!r} is not a unit: there is no {token[0]!r}")
            return self._raised(unit)
        if number := _NUMBER.match(self.code, self.at):
            self.at = number.end()
            if not int(number[0]):
                raise ValueError(f"{self.code!r} is not a unit: it has a factor of 0")
            return Unit("", (), Fraction(int(number[0])))
        left = self.code[self.at :]
        said = f"{left!r} is not understood" if left else "something is missing at its end"
        raise ValueError(f"{self.code!r} is not a unit: {said}")

    def _raised(self, unit: Unit) -> Unit:
        power = _POWER.match(self.code, self.at)
        if power is None:
            return unit
        self.at = power.end()
        exponent = int(power[0])
        if abs(exponent) > MOST_POWER:
            raise ValueError(f"{self.code!r} is not a unit: a power of {exponent} is too much")
        return self._times(_ONE, unit, exponent)

    def _times(self, one: Unit, other: Unit, power: int) -> Unit:
        """`one * other ** power`"""
        if one == _ONE and power == 1:
            return other
        if one.offset or other.offset:
            raise ValueError(
                f"{self.code!r} is not a unit: a scale that does not begin at zero has no part in a product;"
                " a difference of 1 Cel is 1 K"
            )
        powers = dict(one.dimension)
        for base, exponent in other.dimension:
            powers[base] = powers.get(base, 0) + exponent * power
        dimension = tuple(sorted((base, exponent) for base, exponent in powers.items() if exponent))
        return Unit("", dimension, one.factor * other.factor**power)

    def _takes(self, mark: str) -> bool:
        found = self.code.startswith(mark, self.at)
        self.at += found
        return found


_ONE = Unit("", (), Fraction(1))
_ATOMS: dict[str, Unit] = {"10*": Unit("", (), Fraction(10)), "10^": Unit("", (), Fraction(10))}


def _atom(token: str) -> Unit | None:
    """An atom with or without a prefix; one that is an atom as a whole is that: `min` is no milli-inch."""
    if token in _ATOMS:
        return _ATOMS[token]
    for length in (1, 2):
        prefix, atom = token[:length], token[length:]
        if prefix in PREFIXES and atom in _WITH_PREFIX:
            unit = _ATOMS[atom]
            return Unit("", unit.dimension, unit.factor * PREFIXES[prefix], unit.offset)
    return None


def _defined(name: str, meaning: str) -> None:
    unit = _Reader(meaning).term() if meaning else Unit("", ((name, 1),), Fraction(1))
    _ATOMS[name] = Unit("", unit.dimension, unit.factor)


_WITH_PREFIX = {*_METRIC, "rad", "Cel"}
_ATOMS["rad"] = Unit("", (("circ", 1),), 1 / Fraction(2 * pi))
_ATOMS["Cel"] = Unit("", (("K", 1),), Fraction(1), Fraction(27315, 100))
_ATOMS["[degF]"] = Unit("", (("K", 1),), Fraction(5, 9), Fraction(45967, 100) * Fraction(5, 9))
_ATOMS["[degR]"] = Unit("", (("K", 1),), Fraction(5, 9))
for _name in ("Nm3", "[pH]"):
    _defined(_name, "")
for _name, _meaning in {**_METRIC, **_PLAIN}.items():
    _defined(_name, _meaning)
