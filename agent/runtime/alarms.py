"""What people ask of the alarms: how they stand, and that one be shelved for a while, which is logged."""

import logging
from difflib import get_close_matches
from typing import Any

from agent.model.clock import Clock
from agent.model.errors import AgentError
from agent.normalise import Steps
from agent.normalise.alarms.panel import Standing

SECOND = 10**9  # ns
_MS = 1_000_000
log = logging.getLogger("floorgate")


class Annunciator:
    """The alarms of one running agent; see `agent.status.alarms.Alarms`. What is shelved is kept with the next commit,
    within a second or two."""

    def __init__(self, steps: Steps, clock: Clock) -> None:
        self._board, self._clock = steps.alarms, clock

    def standings(self, *, normal: bool) -> list[dict[str, Any]]:
        found = (each for each in self._board.standings() if normal or each.state != "normal")
        return [_row(each) for each in sorted(found, key=lambda each: (-each.severity, each.device, each.name))]

    def counts(self) -> list[tuple[str, int, int]]:
        return [(device, active, shelved) for device, (active, shelved) in self._board.counts().items()]

    def shelve(self, device: str, name: str, seconds: float) -> dict[str, Any]:
        found = self._shelve(device, name, max(1, round(seconds * SECOND)))
        log.info("alarm shelved", extra={"device": device, "alarm": name, "seconds": seconds, "active": found.active})
        return _row(found)

    def unshelve(self, device: str, name: str) -> dict[str, Any]:
        found = self._shelve(device, name, 0)
        log.info("alarm no longer shelved", extra={"device": device, "alarm": name, "active": found.active})
        return _row(found)

    def _shelve(self, device: str, name: str, ns: int) -> Standing:
        wall = self._clock.wall()
        try:
            return self._board.shelve(device, name, wall + ns if ns else 0, wall)
        except LookupError:
            names = [each.name for each in self._board.standings() if each.device == device]
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`floorgate alarms list --all` shows those that there are"
            raise AgentError(f"device {device!r} has no alarm {name!r}", hint=hint) from None


def _row(each: Standing) -> dict[str, Any]:
    """As it is served and printed; times are ms UTC."""
    return {
        "device": each.device,
        "name": each.name,
        "tag": each.tag,
        "kind": each.kind,
        "state": each.state,
        "active": each.active,
        "since": each.since // _MS or None,
        "severity": each.severity,
        "text": each.text,
        "value": each.value,
        "shelved_until": each.shelved_until // _MS or None,
    }
