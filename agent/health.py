"""State and counters of every line, device, sink and the store: written by the runtime, read by status and cli."""

import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from agent.model.errors import AgentError, StoreError
from agent.model.frame import Entry

State = Literal["starting", "up", "down", "blocked", "stopped"]
Key = tuple[str, str]  # kind, name
Phase = Literal["starting", "running", "stopping"]
Circuit = Literal["", "closed", "open", "half_open"]
SELFTEST = "selftest"  # the kind of the parts that stand for its checks
WINDOW = 60_000_000_000  # ns over which the use of a line is told
MARK = 5_000_000_000  # ns between two marks in it
FAR = 60.0  # seconds between a device's clock and ours that a person should hear of
FULL, EASED = 0.95, 0.9  # of its time: a line is overloaded from there on, and until it is below that
log = logging.getLogger("floorgate")


@dataclass(slots=True)
class Part:
    """One thing that can be up or down. Its state is logged when it changes and never in between."""

    kind: str
    name: str
    state: State = "starting"
    error: str = ""
    hint: str = ""  # what to do about it, which `error` says as well
    since: float = field(default_factory=time.monotonic)
    scans: int = 0  # groups read
    late: int = 0  # scans whose time passed unused
    frames: int = 0  # frames handed on
    failures: int = 0  # errors, expected ones and bugs
    bugs: int = 0  # errors that nobody foresaw
    dropped: int = 0  # samples thrown away before they were on disk
    rejected: int = 0  # frames that were given up
    aside: int = 0  # frames that the other side refused
    breaker: Circuit = ""  # a device that shares a line: open while it is left alone, half_open while it is probed
    probe_at: float = 0.0  # an open one, or a group that is refused: when it is asked again, monotonic seconds
    confirmed: float = 0.0  # a sink: when the other side confirmed something last, monotonic seconds; 0: never
    sent: int = 0  # a sink: bytes of payload that went out
    skew: float | None = None  # a device that has a clock: seconds that it is ahead of ours
    commands: dict[str, int] = field(default_factory=dict)  # of a sink: how many by what became of them
    expiries: Mapping[str, float] = field(default_factory=dict)  # seconds UTC, by whose certificate it is
    refuses: Mapping[str, str] = field(default_factory=dict)  # a device: why it does not give a tag, by its name

    def up(self) -> None:
        if self.state != "up":
            recovered = self.state in ("down", "blocked")
            seconds = time.monotonic() - self.since
            self._enter("up", "")
            if recovered:
                log.info("%s %s is back", self.kind, self.name, extra=self._facts(down_s=round(seconds, 1)))

    def down(self, error: AgentError) -> None:
        self.failures += 1
        self._fall("down", logging.ERROR if isinstance(error, StoreError) else logging.WARNING, error)

    def blocked(self, error: AgentError) -> None:
        self.failures += 1
        self._fall("blocked", logging.ERROR, error)

    def bug(self, error: Exception) -> None:
        """A traceback the first time; afterwards it is counted."""
        self.failures += 1
        self.bugs += 1
        self._enter("down", repr(error))
        if self.bugs == 1:
            what = self.kind, self.name
            log.error("%s %s failed in a way nobody foresaw", *what, exc_info=error, extra=self._facts())

    def lost(self, samples: int) -> None:
        if not self.dropped:
            what = self.kind, self.name
            log.error("%s %s gives samples faster than they can be stored", *what, extra=self._facts())
        self.dropped += samples

    def refused(self, what: str, error: AgentError) -> None:
        """Data was given up. Said at the 1st, 2nd, 4th, 8th … time, so that a flood of them stays readable."""
        self.rejected += 1
        if self.rejected & (self.rejected - 1) == 0:
            facts = self._facts(rejected=self.rejected)
            log.error("%s %s gave up %s: %s", self.kind, self.name, what, error, extra=facts)

    def set_aside(self, what: str, error: Exception) -> None:
        """The other side refuses it; it is kept for a person. Said like `refused`."""
        self.aside += 1
        if self.aside & (self.aside - 1) == 0:
            facts = self._facts(set_aside=self.aside)
            log.error("%s %s set aside %s: %s", self.kind, self.name, what, error, extra=facts)

    def noticed(self, what: str, level: int = logging.ERROR) -> None:
        """Something that a person should hear of although the part goes on."""
        log.log(level, "%s %s: %s", self.kind, self.name, what, extra=self._facts())

    def clock(self, skew: float) -> None:
        """How far a device's clock is ahead of ours, in seconds. Said when it gets far away, and when it is back."""
        if (abs(skew) > FAR) != (abs(self.skew or 0.0) > FAR):
            way = "ahead of" if skew > 0 else "behind"
            self.noticed(f"its clock is {abs(skew):.0f} s {way} ours", logging.WARNING)
        self.skew = skew

    def hangs(self, what: str, hint: str) -> None:
        """It neither works nor fails: a bug, of which only a restart is a cure."""
        self.failures += 1
        self._enter("down", f"{what} ({hint})", hint)
        log.error("%s %s hangs: %s", self.kind, self.name, self.error, extra=self._facts())

    def certified(self, expiries: Mapping[str, float]) -> None:
        self.expiries = expiries

    def stopped(self) -> None:
        self._enter("stopped", "")

    def _fall(self, state: State, level: int, error: AgentError) -> None:
        if self.state != state or self.error != str(error):
            new = self.state != state
            self._enter(state, str(error), error.hint)
            if new:
                log.log(level, "%s %s: %s", self.kind, self.name, error, extra=self._facts())

    def _facts(self, **more: object) -> dict[str, object]:
        """Of a line in the log; whom it is about is said in the message already."""
        return {"about": (self.kind, self.name), **more}

    def _enter(self, state: State, error: str, hint: str = "") -> None:
        if self.state != state:
            self.since = time.monotonic()
        self.state, self.error, self.hint = state, error, hint


@dataclass(slots=True)
class Load:
    """What a line has to do: how long it was busy, and how many scans came too late; times in monotonic ns."""

    name: str
    devices: Sequence[Part] = ()
    busy: int = 0
    late: int = 0
    overloaded: bool = False
    next: int = 0  # when to `judge` again
    _marks: deque[tuple[int, int, int]] = field(default_factory=deque)  # time, busy, late: a minute ago until now

    def begin(self, now: int) -> None:
        """The line starts, or starts again."""
        self._marks.clear()
        self._mark(now)

    def ratio(self, now: int) -> float:
        """The share of the last minute in which the line was busy."""
        if not self._marks:
            return 0.0
        then, busy, _ = self._since(now)
        return min(1.0, (self.busy - busy) / max(1, now - then))

    def dead(self) -> list[str]:
        """The devices that are left alone, by name."""
        return [part.name for part in self.devices if part.breaker in ("open", "half_open")]

    def _since(self, now: int) -> tuple[int, int, int]:
        """The newest mark that is a minute old, or else the oldest there is. May be called from another thread."""
        marks = tuple(self._marks)
        return next((mark for mark in reversed(marks) if mark[0] <= now - WINDOW), marks[0])

    def _mark(self, now: int) -> None:
        self._marks.append((now, self.busy, self.late))
        self.next = now + MARK

    def judge(self, now: int) -> bool:
        """Whether the line has become overloaded just now, or is so no more.

        It is when it was full and scans were late for a whole minute, and then until one of the two is over.
        """
        then, _, late = self._since(now)
        while self._marks[0][0] < then:
            self._marks.popleft()
        ratio = self.ratio(now)
        full = ratio > (EASED if self.overloaded else FULL) and self.late > late
        before = self.overloaded
        self.overloaded = full and (before or now - then >= WINDOW)
        self._mark(now)
        return self.overloaded != before


@dataclass(frozen=True, slots=True)
class Pulse:
    """How one can tell that a part gets on: see `agent.runtime.watchdog`.

    `beat` is None at a moment (monotonic ns) at which the part may rest, else another one than before if it has got on.
    `patience` is in seconds, `doing` says what it is at.
    """

    patience: float
    beat: Callable[[int], object]
    doing: Callable[[], str]


@dataclass(slots=True)
class Durations:
    """How often something took how long: how many were at most each of BOUNDS (s), and longer than the one before."""

    BOUNDS: ClassVar = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
    counts: list[int] = field(default_factory=lambda: [0] * (len(Durations.BOUNDS) + 1))
    sum: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.BOUNDS, seconds)] += 1
        self.sum += seconds


@dataclass(slots=True)
class Health:
    """All parts by (kind, name), what each line has to do, and what is under way to each sink that is sent to."""

    parts: dict[Key, Part] = field(default_factory=dict)
    pulses: dict[Key, Pulse] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    flights: dict[str, Mapping[int, Sequence[Entry]]] = field(default_factory=dict)  # by the first number of a send
    phase: Phase = "running"

    def part(self, kind: str, name: str) -> Part:
        return self.parts.setdefault((kind, name), Part(kind, name))

    def put(self, part: Part) -> None:
        """In the place of one by that name."""
        self.parts[part.kind, part.name] = part

    def drop(
        self, *, lines: Collection[str] = (), devices: Iterable[str] = (), others: Iterable[tuple[str, str]] = ()
    ) -> None:
        """These are no more, or begin anew; with a device go its groups."""
        gone = {("line", name) for name in lines} | set(others)
        known = set(devices)
        gone |= {("device", name) for name in known}
        gone |= {key for key in self.parts if key[0] == "group" and key[1].partition("/")[0] in known}
        for key in gone:
            self.parts.pop(key, None)
            self.pulses.pop(key, None)
        for name in lines:
            self.loads.pop(name, None)
        for name in [name for kind, name in gone if kind == "sink"]:
            self.flights.pop(name, None)
