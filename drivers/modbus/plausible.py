"""Which reading of some registers is the likely one: addresses beside each other, types, orders and scales, ranked.

With a value that somebody reads from a display, closeness decides. Without one it is what devices usually say: floats
of a sensible size are rarely an accident (of random registers one in eight looks like one), integers always are
possible, a wide integer with nothing in its lower half has its words swapped, and what jumps between two readings is no
measurement. Readings that give the very same number are one candidate: nobody can tell them apart by it.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

OFFSETS = (0, -1, 1)  # the manual may count from 1, or the device
SCALES = ("1", "0.1", "0.01", "0.001", "10", "100", "1000")
TYPES = {"uint16": "H", "int16": "h", "float32": "f", "uint32": "I", "int32": "i", "float64": "d"} | {
    "uint64": "Q",
    "int64": "q",
}
WIDTHS = {name: struct.calcsize(f">{code}") // 2 for name, code in TYPES.items()}
MAINS = ((45, 65), (100, 130), (200, 260), (360, 440))  # hertz and volts
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
FAR = Fraction(10**9)  # times what was expected: nothing is gained by telling more apart
LARGEST = 1e300  # what is beyond means nothing, and cannot be scaled
COUNTED = 10**9  # as far as a counter in a wide integer usually comes
SMALL = 0x100  # in the upper register of a number that takes two
SPAN = 4  # registers of the widest type
_UNUSUAL = {"1": 0.0, "0.1": 0.02, "0.01": 0.04, "0.001": 0.06}  # scales

Windows = Mapping[tuple[int, int], Sequence[int]]  # (offset, width in registers) to what stands there


@dataclass(frozen=True, slots=True)
class Way:
    """How registers may be meant; `offset` from the address that was asked for."""

    offset: int
    type: str
    order: str
    scale: str

    def __str__(self) -> str:
        scaled = "" if self.scale == "1" else f" x {self.scale}"
        return f"{self.type} {self.order}{scaled}" + (f" at {self.offset:+d}" if self.offset else "")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number that the registers may mean. `same` are other ways to read the same number, `score` is 0 to 100."""

    way: Way
    words: tuple[int, ...]
    value: Fraction
    score: float = 0.0
    why: str = ""
    fits: bool = False
    same: tuple[Way, ...] = ()


def windows(words: Sequence[int | None], first: int) -> Windows:
    """All windows of a stretch of registers that begins at the offset `first`; None is one that could not be read."""
    found: dict[tuple[int, int], Sequence[int]] = {}
    for offset in OFFSETS:
        for width in sorted(set(WIDTHS.values())):
            start = offset - first
            part = [word for word in words[start : start + width] if word is not None] if start >= 0 else []
            if len(part) == width:
                found[offset, width] = part
    return found


def ranked(
    read: Windows, *, again: Windows | None = None, expect: Fraction | None, tolerance: float
) -> list[Candidate]:
    """The candidates, the best one first. `again` is a second reading, `tolerance` relative to what is expected."""
    found = _merged(_candidates(read, all_scales=expect is not None))
    if expect is None:
        later = {each.way: each.value for each in _candidates(again or {}, all_scales=False)}
        judged = [_plausible(each, later.get(each.way)) for each in found]
    else:
        judged = [_close(each, expect, tolerance) for each in found]
    return sorted(judged, key=lambda each: (not each.fits, -each.score, _rank(each.way)))


def decoded(words: Sequence[int], kind: str, order: str) -> int | float:
    """The raw number."""
    if order in ("CDAB", "DCBA"):
        words = words[::-1]
    form = "<" if order in ("BADC", "DCBA") else ">"
    data = struct.pack(f"{form}{len(words)}H", *words)
    found: int | float = struct.unpack(f">{TYPES[kind]}", data)[0]
    return found


def _candidates(read: Windows, *, all_scales: bool) -> Iterator[Candidate]:
    for (offset, width), words in read.items():
        for kind in (kind for kind, wide in WIDTHS.items() if wide == width):
            for order in ORDERS if width > 1 else ("ABCD", "BADC"):
                raw = decoded(words, kind, order)
                if not abs(raw) < LARGEST:  # NaN is not either
                    continue
                scales = SCALES if all_scales else SCALES[:4] if isinstance(raw, int) else SCALES[:1]
                for scale in scales:
                    way = Way(offset, kind, order, scale)
                    yield Candidate(way, tuple(words), Fraction(raw) * Fraction(scale))


def _merged(candidates: Iterator[Candidate]) -> list[Candidate]:
    """One for each number, the simplest way first."""
    by_value: dict[Fraction, list[Candidate]] = {}
    for each in candidates:
        by_value.setdefault(each.value, []).append(each)
    merged = []
    for group in by_value.values():
        first, *others = sorted(group, key=lambda each: _rank(each.way))
        merged.append(replace(first, same=tuple(each.way for each in others)))
    return merged


def _rank(way: Way) -> tuple[int, ...]:
    """What is usual comes first."""
    places = OFFSETS.index(way.offset), SCALES.index(way.scale), list(TYPES).index(way.type), ORDERS.index(way.order)
    return (places[0], places[3] // 2, *places[1:])


def _close(each: Candidate, expect: Fraction, tolerance: float) -> Candidate:
    """The nearer the better; of two that are as near the more usual one."""
    off = float(min(abs(each.value - expect) / (abs(expect) or 1), FAR))
    fits = off <= tolerance
    nearness = 1 - off / tolerance if fits and tolerance else float(off == 0)
    score = 60 * nearness + 40 * _usual(each) if fits else 0.0
    why = f"{off:.2%} off" if off < 10 else "far off"
    return replace(each, fits=fits, score=round(score if fits else -off, 1), why=_told(why, each.way))


def _usual(each: Candidate) -> float:
    """0 to 1"""
    way = each.way
    unusual = 0.25 * (way.offset != 0) + 0.3 * (way.order in ("BADC", "DCBA")) + 0.05 * (way.order == "CDAB")
    unusual += 0.1 * (WIDTHS[way.type] == SPAN) + _UNUSUAL.get(way.scale, 0.2) + 0.3 * _half_empty(each)
    return max(0.0, 1 - unusual)


def _half_empty(each: Candidate) -> bool:
    """A float with nothing in its lower half: a round number, or half of another one."""
    words = each.words[::-1] if each.way.order in ("CDAB", "DCBA") else each.words
    return each.way.type.startswith("float") and not any(words[len(words) // 2 :])


def _plausible(each: Candidate, later: Fraction | None) -> Candidate:
    size, why = _size(float(each.value))
    if each.way.type.startswith("float"):
        score = 90 * size
    else:
        shape, odd = _shape(each)
        if len(each.words) > 1 and 1 <= abs(each.value) < COUNTED:
            size = max(size, 0.9)
        score, why = 65 * size * shape, odd or why
    if later is not None and each.value and abs(later - each.value) > abs(each.value) / 2:
        score, why = score / 4, "jumps between two readings"
    score *= 0.6 + 0.4 * _usual(each)
    return replace(each, score=round(score, 1), fits=score >= 1, why=_told(why, each.way))


def usual(value: float) -> float:
    """How usual a number of this size is, 0 to 1."""
    return _size(value)[0]


def _size(value: float) -> tuple[float, str]:
    if value == 0:
        return 0.1, "zero says nothing"
    if any(low <= value <= high for low, high in MAINS):
        return 1.0, "as a mains voltage or frequency"
    size = abs(value)
    if 1e-3 <= size < 1e5:
        return 0.9, "a usual size"
    if size < 1e9:
        return (0.7, "large, as a counter may be") if size >= 1 else (0.1, "very small")
    return 0.02, "too large"


def _shape(each: Candidate) -> tuple[float, str]:
    """How an integer fills its registers."""
    words = each.words[::-1] if each.way.order in ("CDAB", "DCBA") else each.words
    kind, raw = each.way.type, each.value / Fraction(each.way.scale)
    if len(words) > 1 and words[0] and not any(words[1:]):
        return 0.1, "nothing in the lower registers: are the words swapped?"
    if len(words) > 1 and (words[0] < SMALL or words[0] == 0xFFFF):
        return 1.0, "a small negative number" if words[0] == 0xFFFF else ""
    if kind == "uint16" and raw >= 0xF000:
        return 0.6, "at the upper end: rather negative?"
    if kind == "int16" and raw < -0x1000:
        return 0.6, "at the lower end: rather without sign?"
    return (0.85, "") if len(words) == 1 else (0.6, "")


def _told(why: str, way: Way) -> str:
    if not way.offset:
        return why
    return f"{why}; the address is {'one less' if way.offset < 0 else 'one more'}"
