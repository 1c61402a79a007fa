"""The MQTT sink against a real mosquitto: what is confirmed is delivered, and nothing is sent twice by itself."""

import asyncio
import time
from pathlib import Path

import pytest

from agent import __version__
from agent.model.errors import Unavailable
from agent.northbound.api import Gateway
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.sink import build
from tests.sim.mosquitto import Mosquitto
from tests.sim.ports import free_port
from tests.unit.northbound.making import METER, entries, entry, mqtt, no_tasks_left, opened, schema

PROTOCOLS = ("auto", "5", "3.1.1")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_batch_arrives_whole_and_in_order(broker: Mosquitto, protocol: str) -> None:
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, protocol=protocol)) as sink:
            await sink.send(entries(250))
        assert [frame["seq"] for frame in heard.wait(250)] == list(range(1, 251))


async def test_frames_go_to_the_topic_of_their_device_and_group_and_are_not_retained(broker: Mosquitto) -> None:
    with broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            await sink.send([entry([230.0, 1.5], seq=7)])
        heard.wait(1)
        topic, retained, frame = next(message for message in heard.messages() if "seq" in message[2])
    assert (topic, retained) == ("floorgate/gw-01/main-meter/1s", False)
    assert frame["values"] == {"voltage": 230.0, "current": 1.5}


async def test_names_that_hold_wildcards_still_make_a_topic(broker: Mosquitto) -> None:
    sink = mqtt(broker, topic="{site}/{device}")
    with broker.subscriber() as heard:
        async with opened(sink):
            await sink.send(entries(1, of=schema("a", device="line+1/#")))
        heard.wait(1)
        assert "acme/hangzhou/line_1__" in {topic for topic, _, _ in heard.messages()}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_presence_goes_online_and_offline(broker: Mosquitto, protocol: str) -> None:
    with broker.subscriber("floorgate/gw-01/$status") as heard:
        async with opened(mqtt(broker, protocol=protocol)):
            pass
        await asyncio.sleep(0.1)
        (_, _, online), (_, _, offline) = heard.messages()
    assert (online["gateway"], online["state"], online["version"]) == ("gw-01", "online", __version__)
    assert abs(online["started"] / 1000 - time.time()) < 60
    assert (offline["state"], offline["reason"]) == ("offline", "stopped")
    with broker.subscriber("floorgate/gw-01/$status") as late:
        await asyncio.sleep(0.1)
        assert [(retained, status["state"]) for _, retained, status in late.messages()] == [(True, "offline")]


async def test_a_cut_connection_leaves_the_last_will(broker: Mosquitto) -> None:
    with broker.subscriber("floorgate/gw-01/$status") as heard:
        sink = mqtt(broker)
        await sink.open()
        assert sink._connection is not None
        sink._connection.discard()
        await asyncio.sleep(0.2)
        await sink.close()
        await no_tasks_left()
        assert [status.get("reason") for _, _, status in heard.messages()] == [None, "connection lost"]


async def test_closing_twice_and_before_opening_is_fine(broker: Mosquitto) -> None:
    sink = mqtt(broker)
    await sink.close()
    await sink.open()
    await sink.close()
    await sink.close()
    await no_tasks_left()


async def test_sending_before_opening_is_unavailable(broker: Mosquitto) -> None:
    with pytest.raises(Unavailable, match="not connected"):
        await mqtt(broker).send(entries(1))


async def test_opening_again_makes_a_fresh_connection(broker: Mosquitto) -> None:
    with broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            first = sink._connection
            await sink.open()
            assert sink._connection is not first
            await sink.send(entries(3))
        assert len(heard.wait(3)) == 3
        assert heard.states() == ["online", "offline", "online", "offline"]


async def test_a_broker_that_is_away_is_unavailable_at_once() -> None:
    config = {"name": "p", "type": "mqtt", "url": f"mqtt://127.0.0.1:{free_port()}"}
    sink = build(Config.model_validate(config), Gateway("gw"))
    with pytest.raises(Unavailable, match=r"Connection refused.*is the broker running"):
        await sink.open()
    await no_tasks_left()


async def test_a_host_that_has_no_name_is_unavailable() -> None:
    sink = build(
        Config.model_validate({"name": "p", "type": "mqtt", "url": "mqtt://no-such-host.invalid", "timeout": "5s"}),
        Gateway("gw"),
    )
    with pytest.raises(Unavailable, match=r"no-such-host\.invalid"):
        await sink.open()


async def test_a_batch_cut_by_an_outage_is_confirmed_in_part_and_completed_later(tmp_path: Path) -> None:
    """What `done` names had its PUBACK; after the outage only the rest is sent, and everything is there."""
    with Mosquitto(tmp_path, receive_maximum=5, persistence=True) as broker:
        with broker.subscriber(session="witness"):
            pass
        batch = entries(10_000)
        sink = mqtt(broker, window=5)
        await sink.open()
        sending = asyncio.create_task(sink.send(batch))
        await asyncio.sleep(0.1)
        broker.stop()
        with pytest.raises(Unavailable) as cut:
            await sending
        ((first, last),) = cut.value.done
        assert first == 1
        assert 1 <= last < 10_000
        await sink.close()
        broker.start()
        async with opened(sink):
            await sink.send(batch[last:])
        with broker.subscriber(session="witness") as heard:
            seqs = [frame["seq"] for frame in heard.wait(10_000, timeout=20)]
    assert set(seqs) == set(range(1, 10_001))
    assert len(seqs) - 10_000 <= 5, "only what was under way may come twice"


async def test_the_same_sink_works_after_a_restart_of_the_broker(broker: Mosquitto) -> None:
    sink = mqtt(broker)
    async with opened(sink):
        await sink.send(entries(5))
    broker.restart()
    with broker.subscriber() as heard:
        async with opened(sink):
            await sink.send(entries(5, first=6))
        assert [frame["seq"] for frame in heard.wait(5)] == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_new_connection_sends_nothing_by_itself(broker: Mosquitto, protocol: str) -> None:
    """A reused client would send its own queue again: the subscriber would see the frame twice."""
    sink = mqtt(broker, protocol=protocol, timeout="300ms")
    await sink.open()
    with broker.frozen(), pytest.raises(Unavailable, match=r"no PUBACK within 0\.3 s"):
        await sink.send(entries(1))
    await sink.close()
    await asyncio.sleep(0.1)
    with broker.subscriber() as heard:
        async with opened(sink):
            await sink.send(entries(1, first=2))
        await asyncio.sleep(0.1)
        assert [frame["seq"] for frame in heard.wait(1)] == [2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_frozen_broker_is_noticed_in_time(broker: Mosquitto, protocol: str) -> None:
    sink = mqtt(broker, protocol=protocol, timeout="500ms")
    await sink.open()
    with broker.frozen():
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"no PUBACK within 0.5 s, 3 messages unconfirmed") as frozen:
            await sink.send(entries(3))
        assert 0.4 < time.monotonic() - started < 1.5
        assert frozen.value.done == ()
        await sink.close()
        with pytest.raises(Unavailable, match=r"no answer within 0.5 s"):
            await sink.open()
        assert time.monotonic() - started < 3.0
    await no_tasks_left()


async def test_saying_goodbye_to_a_frozen_broker_does_not_take_long(broker: Mosquitto) -> None:
    sink = mqtt(broker, timeout="300ms")
    await sink.open()
    with broker.frozen():
        started = time.monotonic()
        await sink.close()
        assert time.monotonic() - started < 1.0
    await no_tasks_left()


async def test_opening_can_be_cancelled_at_any_moment(broker: Mosquitto) -> None:
    """The thread that connects may outlive the call: what it opens is closed all the same (a leak would warn)."""
    sink = mqtt(broker)
    for step in range(30):
        opening = asyncio.create_task(sink.open())
        await asyncio.sleep(step / 5000)
        opening.cancel()
        await asyncio.wait([opening])
        await sink.close()
    await asyncio.sleep(0.2)
    await no_tasks_left()
    async with opened(sink):
        await sink.send(entries(1))


async def test_a_cancelled_send_makes_room_for_others(broker: Mosquitto) -> None:
    async with opened(mqtt(broker, window=2)) as sink:
        sending = asyncio.create_task(sink.send(entries(5000)))
        await asyncio.sleep(0.02)
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        await sink.send(entries(5, first=6000))


async def test_sends_that_overlap_are_each_confirmed(broker: Mosquitto) -> None:
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, window=7)) as sink:
            await asyncio.gather(*(sink.send(entries(50, first=1 + 50 * n)) for n in range(8)))
        assert {frame["seq"] for frame in heard.wait(400)} == set(range(1, 401))


async def test_closing_while_a_send_is_under_way_ends_that_send(broker: Mosquitto) -> None:
    sink = mqtt(broker, window=1)
    await sink.open()
    sending = asyncio.create_task(sink.send(entries(10_000)))
    await asyncio.sleep(0.02)
    await sink.close()
    with pytest.raises(Unavailable):
        await sending
    await no_tasks_left()


async def test_packet_ids_go_round_without_a_collision(broker: Mosquitto) -> None:
    async with opened(mqtt(broker, window=1000)) as sink:
        assert sink._connection is not None
        sink._connection._paho._last_mid = 65_000
        await sink.send(entries(2000))


async def test_a_pump_gets_attributes_that_fill_the_window(broker: Mosquitto) -> None:
    sink = mqtt(broker, window=200, batch=100)
    assert (sink.ordered, sink.limit, sink.window) == (False, 100, 3)
    assert mqtt(broker, window=10, batch=100).window == 2


async def test_an_empty_batch_needs_no_broker(broker: Mosquitto) -> None:
    async with opened(mqtt(broker)) as sink:
        await sink.send([])


async def test_topics_of_schemas_that_come_and_go_do_not_pile_up(broker: Mosquitto) -> None:
    letters = mqtt(broker)._letters
    for _ in range(2000):
        letters.head(schema("a"))
    assert len(letters._heads) <= 1024
    assert letters.head(METER) is letters.head(METER)
