"""A device that speaks up by itself: its session is kept open, its frames go to the inlet as they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from agent.health import Part
from agent.model.clock import Clock
from agent.model.frame import bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Step
from agent.runtime.inlet import Inlet
from agent.runtime.notes import notes
from agent.runtime.supervise import Backoff
from drivers.api import Subscriber


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
    ) -> None:
        self._driver, self._steps, self._inlet = driver, steps, inlet
        self._part, self._clock, self._backoff = part, clock, backoff
        self._marked = False
        self._dropped = 0
        self._note = notes(driver, part)

    async def run(self) -> None:
        """Hand on frames until the session is lost: then raises, with one all-bad frame on the edge."""
        try:
            await self._driver.open()
            async for frame in self._driver.frames():
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
                await self._driver.close()
            if self._note is not None:
                self._note()  # a server that takes no session may have told its time

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
