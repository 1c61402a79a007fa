"""What is sent into a black hole is noticed in time, with the options that a sink has by default."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from agent.model.errors import Unavailable
from agent.northbound.api import Gateway
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.sink import MqttSink, build
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.making import entries, no_tasks_left
from tests.unit.northbound.proxy import Proxy, proxy


@asynccontextmanager
async def through(broker: Mosquitto, **options: Any) -> AsyncIterator[tuple[Proxy, MqttSink]]:
    """A proxy, and a sink that is connected through it and has sent something."""
    async with proxy(broker.port) as between:
        config = Config.model_validate({"name": "p", "type": "mqtt", "url": between.url, **options})
        sink = build(config, Gateway("gw"))
        await sink.open()
        await sink.send(entries(3))
        try:
            yield between, sink
        finally:
            await sink.close()
    await no_tasks_left()


async def test_packets_that_vanish_are_noticed_within_10_s_with_the_options_by_default(broker: Mosquitto) -> None:
    async with through(broker) as (between, sink):
        between.swallow()
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match=r"the network acknowledged nothing for 5 s") as error:
                await sink.send(entries(3, first=4))
        assert error.value.done == ()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_packets_that_vanish_are_noticed_in_half_of_timeout_however_much_is_sent(
    broker: Mosquitto, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def work() -> None:
        async with through(broker, timeout="2s") as (between, sink):
            between.swallow()
            with pytest.raises(Unavailable, match=r"acknowledged nothing for 1 s"):
                await sink.send(entries(5000, first=4))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work())


async def test_bytes_that_are_taken_and_not_passed_on_are_noticed_timeout_after_they_were_sent(
    broker: Mosquitto,
) -> None:
    """The wait begins when a message is sent, and not when somebody looks next: that would take up to twice as long."""
    async with through(broker, timeout="1s") as (between, sink):
        await asyncio.sleep(0.7)
        between.hold()
        sent = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable, match=r"no PUBACK within 1 s, 5 messages unconfirmed"):
            await sink.send(entries(5, first=4))
        assert 0.9 < asyncio.get_running_loop().time() - sent < 1.6


async def test_messages_that_follow_do_not_put_it_off(broker: Mosquitto) -> None:
    async with through(broker, timeout="1s") as (between, sink):
        between.hold()
        began = asyncio.get_running_loop().time()
        sends = [asyncio.create_task(sink.send(entries(1, first=4)))]
        while not sends[0].done():
            sends.append(asyncio.create_task(sink.send(entries(1, first=len(sends) + 4))))
            await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - began < 1.6
        assert all(isinstance(error, Unavailable) for error in await asyncio.gather(*sends, return_exceptions=True))


@pytest.mark.parametrize(("options", "milliseconds"), [({}, 5000), ({"timeout": "60s"}, 30_000)])
async def test_the_socket_is_told_half_of_timeout(
    broker: Mosquitto, options: dict[str, Any], milliseconds: int
) -> None:
    async with through(broker, **options) as (_, sink):
        assert sink._connection is not None
        wire = sink._connection._paho.wire
        assert wire is not None
        assert wire._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds
