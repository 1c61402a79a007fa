"""Who is left alone and for how long: what fell silent rests, then is probed, and one answer closes its breaker.

A question to a dead device costs the wire a whole deadline. So each waits two seconds longer after each failure, five
minutes at most, and all of a wire together pay from one account, which gets a twentieth of the time: as long as it is
in debt, nobody is probed, and where very many are dead each waits longer than five minutes for its turn. While no
device answers, nobody is kept waiting, and neither the account nor the long waits hold.
"""

import random
from collections.abc import Callable
from typing import Protocol

S = 1_000_000_000  # ns
STEP = 2 * S  # the wait after the first failure, and how much longer it gets with each
CAP = 300 * S  # the longest wait on a wire that others use
ALONE = 10 * S  # the longest wait where nobody answers
JITTER = 0.1  # share of a wait that chance takes away, so that what failed together is not asked together for ever
EASE = 5 * S  # healthy time that takes back one failure: a lost answer now and then costs little
HEALTHY = 60 * S  # healthy time that takes back all of them
MEMORY = 6  # failures that a device keeps when it answers again
SHARE = 0.05  # of the wire's time, for silence
BURST = 1 * S  # that the account may hold: the first probes come soon
TOGETHER = 60 * S  # devices that fell silent within this time may have had one cause
NEVER = 1 << 62


class Breaker:
    """Open while `failing`; `asked` is when the last failure was noted (monotonic ns), `cost` the time it took (ns).

    `least` ns are waited after each failure, whatever it was.
    """

    __slots__ = ("_healthy", "_luck", "asked", "cost", "failing", "failures", "least", "since")

    def __init__(self, least: int = 0) -> None:
        self.least = least
        self.failing = False
        self.failures = 0
        self.since = self.asked = self.cost = 0
        self._healthy = 0  # since when, unless failing
        self._luck = 0.0

    def failed(self, now: int, luck: float, cost: int = 0) -> bool:
        """Note a failure; True on the edge from good to bad."""
        edge = not self.failing
        if edge:
            healthy = now - self._healthy
            self.failures = 0 if healthy >= HEALTHY else max(0, self.failures - healthy // EASE)
            self.failing, self.since = True, now
        self.failures += 1
        self.asked, self.cost, self._luck = now, cost, luck
        return edge

    def succeeded(self, now: int) -> None:
        """One answer is enough, but what was before is not forgotten at once."""
        if self.failing:
            self.failing, self._healthy = False, now
            self.failures = min(self.failures, MEMORY)

    def until(self, cap: int) -> int:
        """The moment up to which the wait after the last failure lasts."""
        wait = int(min(STEP * self.failures, cap) * (1 - JITTER * self._luck))
        return self.asked + max(wait, int(self.least * (1 + JITTER * self._luck)))


class Suspect(Protocol):
    """A device of the wire: its breaker, whether it is to be asked out of turn, and when it is asked next."""

    whole: Breaker
    hurried: bool
    probe_at: int


class Probes:
    """The dead devices of one wire, and what their silence may cost the others.

    `at` is when somebody is to be probed (monotonic ns), `NEVER` while all are well.
    """

    def __init__(self, devices: int, luck: Callable[[], float] = random.random) -> None:
        self._devices, self._luck = devices, luck
        self._dead: list[Suspect] = []
        self._credit, self._refilled = float(BURST), 0
        self.at = NEVER

    @property
    def alive(self) -> bool:
        """Whether any device of the wire answers."""
        return len(self._dead) < self._devices

    def failed(self, seat: Suspect, now: int, cost: int) -> bool:
        """A device gave no answer, which took `cost` ns; True when it had been well until then.

        Its first silence is free: that is how one finds out. A probe is paid for, and so is the silence of a device
        that has not made good for its last one.
        """
        self._refill(now)
        edge = seat.whole.failed(now, self._luck(), cost)
        seat.hurried = False
        if edge:
            self._dead.append(seat)
        if self.alive and seat.whole.failures > 1:
            self._credit -= cost
        self._plan(now)
        return edge

    def answered(self, seat: Suspect, now: int) -> None:
        """A dead device is back: the youngest of those that fell silent with it is asked next, without waiting.

        When nobody had answered, the wire itself is back, and that holds for whoever is dead.
        """
        wire = not self.alive
        self._refill(now)
        since, seat.hurried = seat.whole.since, False
        seat.whole.succeeded(now)
        self._dead.remove(seat)
        if wire:
            self._credit = float(BURST)
        others = [each for each in self._dead if wire or abs(each.whole.since - since) <= TOGETHER]
        if others:
            max(others, key=lambda each: each.whole.since).hurried = True
        self._plan(now)

    def silent(self, now: int, cost: int) -> int:
        """A part of a scan was silent; until when its group leaves the wire to the others, five minutes at most."""
        self._refill(now)
        self._credit -= cost
        self._plan(now)
        return now + min(CAP, max(int(cost * (1 / SHARE - 1)), self._debt()))

    def pick(self, now: int) -> Suspect | None:
        """Who is to be probed now: in haste, or waiting for five minutes, or else the one that was asked least."""
        due = [seat for seat in self._dead if seat.probe_at <= now]
        if due:
            return min(due, key=lambda seat: (not seat.hurried, now - seat.whole.asked < CAP, seat.whole.failures))
        self._plan(now)
        return None

    def _refill(self, now: int) -> None:
        if self.alive:
            self._credit = min(BURST, self._credit + (now - self._refilled) * SHARE)
        self._refilled = now

    def _debt(self) -> int:
        """ns until it is paid."""
        return int(max(0.0, -self._credit) / SHARE)

    def _plan(self, now: int) -> None:
        cap, paid = (CAP, now + self._debt()) if self.alive else (ALONE, now)
        for seat in self._dead:
            soonest = max(now, seat.whole.asked + seat.whole.least)
            seat.probe_at = soonest if seat.hurried else max(seat.whole.until(cap), paid)
        self.at = min((seat.probe_at for seat in self._dead), default=NEVER)
