"""How far the wall clock could be trusted when, so that stamps of a clock that was wrong are put right on the way out.

A machine without a battery wakes up in 1970, or at the time of its last stop, and is set right a minute later. Frames
keep the stamp that they got. But their monotonic time is right, so once the offset between the two clocks is known in
a boot, every earlier stamp of that boot follows from it, also after a restart of the agent.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from agent.model.clock import Clock
from agent.model.frame import Entry
from buffer.epochs import Epoch

WRONG, PLAUSIBLE, SYNCED = 0, 1, 2  # implausible; nobody vouches for it; the kernel does
_EARLIEST = 1_672_531_200 * 10**9  # 2023-01-01: nobody has run this program before
_LATEST = 4_102_444_800 * 10**9  # 2100-01-01
_STEP = 500_000_000  # ns between the clocks that are a step and no slewing
_KEPT = 1000  # newest rows; of older ones each boot's first of each state, from which its stamps are put right
_SELECT = "SELECT boot_id, mono, before, after, synced FROM clock ORDER BY id"
_INSERT = "INSERT INTO clock (boot_id, mono, before, after, synced) VALUES (?, ?, ?, ?, ?)"
_FORGET = (
    "DELETE FROM clock WHERE id <= (SELECT max(id) FROM clock) - ?"
    " AND id NOT IN (SELECT min(id) FROM clock GROUP BY boot_id, synced)"
)


class Event(NamedTuple):
    """A start of the agent, a step of the wall clock (`before` and `after`, ns UTC), or a change of its `state`."""

    boot: str
    mono: int
    before: int
    after: int
    state: int

    @property
    def step(self) -> float:
        """Seconds by which the clock was set."""
        return (self.after - self.before) / 1e9


@dataclass(frozen=True, slots=True)
class Fix:
    """Stamps of a boot from before `until` (monotonic ns) are `mono + offset`; `unsynced`: no offset is known yet."""

    until: int
    offset: int
    unsynced: bool


def plausible(clock: Clock) -> bool:
    """Whether it shows a time that can be."""
    return _EARLIEST <= clock.wall() < _LATEST


def state(clock: Clock) -> int:
    if not plausible(clock):
        return WRONG
    return SYNCED if clock.synced() else PLAUSIBLE


def fix(events: list[Event]) -> Fix | None:
    """What is to be done about the stamps of one boot: nothing if its clock was never better than at its start."""
    best = max(event.state for event in events)
    first = next(event for event in events if event.state == best)
    if first is events[0] and best > WRONG:
        return None
    return Fix(first.mono, first.after - first.mono, unsynced=best == WRONG)


def _thinned(seen: list[Event]) -> list[Event]:
    """The newest of many, and of the older ones the first of each state: as in the table."""
    firsts = {event.state: event for event in reversed(seen[:-_KEPT])}
    return [*sorted(firsts.values(), key=lambda event: event.mono), *seen[-_KEPT:]]


class Clocks:
    """The clock's history in one file; `events` wait for the next transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._boots: dict[str, list[Event]] = {}
        self._fixes: dict[str, Fix] = {}  # by epoch
        self._epochs: dict[str, str] = {}  # boot by epoch
        self._stepped = False
        self._state, self._offset = WRONG, 0
        self.waiting: list[Event] = []
        self.steps: list[Event] = []  # of this run, until somebody has asked
        for row in connection.execute(_SELECT).fetchall():
            if all(isinstance(value, int) for value in row[1:]):
                self._boots.setdefault(row[0], []).append(Event(*row))

    def begin(self, clock: Clock, boot: str, epochs: Iterable[Epoch]) -> None:
        """A run of the agent starts; `epochs` holds it and all before it."""
        self._clock, self._boot = clock, boot
        self.know(epochs)
        wall, mono = clock.wall(), clock.mono()
        self._enter(Event(boot, mono, wall, wall, state(clock)))

    def know(self, epochs: Iterable[Epoch]) -> None:
        """These are the runs of the agent, and the boot that each was in."""
        self._epochs = {epoch.eid.hex(): epoch.boot for epoch in epochs}
        self._work_out()

    def adopt(self, events: Iterable[Event], epochs: Iterable[Epoch]) -> None:
        """What a store in memory has seen of the clock, and all runs with the one that was in it."""
        for event in events:
            self._boots.setdefault(event.boot, []).append(event)
        for seen in self._boots.values():
            seen.sort(key=lambda event: event.mono)
        self.know(epochs)

    def look(self) -> None:
        """Once a second: has the wall clock been set, or is it in step now?"""
        wall, mono = self._clock.wall(), self._clock.mono()
        expected, now = mono + self._offset, state(self._clock)
        stepped = abs(wall - expected) > _STEP
        if stepped or now != self._state:
            event = Event(self._boot, mono, expected if stepped else wall, wall, now)
            self._enter(event)
            if stepped:
                self._stepped = True
                self.steps.append(event)
        self._offset = wall - mono  # slewing is no step

    @property
    def trusted(self) -> bool:
        """Whether the wall clock may decide that something is old."""
        return self._state == SYNCED or (self._state == PLAUSIBLE and not self._stepped)

    @property
    def plausible(self) -> bool:
        """Whether the wall clock shows a time that can be."""
        return self._state > WRONG

    def restamped(self, entries: list[Entry]) -> list[Entry]:
        """The entries with stamps put right where that is needed; the same list where nothing is."""
        return [self._restamp(entry) for entry in entries] if self._fixes else entries

    def right(self, epoch: str, ts: int, mono: int) -> tuple[int, str]:
        """The stamp as it should be, and what is to be said of it: see `Entry.clock`."""
        found = self._fixes.get(epoch)
        if found is None or not mono:
            return ts, ""
        if found.unsynced:
            return ts, "unsynced"
        right = mono + found.offset
        return (ts, "") if mono >= found.until or abs(right - ts) <= _STEP else (right, "corrected")

    def right_since(self, epoch: str, mono: int) -> bool:
        """Whether nothing is to be done about stamps of this run from that moment on."""
        found = self._fixes.get(epoch)
        return found is None or (not found.unsynced and mono >= found.until)

    def write(self, connection: sqlite3.Connection) -> None:
        if self.waiting:
            connection.executemany(_INSERT, self.waiting)
            connection.execute(_FORGET, (_KEPT,))

    def written(self) -> None:
        self.waiting.clear()

    def _enter(self, event: Event) -> None:
        self._state, self._offset = event.state, event.after - event.mono
        seen = self._boots.setdefault(event.boot, [])
        seen.append(event)
        if len(seen) > 2 * _KEPT:
            self._boots[event.boot] = _thinned(seen)
        self.waiting.append(event)
        self._work_out()

    def _work_out(self) -> None:
        fixes = {boot: found for boot, events in self._boots.items() if (found := fix(events))}
        self._fixes = {epoch: fixes[boot] for epoch, boot in self._epochs.items() if boot in fixes}

    def _restamp(self, entry: Entry) -> Entry:
        frame = entry.frame
        ts, said = self.right(entry.epoch, frame.ts, frame.mono)
        if ts != frame.ts:
            frame = replace(frame, ts=ts)
        return entry._replace(clock=said, frame=frame) if said else entry
