"""Recordings over HTTP: for the owner alone, within bounds, one at a time; and the recorder behind it."""

import asyncio
from pathlib import Path

import pytest

from agent.health import Health
from agent.model.errors import AgentError
from agent.record.format import read_recording
from agent.runtime.recording import Recordings
from agent.status.recording import Reel
from drivers.tapping import Tap
from tests.unit.status.test_gate import ask
from tests.unit.status.test_server import CLERK, serving


class Device:
    """A driver that is tapped and does nothing else."""

    device, endpoint, schemas = "m", "tcp://a", ()

    def __init__(self) -> None:
        self.heard: Tap | None = None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def tap(self, tap: Tap | None) -> None:
        self.heard = tap


async def test_it_ends_by_itself_and_lets_go(tmp_path: Path) -> None:
    drivers = [Device()]
    recordings = Recordings(tmp_path, "gw", lambda: drivers)
    assert recordings.status()["state"] == "none"
    assert recordings.stop()["state"] == "none"
    assert recordings.start(1 << 20, 0.2)["state"] == "recording"
    assert drivers[0].heard is not None
    drivers[0].heard("tcp://a", "sent", b"x")
    late = Device()
    drivers.append(late)
    assert recordings.status()["notes"] == 1
    assert late.heard is not None  # who joins meanwhile is tapped with the next look
    with pytest.raises(AgentError, match="under way"):
        recordings.start(1 << 20, 1)
    await asyncio.sleep(0.4)
    status = recordings.status()
    assert (status["state"], status["why"]) == ("ended", "time")
    assert drivers[0].heard is late.heard is None
    found = read_recording(Path(status["path"]))
    assert (found.header.gateway, found.end, len(found.notes)) == ("gw", "time", 1)
    assert recordings.start(1 << 20, 60)["notes"] == 0
    assert recordings.stop()["why"] == "stopped"


async def test_a_full_one_lets_go_of_the_wires(tmp_path: Path) -> None:
    device = Device()
    recordings = Recordings(tmp_path, "gw", lambda: [device])
    recordings.start(64 << 10, 60)
    for _ in range(100):
        if device.heard is not None:
            device.heard("tcp://a", "heard", b"y" * 2000)
    assert device.heard is None
    assert recordings.status()["why"] == "full"


@pytest.mark.parametrize(("size", "seconds"), [(1, 1), (1 << 40, 1), (1 << 20, 0), (1 << 20, -1), (1 << 20, 1e9)])
def test_what_has_no_bound_is_refused(tmp_path: Path, size: int, seconds: float) -> None:
    with pytest.raises(AgentError, match="64 KB to 4 GB"):
        Recordings(tmp_path, "gw", list).start(size, seconds)


BODIES: list[tuple[str, object, int]] = [
    ("start", {"size": 1 << 20, "seconds": 60}, 200),
    ("start", {"size": 1 << 20}, 400),
    ("start", {"size": 1 << 20, "seconds": 60, "path": "/etc/passwd"}, 400),
    ("start", {"size": "much", "seconds": 60}, 400),
    ("start", {"size": 1, "seconds": 60}, 409),
    ("start", [], 400),
    ("start", b"{", 400),
    ("stop", {}, 200),
    ("stop", {"now": True}, 400),
]


async def test_for_the_owner_alone(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, "gw", list)
    async with serving(tmp_path, Health(), CLERK, routes=Reel(recordings).routes()) as facts:
        assert (await ask(facts, "/api/v1/recording", "wrong"))[0] == 401
        assert (await ask(facts, "/api/v1/recording", facts["token"]))[2]["state"] == "none"
        for path, body, status in BODIES:
            answer = await ask(facts, f"/api/v1/recording/{path}", facts["token"], body)
            assert answer[0] == status, (path, body)
            recordings.stop()
        assert (await ask(facts, "/api/v1/recording?x=1", facts["token"]))[0] == 400
