"""Any number of changes one after the other, at the same time, and while the agent stops."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import ConfigError
from agent.normalise import Recipes
from tests.lengths import often
from tests.sim.faulty_modbus import FaultyDevice, faulty_device, silent
from tests.sim.ports import free_port
from tests.unit.runtime.applying import Plant, Said, device, plain, plant, site, tag

TAGS: Sequence[dict[str, Any]] = (
    {},
    {"report": "on_change"},
    {"kind": "counter", "unit": "kWh", "counter": {"total": True}},
    {"aggregate": {"every": "1m", "of": ["max"]}, "alarms": [{"h": 5}]},
    {"limits": {"max": 10}},
)


@pytest.fixture
async def meters() -> AsyncIterator[list[FaultyDevice]]:
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(faulty_device()) for _ in range(3)]
        found.append(await stack.enter_async_context(faulty_device(silent)))
        yield found


def any_site(folder: Path, meters: list[FaultyDevice], luck: random.Random) -> Said:
    """The sink `out` and a device that lives are always there."""
    endpoints = [*(meter.endpoint for meter in meters), "tcp://127.0.0.1:1"]
    devices = [device("d9", meters[0].endpoint, tag("t0", luck.randint(0, 9)), unit=9, interval="20ms")]
    for number in luck.sample(range(6), luck.randint(1, 5)):
        tags = [tag(f"t{at}", luck.randint(0, 40), **luck.choice(TAGS)) for at in range(luck.randint(1, 4))]
        more: Said = {"interval": luck.choice(("10ms", "20ms", "50ms"))}
        if luck.random() < 0.3:
            more["derived"] = {"twice": "2 * t0"}
        devices.append(device(f"d{number}", luck.choice(endpoints), *tags, unit=number + 1, **more))
    said = plain(folder, *devices, lines=[{"endpoint": meters[3].endpoint, "timeout": "50ms"}])
    said["lines"] = said["lines"] if any(each["endpoint"] == meters[3].endpoint for each in devices) else []
    if luck.random() < 0.5:
        inputs = {f"i{at}": f"{each['name']}/t0" for at, each in enumerate(devices)}
        said["virtual"] = [{"name": "all", "inputs": inputs, "derived": {"sum": " + ".join(inputs)}, "every": "0s"}]
    if luck.random() < 0.5:
        said["sinks"].append({"name": "also", "type": "file", "path": str(folder / "also.jsonl")})
    if luck.random() < 0.3:
        said["sinks"].append({"name": "far", "type": "mqtt", "url": f"mqtt://127.0.0.1:{free_port()}"})
    if luck.random() < 0.2:
        said["gateway"] = {"id": "gw", "timezone": luck.choice(("UTC", "Asia/Shanghai"))}
    return said


def running(kind: str) -> list[str]:
    return sorted(name for task in asyncio.all_tasks() if (name := task.get_name()).startswith(f"{kind}:"))


def is_whole(agent: Plant, said: Said) -> None:
    """There is a task for what there is, and health knows of nothing else."""
    endpoints = {each["endpoint"] for each in said["devices"]}
    assert running("line") == sorted(f"line:{endpoint}" for endpoint in endpoints)
    assert running("pump") == sorted(f"pump:{sink['name']}" for sink in said["sinks"])
    parts = {name for kind, name in agent.health.parts if kind == "device"}
    assert parts == {each["name"] for each in said["devices"]}
    assert {name for kind, name in agent.health.parts if kind == "sink"} == {sink["name"] for sink in said["sinks"]}
    assert set(agent.health.loads) == endpoints
    groups = {schema.device for schema in agent.app._catalogue.schemas}
    assert groups == parts | {each["name"] for each in said.get("virtual", ())}


def is_accounted(agent: Plant) -> None:
    assert all(account.balanced and not account.dropped for account in agent.accounts().values())
    seqs = sorted({row["seq"] for row in agent.rows()})
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("seed", range(often(2, 20)))
async def test_no_sequence_of_changes_loses_anything(tmp_path: Path, meters: list[FaultyDevice], seed: int) -> None:
    luck = random.Random(seed)
    said = any_site(tmp_path, meters, luck)
    before = asyncio.all_tasks()
    async with plant(tmp_path, said) as agent:
        for _ in range(often(10, 20)):
            said = any_site(tmp_path, meters, luck)
            await agent.apply(said)
            is_whole(agent, said)
            await asyncio.sleep(luck.choice((0.0, 0.05, 0.15)))
        living = [each["name"] for each in said["devices"] if each["endpoint"] in {m.endpoint for m in meters[:3]}]
        for name in living:
            part = agent.part("device", name)
            await agent.until(lambda part=part: part is not None and part.frames, f"frames of {name}")  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
    await asyncio.sleep(0)
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not [name for name in left if not name.startswith("Task-")], "those without a name are of the devices"
    is_accounted(agent)


async def test_changes_that_come_at_once_are_made_one_after_the_other(
    tmp_path: Path, meters: list[FaultyDevice]
) -> None:
    luck = random.Random(7)
    sites = [any_site(tmp_path, meters, luck) for _ in range(5)]
    async with plant(tmp_path, sites[0]) as agent:
        loaded = [site(tmp_path, said) for said in sites]
        applied = await asyncio.gather(*(agent.app.apply(each) for each in loaded))
        assert all(applied[1:])
        is_whole(agent, sites[-1])
    is_accounted(agent)


async def test_who_asks_for_a_change_may_go_away(tmp_path: Path, meters: list[FaultyDevice]) -> None:
    luck = random.Random(8)
    said = any_site(tmp_path, meters, luck)
    async with plant(tmp_path, said) as agent:
        said = any_site(tmp_path, meters, luck)
        loaded = site(tmp_path, said)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await agent.app.apply(loaded)
        assert not await agent.app.apply(loaded)  # it was done all the same
        is_whole(agent, said)


async def test_what_was_left_goes_without_the_garbage_collector(tmp_path: Path, meters: list[FaultyDevice]) -> None:
    """What lives when a change is over is never looked through again: a ring would stay for ever."""

    def living() -> Counter[str]:
        gc.unfreeze()
        kinds = (type(each).__qualname__ for each in gc.get_objects())
        found = Counter(kinds)
        found["Recipes"] = sum(isinstance(each, Recipes) and bool(each.tags) for each in gc.get_objects())
        return found

    luck = random.Random(3)
    sites = [any_site(tmp_path, meters, luck) for _ in range(4)]
    async with plant(tmp_path, sites[0]) as agent:
        for said in sites:
            await agent.apply(said)
        gc.collect()
        before = living()
        gc.disable()
        try:
            for said in sites * 3:
                await agent.apply(said)
            after = living()
        finally:
            gc.enable()
    for kind in ("Recipes", "Site", "Line", "Pump", "Device", "Meter", "Plan", "Prints", "Change"):
        assert after[kind] <= before[kind] + 8, kind  # a few that the last frames hold


@pytest.mark.parametrize("turns", [0, 1, 3, 10, 40])
async def test_an_agent_that_stops_in_the_middle_of_a_change_stops_in_order(
    tmp_path: Path, meters: list[FaultyDevice], turns: int
) -> None:
    luck = random.Random(turns)
    said = any_site(tmp_path, meters, luck)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: len(agent.rows()) > 5, "rows")
        loop = asyncio.get_running_loop()
        change = loop.create_task(agent.apply(any_site(tmp_path, meters, luck)), name="change")
        for _ in range(turns):
            await asyncio.sleep(0.001)
        agent.stop.set()
        await asyncio.wait([change, agent.task])
        assert change.exception() is None or isinstance(change.exception(), ConfigError)
        with pytest.raises(ConfigError, match="stopping"):
            await _late(agent, said)
    assert not running("line") and not running("pump")
    is_accounted(agent)
    async with plant(tmp_path, said) as agent:
        count = len(agent.rows())
        await agent.until(lambda: len(agent.rows()) > count + 5, "rows of the next run")
    is_accounted(agent)


async def _late(agent: Plant, said: Said) -> None:
    await agent.apply(said)
