"""What everybody may see: the newest values, devices, and the past as far as it is still in the file."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.health import Health, Load
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Steps
from agent.runtime import window
from agent.runtime.catalogue import Catalogue
from agent.runtime.window import Window
from agent.status.pull import Mark, Span, Style
from buffer import shelf
from tests.unit.runtime.test_tap import JSON, Plant, planted

SECOND, NOON = 10**9, 1_700_000_000 * 10**9
PRESS = Schema("press", "1s", (Tag("temp", "float64", "Cel"), Tag("count", "int64")))
OVEN = Schema("oven", "1s", (Tag("temp"),))
ENDLESS = 2**62


class Machine:
    """A driver, as far as anybody looks at it here."""

    def __init__(self, *schemas: Schema) -> None:
        self.schemas = schemas
        self.device = schemas[0].device


def press(second: int, temp: float | None = 1.0) -> Frame:
    return Frame(PRESS, NOON + second * SECOND, (temp, second), bytes((0 if temp is not None else 66, 0)))


def oven(second: int) -> Frame:
    return Frame(OVEN, NOON + second * SECOND, (float(second),), bytes(1))


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with planted(tmp_path / "store.db") as found:
        yield found


@pytest.fixture
def view(plant: Plant) -> Window:
    health = Health()
    part = health.part("device", "press")
    part.up()
    part.breaker = "open"
    health.part("line", "tcp://u:secret@plc").up()
    health.loads["tcp://u:secret@plc"] = Load("tcp://u:secret@plc", [part])
    return Window("gw-01", Catalogue([Machine(PRESS), Machine(OVEN)], Steps()), plant.storage, health)  # type: ignore[list-item]


async def past(view: Window, limit: int = 1000, style: Style = JSON, **keys: Any) -> tuple[list[dict[str, Any]], int]:
    """Frames, and the cursor (0: none)."""
    span = Span("", frozenset(), 0, ENDLESS, 0)._replace(**keys)
    page = await view.history(span, limit, style)
    found = json.loads(b"".join(page.pieces))
    assert found["cursor"] == (page.cursor or None)
    return found["frames"], int(page.cursor or 0)


def seconds(frames: list[dict[str, Any]]) -> list[int]:
    return [(each["ts"] * 10**6 - NOON) // SECOND for each in frames]


def values(view: Window, devices: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    found = json.loads(b"".join(view.values(frozenset(devices), frozenset(tags))))
    assert found["gateway"] == "gw-01"
    return list(found["tags"])


def test_what_has_not_come_yet_has_no_time_and_is_bad(view: Window) -> None:
    row = {"device": "press", "group": "1s", "tag": "temp", "ts": None, "value": None}
    assert values(view)[0] == {**row, "quality": "bad_comm", "unit": "Cel"}
    assert [row["tag"] for row in values(view)] == ["temp", "count", "temp"]


def test_the_newest_values_are_told_with_time_quality_and_unit(plant: Plant, view: Window) -> None:
    plant.storage.latest.add([press(1), press(2, None), oven(3)])
    rows = values(view, ("press",))
    assert {(row["device"], row["group"], row["ts"]) for row in rows} == {("press", "1s", NOON // 10**6 + 2000)}
    assert [(row["tag"], row["value"], row["quality"], row["unit"]) for row in rows] == [
        ("temp", None, "bad_comm", "Cel"),
        ("count", 2, "good", ""),
    ]
    assert [(row["device"], row["value"]) for row in values(view, tags=("temp",))] == [("press", None), ("oven", 3.0)]
    assert values(view, ("nobody",)) == values(view, (), ("nothing",)) == []


def test_devices_are_told_without_secrets(view: Window) -> None:
    found = view.devices()
    assert found["devices"] == [
        {"name": "press", "state": "open", "line": "tcp://plc", "groups": ["1s"], "tags": 2},
        {"name": "oven", "state": "starting", "line": None, "groups": ["1s"], "tags": 1},
    ]
    assert "secret" not in json.dumps(found)


async def test_the_past_is_told_by_device_time_and_tag(plant: Plant, view: Window) -> None:
    await plant.commit(*(frame for second in range(10) for frame in (press(second), oven(second))))
    frames, cursor = await past(view, device="press", first=NOON + 3 * SECOND, last=NOON + 5 * SECOND)
    assert (seconds(frames), {each["device"] for each in frames}, cursor) == ([3, 4, 5], {"press"}, 0)
    frames, _ = await past(view, tags=frozenset({"count"}), first=NOON + 8 * SECOND)
    assert [each["values"] for each in frames] == [{"count": 8}, {"count": 9}]
    assert await past(view, device="nobody") == ([], 0)
    assert await past(view, first=NOON + 11 * SECOND) == ([], 0)
    assert await past(view, last=NOON - 1) == ([], 0)


async def test_pages_of_the_past_follow_one_another(plant: Plant, view: Window) -> None:
    await plant.commit(*map(press, range(1200)))
    found, cursor, pages = list[int](), 0, 0
    while pages == 0 or cursor:
        frames, cursor = await past(view, 500, cursor=cursor)
        found += seconds(frames)
        pages += 1
    assert (found, pages) == (list(range(1200)), 3)


async def test_a_search_that_takes_long_ends_with_a_cursor(
    plant: Plant, view: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that commits are not kept waiting for one who looks for little in much."""
    monkeypatch.setattr(window, "PATIENCE", 0.0)
    monkeypatch.setattr(shelf, "_LONGEST", 0.0)
    await plant.commit(*map(press, range(10)), oven(10))
    frames, cursor = await past(view, device="oven")
    assert (frames, cursor > 0) == ([], True)
    while not frames:
        frames, cursor = await past(view, device="oven", cursor=cursor)
    assert (seconds(frames), cursor) == ([10], 0)


async def test_looking_at_the_past_does_not_stop_commits(plant: Plant, view: Window) -> None:
    await plant.commit(*map(press, range(3000)))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        looks = [group.create_task(past(view)) for _ in range(4)]
        for second in range(20):
            await plant.commit(oven(second))
    assert [len(look.result()[0]) for look in looks] == [1000] * 4


async def test_what_was_acknowledged_by_all_may_be_gone(plant: Plant, view: Window) -> None:
    await plant.commit(*map(press, range(10)))
    await plant.tap.frames(5, 0, JSON)
    epoch = plant.storage.store.epoch
    await plant.tap.ack([Mark(epoch, 0, 5)])
    await plant.storage.call(plant.storage.store.tend)
    frames, _ = await past(view)
    assert set(seconds(frames)) >= {5, 6, 7, 8, 9}
