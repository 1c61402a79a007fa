"""One device as a physical thing: three phases, a load, and what else its tags speak of, found by name and unit.

The names are those of `configs/vocabulary.yaml`; what a name does not tell, the unit does. All quantities are kept in
V, A, W, var, VA and hours of these, and turned into the unit of the tag at the end.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from math import acos, degrees, sin, sqrt
from random import Random

from agent.model.units import conversion
from agent.simulate.waves import Wave, moving, total

HOUR = 3600.0
_TOKENS = re.compile(r"[a-z]+[0-9]*|[0-9]+")
_PHASES = {
    **dict.fromkeys(("l1", "p1", "a", "1", "phase1", "u1", "i1"), 0),
    **dict.fromkeys(("l2", "p2", "b", "2", "phase2", "u2", "i2"), 1),
    **dict.fromkeys(("l3", "p3", "c", "3", "phase3", "u3", "i3"), 2),
}
_BETWEEN = re.compile(r"(l[123]_?l[123]|(^|_)(ab|bc|ca|ll|uab|ubc|uca|line)(_|$))")
_AGAINST = re.compile(r"(export|reverse|exp|feed|delivered|discharge|back)(_|$)")
_DIRECT = re.compile(r"(^|_)(dc|pv[0-9]*|string|battery)(_|$)")
_PART = re.compile(r"(^|_)(t[1-8]|tariff_?[1-8]|sharp|peak|flat|valley|rate[1-8])(_|$)")
_SHORT = re.compile(r"(^|_)(today|day|daily|month|monthly|year|yearly|partial|trip)(_|$)")
_BASES = ("V", "A", "W", "var", "VA", "Wh", "varh", "VAh")


class Circuit:
    """What one device measures, on one phase or three; all of it follows from `luck`."""

    def __init__(self, luck: Random, phases: int = 3) -> None:
        self._luck = luck
        each = range(phases)
        self.volts = [moving(luck, 230 + luck.uniform(-2, 2), 2.5, (61.0, 13.0)) for _ in each]
        load = luck.uniform(15, 60)
        self.amps = [moving(luck, load * luck.uniform(0.9, 1.1), 0.25 * load, (83.0, 17.0)) for _ in each]
        self.factors = [luck.uniform(0.88, 0.98) for _ in each]
        self.hertz = moving(luck, 50.0, 0.03, (29.0,))
        self.begun = luck.uniform(2_000, 40_000) * 1000  # Wh on the meter when it is switched on

    @cached_property
    def apparent(self) -> list[Wave]:
        return [u * i for u, i in zip(self.volts, self.amps, strict=True)]

    @cached_property
    def active(self) -> list[Wave]:
        return [s * f for s, f in zip(self.apparent, self.factors, strict=True)]

    @cached_property
    def reactive(self) -> list[Wave]:
        return [s * sin(acos(f)) for s, f in zip(self.apparent, self.factors, strict=True)]

    def gauge(self, name: str, unit: str) -> Wave | None:
        """The wave of an electrical tag in its unit; None for one that is not electrical."""
        name = name.lower()
        found = self._ratio(name, unit)
        if found is not None:
            return found
        for base in _BASES[:5]:
            factor = _factor(base, unit)
            if factor:
                return self._electrical(base, name) * factor
        return None

    def counter(self, name: str, unit: str) -> tuple[float, Wave] | None:
        """Where an energy begins and the wave of which it is the integral per second, in the unit of the tag."""
        name = name.lower()
        for base, powers in (("Wh", self.active), ("varh", self.reactive), ("VAh", self.apparent)):
            factor = _factor(base, unit)
            if factor:
                share = 0.01 if _AGAINST.search(name) else 0.25 if _PART.search(name) else 1.0
                power = self._phases(powers, name) * (share * factor / HOUR)
                hours = self.begun / total(self.active).mean  # for which it has run
                return power.mean * HOUR * hours / (400 if _SHORT.search(name) else 1), power
        return None

    def _electrical(self, base: str, name: str) -> Wave:
        if base == "V":
            return self._voltage(name)
        if base == "A":
            return self._current(name)
        powers = {"W": self.active, "var": self.reactive, "VA": self.apparent}[base]
        if _AGAINST.search(name):
            return Wave(0.0)
        if "rated" in name or "nominal" in name:
            return Wave(round(3 * powers[0].mean, -3) or 1000.0)
        found = self._phases(powers, name)
        return Wave(found.mean + 0.8 * found.swing) if "max" in name else found

    def _voltage(self, name: str) -> Wave:
        if _DIRECT.search(name):
            return moving(self._luck, 620.0, 15.0)
        mean = total(self.volts) * (1 / len(self.volts))
        if _BETWEEN.search(name):
            pair = _pair(name)
            one, other = (self._of(self.volts, phase) for phase in pair) if pair else (mean, mean)
            return (one + other) * (sqrt(3) / 2)
        phase = _phase(name)
        return mean if phase is None else self._of(self.volts, phase)

    def _current(self, name: str) -> Wave:
        if _DIRECT.search(name):
            return moving(self._luck, 8.0, 1.0)
        tokens = _TOKENS.findall(name)
        if tokens and (tokens[-1] in ("n", "neutral") or "leakage" in name or "residual" in name):
            return moving(self._luck, 1.2, 0.4)
        phase = _phase(name)
        if phase is not None:
            return self._of(self.amps, phase)
        return total(self.amps) * (1.0 if tokens and tokens[-1] in ("total", "sum") else 1 / len(self.amps))

    def _phases(self, powers: list[Wave], name: str) -> Wave:
        phase = None if _PART.search(name) else _phase(name)
        return total(powers) if phase is None else self._of(powers, phase)

    @staticmethod
    def _of(waves: list[Wave], phase: int) -> Wave:
        return waves[phase % len(waves)]

    def _factor(self, name: str) -> float:
        """cos phi of a phase, or of all."""
        phase = _phase(name)
        if phase is not None:
            return self.factors[phase % len(self.factors)]
        return total(self.active).mean / total(self.apparent).mean

    def _ratio(self, name: str, unit: str) -> Wave | None:
        if unit in ("", "1") and re.search(r"power_factor|cos_?phi|(^|_)pf(_|$)", name):
            return Wave(self._factor(name))
        if _factor("Hz", unit) and "speed" not in name:
            return self.hertz * _factor("Hz", unit)
        if unit == "deg" and re.search(r"angle|phi", name):
            return Wave(degrees(acos(self._factor(name))))
        return None


def _phase(name: str) -> int | None:
    """Which phase a name speaks of: the last part of it that says one."""
    tokens = _TOKENS.findall(name)
    return next((_PHASES[token] for token in reversed(tokens) if token in _PHASES), None)


def phases_of(names: Iterable[str]) -> int:
    """Three where a name speaks of the second or third phase, or of two of them."""
    return 3 if any(_phase(name.lower()) in (1, 2) or _BETWEEN.search(name.lower()) for name in names) else 1


def _pair(name: str) -> list[int]:
    """The two phases between which a voltage is."""
    found = [int(digit) - 1 for digit in re.findall("l([123])", name)]
    found = found or ["abc".index(letter) for letter in (re.findall("(?:^|_)u?([abc]{2})(?:_|$)", name) or [""])[0]]
    return found[:2] if len(found) >= 2 else []


def _factor(base: str, unit: str) -> float:
    """What one of `base` is in `unit`; 0 where it is another quantity."""
    try:
        factor, offset = conversion(base, unit)
    except ValueError:
        return 0.0
    return 0.0 if offset else factor
