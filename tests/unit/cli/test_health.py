"""`floorgate health`: one word for a container's health check, and why not."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from agent.cli import main
from agent.health import Health
from agent.model.errors import Unreachable
from agent.status.server import FILE
from tests.unit.status.test_server import CLERK, serving


async def health(data: Path, *options: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["health", "--data", str(data), *options])


async def test_an_agent_that_does_its_work_is_ready(tmp_path: Path) -> None:
    well = Health()
    well.phase = "running"
    well.part("store", "store.db").up()
    async with serving(tmp_path, well, CLERK):
        done = await health(tmp_path, "--ready")
        assert (done.exit_code, done.stdout) == (0, "the agent is ready\n")


async def test_one_that_lives_but_does_not_do_its_work_fails_where_that_is_asked(tmp_path: Path) -> None:
    ill = Health()
    ill.phase = "running"
    ill.part("sink", "platform").down(Unreachable("gone"))
    async with serving(tmp_path, ill, CLERK):
        alive, ready = await health(tmp_path), await health(tmp_path, "--ready", "--json")
    assert (alive.exit_code, alive.stdout) == (0, "the agent is not ready:\n  sink_down platform\n")
    assert ready.exit_code == 1
    assert json.loads(ready.stdout)["reasons"] == [{"code": "sink_down", "name": "platform"}]


def test_where_no_agent_runs_it_fails(tmp_path: Path) -> None:
    """Also where one was killed, and its port is nobody's now."""
    for _ in ("nothing", "left behind"):
        done = CliRunner().invoke(main, ["health", "--data", str(tmp_path)])
        assert done.exit_code == 1 and "no agent runs on" in done.stderr
        (tmp_path / FILE).write_text('{"host": "127.0.0.1", "port": 1, "token": "t", "pid": 1}')
