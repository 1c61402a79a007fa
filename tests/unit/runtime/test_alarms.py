"""People ask how alarms stand, and have one shelved: over HTTP, with the command line, and in the steps themselves."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.health import Health
from agent.model.clock import Clock
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from agent.runtime.alarms import Annunciator
from agent.status.pull import Pull
from agent.status.server import FILE, Place, serve
from tests.unit.status.test_server import Clerk, ask, fetch

SECOND = 10**9
NOON = 1_700_000_000 * SECOND
OVEN = Schema("oven 1", "1s", (Tag("oil"), Tag("water")), 1.0)
HOT = Alarm("h", high=80.0, severity=750, text="oil is hot")
COLD = Alarm("l", low=5.0)


class Mute(Clerk):
    """A store that does not answer."""

    error = StoreError("the disk is full")


class Time:
    now = NOON

    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.now - NOON + SECOND)


class Plant:
    """An oven of which the oil is hot."""

    def __init__(self, kept: dict[str, bytes] | None = None) -> None:
        self.time = Time()
        rules = {("oven 1", "oil"): Rules(alarms=(HOT,)), ("oven 1", "water"): Rules(alarms=(COLD,))}
        self.steps = Steps([OVEN], Recipes(rules))
        self.steps.restore(kept or {})
        self.alarms = Annunciator(self.steps, self.time.clock())

    def read(self, *values: float) -> list[dict[str, Any]]:
        return told(*self.steps[OVEN](Frame(OVEN, self.time.now, values, bytes(2), self.time.now - NOON + SECOND)))

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        self.time.now += round(seconds * SECOND)
        return told(*self.steps.tick(self.time.now, self.time.now - NOON + SECOND))


def told(*frames: Frame) -> list[dict[str, Any]]:
    return [{tag.name: value for tag, value, _ in frame.rows()} for frame in frames if frame.schema.group == "alarm"]


HOT_NOW = {
    "oil_h": True,
    "oil_h_state": "active",
    "oil_h_severity": 750,
    "oil_h_text": "oil is hot",
    "oil_h_value": 90.0,
}
SHELVED = {"oil_h": False, "oil_h_state": "shelved", "oil_h_value": 90.0}


def test_what_is_shelved_is_told_again_when_the_time_is_over_and_it_is_still_active() -> None:
    plant = Plant()
    assert plant.read(90.0, 20.0) == [HOT_NOW]
    assert plant.alarms.shelve("oven 1", "oil_h", 3600)["state"] == "shelved"
    assert plant.wait(1) == [SHELVED]
    assert [*plant.read(70.0, 20.0), *plant.read(90.0, 20.0), *plant.wait(3598)] == []
    assert plant.wait(1) == [HOT_NOW]
    assert plant.wait(3600) == []


def test_less_than_a_nanosecond_is_a_time_too() -> None:
    """Time goes on between two looks at the clock, and a part of a ns is none in whole ones."""
    plant = Plant()
    plant.read(90.0, 20.0)
    for seconds in (1e-300, 1e-9):
        assert plant.alarms.shelve("oven 1", "oil_h", seconds)["state"] == "shelved"
    assert plant.wait(1) == []


def test_what_is_over_when_the_time_is_over_is_told_as_normal() -> None:
    plant = Plant()
    plant.read(90.0, 20.0)
    plant.alarms.shelve("oven 1", "oil_h", 60)
    plant.wait(1)
    assert plant.read(70.0, 20.0) == []
    assert plant.wait(60) == [{"oil_h": False, "oil_h_state": "normal", "oil_h_value": 70.0}]


def test_it_can_be_unshelved_and_a_person_reads_both_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    plant = Plant()
    plant.read(90.0, 20.0)
    with caplog.at_level(logging.INFO, "floorgate"):
        plant.alarms.shelve("oven 1", "oil_h", 60)
        plant.wait(1)
        assert plant.alarms.unshelve("oven 1", "oil_h")["shelved_until"] is None
    assert plant.wait(1) == [HOT_NOW]
    said = [(record.message, vars(record)["device"], vars(record)["alarm"]) for record in caplog.records]
    assert said == [("alarm shelved", "oven 1", "oil_h"), ("alarm no longer shelved", "oven 1", "oil_h")]


def test_a_shelf_survives_a_restart_and_a_clock_that_is_set_back() -> None:
    before = Plant()
    before.read(90.0, 20.0)
    before.alarms.shelve("oven 1", "oil_h", 60)
    kept = {key: value for key, value in before.steps.kept(SECOND).items() if value is not None}
    after = Plant(kept)
    assert after.wait(1) == [SHELVED]  # it was not on the disk that this was told
    assert after.read(90.0, 20.0) == []
    after.wait(-365 * 86400)
    (row,) = after.alarms.standings(normal=False)
    assert row["shelved_until"] - after.time.now // 10**6 == 7 * 86400 * 1000
    assert after.wait(7 * 86400) == [HOT_NOW]


def test_the_most_severe_come_first_and_the_normal_only_when_asked_for() -> None:
    plant = Plant()
    plant.read(90.0, 1.0)
    rows = plant.alarms.standings(normal=False)
    assert [(row["name"], row["state"], row["severity"]) for row in rows] == [
        ("oil_h", "active", 750),
        ("water_l", "active", 500),
    ]
    assert rows[0] | {"since": None} == {
        "device": "oven 1",
        "name": "oil_h",
        "tag": "oil",
        "kind": "h",
        "state": "active",
        "active": True,
        "since": None,
        "severity": 750,
        "text": "oil is hot",
        "value": 90.0,
        "shelved_until": None,
    }
    assert rows[0]["since"] == NOON // 10**6
    plant.read(50.0, 20.0)
    assert plant.alarms.standings(normal=False) == []
    assert len(plant.alarms.standings(normal=True)) == 2
    assert plant.alarms.counts() == [("oven 1", 0, 0)]


@asynccontextmanager
async def serving(folder: Path, plant: Plant) -> AsyncIterator[dict[str, Any]]:
    task = asyncio.create_task(serve(Place("127.0.0.1:0"), folder, Health(), Mute(), Pull(), plant.alarms))
    async with asyncio.timeout(5):
        while not (folder / FILE).exists():
            await asyncio.sleep(0.01)
    yield json.loads((folder / FILE).read_text())
    task.cancel()
    await asyncio.wait([task])


async def test_the_owner_lists_and_shelves_over_http(tmp_path: Path) -> None:
    plant = Plant()
    plant.read(90.0, 20.0)
    async with serving(tmp_path, plant) as facts:
        token, way = facts["token"], "/api/v1/alarms/oven%201/oil_h"
        assert (await ask(facts, "/api/v1/alarms"))[0] == 401
        assert (await ask(facts, f"{way}/shelve", None, b'{"seconds": 60}'))[0] == 401
        assert [row["name"] for row in (await ask(facts, "/api/v1/alarms", token))[1]["alarms"]] == ["oil_h"]
        assert len((await ask(facts, "/api/v1/alarms?all=1", token))[1]["alarms"]) == 2
        for query in ("all=2", "al=1"):
            assert (await ask(facts, f"/api/v1/alarms?{query}", token))[0] == 400
        for body in (
            b"",
            b"{}",
            b"[]",
            b'{"seconds": 0}',
            b'{"seconds": 604801}',
            b'{"seconds": true}',
            b'{"seconds": "1"}',
        ):
            assert (await ask(facts, f"{way}/shelve", token, body))[0] == 400
        assert (await ask(facts, f"{way}/shelve", token, b'{"seconds": NaN}'))[0] == 400
        status, row = await ask(facts, f"{way}/shelve", token, b'{"seconds": 60.5}')
        assert (status, row["state"], row["shelved_until"]) == (200, "shelved", NOON // 10**6 + 60_500)
        _, _, metrics = await fetch(facts, "/metrics", token)
        assert b'floorgate_alarms_shelved{device="oven 1"} 1\n' in metrics
        assert b'floorgate_alarms_active{device="oven 1"} 0\n' in metrics
        assert (await ask(facts, "/readyz", token))[1]["alarms"] == {"active": 0, "shelved": 1}
        assert (await ask(facts, f"{way}/unshelve", token, b'{"x": 1}'))[0] == 400
        assert (await ask(facts, f"{way}/unshelve", token, b"{}"))[1]["state"] == "active"
        assert await ask(facts, "/api/v1/alarms/oven%201/oil_hh/shelve", token, b'{"seconds": 1}') == (
            409,
            "device 'oven 1' has no alarm 'oil_hh'",
        )


async def run(data: Path, *arguments: str) -> Result:
    command = ["alarms", *arguments, "--data", str(data)]
    return await asyncio.to_thread(CliRunner().invoke, main, command)


async def test_the_command_line_lists_and_shelves(tmp_path: Path) -> None:
    plant = Plant()
    plant.read(90.0, 20.0)
    async with serving(tmp_path, plant):
        shown = (await run(tmp_path, "list")).output
        assert "oil is hot" in shown and "active" in shown and "water_l" not in shown
        assert "water_l" in (await run(tmp_path, "list", "--all")).output
        assert [each["name"] for each in json.loads((await run(tmp_path, "list", "--json")).output)] == ["oil_h"]
        done = await run(tmp_path, "shelve", "oven 1", "oil_h", "--for", "1h")
        assert "oven 1, oil_h: shelved until 2023-11-14T23:13:20.000+00:00; it is active" in done.output
        assert json.loads((await run(tmp_path, "unshelve", "oven 1", "oil_h", "--json")).output)["state"] == "active"
        wrong = await run(tmp_path, "shelve", "oven 1", "oil", "--for", "1h")
        assert (wrong.exit_code, "has no alarm 'oil'" in wrong.output, "oil_h" in wrong.output) == (1, True, True)
        for time in ("8d", "0s", "soon"):
            assert (await run(tmp_path, "shelve", "oven 1", "oil_h", "--for", time)).exit_code == 2
        plant.read(20.0, 20.0)
        assert "no alarm is active" in (await run(tmp_path, "list")).output


async def test_without_an_agent_nobody_knows(tmp_path: Path) -> None:
    done = await run(tmp_path, "list")
    assert (done.exit_code, "no agent runs on" in done.output) == (1, True)
