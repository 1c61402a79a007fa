"""How much is logged, over HTTP: for the owner alone."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.health import Health
from agent.runtime.loglevel import Level
from agent.status.log import Volume
from tests.unit.status.test_gate import ask
from tests.unit.status.test_server import CLERK, serving

BODIES: list[tuple[object, int]] = [
    ({"level": "debug", "seconds": 600}, 200),
    ({}, 200),
    ({"level": "debug"}, 400),
    ({"level": "debug", "seconds": 600, "path": "/etc/passwd"}, 400),
    ({"level": "loud", "seconds": 600}, 409),
    ({"level": "debug", "seconds": 1e9}, 409),
    ({"level": 10, "seconds": 600}, 400),
    ([], 400),
    (b"{", 400),
]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    level = logging.getLogger("floorgate").level
    yield
    logging.getLogger("floorgate").setLevel(level)


async def test_for_the_owner_alone(tmp_path: Path) -> None:
    level = Level()
    async with serving(tmp_path, Health(), CLERK, routes=Volume(level).routes()) as facts:
        assert (await ask(facts, "/api/v1/log", "wrong"))[0] == 401
        for body, status in BODIES:
            assert (await ask(facts, "/api/v1/log", facts["token"], body))[0] == status, body
        assert (await ask(facts, "/api/v1/log?x=1", facts["token"]))[0] == 400
        _, _, found = await ask(facts, "/api/v1/log", facts["token"])
        assert found == {"level": "info", "file": "info", "seconds": 0.0}
