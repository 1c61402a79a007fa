"""The running agent as its steward sees it: goes over to another site, and says how everything is."""

from typing import Any

from agent.config import Site
from agent.runtime.app import App
from agent.runtime.prints import Fate
from agent.runtime.trial import S, Vitals
from agent.runtime.vitals import vitals

TURNS = 3  # of the slowest group of a device, and then a timeout, until it has given all that it has


class Running:
    """See `agent.runtime.steward.Runs`."""

    def __init__(self, app: App, file: str) -> None:
        self._app = app
        self.part = app.health.part("config", file)

    async def apply(self, site: Site) -> dict[str, Any]:
        """What became of connections (by `driver endpoint`) and sinks, and how long it took."""
        applied = await self._app.apply(site)
        units, sinks = applied.change.units, applied.change.sinks
        return {"connections": _counts(units), "sinks": _counts(sinks), "seconds": round(applied.seconds, 3)}

    def vitals(self) -> Vitals:
        return vitals(self._app.health, self._app.newest())

    def patience(self) -> dict[str, int]:
        site, slowest = self._app.site, dict[str, float]()
        for schema, _ in self._app.newest():
            if not schema.made:
                slowest[schema.device] = max(slowest.get(schema.device, 0.0), schema.interval)
        return {
            device.name: round((TURNS * slowest.get(device.name, 0.0) + _timeout(device, site)) * S)
            for device in site.devices
        }


def _timeout(device: Any, site: Site) -> float:
    return float(getattr(device, "timeout", None) or site.line(device.endpoint).timeout)


def _counts(fate: Fate[Any]) -> dict[str, int]:
    return {how: len(getattr(fate, how)) for how in ("started", "stopped", "restarted", "stayed")}
