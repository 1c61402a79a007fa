"""Sorted, disjoint, closed ranges of sequence numbers: what a sink is owed, in a few numbers."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]


class Ranges:
    """`(first, last)` pairs with both ends included; neighbours that touch are one range."""

    __slots__ = ("_ends", "_starts", "size")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.size = 0
        for first, last in ranges:
            self.add(first, last)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Range]:
        return zip(tuple(self._starts), tuple(self._ends), strict=True)

    def __contains__(self, seq: int) -> bool:
        index = bisect_left(self._ends, seq)
        return index < len(self._starts) and self._starts[index] <= seq

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # ranges change, so they are no key

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    @property
    def first(self) -> int | None:
        return self._starts[0] if self._starts else None

    @property
    def last(self) -> int | None:
        return self._ends[-1] if self._ends else None

    def after(self, seq: int) -> Range | None:
        """The first range above `seq`, cut so that it starts above it."""
        index = bisect_right(self._ends, seq)
        if index == len(self._ends):
            return None
        return max(self._starts[index], seq + 1), self._ends[index]

    def before(self, seq: int) -> Range | None:
        """The last range below `seq`, cut so that it ends below it."""
        index = bisect_left(self._starts, seq) - 1
        return (self._starts[index], min(self._ends[index], seq - 1)) if index >= 0 else None

    def within(self, first: int, last: int) -> list[Range]:
        """The parts of these ranges that lie in first..last."""
        low, high = bisect_left(self._ends, first), bisect_right(self._starts, last)
        found = zip(self._starts[low:high], self._ends[low:high], strict=True)
        return [(max(start, first), min(end, last)) for start, end in found]

    def splits(self, first: int, last: int) -> bool:
        """Whether taking first..last away would leave one range more than there are now."""
        index = bisect_left(self._ends, first)
        return index < len(self._ends) and self._starts[index] < first and last < self._ends[index]

    def add(self, first: int, last: int) -> None:
        low, high = bisect_left(self._ends, first - 1), bisect_right(self._starts, last + 1)
        if low < high:
            first, last = min(first, self._starts[low]), max(last, self._ends[high - 1])
        self._replace(low, high, [(first, last)])

    def remove(self, first: int, last: int) -> list[Range]:
        """Take first..last away; returns what of it was there."""
        taken = self.within(first, last)
        low, high = bisect_left(self._ends, first), bisect_right(self._starts, last)
        rest: list[Range] = []
        if low < high and self._starts[low] < first:
            rest.append((self._starts[low], first - 1))
        if low < high and last < self._ends[high - 1]:
            rest.append((last + 1, self._ends[high - 1]))
        self._replace(low, high, rest)
        return taken

    def minus(self, others: Iterable["Ranges"]) -> "Ranges":
        """What none of the others holds."""
        left = Ranges(self)
        for other in others:
            for first, last in other:
                left.remove(first, last)
        return left

    def head(self, count: int) -> list[Range]:
        """The lowest `count` numbers, as ranges."""
        found: list[Range] = []
        for first, last in self:
            if count <= 0:
                break
            found.append((first, min(last, first + count - 1)))
            count -= last - first + 1
        return found

    def text(self) -> str:
        """JSON: `[[1,5],[9,9]]`."""
        return json.dumps(list(self), separators=(",", ":"))

    def _replace(self, low: int, high: int, ranges: list[Range]) -> None:
        gone = zip(self._starts[low:high], self._ends[low:high], strict=True)
        self.size += sum(b - a + 1 for a, b in ranges) - sum(b - a + 1 for a, b in gone)
        self._starts[low:high] = [first for first, _ in ranges]
        self._ends[low:high] = [last for _, last in ranges]


def parse(text: str) -> Ranges:
    """Ranges from `text()`. Raises ValueError."""
    pairs = json.loads(text)
    if not isinstance(pairs, list):
        raise ValueError(f"{text[:80]!r} is not a list of ranges")
    for pair in pairs:
        match pair:
            case [int(first), int(last)] if 0 < first <= last:
                pass
            case _:
                raise ValueError(f"{pair!r} is not a range of sequence numbers")
    return Ranges((first, last) for first, last in pairs)


def runs(numbers: Iterable[int]) -> list[Range]:
    """Ascending numbers as ranges."""
    found: list[Range] = []
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            found.append((first, last))
        first = last = number
    if first is not None and last is not None:
        found.append((first, last))
    return found
