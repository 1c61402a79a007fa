"""The status server as the agent runs it, and what it shows."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from agent.config import Site
from agent.health import Health
from agent.model.clock import Clock
from agent.normalise import Steps
from agent.runtime.alarms import Annunciator
from agent.runtime.catalogue import Catalogue
from agent.runtime.desk import Desk
from agent.runtime.expiry import watch
from agent.runtime.inlet import Inlet
from agent.runtime.metering import Metering
from agent.runtime.recording import Recordings
from agent.runtime.ring import Ring
from agent.runtime.storage import STORE, Storage
from agent.runtime.supervise import Backoff, keep
from agent.runtime.tap import Tap
from agent.runtime.tasks import CLOSE, Named, Start, finish
from agent.runtime.watching import Watcher
from agent.runtime.why.explainer import Explainer
from agent.runtime.window import Window
from agent.status.people import People
from agent.status.pull import Pull
from agent.status.recording import Reel
from agent.status.routes import Route
from agent.status.server import Place, serve

CAP = 10.0  # seconds: it is tried again at least about this often


class Front:
    """One listener; consumers change under it, and it starts anew where it is to listen elsewhere."""

    def __init__(
        self,
        data: Path,
        catalogue: Catalogue,
        storage: Storage,
        steps: Steps,
        health: Health,
        clock: Clock,
        stop: asyncio.Event,
        routes: Sequence[Route] = (),
        *,
        inlet: Inlet,
        ring: Ring,
    ) -> None:
        self._data, self._storage, self._health, self._stop = data, storage, health, stop
        self._window = Window("", catalogue, storage, health)
        self._pull = Pull((), self._window)
        self._alarms = Annunciator(steps, clock)
        self._watcher = Watcher("", catalogue, steps, storage, health, clock)
        self._people = People(Explainer(catalogue, steps, storage, health, clock), self._watcher)
        self._metering = Metering(data / STORE, catalogue, storage, inlet, clock, ring)
        self._recordings = Recordings(data, "", lambda: catalogue.drivers)
        self._routes = [*routes, *Reel(self._recordings).routes()]
        self._listen = ""
        self.tasks: list[asyncio.Task[None]] = []

    def show(self, gateway: str, taps: Sequence[Tap]) -> None:
        """Who the gateway is, and which consumers it has."""
        self._window.gateway = self._watcher.gateway = self._recordings.gateway = self._metering.gateway = gateway
        self._pull.renew(taps)

    def start(self, site: Site, start: Start) -> None:
        self.tasks = start(self._works(site))

    def move(self, site: Site, start: Start) -> None:
        """Be another server from now on. Waits for nothing: who has asked for this change is still to be answered."""
        self.tasks = start([("status:move", partial(self._move, self.tasks, site, start))])

    async def _move(self, before: Sequence[asyncio.Task[None]], site: Site, start: Start) -> None:
        await finish(before, CLOSE, cancel=True)
        self._health.drop(others=[("status", self._listen)])
        if not self._stop.is_set():
            self.start(site, start)

    def _works(self, site: Site) -> Iterator[Named]:
        said = site.status
        place = Place(said.listen, tuple(said.hosts), *((said.tls.cert, said.tls.key) if said.tls else ()))
        self._listen = place.listen
        part = self._health.part("status", place.listen)
        shown = Desk(self._storage), self._pull, self._alarms, self._people, self._routes
        status = partial(serve, place, self._data, self._health, *shown, meters=self._metering)
        yield "status", partial(keep, status, part, Backoff(CAP), self._stop)
        if place.cert:
            yield "expiry", partial(keep, partial(watch, place.cert, part), part, Backoff(CAP), self._stop)
