"""Whom a node waits for, whom it believes, and where it goes when nobody is there."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import Denied, Unavailable
from agent.northbound.sparkplug.host import host
from agent.northbound.sparkplug.sink import SparkplugSink
from tests.sim.mosquitto import Mosquitto
from tests.sim.mqtt_tap import CONNECT, DISCONNECT, Tap, tap
from tests.sim.ports import free_port
from tests.unit.northbound.fake_broker import fake_broker
from tests.unit.northbound.sparkplug_world import Plant, denying, heard, running, say, sparkplug, state, until


def said(online: object, timestamp: object = 1) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp}).encode()


NO_STATE = st.binary().filter(lambda payload: payload not in (b"ONLINE", b"OFFLINE"))  # those of the old topic are


@given(NO_STATE | st.builds(said, st.booleans() | st.none() | st.text(), st.none() | st.floats() | st.booleans()))
def test_what_is_no_state_says_nothing(payload: bytes) -> None:
    for old in (True, False):
        scada = host("scada", old=old)
        assert not scada.hear(payload)
        assert scada.online is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=12))
def test_the_newest_state_holds(states: list[tuple[bool, int]]) -> None:
    scada, newest, online = host("scada", old=False), -1, None
    for flag, timestamp in states:
        assert scada.hear(said(flag, timestamp)) == (timestamp >= newest)
        if timestamp >= newest:
            newest, online = timestamp, flag
        assert scada.online is online


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.read_all()
    return plant


@pytest.fixture
async def wire(broker: Mosquitto) -> AsyncIterator[Tap]:
    async with tap(broker.port) as wire:
        yield wire


async def test_a_host_of_the_older_kind_is_waited_for(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    sink = sparkplug(wire.url, plant, primary_host="scada", compat="2.2")
    state(broker, True, 1)  # of the newer kind
    say(broker, "STATE/scada", "OFFLINE", "-r")
    await sink.open()
    ready = asyncio.create_task(sink.ready())
    await asyncio.sleep(0.1)
    assert wire.published() == []
    say(broker, "STATE/scada", "ONLINE", "-r")
    await ready
    await sink.send([plant.meter()])
    say(broker, "STATE/scada", "OFFLINE", "-r")
    with pytest.raises(Unavailable, match="primary host scada is offline"):
        await asyncio.wait_for(sink.lost(), 5)
    assert wire.published()[-1].topic == "spBv1.0/acme/NDEATH/gw-01"
    await sink.close()


@pytest.mark.parametrize("first", [True, False])
async def test_nothing_is_delivered_while_the_host_is_away(
    broker: Mosquitto, wire: Tap, plant: Plant, first: bool
) -> None:
    state(broker, False, 7)
    sink = sparkplug(wire.url, plant, primary_host="scada", timeout="0.5s")
    await sink.open()
    if not first:
        state(broker, True, 8)
        await sink.ready()
        state(broker, False, 9)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(sink.lost(), 5)
    before = len(wire.published())
    with pytest.raises(Unavailable, match="the primary host scada is offline"):
        await sink.send([plant.meter()])
    assert len(wire.published()) == before
    await sink.close()


async def test_a_host_that_has_never_said_anything_is_named(
    wire: Tap, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.northbound.sparkplug.sink._HOST", 0.1)
    sink = sparkplug(wire.url, plant, primary_host="scada")
    await sink.open()
    with pytest.raises(Unavailable, match="the primary host scada has not said that it is there") as caught:
        await sink.ready()
    assert caught.value.hint == "it gets everything later"
    await sink.close()
    await until(lambda: wire.packets[-1].kind == DISCONNECT, "a DISCONNECT")
    assert wire.packets[-1].reason == 0  # no last will of a node that was never there
    assert wire.published() == []


async def test_nonsense_where_the_state_should_be_changes_nothing_and_is_told_once(
    broker: Mosquitto, wire: Tap, plant: Plant
) -> None:
    state(broker, True, 10)
    async with running(sparkplug(wire.url, plant, primary_host="scada")) as sink:
        for nonsense in (b"", b"OFFLINE", b'{"online": "no"}', said(False, 9), b"\xff" * 10_000, b"[" * 100_000):
            say(broker, "spBv1.0/STATE/scada", nonsense)
        await sink.send([plant.meter()])
        await sink.send([plant.meter()])
    assert heard(wire).heard("NDEATH") == 1
    assert len(plant.notes) == 1
    assert plant.notes[0].startswith("spBv1.0/STATE/scada: ignored, for it is outdated or no state: b''")


async def test_a_host_that_flaps_gets_whole_sessions(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    sink = sparkplug(wire.url, plant, primary_host="scada", settle="0s")
    delivered = 0
    for round_ in range(10):
        state(broker, True, 2 * round_)
        await sink.open()
        await sink.ready()
        say(broker, "spBv1.0/STATE/scada", said(False, 2 * round_ + 1), "-r")
        try:
            while True:
                await sink.send([plant.meter(float(delivered))])
                delivered += 1
        except Unavailable:
            pass
    await sink.close()
    found = heard(wire)
    assert found.faults == []
    assert found.bdseqs == list(range(10))
    assert found.heard("NDEATH") == 10
    assert found.heard("DDATA", "meter") >= delivered


async def test_there_may_be_no_right_to_listen_to_the_host(plant: Plant) -> None:
    async with fake_broker(subscribed=denying(b"STATE")) as broker:
        sink = sparkplug(broker.url, plant, primary_host="scada", protocol="5")
        with pytest.raises(Denied, match=r"does not let us subscribe to spBv1\.0/STATE/scada"):
            await sink.open()
        await sink.close()


class Two:
    """Brokers, taps before them, and a sink that knows both."""

    def __init__(self, first: Mosquitto, second: Mosquitto, one: Tap, two: Tap, plant: Plant) -> None:
        self.brokers, self.wires, self.plant = (first, second), (one, two), plant
        self.sink: SparkplugSink = sparkplug(one.url, plant, primary_host="scada", others=[two.url])

    def tries(self) -> list[int]:
        return [sum(packet.kind == CONNECT for packet in wire.packets) for wire in self.wires]


@pytest.fixture
async def two(broker: Mosquitto, tmp_path: Path, wire: Tap, plant: Plant) -> AsyncIterator[Two]:
    with Mosquitto(tmp_path / "second") as second:
        async with tap(second.port) as other:
            made = Two(broker, second, wire, other, plant)
            try:
                yield made
            finally:
                await made.sink.close()


async def test_it_goes_where_the_primary_host_is(two: Two) -> None:
    """tck-id-operational-behavior-primary-application-state-with-multiple-servers-walk: from one broker to the next
    when the host is not there, or goes."""
    first, second = two.brokers
    state(first, False, 1)
    state(second, True, 2)
    await two.sink.open()
    with pytest.raises(Unavailable, match="offline"):
        await two.sink.ready()
    assert two.wires[0].published() == []
    async with running(two.sink):
        await two.sink.send([two.plant.meter()])
        assert two.tries() == [1, 1]
        state(first, True, 3)
        state(second, False, 4)
        with pytest.raises(Unavailable, match="offline"):
            await asyncio.wait_for(two.sink.lost(), 5)
    async with running(two.sink):
        await two.sink.send([two.plant.meter()])
    assert two.tries() == [2, 1]
    for wire in two.wires:
        assert heard(wire).faults == []
        assert heard(wire).heard("DDATA", "meter") == 1


async def test_it_is_never_at_two_brokers(two: Two) -> None:
    """tck-id-operational-behavior-primary-application-state-with-multiple-servers-single-server"""
    for each in two.brokers:
        state(each, True, 1)
    for number in range(4):
        await two.sink.open()
        await two.sink.ready()
        here, there = two.wires[number % 2], two.wires[1 - number % 2]
        await two.sink.send([two.plant.meter()])
        await until(lambda here=here: here.open == 1, "a connection")  # type: ignore[misc]
        assert there.open == 0
        here.cut()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(two.sink.lost(), 5)
    assert [heard(wire).bdseqs for wire in two.wires] == [[0, 2], [1, 3]]


async def test_a_broker_that_is_not_there_is_left_for_the_next(two: Two) -> None:
    state(two.brokers[1], True, 1)
    sink = sparkplug(f"mqtt://127.0.0.1:{free_port()}", two.plant, primary_host="scada", others=[two.wires[1].url])
    with pytest.raises(Unavailable):
        await sink.open()
    async with running(sink):
        await sink.send([two.plant.meter()])
    assert heard(two.wires[1]).bdseqs == [0]  # the number that nobody has heard of is not lost
