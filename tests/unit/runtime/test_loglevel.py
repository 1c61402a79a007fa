"""The level of the file, another one for a while, and who may ask for it."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from agent.model.errors import AgentError
from agent.runtime.loglevel import Level
from agent.runtime.logs import Logs

LOG = logging.getLogger("floorgate")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, level, handlers = logging.getLogger(), LOG.level, logging.getLogger().handlers[:]
    yield
    LOG.setLevel(level)
    root.handlers[:] = handlers


def status(level: str, file: str, seconds: float) -> dict[str, object]:
    return {"level": level, "file": file, "seconds": seconds}


async def test_another_level_holds_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    level = Level(lambda: 1000.0)
    level.set("warning")
    assert level.ask("debug", 0.02) == status("debug", "warning", 0.0)
    assert LOG.isEnabledFor(logging.DEBUG)
    await asyncio.sleep(0.05)
    assert level.status() == status("warning", "warning", 0.0)
    assert not LOG.isEnabledFor(logging.INFO)
    assert [record.getMessage() for record in caplog.records] == ["log level"]


async def test_the_newest_wish_holds() -> None:
    now = [1000.0]
    level = Level(lambda: now[0])
    level.set("info")
    level.ask("debug", 60)
    assert level.ask("error", 600) == status("error", "info", 600.0)
    now[0] += 100
    assert level.status() == status("error", "info", 500.0)
    assert level.file() == status("info", "info", 0.0)


async def test_another_configuration_ends_it() -> None:
    logs = Logs()
    logs.setup("info", "json", {})
    logs.level.ask("debug", 600)
    logs.setup("warning", "json", {})
    assert logs.level.status() == status("warning", "warning", 0.0)
    assert LOG.level == logging.WARNING


@pytest.mark.parametrize(("level", "seconds"), [("loud", 60), ("debug", 0), ("debug", 8 * 86400), ("debug", -1)])
async def test_what_makes_no_sense_is_refused(level: str, seconds: float) -> None:
    with pytest.raises(AgentError, match="7 days"):
        Level().ask(level, seconds)
