"""Whether lines, sessions, sinks and the store get on with their work; as long as all do, systemd's watchdog is fed.

Each part has a pulse, which says at any moment that the part may rest, or else a beat: something that is another one
once the part has got on. A part hangs when the watchdog has seen the same beat for as long as the part's patience.

* A line beats with each scan, answered or not, with each probe of a dead device, and with each request: to connect to
  a server that takes ten nodes at once, or to walk through it, may take an hour. It may rest until the next scan or
  probe is due, be that tomorrow, and while the inlet is full. Patience: 20 times the timeout and the pause between two
  requests.
* A session beats with each request, too. It has 20 timeouts, and at least 15 minutes, for any that it makes while it
  is opened or closed. In between it may rest, unless what gives its frames tells that it looks after the session: then
  each look is a beat.
* A sink is to be connected within 20 timeouts, and each send, and each part of one of which something was refused.
  Meanwhile it beats with all that it gives to its connections: over a slow link a send takes long. It may rest when
  nothing is under way: when the platform is away until the next try, or is owed nothing.
* The store's thread is to take a call of no weight that is sent through it with each look, and what waits in the inlet
  is to be committed, or tried to. Both may rest while the store is mended; each try to mend it is to end within an
  hour.

So a line whose devices are all dead gets on, and so does a sink whose platform stays away: they ask again and again.
Patience is at least five minutes, and costs no more than to keep a number that is at hand.

It is counted in looks: a machine that slept, a process that was stopped and a loop that was held up add two at most,
however long that took; the wall clock has no part in it. A loop that is blocked looks at nothing, and feeds nobody.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from agent.health import Health, Key, Pulse
from agent.model.clock import Clock
from agent.runtime.notify import Notify

PERIOD = 20.0  # seconds between two looks, if systemd does not want to hear more often
FLOOR = 300.0  # seconds: nobody is called hanging before that
TIMEOUTS = 20  # that a part may take for one step, if that is longer
SHOWN = 3  # sinks in the status


@dataclass(frozen=True, slots=True)
class Seen:
    """A beat of a pulse, and for how many seconds it has been the same."""

    pulse: Pulse
    beat: object
    seconds: float


class Judge:
    """Pure: told the time (monotonic ns) at each look. `most` seconds count for one look."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._looked: int | None = None
        self._seen: dict[Key, Seen] = {}

    def look(self, now: int, pulses: Mapping[Key, Pulse]) -> dict[Key, float]:
        """Who hangs, and for how many seconds."""
        passed = 0.0 if self._looked is None else min((now - self._looked) / 1e9, self._most)
        self._looked, before, self._seen = now, self._seen, {}
        for key, pulse in pulses.items():
            beat = pulse.beat(now)
            if beat is None:
                continue
            seen = before.get(key)
            same = seen is not None and seen.pulse is pulse and seen.beat == beat
            self._seen[key] = Seen(pulse, beat, seen.seconds + passed if seen and same else 0.0)
        return {key: seen.seconds for key, seen in self._seen.items() if seen.seconds >= seen.pulse.patience}


class Watchdog:
    """Looks, says once who hangs and once that it goes on, and feeds as long as nobody does.

    `states` tells in a line how the devices and sinks are. After `stopping` everything has a deadline of its own, and
    nobody is judged.
    """

    def __init__(self, health: Health, notify: Notify, clock: Clock, stopping: asyncio.Event) -> None:
        self._health, self._notify, self._clock, self._stopping = health, notify, clock, stopping
        self._period = min(PERIOD, notify.watchdog / 3) if notify.watchdog else PERIOD
        self._judge = Judge(2 * self._period)
        self._hung: dict[Key, str] = {}  # and what its part says since then

    async def run(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(self._period)

    def look(self) -> None:
        judged = not self._stopping.is_set()
        if judged:
            self._tell(self._judge.look(self._clock.mono(), self._health.pulses))
            self._notify.status(state(self._health))
        if not (judged and self._hung):
            self._notify.alive()

    def _tell(self, hung: Mapping[Key, float]) -> None:
        for key in [key for key in self._hung if key not in hung]:
            part, said = self._health.parts.get(key), self._hung.pop(key)
            if part is not None and part.error == said:
                part.up()
        for key in [key for key in hung if key not in self._hung]:
            what = f"at a standstill for {hung[key]:.0f} s, {self._health.pulses[key].doing()}"
            part = self._health.part(*key)
            part.hangs(what, "systemd restarts the agent" if self._notify.watchdog else "restart the agent")
            self._hung[key] = part.error


def state(health: Health) -> str:
    """`12 devices, 1 away; sink platform is away`"""
    devices = [part for part in health.parts.values() if part.kind == "device"]
    away = sum(part.state in ("down", "blocked") for part in devices)
    sinks = [part.name for part in health.parts.values() if part.kind == "sink" and part.state in ("down", "blocked")]
    said = f"{len(devices):,} device{'s' * (len(devices) != 1)}" + (f", {away:,} away" if away else "")
    told = ", ".join(sinks[:SHOWN]) + (f" and {len(sinks) - SHOWN:,} more" if len(sinks) > SHOWN else "")
    return f"{said}; away: {told}" if sinks else said
