"""Commands, subscriptions and serial lines over a change of a running agent."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import registry
from tests.sim.commanded import KIND, meetings
from tests.sim.faulty_modbus import faulty_device
from tests.sim.fixtures import libmodbus_line
from tests.sim.holding import Holding
from tests.sim.opcua_fixtures import NAMESPACE, asyncua_server
from tests.unit.runtime.applying import device, plain, plant, tag

NODES = ("count", "Level"), ("again", "Temp")  # neither of them ever changes


@pytest.fixture
def pipes() -> Iterator[None]:
    """A kind of sink that takes commands over a socket."""
    registry.SINKS["pipe"] = KIND
    registry.sinks.cache_clear()
    yield
    del registry.SINKS["pipe"]
    registry.sinks.cache_clear()


@pytest.mark.usefixtures("pipes")
async def test_what_may_be_written_follows(tmp_path: Path) -> None:
    holding = Holding()
    async with faulty_device(holding.tcp) as meter, meetings(tmp_path) as meet:
        said = plain(
            tmp_path, device("oven", meter.endpoint, tag("a", 1, write={}), tag("b", 2, write={}), interval="20ms")
        )
        async with plant(tmp_path, said) as agent:
            pipe = {"name": "pipe", "type": "pipe", "socket": str(tmp_path / "pipe")}
            said["sinks"].append({**pipe, "commands": {"allow": ["oven/a"], "per_minute": 600}})
            await agent.apply(said)
            platform = await meet("pipe")
            assert (await platform.done("oven", "a", 5))["outcome"] == "done"
            assert (await platform.ask("oven", "b", 5))["outcome"] == "forbidden"
            said["sinks"][1]["commands"]["allow"] = ["oven/b"]
            applied = await agent.apply(said)
            assert applied.change.sinks.restarted == ("pipe",)
            platform = await meet("pipe")
            assert (await platform.done("oven", "b", 6))["outcome"] == "done"
            assert (await platform.ask("oven", "a", 6))["outcome"] == "forbidden"
            said["devices"][0]["tags"][1] = tag("b", 3, write={"max": 10, "rate": "0s"})
            applied = await agent.apply(said)
            assert applied.change.sinks.stayed == ("out", "pipe")
            assert (await platform.done("oven", "b", 7))["outcome"] == "done"
            assert (await platform.ask("oven", "b", 11))["outcome"] == "forbidden"
            assert (holding.registers[2], holding.registers[3]) == (6, 7)
            del said["devices"][0]["tags"][1]
            said["devices"][0]["tags"].append(tag("c", 4, write={}))
            said["sinks"][1]["commands"]["allow"] = ["oven/c"]
            await agent.apply(said)
            platform = await meet("pipe")
            assert 'no tag "b"' in (await platform.ask("oven", "b", 7))["message"]
            said["sinks"].pop()
            await agent.apply(said)
            assert agent.part("commands", "pipe") is None


async def test_a_command_under_way_is_finished_before_its_device_restarts(tmp_path: Path, pipes: None) -> None:
    holding = Holding()
    slow = asyncio.Event()

    def behave(adu: bytes) -> list[bytes | float | None]:
        if adu[7] == 6:
            slow.set()
            return [0.3, *holding.tcp(adu)]
        return holding.tcp(adu)

    async with faulty_device(behave) as meter, meetings(tmp_path) as meet:
        said = plain(tmp_path, device("oven", meter.endpoint, tag("a", 1, write={"rate": "0s"}), interval="20ms"))
        said["sinks"].append({"name": "pipe", "type": "pipe", "socket": str(tmp_path / "pipe")})
        said["sinks"][1]["commands"] = {"allow": ["oven/*"], "per_minute": 600}
        async with plant(tmp_path, said) as agent:
            platform = await meet("pipe")
            await platform.done("oven", "a", 1)
            slow.clear()
            platform.give("oven", "a", 2)
            await slow.wait()
            said["devices"][0]["interval"] = "30ms"
            assert await agent.apply(said)
            assert (await platform.answer())["outcome"] == "done"
            assert (await platform.done("oven", "a", 3))["outcome"] == "done"


async def test_a_subscription_restarts_alone(tmp_path: Path) -> None:
    with asyncua_server() as server:
        one = {"driver": "opcua", "endpoint": server.endpoint, "security": "none", "interval": "100ms"}
        count, state = ({"name": name, "node": f"nsu={NAMESPACE};s={node}"} for name, node in NODES)
        said = plain(tmp_path, {"name": "press", **one, "tags": [count]}, {"name": "lathe", **one, "tags": [count]})
        async with plant(tmp_path, said) as agent:
            await agent.until(lambda: agent.values("press", "count") and agent.values("lathe", "count"), "values")
            tasks = {task.get_name(): task for task in asyncio.all_tasks()}
            said["devices"][0]["tags"] = [count, state]
            applied = await agent.apply(said)
            assert applied.change.devices.restarted == ("press",)
            await agent.until(lambda: agent.values("press", "again"), "values of the new tag")
            now = {task.get_name(): task for task in asyncio.all_tasks()}
            assert now["sub:lathe"] is tasks["sub:lathe"]
            assert now["sub:press"] is not tasks["sub:press"]
            said["devices"][1]["tags"] = [{**count, "limits": {"min": -1}}]
            applied = await agent.apply(said)
            assert applied.change.devices.restarted == ("lathe",)  # it says again how it stands
            await agent.until(lambda: len(agent.values("lathe", "count")) > 1, "its value again")
            said["virtual"] = [{"name": "hall", "inputs": {"n": "lathe/count"}, "derived": {"twice": "2 * n"}}]
            applied = await agent.apply(said)
            assert not applied.change.units
            await agent.until(lambda: agent.values("hall", "twice") == [84.0], "what is made of a value that stands")
        assert all(account.balanced for account in agent.accounts().values())


async def test_a_serial_port_is_free_before_it_is_opened_again(tmp_path: Path) -> None:
    with libmodbus_line(tmp_path) as port:
        meter = {**device("meter", f"rtu://{port}?baud=9600", tag("a", 10)), "interval": "50ms"}
        said = plain(tmp_path, meter)
        async with plant(tmp_path, said) as agent:
            await agent.until(lambda: agent.values("meter", "a"), "values")
            for address in (11, 12, 13):
                said["devices"][0]["tags"] = [tag("a", address)]
                await agent.apply(said)
                count = len(agent.values("meter", "a"))
                await agent.until(lambda count=count: len(agent.values("meter", "a")) > count, "more values")  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
            part = agent.part("device", "meter")
            assert part is not None and part.failures == 0
