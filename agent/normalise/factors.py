"""Factors with a time in which they hold, and what a site asks to be multiplied by them."""

from bisect import bisect_right
from dataclasses import dataclass

ALWAYS = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Version:
    """A number and what it is called; it holds from `begin` to `end`, ns UTC, or for ever on (None)."""

    name: str
    value: float
    begin: int = ALWAYS
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Factor:
    """`versions` in the order of their time, none over another. They are per `per`."""

    name: str
    per: str
    versions: tuple[Version, ...]
    also: tuple[tuple[str, float], ...] = ()

    def at(self, ns: int) -> tuple[Version, bool]:
        """The version for a time, and whether it holds then: in a gap, or after the last, it is the one before; before
        the first it is that."""
        place = bisect_right(self.versions, ns, key=lambda version: version.begin) - 1
        version = self.versions[max(place, 0)]
        return version, place >= 0 and (version.end is None or ns < version.end)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A tag times a factor, in `unit`: `name` and `name_factor` of the group `carbon` of `device`."""

    device: str
    name: str
    unit: str
    factor: Factor
