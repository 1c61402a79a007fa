"""What the steps know goes on when a running agent goes over to another site."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sim.faulty_modbus import FaultyDevice, faulty_device
from tests.sim.holding import Holding
from tests.unit.runtime.applying import Said, device, plain, plant, tag

ENERGY = tag("energy", 0, unit="kWh", kind="counter", counter={"total": True})


class Meter(Holding):
    device: FaultyDevice


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    found = Meter({0: 1000, 1: 7, 2: 8})
    async with faulty_device(found.tcp) as found.device:
        yield found


@pytest.fixture
async def other() -> AsyncIterator[Meter]:
    found = Meter({0: 500})
    async with faulty_device(found.tcp) as found.device:
        yield found


def counting(folder: Path, meter: Meter) -> Said:
    return plain(folder, device("meter", meter.device.endpoint, ENERGY, tag("beside", 1), interval="20ms"))


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("beside", tag("beside", 2)),
        ("asked", tag("beside", 1, limits={"max": 50})),
        ("group", tag("beside", 1, group="slow")),
    ],
    ids=["line", "recipe", "group"],
)
async def test_a_counter_goes_on_whatever_happens_beside_it(
    tmp_path: Path, meter: Meter, what: str, value: Said
) -> None:
    said = counting(tmp_path, meter)
    said["devices"][0]["groups"] = {"slow": {"interval": "30ms"}}
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("meter", "energy_total"), "a total")
        first = agent.values("meter", "energy_total")[0]
        meter.registers[0] += 10
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 10, "10 more")
        said["devices"][0]["tags"][1] = value
        assert await agent.apply(said)
        meter.registers[0] += 15
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 25, f"15 more, after {what}")
        totals = agent.values("meter", "energy_total")
        assert totals == sorted(totals)
    assert all(account.balanced for account in agent.accounts().values())


async def test_a_counter_that_moves_to_another_group_or_wire_goes_on(
    tmp_path: Path, meter: Meter, other: Meter
) -> None:
    said = counting(tmp_path, meter)
    said["devices"][0]["groups"] = {"slow": {"interval": "30ms"}}
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("meter", "energy_total"), "a total")
        first = agent.values("meter", "energy_total")[0]
        meter.registers[0] += 10
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 10, "10 more")
        said["devices"][0]["tags"][0] = {**ENERGY, "group": "slow"}
        await agent.apply(said)
        other.registers[0] = meter.registers[0] = meter.registers[0] + 5
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 15, "5 more in another group")
        said["devices"][0]["endpoint"] = other.device.endpoint
        await agent.apply(said)
        other.registers[0] += 7
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 22, "7 more on another wire")
        await agent.end()
    async with plant(tmp_path, said) as agent:
        other.registers[0] += 1
        await agent.until(lambda: agent.values("meter", "energy_total")[-1] == first + 23, "1 more after a restart")


async def test_what_is_worked_out_of_several_devices_follows(tmp_path: Path, meter: Meter, other: Meter) -> None:
    said = counting(tmp_path, meter)
    said["devices"].append(device("far", other.device.endpoint, tag("energy", 0), interval="20ms"))
    said["virtual"] = [
        {"name": "hall", "inputs": {"a": "meter/energy", "b": "far/energy"}, "derived": {"sum": "a + b"}, "every": "0s"}
    ]
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: agent.values("hall", "sum"), "a sum")
        said["devices"][0]["tags"][1] = tag("beside", 2)  # the line of one input
        await agent.apply(said)
        meter.registers[0] = 2000
        await agent.until(lambda: agent.values("hall", "sum")[-1] == 2500, "the sum with what came later")
        said["virtual"][0]["derived"] = {"sum": "a + b", "twice": "2 * sum"}
        await agent.apply(said)
        await agent.until(lambda: agent.values("hall", "twice")[-1:] == [5000], "a formula more")
        said["virtual"].append({"name": "top", "inputs": {"s": "hall/sum"}, "derived": {"half": "s / 2"}})
        said["virtual"][0]["derived"] = {"sum": "a + b"}
        await agent.apply(said)
        await agent.until(lambda: agent.values("top", "half")[-1:] == [1250], "a device more that is worked out")
        del said["virtual"]
        applied = await agent.apply(said)
        assert not applied.change.units
        assert {schema.device for schema in agent.app._catalogue.schemas} == {"meter", "far"}
    assert meter.device.connections == 2 and other.device.connections == 1
    assert all(account.balanced for account in agent.accounts().values())
