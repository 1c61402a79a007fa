"""What the MQTT sink rests on inside aiomqtt and paho is still there, and what it puts under them behaves."""

import asyncio
import inspect
import socket
import time

import aiomqtt
import pytest
import uvloop
from paho.mqtt.client import Client as PahoClient

from agent.model.errors import Unavailable
from agent.northbound.broker import packet
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.library import QUIET
from agent.northbound.broker.outbox import Outbox
from agent.northbound.broker.publisher import Publisher
from agent.northbound.broker.wire import Wire
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.making import entries, mqtt


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_create_socket", []),
        ("_ssl_wrap_socket", ["tcp_sock"]),
        ("_packet_handle", []),
        ("_send_pingreq", []),
        ("_packet_queue", ["command", "packet", "mid", "qos", "info"]),
        ("_call_socket_register_write", []),
        ("_mid_generate", []),
        ("_sock_close", []),
        ("_loop_rc_handle", ["rc"]),
        ("_send_connect", ["keepalive"]),
        ("loop_write", []),
        ("loop_read", ["max_packets"]),
    ],
)
def test_paho_still_has_what_we_override_or_call(method: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(PahoClient, method)).parameters) == ["self", *parameters]


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("_client_connect", []),
        ("_on_connect", ["client", "userdata", "flags", "reason_code", "properties"]),
        ("_on_disconnect", ["client", "userdata", "flags", "reason_code", "properties"]),
    ],
)
def test_aiomqtt_still_has_what_we_override(method: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(aiomqtt.Client, method)).parameters) == ["self", *parameters]


async def test_aiomqtt_still_keeps_its_state_where_we_look() -> None:
    client = aiomqtt.Client("127.0.0.1")
    assert isinstance(client._client, PahoClient)
    assert isinstance(client._connected, asyncio.Future)
    assert isinstance(client._disconnected, asyncio.Future)
    assert client._misc_task is None
    assert {"command", "packet", "remaining_length"} <= set(client._client._in_packet)
    assert client._client._sock is None
    assert client._client._keepalive == 60
    assert client._client._last_bytes_received <= time.monotonic()


async def test_the_libraries_log_nothing(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    sink = mqtt(broker, timeout="200ms")
    await sink.open()
    with broker.frozen(), pytest.raises(Unavailable):
        await sink.send(entries(300))
    await sink.close()
    QUIET.critical("not even this")
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_the_sink_works_on_uvloop(broker: Mosquitto) -> None:
    async def work() -> None:
        sink = mqtt(broker)
        await sink.open()
        await asyncio.gather(*(sink.send(entries(200)) for _ in range(5)))
        await sink.close()

    uvloop.run(work())


async def test_closing_does_not_wait_for_the_window(broker: Mosquitto) -> None:
    sink = mqtt(broker, window=1)
    await sink.open()
    sending = asyncio.create_task(sink.send(entries(10_000)))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(0.5):
        await sink.close()
    await asyncio.wait([sending])
    assert isinstance(sending.exception(), Unavailable)


def test_a_wire_reads_what_there_is_and_says_when_that_is_nothing() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        wire = Wire(ours, 5.0)
        wire.setblocking(False)
        theirs.send(b"abc")
        theirs.send(b"def")
        assert wire.read() == b"abcdef"
        with pytest.raises(BlockingIOError):
            wire.read()
        wire.send(b"x")
        assert theirs.recv(1) == b"x"
        theirs.close()
        assert (wire.read(), wire.read()) == (b"", b"")
        assert wire.fileno() == ours.fileno()
        wire.close()


async def test_a_publisher_that_was_stopped_sends_nothing_more() -> None:
    sent: list[bytes] = []
    box = Outbox(2, b"", iter(range(1, 100)).__next__, Learnt())
    publisher = Publisher(box, sent.append, lambda: (0, False), publisher_fails, "here", 5.0)
    message = (packet.topic_head(b"t"), b"x", False)
    sending = asyncio.create_task(publisher.publish([message] * 3))
    await asyncio.sleep(0)
    assert publisher.acknowledged(1, 0)
    publisher.stop(Unavailable("gone"))
    results, failure = await sending
    assert (results, str(failure)) == ([0, -1, -1], "gone")
    await asyncio.sleep(0)
    assert len(sent) == 1, "the room that the PUBACK made is not used"
    assert (await publisher.publish([message]))[0] == [-1]


def publisher_fails(error: Exception) -> None:
    raise AssertionError(error)
