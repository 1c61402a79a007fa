"""`/readyz`: whether every line, session, sink and the store does its work."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.health import MARK, SELFTEST, WINDOW, Health, Load
from agent.model.errors import AgentError, Unreachable
from agent.model.text import public
from agent.status.ready import readiness
from tests.unit.status.test_server import CLERK, fetch, serving

S = 10**9


def healthy() -> Health:
    """A line with two devices, a session, a sink and the store."""
    health = Health()
    for kind, name in (("line", "tcp://u:secret@h"), ("device", "press"), ("sink", "p"), ("store", "store.db")):
        health.part(kind, name).up()
    devices = [health.part("device", name) for name in ("m1", "m2")]
    for part in devices:
        part.breaker = "closed"
    health.loads["tcp://u:secret@h"] = Load("tcp://u:secret@h", devices)
    return health


def test_all_is_well() -> None:
    health = healthy()
    load = health.loads["tcp://u:secret@h"]
    load.begin(0)
    load.busy, load.late = 15 * S, 3
    assert readiness(health, 60 * S) == {
        "ready": True,
        "phase": "running",
        "reasons": [],
        "selftest": {"failed": []},
        "lines": [
            {
                "name": "tcp://h",
                "state": "up",
                "utilisation": 0.25,
                "late": 3,
                "overloaded": False,
                "devices": 2,
                "dead": [],
            }
        ],
        "sessions": [{"name": "press", "state": "up"}],
        "sinks": [{"name": "p", "state": "up"}],
        "store": [{"name": "store.db", "state": "up"}],
    }


def test_a_session_tells_what_its_device_refuses_and_how_its_clock_goes() -> None:
    """It is ready all the same."""
    health = healthy()
    press = health.part("device", "press")
    press.skew, press.refuses = 0.12345, {f"t{n}": "BadNodeIdUnknown" for n in range(12)}
    found = readiness(health, 0)
    assert found["ready"]
    (session,) = found["sessions"]
    assert (session["clock_skew_s"], session["refused"]) == (0.123, 12)
    assert list(session["why"].items())[9:] == [("t9", "BadNodeIdUnknown")]


@pytest.mark.parametrize("kind", ["line", "device", "sink", "store"])
def test_a_part_that_is_down_is_not_ready(kind: str) -> None:
    health = healthy()
    part = next(part for part in health.parts.values() if part.kind == kind and not part.breaker)
    part.down(AgentError("gone"))
    code = {"device": "session"}.get(kind, kind)
    found = readiness(health, 0)
    assert not found["ready"]
    assert [(why["code"], why["name"]) for why in found["reasons"]] == [(f"{code}_down", public(part.name))]


@pytest.mark.parametrize("phase", ["starting", "stopping"])
def test_an_agent_that_starts_or_stops_is_not_ready(phase: Any) -> None:
    health = healthy()
    health.phase = phase
    found = readiness(health, 0)
    assert (found["ready"], found["reasons"]) == (False, [{"code": phase, "name": ""}])


def test_a_failed_self_test_is_told_and_makes_nothing_unready() -> None:
    health = healthy()
    health.part(SELFTEST, "clock").up()
    health.part(SELFTEST, "disk").down(AgentError("full"))
    found = readiness(health, 0)
    assert (found["ready"], found["selftest"]) == (True, {"failed": ["disk"]})


def test_a_line_is_ready_as_long_as_one_of_its_devices_answers() -> None:
    health = healthy()
    first, second = health.loads["tcp://u:secret@h"].devices
    first.down(Unreachable("no answer"))
    first.breaker = "open"
    found = readiness(health, 0)
    assert (found["ready"], found["lines"][0]["dead"]) == (True, ["m1"])
    second.breaker = "half_open"
    found = readiness(health, 0)
    assert (found["ready"], found["lines"][0]["dead"]) == (False, ["m1", "m2"])
    assert found["reasons"] == [{"code": "line_dead", "name": "tcp://h"}]


async def asked(folder: Path, health: Health) -> tuple[int, Any]:
    async with serving(folder, health, CLERK) as facts:
        status, _, found = await fetch(facts, "/readyz")
    return status, json.loads(found)


async def test_it_is_told_without_a_token_on_this_machine(tmp_path: Path) -> None:
    health = healthy()
    status, found = await asked(tmp_path, health)
    assert (status, found["ready"]) == (200, True)
    health.part("sink", "p").down(AgentError("away"))
    status, found = await asked(tmp_path, health)
    assert (status, found["sinks"]) == (503, [{"name": "p", "state": "down"}])


def played(load: Load, until: int, share: float, *, late: int, began: int = 0) -> list[tuple[int, bool]]:
    """The edges of the overload, in seconds, when each second the wire is busy for `share` of it."""
    edges = []
    for now in range(began + S, until + S, S):
        load.busy += int(share * S)
        load.late += late
        if now >= load.next and load.judge(now):
            edges.append((now // S, load.overloaded))
    return edges


def test_a_line_is_overloaded_when_it_was_full_and_late_for_a_minute() -> None:
    load = Load("l")
    load.begin(0)
    assert played(load, 300 * S, 0.99, late=1) == [(60, True)]
    assert played(load, 600 * S, 0.5, late=0, began=300 * S) == [(315, False)]


def test_a_full_line_on_which_nothing_is_late_is_not_overloaded() -> None:
    load = Load("l")
    load.begin(0)
    assert played(load, 300 * S, 1.0, late=0) == []


def test_a_load_remembers_a_minute_and_no_more() -> None:
    load = Load("l")
    load.begin(0)
    played(load, 100_000 * S, 0.5, late=0)
    assert len(load._marks) <= WINDOW // MARK + 2
    assert load.ratio(100_000 * S) == pytest.approx(0.5, abs=0.01)
