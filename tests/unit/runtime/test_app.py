"""What the object graph hands to its parts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.config import load
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime import app, field
from agent.runtime.app import priority_of
from drivers.sim.config import Config

SITE = """\
gateway: {id: gw}
devices: [{name: d, driver: sim, interval: 10ms, tags: [{name: a}]}]
sinks: [{name: f, type: file, path: FOLDER/out.jsonl}]
buffer: {commit: 10ms, max_size: 64MB, reserve: 64MB}
"""


@pytest.mark.parametrize(
    ("group", "priority"), [("fast", "high"), ("slow", "low"), ("plain", "low"), ("1s", "low")], ids=str
)
def test_a_group_s_priority_goes_before_that_of_its_device(group: str, priority: str) -> None:
    groups = {"fast": {"interval": "1s", "priority": "high"}, "slow": {"interval": "9s", "priority": "low"}}
    config = Config.model_validate(
        {
            "name": "d",
            "driver": "sim",
            "endpoint": "sim:",
            "priority": "low",
            "groups": {**groups, "plain": {"interval": "5s"}},
            "tags": [{"name": "a"}],
        }
    )
    assert priority_of({"d": config}, Schema("d", group, ())) == priority


class Pupil:
    """A device that learns how often it was read, and does not believe everything it is told."""

    def __init__(self) -> None:
        self.device, self.endpoint, self.line = "d", "l", "l"
        self.schemas = (Schema("d", "10ms", (Tag("a", "int32"),), 0.01),)
        self.told: list[tuple[bytes, bool]] = []
        self.read = self.taught = 0
        self.opened = False

    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        pass

    async def scan(self, schema: Schema) -> Frame:
        self.read += 1
        await asyncio.sleep(0.001)
        return Frame(schema, self.read, (self.read,), bytes(1))

    searching = False

    def recall(self, kept: bytes) -> None:
        self.told.append((kept, self.opened))
        raise ValueError("no idea what that is")

    def learnt(self) -> bytes | None:
        before, self.taught = self.taught, min(self.read, 3)
        return None if before == self.taught else b"%d" % self.taught


async def test_a_device_is_told_before_it_is_opened_what_it_learnt_in_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that stumbles over it is read nevertheless."""
    (tmp_path / "site.yaml").write_text(SITE.replace("FOLDER", str(tmp_path)), "utf-8")
    site = load(tmp_path / "site.yaml", {})
    pupils = [Pupil(), Pupil(), Pupil()]
    for pupil in pupils:
        made: Any = [pupil]
        monkeypatch.setattr(field, "build_drivers", lambda site, devices, data, made=made: made)
        stop = asyncio.Event()
        task = asyncio.create_task(app.run(site, tmp_path / "data", stop))
        async with asyncio.timeout(20):
            while pupil.read < 10:
                await asyncio.sleep(0.01)
            stop.set()
            await task
    assert [pupil.told for pupil in pupils] == [[], [(b"3", False)], [(b"3", False)]]
