"""The configuration over HTTP: what a question may hold, and what comes back when the agent says no."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.config import Invalid, Problem
from agent.health import Health
from agent.model.errors import AgentError
from agent.status.config import LONGEST, Pages
from agent.status.server import FILE, Place, serve
from tests.unit.status.test_server import CLERK, fetch

STANDING = {"file": "/etc/site.yaml", "running": 3, "trial": None, "versions": []}
WRONG = Invalid(
    [Problem("/etc/site.yaml", 3, 5, "unknown key 'x'", "remove it"), Problem("/etc/a.yaml", 1, 1, "is empty")]
)


class Steward:
    """Notes what it is asked; says no to `evil`."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def standing(self) -> dict[str, Any]:
        return STANDING

    async def apply(self, confirm: float | None, who: str, digest: str) -> dict[str, Any]:
        self.asked.append(("apply", confirm, who, digest))
        if who == "evil":
            raise WRONG
        return {"changed": True, "version": 4}

    async def confirm(self) -> dict[str, Any]:
        raise AgentError("no configuration is on trial", hint="see `floorgate history`")

    async def rollback(self, n: int | None, who: str) -> dict[str, Any]:
        self.asked.append(("rollback", n, who))
        return {"changed": False, "version": 3}


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[tuple[Steward, dict[str, Any]]]:
    steward, path = Steward(), tmp_path / FILE
    routes = Pages(steward).routes()
    task = asyncio.create_task(serve(Place("127.0.0.1:0"), tmp_path, Health(), CLERK, more=routes))
    async with asyncio.timeout(5):
        while not path.exists():
            await asyncio.sleep(0.01)
    yield steward, json.loads(path.read_text())
    task.cancel()
    await asyncio.wait([task])


async def post(facts: dict[str, Any], what: str, body: object) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, found = await fetch(facts, f"/api/v1/config/{what}", facts["token"], data)
    return status, json.loads(found)


async def test_what_is_asked_well_is_done(agent: tuple[Steward, dict[str, Any]]) -> None:
    steward, facts = agent
    assert json.loads((await fetch(facts, "/api/v1/config", facts["token"]))[2]) == STANDING
    assert await post(facts, "apply", {"confirm": 600, "who": "ann"}) == (200, {"changed": True, "version": 4})
    assert (await post(facts, "apply", {"confirm": None, "who": "", "digest": "abc"}))[0] == 200
    assert await post(facts, "rollback", {"version": 2, "who": "ann"}) == (200, {"changed": False, "version": 3})
    assert steward.asked == [("apply", 600, "ann", ""), ("apply", None, "", "abc"), ("rollback", 2, "ann")]


TIMES: tuple[object, ...] = (0, 9.9, LONGEST + 1, -1, True, "10m", [])
BODIES: tuple[object, ...] = ([], None, b"", b"{", b"[" * 100_000)


SENSELESS: list[tuple[str, object]] = [
    *(("apply", {"confirm": time, "who": ""}) for time in TIMES),
    ("apply", {"confirm": 60}),
    ("apply", {"confirm": 60, "who": "a" * 129}),
    ("apply", {"confirm": 60, "who": "", "file": "/etc/passwd"}),
    ("apply", {"confirm": 60, "who": "", "digest": None}),
    *(("rollback", {"version": n, "who": ""}) for n in (0, -1, 1.0, True, "1", 2**60)),
    ("confirm", {"version": 1}),
    *((what, body) for what in ("apply", "confirm", "rollback") for body in BODIES),
]


async def test_what_makes_no_sense_is_refused(agent: tuple[Steward, dict[str, Any]]) -> None:
    steward, facts = agent
    for what, body in SENSELESS:
        status, found = await post(facts, what, body)
        assert (status, bool(found["error"])) == (400, True), (what, body)
    assert steward.asked == []


async def test_what_the_agent_says_comes_back_word_by_word(
    agent: tuple[Steward, dict[str, Any]], tmp_path: Path
) -> None:
    _, facts = agent
    status, found = await post(facts, "apply", {"confirm": None, "who": "evil"})
    assert (status, found["kind"], found["error"]) == (409, "Invalid", str(WRONG))
    done = await asyncio.to_thread(CliRunner().invoke, main, ["confirm", "--data", str(tmp_path)])
    assert (done.exit_code, done.stderr) == (1, "floorgate: no configuration is on trial (see `floorgate history`)\n")
