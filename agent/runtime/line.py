"""The one owner of a wire: its devices take turns; a dead one costs a deadline, then is probed less and less often."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

CAP = 60.0  # seconds: a dead device is probed at least about twice as often as this


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
        backoff: Callable[[], Backoff] = lambda: Backoff(CAP),
    ) -> None:
        self._part, self._steps, self._inlet, self._clock = part, steps, inlet, clock
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
        for seat in self._seats.values():
            await attempt(seat.driver.close(), seat.part)
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
        error = await attempt(self._scan(seat, schema), seat.part)
        if error is None:
            return
        if unreachable(error):
            seat.is_open = False
            if seat.whole.failed(self._clock.mono()):
                for each in seat.driver.schemas:
                    await self._emit_bad(each, Quality.BAD_COMM)
        elif seat.groups[schema].failed(self._clock.mono()):
            await self._emit_bad(schema, Quality.BAD_DEVICE)

    async def _scan(self, seat: Seat, schema: Schema) -> None:
        if not seat.is_open:
            await seat.driver.open()
            seat.is_open = True
        seat.part.scans += 1
        try:
            frame = await seat.driver.scan(schema)
        except Refused:
            seat.whole.succeeded()
            raise
        seat.whole.succeeded()
        seat.groups[schema].succeeded()
        seat.part.up()
        await self._emit(frame)
        seat.part.frames += 1

    async def _emit(self, frame: Frame) -> None:
        for made in self._steps[frame.schema](frame):
            if not self._inlet.offer(made):
                await self._inlet.put(made)

    async def _emit_bad(self, schema: Schema, quality: Quality) -> None:
        await self._emit(bad_frame(schema, quality, self._clock.wall(), self._clock.mono()))
