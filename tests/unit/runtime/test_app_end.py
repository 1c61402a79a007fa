"""An orderly stop: what the ledger has as read is what the devices have served, whatever the steps held back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import registry
from agent.config import load
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.runtime import app, field
from buffer.rest import peek_ledger

SITE = """\
gateway: {id: gw}
devices:
  - {name: meter, driver: sim, interval: 10ms, report: {door: 5}, tags: [{name: a}, {name: b, report: always}]}
  - {name: press, driver: sim, interval: 10ms, report: {when: period, period: 1h}, tags: [{name: a}]}
sinks: [{name: f, type: file, path: FOLDER/out.jsonl}]
buffer: {commit: 10ms, max_size: 64MB, reserve: 64MB}
"""


class Meter:
    """Scanned; its value goes up steadily, so that all but the first lie on one line."""

    def __init__(self) -> None:
        self.device, self.endpoint, self.line = "meter", "l", "l"
        self.schemas = (Schema("meter", "10ms", (Tag("a"), Tag("b")), 0.01),)
        self.served = 0

    async def open(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """It stays."""

    async def scan(self, schema: Schema) -> Frame:
        await asyncio.sleep(0.001)
        self.served += 1
        return Frame(schema, self.served * 10**9, (float(self.served), 0.0), bytes(2), self.served * 10**9)


class Press:
    """Speaks up by itself, a few times in one hour, and is quiet then."""

    def __init__(self) -> None:
        self.device, self.endpoint = "press", "p"
        self.schemas = (Schema("press", "10ms", (Tag("a"),), 0.0),)
        self.served = self.dropped = 0

    async def open(self) -> None:
        """It takes every session."""

    async def close(self) -> None:
        """It takes leave."""

    async def frames(self) -> AsyncIterator[Frame]:
        for _ in range(5):
            self.served += 1
            ts = 1_800_000_000 * 10**9 + self.served
            yield Frame(self.schemas[0], ts, (float(self.served),), bytes(1), ts, (0,), (ts,))
        await asyncio.Event().wait()


async def test_what_was_held_is_read_when_the_agent_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace("FOLDER", str(tmp_path)), "utf-8")
    meter, press = Meter(), Press()
    drivers: Any = [meter, press]
    monkeypatch.setattr(field, "build_drivers", lambda site, devices, data: drivers)
    stop = asyncio.Event()
    task = asyncio.create_task(app.run(load(tmp_path / "site.yaml", {}), tmp_path / "data", stop))
    async with asyncio.timeout(20):
        while meter.served < 20 or press.served < 5:
            await asyncio.sleep(0.01)
        stop.set()
        await task
    found = {each.device: each for each in peek_ledger(tmp_path / "data" / "store.db")}
    assert (found["meter"].read, found["press"].read) == (2 * meter.served, 5)
    assert found["meter"].suppressed == {"door": meter.served - 2}
    assert found["press"].suppressed == {"period": 3}
    assert all(each.balanced for each in found.values())


class Platform:
    """A sink in which a send is under way when the agent is told to stop."""

    ordered, window, limit = False, 1, 100

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.busy = asyncio.Event()

    async def open(self) -> None:
        """It takes every session."""

    async def close(self) -> None:
        """It takes leave."""

    async def send(self, batch: Sequence[Entry]) -> None:
        self.busy.set()
        await self._stop.wait()


class Slow(Meter):
    """It takes its time to let go, so that what the steps have held back is told long after the stop."""

    async def close(self) -> None:
        await asyncio.sleep(0.1)


async def test_a_sink_that_is_busy_at_the_stop_gets_the_last_frames_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace("FOLDER", str(tmp_path)), "utf-8")
    stop = asyncio.Event()
    meter, press, platform = Slow(), Press(), Platform(stop)
    drivers: Any = [meter, press]
    monkeypatch.setattr(field, "build_drivers", lambda site, devices, data: drivers)
    monkeypatch.setattr(registry, "sink_builder", lambda config: lambda config, gateway: platform)
    task = asyncio.create_task(app.run(load(tmp_path / "site.yaml", {}), tmp_path / "data", stop))
    async with asyncio.timeout(20):
        await platform.busy.wait()
        while meter.served < 20 or press.served < 5:
            await asyncio.sleep(0.01)
        stop.set()
        await task
    assert [each.buffered for each in peek_ledger(tmp_path / "data" / "store.db")] == [0, 0]
