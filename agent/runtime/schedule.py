"""When a scan group is due, and who goes first when several are.

A group is due at the multiples of its interval on the wall grid, shifted by its line's phase, never drifting.

On a line that keeps up, groups go in the order in which they are due. On one that does not, each device gets the same
share of the wire's *time*: one that had the wire for a while, with k devices waiting for it, is not due again until k
times that while is over, however many groups it has and however often it wants to be read. Nobody waits for a share
that others do not use. Where there are `high` groups, they go first; a `normal` one lets them until it is five seconds
overdue, a `low` one ten, and then takes its turn like any other. Shares are kept apart by priority, or the high groups
of a device would use up what its low ones wait for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

from agent.model.tag import Schema
from agent.runtime.breaker import NEVER, Breaker
from agent.runtime.seats import Seat
from drivers.api import Priority

EARLY = 2_000_000  # ns by which a timer may fire before its slot and still count as that slot
SOON = 1_000_000  # ns before its slot at which a group is taken: within EARLY, and within a tenth of any interval
PHASES = 8
SPREAD = 1_000_000_000  # ns: phases stay within one second, so that a 15-minute reading is not taken at minute seven
AGE = 5_000_000_000  # ns that a group waits for those with the next higher priority
HANDICAP: dict[Priority, int] = {"high": 0, "normal": AGE, "low": 2 * AGE}


def phase(place: int, of: int, interval: int) -> int:
    """ns by which line `place` of `of` lines shifts a group of this interval (ns), so that not all start at once.

    Many lines share a phase: their requests then leave in one turn of the loop and their answers are found by one look,
    which costs a third less CPU than one wake-up per line (figures in tests/bench/README.md).
    """
    phases = min(of, PHASES)
    return min(interval, SPREAD) * (place % phases) // phases


def until_next(wall: int, interval: int, shift: int) -> int:
    """ns from `wall` to the next slot of the grid; a slot closer than `EARLY` has just been served."""
    early = min(EARLY, interval // 10)
    return interval - (wall - shift + early) % interval + early


def missed(due: int, mono: int, interval: int) -> int:
    """How many slots have passed unused since the one at `due`; both on the monotonic clock (ns)."""
    return max(0, (mono - due) // interval)


def handicaps(levels: Sequence[Priority]) -> list[int]:
    """ns that groups of these priorities may wait for others, those that wait for nobody 0."""
    least = min((HANDICAP[level] for level in levels), default=0)
    return [HANDICAP[level] - least for level in levels]


@dataclass(slots=True, eq=False)
class Share:
    """What the groups of one device with one priority had of the wire was theirs until then (monotonic ns)."""

    until: int = 0


@dataclass(slots=True, eq=False)
class Turn:
    """A scan group on its line's calendar."""

    seat: Seat
    share: Share
    schema: Schema
    interval: int  # ns
    shift: int  # ns
    handicap: int = 0  # ns
    number: int = 0  # in the order of the file
    due: int = 0  # ns, monotonic
    cost: int = 0  # ns that the last scan had the wire
    rests: int = 0  # ns, monotonic: left alone until then
    breaker: Breaker = field(default_factory=Breaker)  # open when the device refuses this group

    def __lt__(self, other: "Turn") -> bool:
        return self.due < other.due

    def advance(self, wall: int, mono: int) -> int:
        """Move to the next slot that is still ahead; returns how many were missed."""
        late = missed(self.due, mono, self.interval)
        self.due = mono + until_next(wall, self.interval, self.shift)
        return late

    def rank(self, mono: int) -> int:
        """The smallest goes first."""
        due, share, handicap = self.due, self.share.until, self.handicap
        if handicap and due + handicap > mono:
            return handicap + (max(due, share))
        return max(due + handicap, share)


_Entry = tuple[int, int, int, Turn]  # a moment, when the group came due, its number, and the group


class Calendar:
    """The groups of one line: those ahead by their due times, and those that are due by their ranks.

    A rank is when the group came due, or when its device's share of the time is over, plus the handicap of its priority
    until it has waited for that long. So a rank grows while its device is read, and drops once. Of equal ones, which
    those of one device often are, the oldest goes first.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self._ahead: list[Turn] = []
        self._due: list[_Entry] = []  # some of them out of date: the rank has changed, or the group was read
        self._patient: list[_Entry] = []  # those with a handicap, by when it is over
        self._devices = 0  # that have something due

    def begin(self, wall: int, mono: int) -> None:
        """All groups are ahead."""
        self._due.clear()
        self._patient.clear()
        self._devices = 0
        for turn in self.turns:
            turn.due = mono + until_next(wall, turn.interval, turn.shift)
            turn.seat.waiting = 0
        self._ahead = list(self.turns)
        heapify(self._ahead)

    @property
    def next(self) -> int:
        """When the next group comes due (monotonic ns)."""
        return self._ahead[0].due if self._ahead else NEVER

    def pop(self, mono: int) -> Turn | None:
        """The group whose turn it is; it has to be put back. None: nothing is due."""
        waiting, ahead, soon = self._due, self._ahead, mono + SOON
        if ahead and ahead[0].due <= soon:
            if not waiting and (len(ahead) == 1 or min(ahead[1:3]).due > soon):
                return heappop(ahead)  # nobody else is due: the usual case
            self._collect(soon)
        if self._patient and self._patient[0][0] <= mono:
            self._age(mono)
        while waiting:
            rank, due, number, turn = waiting[0]
            if due != turn.due:
                heappop(waiting)  # it was read
            elif len(waiting) > 1 and (grown := turn.rank(mono)) > rank:
                heapreplace(waiting, (grown, due, number, turn))
            else:
                heappop(waiting)
                turn.seat.waiting -= 1
                if not turn.seat.waiting:
                    self._devices -= 1
                return turn
        return None

    def put(self, turn: Turn) -> None:
        """It has a new due time."""
        heappush(self._ahead, turn)

    def used(self, turn: Turn, began: int, ended: int) -> None:
        """A device had the wire: its share of the time until the others could have had as much."""
        if self._ahead and self._ahead[0].due <= ended:
            self._collect(ended)
        devices = self._devices if turn.seat.waiting else self._devices + 1
        turn.share.until = began + (ended - began) * devices

    def _collect(self, mono: int) -> None:
        ahead = self._ahead
        while ahead and ahead[0].due <= mono:
            turn = heappop(ahead)
            heappush(self._due, (turn.rank(mono), turn.due, turn.number, turn))
            if turn.handicap:
                heappush(self._patient, (turn.due + turn.handicap, turn.due, turn.number, turn))
            if not turn.seat.waiting:
                self._devices += 1
            turn.seat.waiting += 1

    def _age(self, mono: int) -> None:
        """Those that have waited enough are no longer behind; what they had been before is passed over later."""
        patient = self._patient
        while patient and patient[0][0] <= mono:
            _, due, number, turn = heappop(patient)
            if due == turn.due:
                heappush(self._due, (turn.rank(mono), due, number, turn))
