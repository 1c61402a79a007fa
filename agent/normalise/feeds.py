"""The newest value of each input of formulas, and how it comes there from frames."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.normalise.api import Tap

NEVER: Final = 255  # the quality of an input before its first value
LATE = 300 * 10**9  # ns for which a value of an older time does not take the place of a newer one
MOST_SETS = 256  # of columns of sparse frames, of which is known what they feed
Slots = frozenset[int]
Stamps = Mapping[int, int]  # ns UTC by slot
Then = Callable[[Slots, Frame, Stamps | None], Sequence[Frame]]


class Newest:
    """By slot: the value, its quality, and of those in sparse frames when it came (monotonic ns) and its own time."""

    def __init__(self, slots: int) -> None:
        self.values: list[Value] = [None] * slots
        self.quality = bytearray((NEVER,)) * slots
        self.heard, self.stamps = [0] * slots, [0] * slots


@dataclass(slots=True)
class Feed:
    """The inputs in frames of one schema: the slots of each of its columns. `then` is told which have come.

    `misfits` are text where a formula wants numbers, or the other way round. `ages` are the ns after which a slot is
    stale.
    """

    newest: Newest
    slots: Mapping[int, Sequence[int]]
    misfits: Slots
    ages: Mapping[int, int]
    then: Then
    heard: int = 0  # monotonic ns of the last whole frame
    _pairs: Sequence[tuple[int, int]] = ()  # column and slot of what fits
    _picked: Callable[[Sequence[Any]], Sequence[Any]] | None = None  # of whole frames, where the slots are one run
    _run: tuple[int, int] = (0, 0)
    _good: bytes = b""
    _all: Slots = frozenset()
    _sets: dict[tuple[int, ...], Slots] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pairs = [(column, slot) for column, slots in self.slots.items() for slot in slots]
        self._all = frozenset(slot for _, slot in pairs)
        self._pairs = sorted((pair for pair in pairs if pair[1] not in self.misfits), key=itemgetter(1))
        columns, slots = [column for column, _ in self._pairs], [slot for _, slot in self._pairs]
        if len(slots) > 1 and slots == list(range(slots[0], slots[-1] + 1)):
            self._picked, self._run, self._good = itemgetter(*columns), (slots[0], slots[-1] + 1), bytes(len(slots))
        for slot in self.misfits:
            self.newest.quality[slot] = Quality.BAD_CONFIG

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        if frame.columns is not None:
            return self._sparse(frame, frame.columns)
        values, quality = self.newest.values, self.newest.quality
        came, trust = frame.values, frame.quality
        if self._picked is not None:
            first, last = self._run
            values[first:last] = self._picked(came)
            quality[first:last] = self._picked(trust) if trust.count(0) != len(trust) else self._good
        else:
            for column, slot in self._pairs:
                values[slot] = came[column]
                quality[slot] = trust[column]
        self.heard = frame.mono
        return self.then(self._all, frame, self._stamps(frame) if frame.stamps else None)

    def _sparse(self, frame: Frame, columns: tuple[int, ...]) -> Sequence[Frame]:
        slots = self._sets.get(columns)
        if slots is None:
            if len(self._sets) >= MOST_SETS:
                self._sets.clear()
            slots = frozenset(slot for column in columns for slot in self.slots.get(column, ()))
            self._sets[columns] = slots
        if slots:
            slots -= self._take(frame, columns)
        return self.then(slots, frame, self._stamps(frame) if frame.stamps else None) if slots else ()

    def _take(self, frame: Frame, columns: tuple[int, ...]) -> set[int]:
        """The slots whose newest value is newer than what came: a server may hand in later what it has kept."""
        newest, late = self.newest, set[int]()
        for place, column in enumerate(columns):
            for slot in self.slots.get(column, ()):
                stamp = frame.stamps[place] if frame.stamps else 0
                if stamp < newest.stamps[slot] and frame.mono - newest.heard[slot] < LATE:
                    late.add(slot)
                elif slot not in self.misfits:
                    newest.values[slot], newest.quality[slot] = frame.values[place], frame.quality[place]
                    newest.heard[slot], newest.stamps[slot] = frame.mono, stamp
        return late

    def _stamps(self, frame: Frame) -> Stamps:
        assert frame.stamps is not None
        columns = range(len(frame.values)) if frame.columns is None else frame.columns
        found: dict[int, int] = {}
        for column, stamp in zip(columns, frame.stamps, strict=True):
            for slot in self.slots.get(column, ()):
                found[slot] = stamp
        return found

    def age(self, mono: int) -> Iterator[int]:
        """Mark what has not been heard of for too long; the slots of which that is new."""
        quality, heard = self.newest.quality, self.newest.heard
        for slot, age in self.ages.items():
            if quality[slot] < Quality.STALE and mono - max(self.heard, heard[slot]) > age:
                quality[slot] = Quality.STALE
                yield slot


@dataclass(frozen=True, slots=True)
class Several:
    """What several feeds make of a frame."""

    feeds: Sequence[Tap]

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        return [made for feed in self.feeds for made in feed(frame)]
