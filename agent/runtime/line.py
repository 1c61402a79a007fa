"""The one owner of a wire: its devices take turns; a dead one costs a deadline, then is probed less and less often."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence

from agent.health import Health, Load, Part, Pulse
from agent.model.clock import Clock
from agent.model.errors import Refused
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Step
from agent.runtime.advice import remedy
from agent.runtime.breaker import NEVER, Probes, S
from agent.runtime.inlet import Inlet
from agent.runtime.schedule import HANDICAP, Calendar, Share, Turn, handicaps, phase
from agent.runtime.seats import Seat, seated
from agent.runtime.sleepers import Sleepers
from agent.runtime.supervise import attempt, unreachable
from drivers.api import Learner, Poller, Priority, ScanCost, asked

REFUSED_CAP = 60 * S  # the longest wait until a group that a device refuses is asked for again
BREATH = S // 20  # a line that never waits lets others have the loop that often
log = logging.getLogger("floorgate")


def _normal(schema: Schema) -> Priority:
    return "normal"


class Line:
    """Scans the devices of one endpoint, one request at a time; `schedule.py` says whose turn it is.

    `priority` is asked once per group, `learn` gets what a device has learnt, `luck` gives numbers from 0 to 1.
    Lines that share their `sleepers` are woken together. One hangs that gets on with nothing for `patience` seconds.
    """

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
        priority: Callable[[Schema], Priority] = _normal,
        learn: Callable[[str, bytes], None] | None = None,
        luck: Callable[[], float] = random.random,
        sleepers: Sleepers | None = None,
        patience: float = math.inf,
    ) -> None:
        self._part, self._steps, self._inlet, self._health, self._clock = part, steps, inlet, health, clock
        self._learn, self._luck, self._sleepers = learn, luck, sleepers
        self._seats = [seated(driver, health.part("device", driver.device)) for driver in drivers]
        turns: list[Turn] = []
        levels: list[Priority] = []
        for seat in self._seats:
            shares = {level: Share() for level in HANDICAP}
            for schema in seat.driver.schemas:
                interval, level = int(schema.interval * 1e9), priority(schema)
                levels.append(level)
                turns.append(Turn(seat, shares[level], schema, interval, phase(place, of, interval), 0, len(turns)))
        for turn, handicap in zip(turns, handicaps(levels), strict=True):
            turn.handicap = handicap
        self._calendar = Calendar(turns)
        self._probes = Probes(len(self._seats), luck)
        self._load = health.loads[part.name] = Load(part.name, [seat.part for seat in self._seats])
        self._breath = 0
        self._due = NEVER  # when it took its last step, or takes the next one
        self._at: Turn | None = None
        health.pulses["line", part.name] = Pulse(patience, self._beat, self._doing)

    async def run(self) -> None:
        """Scan for ever; devices are closed on the way out."""
        now = self._due = self._clock.mono()
        self._calendar.begin(self._clock.wall(), now)
        self._load.begin(now)
        self._part.up()
        try:
            if self._calendar.turns:
                await self._serve()
        finally:
            await self.close()
            self._due = NEVER

    async def close(self) -> None:
        await asyncio.gather(*(attempt(seat.driver.close(), seat.part) for seat in self._seats))
        for seat in self._seats:
            seat.is_open = False

    async def _serve(self) -> None:
        """One after the other, for ever: in one loop, because a coroutine more per scan would be felt."""
        calendar, probes, mono, wall = self._calendar, self._probes, self._clock.mono, self._clock.wall
        sleepers = self._sleepers or Sleepers(mono)
        while True:
            now = mono()
            if now >= probes.at or now >= self._breath:
                await self._step_aside(now)
            elif (turn := calendar.pop(now)) is None:
                woken = min(calendar.next, probes.at)
                self._breath = woken + BREATH
                self._due = woken
                await sleepers.until(woken)
            elif turn.seat.whole.failing or turn.rests > now:
                turn.advance(wall(), now)
                calendar.put(turn)
            else:
                error = await attempt(self._scan(turn, now), turn.seat.part)
                if error is not None:
                    await self._fell(turn, error)
                if late := turn.advance(wall(), mono()):
                    turn.seat.part.late += late
                    self._load.late += late
                calendar.put(turn)

    async def _step_aside(self, now: int) -> None:
        """Let others have the loop: devices that answer without any waiting must not keep them from it. Then probe."""
        if now >= self._breath:
            await asyncio.sleep(0)
            self._breath = now + BREATH
        seat = self._probes.pick(now) if now >= self._probes.at else None
        if seat is not None:
            assert isinstance(seat, Seat)
            await self._probe(seat, now)

    async def _probe(self, seat: Seat, now: int) -> None:
        """Ask a dead device for its smallest group, one that it has not refused if there is one."""
        seat.part.breaker = "half_open"
        turns = (turn for turn in self._calendar.turns if turn.seat is seat)
        turn = min(turns, key=lambda turn: (turn.breaker.failing, len(turn.schema.tags)))
        error = await attempt(self._scan(turn, now), seat.part)
        if error is not None:
            await self._fell(turn, error)

    async def _fell(self, turn: Turn, error: Exception) -> None:
        """The whole device is in doubt: one bad frame per group on the edge."""
        seat = turn.seat
        seat.is_open = False
        edge = self._probes.failed(seat, self._clock.mono(), turn.cost)
        seat.part.breaker = "open"
        self._tell_probes()
        if edge:
            quality = Quality.BAD_COMM if unreachable(error) else Quality.BAD_DEVICE
            for each in seat.driver.schemas:
                await attempt(self._emit_bad(each, quality), seat.part)

    async def _scan(self, turn: Turn, began: int) -> None:
        seat, found = turn.seat, None
        self._due, self._at = began, turn
        try:
            if not seat.is_open:
                await seat.driver.open()
                seat.is_open = True
            seat.part.scans += 1
            found = await seat.driver.scan(turn.schema)
        except Refused as error:
            if not seat.is_open:
                raise
            refusal = error
        finally:
            ended = self._used(turn, began)
        if seat.whole.failing or seat.part.state != "up":
            self._rose(seat, ended)
        if seat.learner is not None:
            self._ask_learner(seat.learner)
        if found is None:
            await self._refused(turn, refusal, ended)
            return
        if turn.breaker.failing or Quality.BAD_COMM in found.quality:
            self._judge(turn, found, ended)
        turn.schema = found.schema  # a device whose tags have grown has another one now
        if self._inlet.full:
            await self._room(found)
        for made in self._steps[turn.schema](found):
            self._inlet.add(made)
        seat.gave()

    async def _room(self, found: Frame) -> None:
        """What has been read is not lost when the line is stopped meanwhile."""
        try:
            await self._inlet.room()
        except asyncio.CancelledError:
            for made in self._steps[found.schema](found):
                self._inlet.add(made)
            raise

    def _judge(self, turn: Turn, frame: Frame, now: int) -> None:
        """The group is not refused any more, or a part of it was silent while others waited for the wire."""
        if turn.breaker.failing:
            turn.breaker.succeeded(now)
            part = self._group_part(turn.schema)
            part.probe_at = 0.0
            part.up()
        if Quality.BAD_COMM in frame.quality and len(self._calendar.turns) > 1:
            turn.rests = self._probes.silent(now, turn.cost)

    def _used(self, turn: Turn, began: int) -> int:
        """The wire is free again; returns since when."""
        ended = self._clock.mono()
        turn.cost = cost = ended - began
        self._calendar.used(turn, began, ended)
        load = self._load
        load.busy += cost
        if ended >= load.next and load.judge(ended):
            self._say_load(ended)
        return ended

    def _rose(self, seat: Seat, now: int) -> None:
        if seat.whole.failing:
            self._probes.answered(seat, now)
            seat.part.breaker = "closed"
            self._tell_probes()
        seat.part.up()

    def _ask_learner(self, learner: Learner) -> None:
        learnt = learner.learnt()
        if learnt is not None and self._learn is not None:
            self._learn(learner.device, learnt)

    def _beat(self, now: int) -> object:
        at = self._at
        return None if self._due > now or self._inlet.full else (self._due, at and asked(at.seat.driver))

    def _doing(self) -> str:
        at = self._at
        return f"device {at.seat.driver.device}, group {at.schema.group}" if at else "before its first scan"

    def _tell_probes(self) -> None:
        for seat in self._seats:
            seat.part.probe_at = seat.probe_at / 1e9 if seat.whole.failing else 0.0

    async def _refused(self, turn: Turn, error: Refused, now: int) -> None:
        """The device is well and does not have this group: only the group is asked less often, if nobody finds out
        why."""
        part = self._group_part(turn.schema)
        part.down(error)
        edge = turn.breaker.failed(now, self._luck())
        learner = turn.seat.learner
        turn.rests = now if learner is not None and learner.searching else turn.breaker.until(REFUSED_CAP)
        part.probe_at = turn.rests / 1e9
        if edge:
            await self._emit_bad(turn.schema, Quality.BAD_DEVICE)

    def _group_part(self, schema: Schema) -> Part:
        return self._health.part("group", f"{schema.device}/{schema.group}")

    async def _emit_bad(self, schema: Schema, quality: Quality) -> None:
        await self._inlet.room()
        for made in self._steps[schema](bad_frame(schema, quality, self._clock.wall(), self._clock.mono())):
            self._inlet.add(made)

    def _say_load(self, now: int) -> None:
        """A line that has too much to do says so once, with what would help; and when it is over."""
        if not self._load.overloaded:
            log.info("line %s keeps up again", self._part.name, extra={"busy": round(self._load.ratio(now), 2)})
            return
        living = (turn for turn in self._calendar.turns if not turn.seat.whole.failing)
        costs = [
            ScanCost(turn.schema.device, turn.schema.group, turn.schema.interval, turn.cost / 1e9) for turn in living
        ]
        self._part.noticed(f"cannot keep up: {remedy(costs)}", logging.WARNING)
