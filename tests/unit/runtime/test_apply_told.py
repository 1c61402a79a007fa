"""Platforms that know which devices there are hear of it when a running agent goes over to another site."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.sim.faulty_modbus import FaultyDevice, faulty_device
from tests.sim.mosquitto import Mosquitto
from tests.sim.sparkplug_host import Host
from tests.sim.thingsboard import thingsboard
from tests.unit.runtime.applying import Plant, Said, device, plain, plant, tag


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
async def meters() -> AsyncIterator[tuple[FaultyDevice, FaultyDevice]]:
    async with faulty_device() as one, faulty_device() as two:
        yield one, two


class Scada:
    """What a strict host application has heard, from the beginning on."""

    def __init__(self, broker: Mosquitto) -> None:
        self._subscriber = broker.subscriber("spBv1.0/#")
        self.host, self._heard = Host("acme", "gw"), 0

    def listen(self) -> Host:
        messages = self._subscriber.payloads("spBv1.0/acme/#")
        for topic, payload in messages[self._heard :]:
            self.host.hear(topic, payload)
        self._heard = len(messages)
        return self.host

    def close(self) -> None:
        self._subscriber.close()


@pytest.fixture
async def scada(broker: Mosquitto) -> AsyncIterator[Scada]:
    found = await asyncio.to_thread(Scada, broker)
    yield found
    found.close()


def site(folder: Path, sink: Said, meters: tuple[FaultyDevice, FaultyDevice]) -> Said:
    one = device("one", meters[0].endpoint, tag("a", 10), tag("b", 11), interval="50ms")
    two = device("two", meters[1].endpoint, tag("c", 20), interval="50ms", place=["hall-1"])
    return {**plain(folder, one, two), "gateway": {"id": "gw", "site": ["acme"]}, "sinks": [sink]}


def metrics(scada: Scada, name: str) -> set[str]:
    born = scada.listen().devices.get(name)
    return set(born.by_name) if born else set()


async def test_an_edge_node_tells_births_and_deaths(
    tmp_path: Path, broker: Mosquitto, scada: Scada, meters: tuple[FaultyDevice, FaultyDevice]
) -> None:
    said = site(tmp_path, {"name": "scada", "type": "sparkplug", "url": broker.url}, meters)
    async with plant(tmp_path, said) as agent:
        await agent.until(lambda: metrics(scada, "one") and metrics(scada, "two"), "both are born")
        said["devices"].append({**said["devices"][0], "name": "twin", "unit": 2})
        await agent.apply(said)
        await agent.until(lambda: metrics(scada, "twin") == {"a", "b"}, "the new one is born")
        said["devices"][0]["tags"][1] = tag("other", 12)
        await agent.apply(said)
        await agent.until(lambda: metrics(scada, "one") == {"a", "other"}, "one is born anew, without what it lost")
        births = scada.host.heard("DBIRTH", "two")
        del said["devices"][2]
        await agent.apply(said)
        await agent.until(lambda: "twin" not in scada.listen().devices, "the one that was taken out dies")
        await _more(agent, scada, "one")
        assert "twin" not in scada.host.devices
        assert scada.host.heard("DDEATH", "twin") >= 1
        assert scada.host.heard("DBIRTH", "two") == births == 1
        said["devices"][1]["place"] = ["hall-2"]
        await agent.apply(said)
        await _more(agent, scada, "two")
        said["devices"][0]["tags"][0]["counter"] = {"total": True}
        said["devices"][0]["tags"][0]["kind"] = "counter"
        await agent.apply(said)
        await agent.until(lambda: metrics(scada, "one") == {"a", "a_total", "other"}, "a total more")
        del said["devices"][0]["tags"][0]["counter"]
        await agent.apply(said)
        await agent.until(lambda: metrics(scada, "one") == {"a", "other"}, "and gone again")
        assert scada.host.heard("NBIRTH") == 1
    await asyncio.sleep(0.2)
    scada.listen()
    assert not scada.host.faults
    assert all(account.balanced and not account.set_aside for account in agent.accounts().values())


async def _more(agent: Plant, scada: Scada, name: str) -> None:
    count = len(scada.listen().samples)
    await agent.until(lambda: sum(each.device == name for each in scada.listen().samples[count:]) > 3, "more samples")


async def test_a_platform_hears_that_a_device_has_gone(
    tmp_path: Path, broker: Mosquitto, meters: tuple[FaultyDevice, FaultyDevice]
) -> None:
    async with thingsboard(broker) as board:
        said = site(tmp_path, {"name": "board", "type": "thingsboard", "url": broker.url}, meters)
        async with plant(tmp_path, said) as agent:
            await agent.until(lambda: {"one", "two"} <= board.connected, "both are connected")
            del said["devices"][1]
            await agent.apply(said)
            await agent.until(lambda: "two" not in board.connected, "one is disconnected")
            await asyncio.sleep(0.3)
            assert board.connected == {"one"}
