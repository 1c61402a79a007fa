"""A device that speaks up by itself: its session is kept open, its frames go to the inlet as they come."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from agent.health import Health, Part, Pulse
from agent.model.clock import Clock
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Step
from agent.runtime.inlet import Inlet
from agent.runtime.notes import notes
from agent.runtime.supervise import Backoff
from drivers.api import Subscriber, asked


class Subscription:
    """One session's life; the supervisor starts the next one."""

    def __init__(
        self,
        driver: Subscriber,
        steps: Mapping[Schema, Step],
        inlet: Inlet,
        part: Part,
        clock: Clock,
        backoff: Backoff,
        *,
        health: Health | None = None,
        patience: float = math.inf,
    ) -> None:
        self._driver, self._steps, self._inlet = driver, steps, inlet
        self._part, self._clock, self._backoff = part, clock, backoff
        self._marked = False
        self._dropped = 0
        self._note = notes(driver, part)
        self._step, self._since = "", 0  # what it is at, if that is to be over soon
        self._frames: AsyncIterator[Frame] | None = None
        if health is not None:
            health.pulses["device", driver.device] = Pulse(patience, self._beat, self._doing)

    async def run(self) -> None:
        """Hand on frames until the session is lost: then raises, with one all-bad frame on the edge."""
        try:
            self._step, self._since = "opening a session", self._clock.mono()
            await self._driver.open()
            self._step, self._frames = "", self._driver.frames()
            async for frame in self._frames:
                self._lives()
                self._part.frames += 1
                if self._note is not None:
                    self._note()
                if self._driver.dropped != self._dropped:
                    self._count_dropped()
                for made in self._steps[frame.schema](frame):
                    self._inlet.push(made, self._part)
        except asyncio.CancelledError:
            self._marked = True  # to be stopped is no gap
            raise
        finally:
            try:
                self._mark_gap()
            finally:
                self._step, self._since = "closing a session", self._clock.mono()
                try:
                    await self._driver.close()
                finally:
                    self._step, self._frames = "", None
            if self._note is not None:
                self._note()  # a server that takes no session may have told its time

    def _beat(self, now: int) -> object:
        """A driver that does not tell when it looks after its session is trusted with that."""
        del now
        looked = self._since if self._step else getattr(self._frames, "looked", None)
        return None if looked is None else (self._step, looked, asked(self._driver))

    def _doing(self) -> str:
        return self._step or "looking after a session"

    def _lives(self) -> None:
        """A session is good when it gives a frame: a server may take the session and then refuse every tag."""
        if self._marked or self._part.state != "up":
            self._marked = False
            self._backoff.succeeded()
            self._part.up()

    def _count_dropped(self) -> None:
        dropped, self._dropped = self._dropped, self._driver.dropped
        self._part.lost(self._dropped - dropped)

    def _mark_gap(self) -> None:
        if not self._marked:
            self._marked = True
            known: Mapping[Schema, int] = getattr(self._driver, "heard", {})
            for schema in self._driver.schemas:
                frame = bad_frame(schema, Quality.BAD_COMM, self._clock.wall(), self._clock.mono())
                heard = known.get(schema, 0)
                stamps = (heard,) * len(schema.tags) if heard else None  # from then on nothing is known
                for made in self._steps[schema](replace(frame, stamps=stamps)):
                    self._inlet.push(made, self._part)
