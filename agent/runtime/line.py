"""The one owner of a wire: its devices take turns; a dead one costs a deadline, then is probed less and less often."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heapreplace

from agent.health import Health, Part
from agent.model.clock import Clock
from agent.model.errors import Refused
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Step
from agent.runtime.inlet import Inlet
from agent.runtime.schedule import Turn, phase, until_next
from agent.runtime.supervise import Backoff, attempt, unreachable
from drivers.api import Poller

CAP = 60.0  # seconds between two probes of a dead device that shares its line, at most
ALONE = 10.0  # the same where no other device waits for the wire
EASE = 5.0  # healthy seconds that take back one step of a device's back-off: a lost answer now and then costs little
REST = 4.0  # times as long as silence took from the others, they have the wire for themselves


@dataclass(slots=True)
class Breaker:
    """Open while `retry_at` (monotonic ns) lies ahead; then one probe decides."""

    backoff: Backoff
    retry_at: int = 0
    failing: bool = False

    def failed(self, mono: int) -> bool:
        """Note a failure; True on the edge from good to bad."""
        edge, self.failing = not self.failing, True
        self.retry_at = mono + int(self.backoff.failed() * 1e9)
        return edge

    def rest(self, until: int) -> None:
        """Stay open at least until then (monotonic ns)."""
        self.retry_at = max(self.retry_at, until)

    def succeeded(self) -> None:
        self.failing = False
        self.backoff.succeeded()


@dataclass(slots=True, eq=False)
class Seat:
    """A device on the line: whether it is open, and its breakers: one for itself, one for each of its groups."""

    driver: Poller
    part: Part
    whole: Breaker
    groups: dict[Schema, Breaker] = field(default_factory=dict)
    is_open: bool = False


class Line:
    """Scans the devices of one endpoint, one request at a time, by their due times."""

    def __init__(
        self,
        drivers: Sequence[Poller],
        part: Part,
        steps: Mapping[Schema, Step],
        inlet: Inlet,
        health: Health,
        clock: Clock,
        *,
        place: int = 0,
        of: int = 1,
        backoff: Callable[[], Backoff] | None = None,
    ) -> None:
        backoff = backoff or partial(Backoff, CAP if len(drivers) > 1 else ALONE, ease=EASE)
        self._part, self._steps, self._inlet, self._health, self._clock = part, steps, inlet, health, clock
        self._seats: dict[object, Seat] = {}
        self._turns: list[Turn] = []
        for driver in drivers:
            seat = Seat(driver, health.part("device", driver.device), Breaker(backoff()))
            self._seats[driver] = seat
            for schema in driver.schemas:
                seat.groups[schema] = Breaker(backoff())
                interval = int(schema.interval * 1e9)
                self._turns.append(Turn(0, driver, schema, interval, phase(place, of, interval)))

    async def run(self) -> None:
        """Scan for ever; devices are closed on the way out."""
        wall, mono = self._clock.wall(), self._clock.mono()
        for turn in self._turns:
            turn.due = mono + until_next(wall, turn.interval, turn.shift)
        heapify(self._turns)
        self._part.up()
        try:
            while self._turns:
                await self._next()
        finally:
            await self.close()

    async def close(self) -> None:
        await asyncio.gather(*(attempt(seat.driver.close(), seat.part) for seat in self._seats.values()))
        for seat in self._seats.values():
            seat.is_open = False

    async def _next(self) -> None:
        turn = self._turns[0]
        wait = turn.due - self._clock.mono()
        if wait > 0:
            await asyncio.sleep(wait / 1e9)
        seat = self._seats[turn.driver]
        if max(seat.whole.retry_at, seat.groups[turn.schema].retry_at) <= self._clock.mono():
            await self._visit(seat, turn.schema)
        seat.part.late += turn.advance(self._clock.wall(), self._clock.mono())
        heapreplace(self._turns, turn)

    async def _visit(self, seat: Seat, schema: Schema) -> None:
        started = self._clock.mono()
        error = await attempt(self._scan(seat, schema), seat.part)
        if error is None:
            return
        seat.is_open = False
        now = self._clock.mono()
        edge = seat.whole.failed(now)
        seat.whole.rest(now + self._rest(now - started))
        if edge:
            quality = Quality.BAD_COMM if unreachable(error) else Quality.BAD_DEVICE
            for each in seat.driver.schemas:
                await self._emit_bad(each, quality)

    def _rest(self, cost: int) -> int:
        """ns that a silent device waits at least, so that many of them together take a small share of the wire only."""
        dead = sum(seat.whole.failing for seat in self._seats.values())
        return int(REST * cost * (dead - 1)) if dead < len(self._seats) else 0

    async def _scan(self, seat: Seat, schema: Schema) -> None:
        if not seat.is_open:
            await seat.driver.open()
            seat.is_open = True
        seat.part.scans += 1
        started = self._clock.mono()
        try:
            frame = await seat.driver.scan(schema)
        except Refused as error:
            self._answered(seat)
            await self._refused(seat, schema, error)
            return
        self._answered(seat)
        self._succeeded(seat, schema)
        if len(self._turns) > 1 and Quality.BAD_COMM in frame.quality:  # a part was silent, and others waited for it
            now = self._clock.mono()
            seat.groups[schema].rest(now + int(REST * (now - started)))
        await self._emit(frame)
        seat.part.frames += 1

    def _answered(self, seat: Seat) -> None:
        seat.whole.succeeded()
        seat.part.up()

    def _succeeded(self, seat: Seat, schema: Schema) -> None:
        group = seat.groups[schema]
        if group.failing:
            self._group_part(schema).up()
        group.succeeded()

    async def _refused(self, seat: Seat, schema: Schema, error: Refused) -> None:
        """The device is well and does not have this group: only the group is asked less often."""
        self._group_part(schema).down(error)
        if seat.groups[schema].failed(self._clock.mono()):
            await self._emit_bad(schema, Quality.BAD_DEVICE)

    def _group_part(self, schema: Schema) -> Part:
        return self._health.part("group", f"{schema.device}/{schema.group}")

    async def _emit(self, frame: Frame) -> None:
        for made in self._steps[frame.schema](frame):
            if not self._inlet.offer(made):
                await self._inlet.put(made)

    async def _emit_bad(self, schema: Schema, quality: Quality) -> None:
        await self._emit(bad_frame(schema, quality, self._clock.wall(), self._clock.mono()))
