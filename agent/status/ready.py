"""Whether the agent does what it is there for: every line and session, every sink, the store."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from agent.health import Health, Load, Part
from agent.model.text import public

SHOWN = 10  # refused tags of a session that are told by name


def readiness(health: Health, now: int) -> dict[str, Any]:
    """As `/readyz` tells it; `now` is monotonic (ns). A line of which no device answers is not ready."""
    parts = health.parts.values()
    shared = {id(part) for load in health.loads.values() for part in load.devices}
    lines = [_line(part, health.loads.get(part.name), now) for part in parts if part.kind == "line"]
    found = {
        "lines": lines,
        "sessions": [_session(part) for part in parts if part.kind == "device" and id(part) not in shared],
        "sinks": _states(part for part in parts if part.kind == "sink"),
        "store": _states(part for part in parts if part.kind == "store"),
    }
    ready = all(each["state"] == "up" for group in found.values() for each in group)
    return {"ready": ready and not any(line["devices"] == len(line["dead"]) for line in lines), **found}


def _line(part: Part, load: Load | None, now: int) -> dict[str, Any]:
    load = load or Load(part.name)
    return {
        "name": public(part.name),
        "state": part.state,
        "utilisation": round(load.ratio(now), 3),
        "late": load.late,
        "overloaded": load.overloaded,
        "devices": len(load.devices),
        "dead": load.dead(),
    }


def _session(part: Part) -> dict[str, Any]:
    """As any part; of one that refuses tags their number, and the first few with the reason."""
    found: dict[str, Any] = {"name": public(part.name), "state": part.state}
    if part.skew is not None:
        found["clock_skew_s"] = round(part.skew, 3)
    if part.refuses:
        found["refused"] = len(part.refuses)
        found["why"] = dict(islice(part.refuses.items(), SHOWN))
    return found


def _states(parts: Iterable[Part]) -> list[dict[str, str]]:
    return [{"name": public(part.name), "state": part.state} for part in parts]
