"""Values that move: sums of sine waves, which can be multiplied and integrated exactly.

So a meter is consistent: its power is the product of its voltages and currents, and its energy the integral of that
power, at whatever time and in whatever order it is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from random import Random

Term = tuple[float, float, float]  # amplitude, angular frequency (1/s), phase


@dataclass(frozen=True, slots=True)
class Wave:
    """`mean + sum(amplitude * sin(frequency * t + phase))`, t in seconds."""

    mean: float
    terms: tuple[Term, ...] = ()

    def at(self, t: float) -> float:
        return self.mean + sum(a * sin(w * t + p) for a, w, p in self.terms)

    def integral(self, t: float) -> float:
        """From 0 to t."""
        return self.mean * t + sum(a / w * (cos(p) - cos(w * t + p)) for a, w, p in self.terms)

    def __add__(self, other: "Wave") -> "Wave":
        return Wave(self.mean + other.mean, self.terms + other.terms)

    def __mul__(self, factor: "Wave | float") -> "Wave":
        if isinstance(factor, float | int):
            return Wave(self.mean * factor, tuple((a * factor, w, p) for a, w, p in self.terms))
        mean, terms = self.mean * factor.mean, [*_scaled(self.terms, factor.mean), *_scaled(factor.terms, self.mean)]
        for a, w, p in self.terms:  # sin x · sin y = (cos(x - y) - cos(x + y)) / 2
            for b, v, q in factor.terms:
                half = a * b / 2
                if w == v:
                    mean += half * cos(p - q)
                else:
                    terms.append((half, w - v, p - q + pi / 2))
                terms.append((-half, w + v, p + q + pi / 2))
        return Wave(mean, tuple(terms))

    @property
    def swing(self) -> float:
        """How far it can be from its mean."""
        return sum(abs(a) for a, _, _ in self.terms)

    @property
    def steepest(self) -> float:
        """How fast it can change, in a second."""
        return sum(abs(a * w) for a, w, _ in self.terms)

    def calmed(self, factor: float) -> "Wave":
        """The same mean with a smaller swing."""
        return Wave(self.mean, tuple(_scaled(self.terms, factor)))


def _scaled(terms: Sequence[Term], factor: float) -> Iterable[Term]:
    return ((a * factor, w, p) for a, w, p in terms)


def total(waves: Iterable[Wave]) -> Wave:
    found = Wave(0.0)
    for wave in waves:
        found += wave
    return found


def moving(luck: Random, mean: float, swing: float, periods: Sequence[float] = (47.0, 9.0)) -> Wave:
    """Around `mean`, at most `swing` away from it, in waves of about these lengths (s)."""
    share = [2.0**-at for at in range(len(periods))]
    terms = [
        (swing * each / sum(share), 2 * pi / (period * luck.uniform(0.8, 1.25)), luck.uniform(0, 2 * pi))
        for each, period in zip(share, periods, strict=True)
    ]
    return Wave(mean, tuple(terms))
