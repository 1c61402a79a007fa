"""What a sink can ask of a connection beyond QoS 1: QoS 0 in order, a barrier, subscriptions, messages, a will."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from agent.model.errors import SinkError, Unavailable
from agent.northbound.api import Gateway
from agent.northbound.broker import packet
from agent.northbound.broker.client import Connection, Will
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.outbox import Outbox
from agent.northbound.broker.packet import Message
from agent.northbound.broker.publisher import Publisher
from agent.northbound.broker.wire import Wire
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.making import no_tasks_left

VERSIONS = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
Came = list[tuple[str, bytes, bool]]


def message(number: int, topic: str = "t", *, retain: bool = False) -> Message:
    return packet.topic_head(topic.encode()), b'{"seq":%d}' % number, retain


@asynccontextmanager
async def connected(url: str, will: Will | None = None, **options: Any) -> AsyncIterator[Connection]:
    config = BrokerConfig.model_validate({"name": "p", "type": "mqtt", "url": url, "timeout": "2s", **options})
    connection = await Dialler(config, Gateway("gw"), Learnt()).connect(will)
    try:
        yield connection
    finally:
        await connection.finish(None, 1.0)
        await no_tasks_left()


def listening(connection: Connection) -> Came:
    came: Came = []
    connection.on_message = lambda *heard: came.append(heard)
    return came


async def until(came: Came, count: int) -> None:
    async with asyncio.timeout(5.0):
        while len(came) < count:
            await asyncio.sleep(0.01)


def say(broker: Mosquitto, topic: str, *options: str) -> None:
    subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-t", topic, *options], check=True)


@VERSIONS
async def test_qos_0_and_1_arrive_in_the_order_in_which_they_were_published(broker: Mosquitto, protocol: str) -> None:
    """Heard with QoS 0: under QoS 1 mosquitto lets the one overtake the other on its own way out."""
    async with connected(broker.url, protocol=protocol, window=2) as connection:
        came = listening(connection)
        await connection.subscribe([("t", 0)])
        confirmed = asyncio.create_task(connection.publisher.publish([message(n) for n in range(50)]))
        await asyncio.sleep(0)
        connection.publish_unconfirmed(message(n) for n in range(50, 100))
        later = asyncio.create_task(connection.publisher.publish([message(n) for n in range(100, 150)]))
        await asyncio.sleep(0)
        await connection.barrier()
        assert await confirmed == ([0] * 50, None)
        assert await later == ([0] * 50, None)
        await until(came, 150)
        assert [payload for _, payload, _ in came] == [b'{"seq":%d}' % n for n in range(150)]


@VERSIONS
async def test_what_came_before_a_barrier_is_at_the_broker(broker: Mosquitto, protocol: str) -> None:
    """The link is cut without a goodbye right after the barrier."""
    with broker.subscriber() as witness:
        async with connected(broker.url, protocol=protocol) as connection:
            for first in range(0, 5000, 500):
                connection.publish_unconfirmed(message(n) for n in range(first, first + 500))
                await connection.barrier()
            connection.discard()
        assert len(witness.wait(5000)) == 5000


async def test_barriers_and_pings_that_keep_alive_do_not_answer_for_each_other(broker: Mosquitto) -> None:
    async with connected(broker.url, keepalive="1s") as connection:
        await asyncio.sleep(1.5)
        with broker.frozen():
            connection._paho._send_pingreq()
            barriers = [asyncio.create_task(connection.barrier()) for _ in range(3)]
            await asyncio.sleep(0.05)
            connection.ponged()
            await asyncio.sleep(0)
            assert [barrier.done() for barrier in barriers] == [False] * 3
            connection.ponged()
            await asyncio.sleep(0)
            assert [barrier.done() for barrier in barriers] == [True, False, False]
        await asyncio.gather(*barriers)


async def test_a_barrier_that_is_not_answered_ends_the_connection(broker: Mosquitto) -> None:
    async with connected(broker.url, timeout="200ms") as connection:
        with broker.frozen():
            connection.publish_unconfirmed([message(1)])
            with pytest.raises(Unavailable, match=r"no PINGRESP within 0.2 s"):
                await connection.barrier()
            assert isinstance(connection.failure, Unavailable)
            with pytest.raises(Unavailable, match="no PINGRESP"):
                await connection.barrier()


async def test_a_barrier_whose_connection_breaks_says_so(broker: Mosquitto) -> None:
    async with connected(broker.url) as connection:
        with broker.frozen():
            barriers = [asyncio.create_task(connection.barrier()) for _ in range(3)]
            await asyncio.sleep(0.02)
            connection.discard()
            results = await asyncio.gather(*barriers, return_exceptions=True)
        assert all(isinstance(result, Unavailable) for result in results)


@VERSIONS
async def test_messages_come_with_what_is_retained_first(broker: Mosquitto, protocol: str) -> None:
    say(broker, "cmd/kept", "-r", "-q", "1", "-m", "old")
    async with connected(broker.url, protocol=protocol) as connection:
        came = listening(connection)
        await connection.subscribe([("cmd/#", 1), ("other/+", 0)])
        await until(came, 1)
        say(broker, "cmd/new", "-q", "1", "-m", "now")
        say(broker, "other/néw", "-q", "1", "-m", "")
        await until(came, 3)
        assert came == [("cmd/kept", b"old", True), ("cmd/new", b"now", False), ("other/néw", b"", False)]


@VERSIONS
async def test_every_message_of_qos_1_is_acknowledged_once(broker: Mosquitto, protocol: str) -> None:
    async with connected(broker.url, protocol=protocol) as connection:
        came = listening(connection)
        await connection.subscribe([("echo", 1)])
        assert (await connection.publisher.publish([message(n, "echo") for n in range(500)]))[1] is None
        await until(came, 500)
        assert [payload for _, payload, _ in came] == [b'{"seq":%d}' % n for n in range(500)]
        await connection.barrier()  # the last of them have gone
        wait_until(lambda: broker.log.count("Received PUBACK from floorgate-gw-p") == 500, "PUBACKs at the broker")


@VERSIONS
async def test_a_will_is_whatever_the_sink_says_and_only_without_a_goodbye(broker: Mosquitto, protocol: str) -> None:
    with broker.subscriber() as witness:
        for leave in ("discard", "finish"):
            async with connected(broker.url, Will("w", b'{"seq":1}', qos=0), protocol=protocol) as connection:
                if leave == "discard":
                    connection.discard()
                else:
                    await connection.finish(message(2), 1.0)
        assert [frame["seq"] for frame in witness.wait(2)] == [1, 2]


async def test_without_a_will_a_broken_link_says_nothing(broker: Mosquitto) -> None:
    async with connected(broker.url) as connection:
        await connection.barrier()
        connection.discard()
    assert "Will message" not in broker.log


async def test_finishing_without_a_goodbye_still_disconnects(broker: Mosquitto) -> None:
    async with connected(broker.url, Will("w", b"gone")) as connection:
        await connection.finish(None, 1.0)
        await connection.finish(None, 1.0)
    wait_until(lambda: "Received DISCONNECT from floorgate-gw-p" in broker.log, "a DISCONNECT")


async def test_what_is_published_unconfirmed_after_the_end_goes_nowhere(broker: Mosquitto) -> None:
    async with connected(broker.url) as connection:
        connection.discard()
        connection.publish_unconfirmed([message(1)])
        with pytest.raises(Unavailable, match="was closed"):
            await connection.barrier()
        with pytest.raises(Unavailable, match="was closed"):
            await connection.subscribe([("a", 1)])


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_link_that_is_only_slow_is_waited_for_and_one_that_stands_still_is_not(confirmed: bool) -> None:
    looks = 0
    why: list[SinkError] = []

    def flow() -> tuple[int, bool]:
        nonlocal looks
        looks += 1
        return min(looks, 10), True

    def fail(error: SinkError) -> None:
        why.append(error)
        publisher.stop(error)

    outbox = Outbox(10, b"\0", iter(range(1, 100)).__next__, Learnt())
    publisher = Publisher(outbox, lambda packets: None, flow, fail, "here", 0.05)
    if confirmed:
        _, failure = await publisher.publish([message(1)])
        assert failure is why[0]
    else:
        with pytest.raises(Unavailable):
            await publisher.barrier()
    assert str(why[0]).startswith("here: no " + ("PUBACK" if confirmed else "PINGRESP") + " within 0.05 s")
    assert looks >= 11, "it was waited for as long as it moved"


async def test_the_system_tells_how_far_what_was_sent_has_come() -> None:
    heard: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: heard.put(writer), "127.0.0.1", 0, limit=1000)
    with socket.create_connection(server.sockets[0].getsockname()) as sock:
        wire = Wire(sock, 5.0)
        wire.setblocking(False)
        assert wire.progress() == (1, False), "the SYN counts"
        wire.send(bytes(1000))
        writer = await heard.get()
        assert wire.progress() == (1001, False)
        with suppress(BlockingIOError):
            while True:
                wire.send(bytes(1_000_000))
        taken, waiting = wire.progress()
        assert taken > 1001 and waiting
    writer.close()
    server.close()
    await server.wait_closed()
    assert wire.progress() == (0, False), "the socket is closed"
