"""Links that break at the wrong moment, brokers that lie, refuse or take only small packets, and very many devices."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Rejected, Unavailable
from agent.model.frame import Entry
from agent.model.tag import Schema, Tag
from agent.northbound.sparkplug.sink import SparkplugSink
from tests.sim.mosquitto import Mosquitto
from tests.sim.mqtt_tap import Tap, tap
from tests.sim.sparkplug_host import Host
from tests.unit.northbound.fake_broker import fake_broker, puback
from tests.unit.northbound.making import no_tasks_left
from tests.unit.northbound.sparkplug_world import (
    METER,
    PRESS,
    REBIRTH,
    SLOW,
    TYPES,
    Plant,
    heard,
    running,
    say,
    sparkplug,
    state,
    until,
)


@pytest.fixture
def plant() -> Plant:
    plant = Plant()
    plant.read_all()
    return plant


@pytest.fixture
async def wire(broker: Mosquitto) -> AsyncIterator[Tap]:
    async with tap(broker.port) as wire:
        yield wire


async def delivered(sink: SparkplugSink, batch: list[Entry], tries: int = 3) -> int:
    """As a pump does it: again from the start whatever happens; how often it took."""
    for number in range(1, tries + 1):
        try:
            await sink.open()
            await sink.ready()
            await sink.send(batch)
        except Unavailable:
            continue
        return number
    raise AssertionError(f"not within {tries} tries")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_link_may_be_cut_before_any_message(wire: Tap, plant: Plant, protocol: str) -> None:
    """Between births, between births and data, between data: the next session is whole, and nothing is missing."""
    sink = sparkplug(wire.url, plant, settle="0s", protocol=protocol, timeout="0.5s")
    batches: list[list[Entry]] = []
    for messages in range(9):  # NBIRTH, two DBIRTHs, six frames
        batches.append([plant.meter(float(messages * 10 + n)) for n in range(5)] + [plant.press()])
        await sink.close()
        wire.stop_after(messages)
        assert await delivered(sink, batches[-1]) == 2
    await sink.close()
    found = heard(wire)
    assert found.faults == []
    assert found.bdseqs == sorted(set(found.bdseqs))
    told = {(sample.device, sample.metric, sample.ts) for sample in found.samples}
    for entry in (entry for batch in batches for entry in batch):
        for tag in entry.frame.schema.tags:
            name = f"1s/{tag.name}" if tag.name == "count" else tag.name
            assert (entry.frame.schema.device, name, entry.frame.ts // 10**6) in told


async def test_what_the_broker_has_not_answered_for_is_not_delivered(wire: Tap, plant: Plant) -> None:
    """It takes all bytes, and what it says never comes: no PINGRESP."""
    async with running(sparkplug(wire.url, plant, timeout="0.3s")) as sink:
        await sink.send([plant.meter()])
        wire.deaf = True
        with pytest.raises(Unavailable):
            await sink.send([plant.meter(1.0)])
        await until(lambda: heard(wire).samples[-1].value == 1, "the bytes on their way")
        with pytest.raises(Unavailable):
            await sink.send([plant.meter(2.0)])
    assert heard(wire).faults == []


async def test_a_broker_that_dies_behind_the_bytes_has_delivered_nothing(
    broker: Mosquitto, wire: Tap, plant: Plant
) -> None:
    sink = sparkplug(wire.url, plant, timeout="5s")
    async with running(sink):
        with broker.frozen():
            sending = asyncio.create_task(sink.send([plant.meter(1.0)]))
            await until(lambda: heard(wire).heard("DDATA", "meter") == 1, "the bytes on their way")
            await asyncio.sleep(0.05)
            assert not sending.done()
            wire.cut()
            with pytest.raises(Unavailable):
                await sending
    assert await delivered(sink, [plant.meter(2.0)]) == 1
    await sink.close()
    assert heard(wire).bdseqs == [0, 1]


async def test_a_broker_that_goes_is_noticed_while_nothing_is_sent(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    async with running(sparkplug(wire.url, plant)) as sink:
        lost = asyncio.create_task(sink.lost())
        await asyncio.sleep(0)
        broker.stop()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(lost, 5)
        with pytest.raises(Unavailable):
            await sink.send([plant.meter()])


async def test_a_marker_is_confirmed_instead_of_a_ping(broker: Mosquitto, wire: Tap, plant: Plant) -> None:
    with broker.subscriber("floorgate/#") as markers:
        async with running(sparkplug(wire.url, plant, barrier="marker")) as sink:
            await sink.send([plant.meter()])
            await sink.send([plant.meter()])
        assert markers.payloads("floorgate/gw-01/$marker", 2) == [("floorgate/gw-01/$marker", b"")] * 2
    marks = [packet for packet in wire.published() if packet.topic.startswith("floorgate")]
    assert [packet.qos for packet in marks] == [1, 1]


async def test_a_marker_may_be_refused(plant: Plant) -> None:
    def refused(_: int, topic: bytes, mid: int) -> bytes | None:
        if topic.endswith(b"$marker"):
            return puback(mid, 0x87)
        return puback(mid) if b"NDEATH" in topic else None

    async with (
        fake_broker(answer=refused) as broker,
        running(sparkplug(broker.url, plant, protocol="5", barrier="marker")) as sink,
    ):
        with pytest.raises(Denied, match=r"the marker behind a batch, to floorgate/gw-01/\$marker"):
            await sink.send([plant.meter()])


async def test_it_can_be_closed_and_opened_at_any_time(wire: Tap, plant: Plant) -> None:
    sink = sparkplug(wire.url, plant)
    await sink.close()
    with pytest.raises(Unavailable, match="not connected"):
        await sink.send([plant.meter()])
    for _ in range(3):
        await sink.open()
        await sink.open()
        await sink.close()
        await sink.close()
    await sink.open()
    await sink.send([plant.meter()])  # births come with it
    await sink.close()
    await no_tasks_left()
    assert heard(wire).faults == []
    assert heard(wire).heard("NBIRTH") == 1
    assert heard(wire).bdseqs == [6]


async def test_two_lanes_may_send_at_once(wire: Tap, plant: Plant) -> None:
    async with running(sparkplug(wire.url, plant)) as sink:
        for _ in range(10):
            history = [plant.meter(history=True) for _ in range(20)]
            await asyncio.gather(sink.send([plant.meter() for _ in range(20)]), sink.send(history))
    found = heard(wire)
    assert found.faults == []
    assert found.heard("DDATA", "meter") == 400
    assert found.devices == {}
    assert sum(sample.historical for sample in found.samples) == 400


@pytest.mark.parametrize("kept", [b"", b"x", b"255", b"-7", b"\xff", b"9" * 5000])
async def test_the_bdseq_goes_on_whatever_was_kept(wire: Tap, plant: Plant, kept: bytes) -> None:
    plant.kept["bdseq"] = kept
    async with running(sparkplug(wire.url, plant)):
        await until(lambda: heard(wire).bdseqs, "a birth")
    assert heard(wire).faults == []
    assert plant.kept["bdseq"] == str(heard(wire).bdseqs[0]).encode()


BIG = Schema("big", "1s", tuple(Tag(f"tag_{n:03d}", "float64", "kWh") for n in range(100)))


async def test_data_are_cut_for_a_broker_that_takes_small_packets_and_what_cannot_be_cut_is_set_aside(
    tmp_path: Path,
) -> None:
    plant = Plant((METER, BIG))
    plant.meter()
    plant.read(BIG, *[0.0] * 100)
    with Mosquitto(tmp_path, max_packet=1000) as broker:
        async with tap(broker.port) as wire, running(sparkplug(wire.url, plant, protocol="5")) as sink:
            batch = [plant.meter(1.0), plant.read(BIG, *map(float, range(100))), plant.meter(2.0)]
            with pytest.raises(
                Rejected, match="the birth of big makes a packet larger than the broker takes"
            ) as caught:
                await sink.send(batch)
            assert caught.value.done == ((batch[0].seq, batch[0].seq), (batch[2].seq, batch[2].seq))
            await sink.send([plant.meter(3.0)])
    found = heard(wire)
    assert found.faults == []
    assert found.heard("DDATA", "meter") == 3
    assert "big" not in found.devices


async def test_a_frame_in_several_messages_is_whole(tmp_path: Path) -> None:
    """Births with names are longer than data, so it takes texts to make data the larger ones."""
    talker = Schema("talker", "1s", tuple(Tag(f"t{n}", "str") for n in range(10)))
    plant = Plant((talker,))
    plant.read(talker, *["short"] * 10)
    with Mosquitto(tmp_path, max_packet=1000) as broker:
        async with tap(broker.port) as wire, running(sparkplug(wire.url, plant, protocol="5")) as sink:
            await sink.send([plant.read(talker, *[f"{n}" * 300 for n in range(10)])])
            found = heard(wire)
            assert found.values("talker") == {f"t{n}": f"{n}" * 300 for n in range(10)}
            with pytest.raises(Rejected, match="a value of talker"):
                await sink.send([plant.read(talker, *["x" * 1000] * 10)])
    assert found.faults == []
    assert found.heard("DDATA", "talker") > 3
    assert all(len(packet.data) <= 1000 for packet in wire.packets)


async def test_three_hundred_devices_with_a_hundred_tags_are_born_and_told(wire: Tap) -> None:
    schemas = tuple(Schema(f"d{n:03d}", "1s", BIG.tags) for n in range(300))
    plant = Plant(schemas)
    values = tuple(map(float, range(100)))
    for schema in schemas:
        plant.read(schema, *values)
    async with running(sparkplug(wire.url, plant, timeout="10s")) as sink:
        await sink.send([plant.read(schema, *values) for schema in schemas[::3]])
        found = heard(wire)
    assert found.faults == []
    assert len(found.devices) == 300
    assert len(found.samples) == 10_000
    births = [packet for packet in wire.published() if "/DBIRTH/" in packet.topic]
    assert max(len(packet.data) for packet in births) < 6_000
    aliases = [alias for born in found.devices.values() for alias in born.by_alias]
    assert sorted(aliases) == list(range(1, 30_001))


def many() -> tuple[Plant, list[Entry]]:
    """Thirty devices with a hundred tags: births in three turns."""
    plant = Plant(tuple(Schema(f"d{n:02d}", "1s", BIG.tags) for n in range(30)))
    for schema in plant.schemas:
        plant.read(schema, *[0.0] * 100)
    return plant, [plant.read(schema, *[1.0] * 100) for schema in plant.schemas]


@pytest.mark.parametrize("messages", [1, 11, 25, 31])
async def test_a_link_may_be_cut_while_many_are_born(wire: Tap, messages: int) -> None:
    plant, entries = many()
    sink = sparkplug(wire.url, plant, settle="0s", timeout="0.5s")
    wire.stop_after(messages)
    assert await delivered(sink, entries) == 2
    await sink.close()
    found = heard(wire)
    assert found.faults == []
    assert len(found.samples) == 3000


async def test_many_births_leave_the_loop_to_others_and_an_end_ends_them(wire: Tap) -> None:
    plant, entries = many()
    sink = sparkplug(wire.url, plant)
    await sink.open()
    await sink.ready()
    await sink.close()
    await until(lambda: heard(wire).heard("NDEATH") == 1, "a goodbye")
    found = heard(wire)
    births = sum(verb == "DBIRTH" for verb, _ in found.verbs)
    assert 10 <= births < 30
    assert sum(verb == "DDEATH" for verb, _ in found.verbs) == births
    assert found.faults == []
    async with running(sink):
        await sink.send(entries)
    assert heard(wire).faults == []


async def test_a_rebirth_while_many_are_born_is_one_birth_more(broker: Mosquitto, wire: Tap) -> None:
    plant, entries = many()
    async with running(sparkplug(wire.url, plant)) as sink:
        for _ in range(3):
            say(broker, "spBv1.0/acme/NCMD/gw-01", REBIRTH)
            await sink.send(entries)
        await until(lambda: heard(wire).heard("DBIRTH", "d29") >= 2, "a rebirth")
    assert heard(wire).faults == []


async def test_a_host_that_goes_while_many_are_born_hears_no_more(broker: Mosquitto, wire: Tap) -> None:
    plant, entries = many()
    state(broker, True, 1)
    sink = sparkplug(wire.url, plant, primary_host="scada")
    await sink.open()
    await sink.ready()
    state(broker, False, 2)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(sink.lost(), 5)
    with pytest.raises(Unavailable):
        await sink.send(entries)
    await sink.close()
    assert heard(wire).faults == []
    assert heard(wire).heard("NDEATH") == 1


async def test_a_device_that_is_new_is_born_with_its_first_frame(wire: Tap) -> None:
    plant = Plant((METER,))
    plant.meter()
    async with running(sparkplug(wire.url, plant)) as sink:
        plant.schemas = (METER, SLOW, PRESS)  # two more are found
        await sink.send([plant.meter(), plant.press(), plant.read(SLOW, 1.0, 2)])
        found: Host = heard(wire)
    assert found.faults == []
    assert {name: len(born.by_name) for name, born in found.devices.items()} == {"meter": 4, "press": len(TYPES)}


async def test_what_the_agent_says_of_itself_is_data_of_the_node(wire: Tap, plant: Plant) -> None:
    said: Any = Schema("$gateway", "clock", (Tag("step", "float64"), Tag("to", "str")))
    async with running(sparkplug(wire.url, plant)) as sink:
        await sink.send([plant.read(said, 1.5, "now"), plant.meter()])
        found = heard(wire)
    assert found.faults == []
    (sample,) = [sample for sample in found.samples if not sample.device]
    assert sample.metric == "Report"
    assert '"step":1.5' in str(sample.value)
