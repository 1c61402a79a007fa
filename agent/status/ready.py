"""Whether the agent does what it is there for: every line and session, every sink, the store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from agent.health import SELFTEST, Health, Load, Part, Phase
from agent.model.text import public

KINDS = {"lines": "line", "sessions": "session", "sinks": "sink", "store": "store"}
SHOWN = 10  # refused tags of a session that are told by name


def readiness(health: Health, now: int) -> dict[str, Any]:
    """As `/readyz` tells it; `now` is monotonic (ns). A line of which no device answers is not ready.

    `reasons` says why not; what the self-test found at the start makes nothing unready."""
    parts = health.parts.values()
    shared = {id(part) for load in health.loads.values() for part in load.devices}
    lines = [_line(part, health.loads.get(part.name), now) for part in parts if part.kind == "line"]
    found = {
        "lines": lines,
        "sessions": [_session(part) for part in parts if part.kind == "device" and id(part) not in shared],
        "sinks": _states(part for part in parts if part.kind == "sink"),
        "store": _states(part for part in parts if part.kind == "store"),
    }
    reasons = list(_reasons(health.phase, found))
    failed = [part.name for part in parts if part.kind == SELFTEST and part.state != "up"]
    return {"ready": not reasons, "phase": health.phase, "reasons": reasons, **found, "selftest": {"failed": failed}}


def _reasons(phase: Phase, found: Mapping[str, Sequence[dict[str, Any]]]) -> Iterator[dict[str, str]]:
    """Why not, by codes that stay: a phase, `KIND_STATE` of a part, or `line_dead`."""
    if phase != "running":
        yield {"code": phase, "name": ""}
    for group, kind in KINDS.items():
        for each in found[group]:
            if each["state"] != "up":
                yield {"code": f"{kind}_{each['state']}", "name": each["name"]}
            elif kind == "line" and each["devices"] == len(each["dead"]):
                yield {"code": "line_dead", "name": each["name"]}


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
