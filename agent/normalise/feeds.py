"""The newest value of each input of formulas, and how it comes there from frames."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, Final

from agent.model.frame import Frame, Value
from agent.model.quality import Quality

NEVER: Final = 255  # the quality of an input before its first value
LATE = 300 * 10**9  # ns for which a value of an older time does not take the place of a newer one
MOST_SETS = 256  # of columns of sparse frames, of which is known what they feed
Slots = frozenset[int]
Stamps = Mapping[int, int]  # ns UTC by slot
Then = Callable[[Slots, Frame, Stamps | None], Sequence[Frame]]


class Newest:
    """By slot: the value, its quality, and of those in sparse frames when it came (monotonic ns) and its own time.

    `came` has come while it was the turn of others, at `times` of the source.
    """

    def __init__(self, slots: int) -> None:
        self.values: list[Value] = [None] * slots
        self.quality = bytearray((NEVER,)) * slots
        self.heard, self.stamps = [0] * slots, [0] * slots
        self.came: Slots = frozenset()
        self.times: dict[int, int] = {}

    def outdated(self, slots: Iterable[int]) -> Slots:
        """Those that are stale from now on."""
        found = frozenset(slot for slot in slots if self.quality[slot] < Quality.STALE)
        for slot in found:
            self.quality[slot] = Quality.STALE
        return found


@dataclass(slots=True)
class Feed:
    """The inputs in frames of one schema: the slots of each of its columns. `then` is told which have come.

    `misfits` are text where a formula wants numbers, or the other way round. `ages` are the ns after which a slot is
    stale. `rank` is smaller than that of whoever uses what is made; below 0 it is not made at once.
    """

    newest: Newest
    slots: Mapping[int, Sequence[int]]
    misfits: Slots
    ages: Mapping[int, int]
    then: Then
    turns: "Turns"
    rank: int
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
        if self.turns.busy and self.rank >= 0:
            self.note(frame)
            return ()
        slots = self.take(frame)
        return self.then(slots, frame, self._stamps(frame) if frame.stamps else None) if slots else ()

    def note(self, frame: Frame) -> None:
        """Take what it has; something is made of it when it is this one's turn."""
        slots, newest = self.take(frame), self.newest
        if slots:
            newest.came |= slots
            if frame.stamps:
                newest.times |= self._stamps(frame)
            self.turns.add(self, frame)

    def make(self, frame: Frame) -> Sequence[Frame]:
        """What comes of all that was noted, the last of it with this frame."""
        newest = self.newest
        slots, newest.came = newest.came, frozenset()
        times, newest.times = newest.times, {}
        return self.then(slots, frame, times or None)

    def take(self, frame: Frame) -> Slots:
        """The slots of which there is something newer now."""
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
        return self._all

    def _sparse(self, frame: Frame, columns: tuple[int, ...]) -> Slots:
        slots = self._sets.get(columns)
        if slots is None:
            if len(self._sets) >= MOST_SETS:
                self._sets.clear()
            slots = frozenset(slot for column in columns for slot in self.slots.get(column, ()))
            self._sets[columns] = slots
        return slots - self._late(frame, columns) if slots else slots

    def _late(self, frame: Frame, columns: tuple[int, ...]) -> set[int]:
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


class Turns:
    """Whose turn it is of those that a frame has reached: who uses what others make of it comes after all of them."""

    def __init__(self) -> None:
        self.busy = False
        self._ranks: list[int] = []  # a heap
        self._due: dict[int, tuple[Feed, Frame]] = {}  # by rank

    def add(self, feed: Feed, frame: Frame) -> None:
        if feed.rank not in self._due:
            heappush(self._ranks, feed.rank)
        self._due[feed.rank] = feed, frame

    def run(self) -> Iterator[Frame]:
        """Each frame goes on to others before the next is made."""
        self.busy = True
        try:
            while self._ranks:
                feed, frame = self._due.pop(heappop(self._ranks))
                yield from feed.make(frame)
        finally:
            self.busy = False


@dataclass(frozen=True, slots=True)
class Several:
    """What several feeds make of a frame."""

    feeds: Sequence[Feed]
    turns: Turns

    def __call__(self, frame: Frame) -> Iterable[Frame]:
        for feed in self.feeds:
            if feed.rank < 0:
                feed(frame)
            else:
                feed.note(frame)
        return () if self.turns.busy else self.turns.run()
