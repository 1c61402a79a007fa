"""A running agent goes over to another site, and only what has changed restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.model.errors import ConfigError
from agent.model.tag import Schema
from agent.normalise.parts import TAPS
from agent.runtime.wiring import Unit
from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Request, as_json
from tests.sim.faulty_modbus import FaultyDevice, faulty_device
from tests.unit.runtime.applying import Plant, Said, device, plain, plant, tag
from tests.unit.status.test_server import fetch


@pytest.fixture
async def meters() -> AsyncIterator[list[FaultyDevice]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(faulty_device()) for _ in range(3)]


def two(folder: Path, meters: list[FaultyDevice]) -> Said:
    first = device("one", meters[0].endpoint, tag("a", 10), tag("b", 11), interval="20ms")
    return plain(folder, first, device("two", meters[1].endpoint, tag("c", 20), interval="20ms"))


def unit_of(meter: FaultyDevice) -> Unit:
    return Unit("modbus", meter.endpoint)


async def test_an_identical_site_restarts_nothing(tmp_path: Path, meters: list[FaultyDevice]) -> None:
    said = two(tmp_path, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("one", "a") and agent.values("two", "c"), "values")
        tasks = asyncio.all_tasks()
        applied = await agent.apply(dict(reversed(said.items())))
        assert not applied
        assert set(applied.change.units.stayed) == {unit_of(meters[0]), unit_of(meters[1])}
        count = len(agent.rows())
        await agent.until(lambda: len(agent.rows()) > count + 5, "more rows")
        assert {
            task for task in tasks if task.get_name().startswith(("line:", "pump:", "status"))
        } <= asyncio.all_tasks()
    assert [meter.connections for meter in meters] == [1, 1, 0]


async def test_a_tag_restarts_its_line_and_no_other(tmp_path: Path, meters: list[FaultyDevice]) -> None:
    said = two(tmp_path, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("one", "a") and agent.values("two", "c"), "values")
        said["devices"][0]["tags"][1] = tag("b", 12)
        applied = await agent.apply(said)
        assert applied.change.units.restarted == (unit_of(meters[0]),)
        assert applied.change.devices.restarted == ("one",)
        assert applied.change.devices.stayed == ("two",)
        assert not applied.change.sinks
        await agent.until(lambda: 12 in agent.values("one", "b"), "the tag at its new address")
    assert [meter.connections for meter in meters] == [2, 1, 0]
    seqs = [row["seq"] for row in agent.rows()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert all(account.balanced and not account.dropped for account in agent.accounts().values())


async def test_devices_come_go_and_move(tmp_path: Path, meters: list[FaultyDevice]) -> None:
    said = two(tmp_path, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("two", "c"), "values")
        said["devices"].append(device("three", meters[2].endpoint, tag("d", 30), interval="20ms"))
        applied = await agent.apply(said)
        assert applied.change.devices.started == ("three",)
        assert set(applied.change.units.stayed) == {unit_of(meters[0]), unit_of(meters[1])}
        await agent.until(lambda: agent.values("three", "d"), "values of the new one")
        del said["devices"][1]
        said["devices"][0]["endpoint"] = meters[1].endpoint
        applied = await agent.apply(said)
        assert applied.change.devices.stopped == ("two",)
        assert applied.change.devices.restarted == ("one",)
        assert applied.change.devices.stayed == ("three",)
        assert agent.part("device", "two") is None
        assert agent.part("line", meters[0].endpoint) is None
        assert meters[0].endpoint not in agent.health.loads
        await agent.until(lambda: meters[1].connections == 2, "the device at its new place")
        count = len(agent.values("one", "a"))
        await agent.until(lambda: len(agent.values("one", "a")) > count, "more of it")
    assert [meter.connections for meter in meters] == [1, 2, 1]
    assert all(account.balanced for account in agent.accounts().values())


async def test_what_cannot_be_built_leaves_everything_as_it_is(
    tmp_path: Path, meters: list[FaultyDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = two(tmp_path, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("two", "c"), "values")
        said["devices"][0]["endpoint"] = "tls://127.0.0.1:1"
        said["lines"] = [{"endpoint": "tls://127.0.0.1:1", "ca": "/nowhere"}]
        with pytest.raises(ConfigError):
            await agent.apply(said)
        count = len(agent.rows())
        await agent.until(lambda: len(agent.rows()) > count + 4, "more rows")
    assert [meter.connections for meter in meters] == [1, 1, 0]


async def test_who_asks_for_another_listener_is_answered_by_the_one_before(
    tmp_path: Path, meters: list[FaultyDevice], caplog: pytest.LogCaptureFixture
) -> None:
    said, running = two(tmp_path, meters), list[Plant]()

    async def change(request: Request) -> Answer:
        await running[0].apply(said)
        return as_json("done")

    routes = [Route("GET", "/change", OWNER, change)]
    async with plant(tmp_path, said, routes) as agent, AsyncExitStack() as stack:
        running.append(agent)
        await agent.until(agent.facts, "a server")
        for listen in ("[::1]:0", "127.0.0.1:0"):
            before, said["status"] = agent.facts(), {"listen": listen}
            idle = await asyncio.open_connection(before["host"], before["port"])
            stack.callback(idle[1].close)
            assert await fetch(before, "/change", before["token"]) == (200, "application/json", b'"done"')
            await agent.until(lambda before=before: agent.facts() not in ({}, before), "another server")  # type: ignore[misc]
            found = agent.facts()
            assert found["host"] == listen.removesuffix(":0").strip("[]")
            assert (await fetch(found, "/healthz"))[0] == 200
            assert await idle[0].read() == b""
        assert [name for kind, name in agent.health.parts if kind == "status"] == ["127.0.0.1:0"]
    assert not [record.getMessage() for record in caplog.records if record.name == "asyncio"]


async def test_a_bug_in_the_middle_is_made_up_for_by_the_next_change(
    tmp_path: Path, meters: list[FaultyDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows when the steps go over, and not before, when they are tried."""
    calls: list[Schema] = []

    def build(schema: Schema, rules: object, context: object) -> None:
        if schema.device == "one" and calls:
            calls.append(schema)
            if len(calls) == 3:
                raise RuntimeError("a bug")

    monkeypatch.setitem(TAPS, "part", build)
    said = two(tmp_path, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("one", "a") and agent.values("two", "c"), "values")
        calls.append(Schema("", "", ()))
        said["devices"][0]["tags"][1] = tag("b", 12)
        with pytest.raises(RuntimeError, match="a bug"):
            await agent.apply(said)
        count = len(agent.values("two", "c"))
        await agent.until(lambda: len(agent.values("two", "c")) > count, "what is not touched goes on")
        applied = await agent.apply(said)
        assert applied.change.units.started == (unit_of(meters[0]),)
        await agent.until(lambda: 12 in agent.values("one", "b"), "the tag at its new address")
    assert all(account.balanced for account in agent.accounts().values())
