"""S29: a broker that says what it should not, too much, or nothing: a clear end, no memory, the loop goes on."""

import asyncio
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import Denied, Unavailable
from agent.northbound.broker import packet
from agent.northbound.broker.client import Connection
from agent.northbound.broker.reader import LARGEST, Reader
from tests.unit.northbound.fake_broker import connack, fake_broker, suback
from tests.unit.northbound.making import no_tasks_left
from tests.unit.northbound.test_broker_seam import connected, listening, message, until

V311 = b"\x20\x02\0\0"
PING = b"\xd0\0"


def publish(
    topic: bytes, payload: bytes = b"x", *, first: int = 0x30, mid: bytes = b"", properties: bytes = b"\0"
) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + mid + properties + payload
    return bytes((first,)) + packet.varint(len(body)) + body


async def failure(connection: Connection) -> str:
    async with asyncio.timeout(5.0):
        while connection.failure is None:
            await asyncio.sleep(0.01)
    assert isinstance(connection.failure, Unavailable)
    return str(connection.failure)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (publish(b"a/\xff"), "whose topic is not UTF-8"),
        (publish("a/\ud800".encode("utf-8", "surrogatepass")), "whose topic is not UTF-8"),
        (publish(b""), "whose topic is empty"),
        (publish(b"a/#"), "holds a wildcard"),
        (publish(b"+"), "holds a wildcard"),
        (publish(b"a\0b"), "or a NUL"),
        (publish(b"a", first=0x34, mid=b"\0\1"), "with QoS 2"),
        (publish(b"a", first=0x36, mid=b"\0\1"), "with QoS 3"),
        (publish(b"a", first=0x32, mid=b"\0\0"), "packet id 0"),
        (b"\x30\x00", "ends before its topic"),
        (b"\x30\x02\x00\x05", "ends before its topic"),
        (b"\x32\x04\x00\x01a\x01", "ends before its topic or packet id"),
        (publish(b"a", properties=b"\x7f"), "whose properties have no end"),
        (publish(b"a", b"", properties=b"\xff\xff\xff\xff\x01"), "whose properties have no end"),
        (publish(b"a", b"", properties=b"\x80"), "whose properties have no end"),
        (b"\x30" + packet.varint(LARGEST + 1), "a packet of 262,145 bytes, and no more than 262,144 are taken"),
        (b"\x40\xff\xff\xff\x7f", "a packet of 268,435,455 bytes"),
        (b"\x30\xff\xff\xff\xff\x01", "more than four digits"),
        (b"\x40\x01\x00", "a PUBACK without a packet id"),
        (b"\x90\x02\x00\x01", "a SUBACK without"),
        (b"\x20\x03\0\0\0", "a packet of kind 2, which has no place here"),
        (b"\x10\x00", "a packet of kind 1, which has no place here"),
        (b"\x50\x02\x00\x01", "a packet of kind 5"),
        (b"\x62\x02\x00\x01", "a packet of kind 6"),
        (b"\xb0\x02\x00\x01", "a packet of kind 11"),
        (b"\xc0\x00", "a packet of kind 12"),
        (b"\xf0\x00", "a packet of kind 15"),
        (b"\x00\x00", "a packet of kind 0"),
    ],
)
async def test_what_has_no_place_ends_the_connection_and_is_named(said: bytes, why: str) -> None:
    async with fake_broker() as broker, connected(broker.url) as connection:
        came = listening(connection)
        broker.say(said)
        assert why in await failure(connection)
        assert came == []


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x40\x02\0\1", publish(b"a"), b"\xd0\0"])
async def test_what_answers_and_is_no_broker_is_named(first: bytes) -> None:
    async with fake_broker(connack=first) as broker:
        with pytest.raises(Unavailable, match=r"the other side sent a packet of kind \d+ before its CONNACK"):
            async with connected(broker.url):
                pass
    await no_tasks_left()


@pytest.mark.parametrize("properties", [b"\x21\0\0", b"\x27\0\0\0\0", b"\x21\0\5\x21\0\5", b"\x21\0"])
async def test_limits_that_no_broker_may_announce_do_not_stop_us_for_ever(properties: bytes) -> None:
    async with fake_broker(connack=connack(0, properties)) as broker, asyncio.timeout(1.5):
        with pytest.raises(Unavailable, match="the other side sent"):
            async with connected(broker.url, timeout="1s") as connection:
                await connection.publisher.publish([message(1)])
    await no_tasks_left()


async def test_messages_arrive_however_their_bytes_are_cut() -> None:
    said = publish(b"a", b"1") + publish("ä/b".encode(), b"2" * 300, first=0x33, mid=b"\x01\x02") + publish(b"c", b"")
    async with fake_broker() as broker, connected(broker.url) as connection:
        came = listening(connection)
        for byte in said:
            broker.say(bytes((byte,)))
            await asyncio.sleep(0)
        await until(came, 3)
        assert came == [("a", b"1", False), ("ä/b", b"2" * 300, True), ("c", b"", False)]
        await connection.barrier()
        assert (0x40, b"\x01\x02") in broker.others


async def test_a_message_as_large_as_may_be_is_taken() -> None:
    async with fake_broker() as broker, connected(broker.url) as connection:
        came = listening(connection)
        broker.say(publish(b"a", bytes(LARGEST - 4)))
        await until(came, 1)
        assert len(came[0][1]) == LARGEST - 4


async def test_properties_of_a_message_are_no_part_of_it() -> None:
    properties = bytes((6,)) + b"\x02\0\0\0\x10" + b"\x01"  # expiry and payload format, then what is not looked at
    async with fake_broker() as broker, connected(broker.url) as connection:
        came = listening(connection)
        broker.say(publish(b"a", b"p", properties=properties))
        await until(came, 1)
        assert came == [("a", b"p", False)]


async def test_under_3_1_1_there_are_no_properties() -> None:
    async with fake_broker(connack=V311) as broker, connected(broker.url, protocol="3.1.1") as connection:
        came = listening(connection)
        broker.say(publish(b"a", b"p", properties=b"") + publish(b"a", b"q", first=0x32, mid=b"\0\7", properties=b""))
        await until(came, 2)
        assert [payload for _, payload, _ in came] == [b"p", b"q"]


async def test_what_nobody_listens_to_is_acknowledged_and_forgotten() -> None:
    async with fake_broker() as broker, connected(broker.url) as connection:
        broker.say(publish(b"a", first=0x32, mid=b"\0\5"))
        await connection.barrier()
        await connection.barrier()
        assert (0x40, b"\0\5") in broker.others


@pytest.mark.parametrize("code", [0x80, 0x87, 0x8F, 0x9E, 0xA1, 0xA2])
async def test_a_subscription_that_is_refused_needs_a_person(code: int) -> None:
    async with (
        fake_broker(subscribed=lambda body: suback(body, 1, code)) as broker,
        connected(broker.url) as connection,
    ):
        with pytest.raises(Denied, match=r"does not let us subscribe to b/#.*let this user read b/#"):
            await connection.subscribe([("a", 1), ("b/#", 1)])
        assert connection.failure is None


@pytest.mark.parametrize("code", [0x83, 0x91, 0x97, 0xFE])
async def test_a_subscription_that_may_work_later_is_tried_again(code: int) -> None:
    async with fake_broker(subscribed=lambda body: suback(body, code)) as broker, connected(broker.url) as connection:
        with pytest.raises(Unavailable, match="does not let us subscribe to a"):
            await connection.subscribe([("a", 1)])


async def test_under_3_1_1_a_refused_subscription_is_seen_too() -> None:
    said: Callable[[bytes], bytes] = lambda body: suback(body, 0x80, v5=False)  # noqa: E731
    async with (
        fake_broker(connack=V311, subscribed=said) as broker,
        connected(broker.url, protocol="3.1.1") as connection,
    ):
        with pytest.raises(Denied, match="unspecified error"):
            await connection.subscribe([("a", 1)])


async def test_a_subscription_without_an_answer_ends_the_connection() -> None:
    async with (
        fake_broker(subscribed=lambda body: b"") as broker,
        connected(broker.url, timeout="200ms") as connection,
    ):
        with pytest.raises(Unavailable, match=r"no SUBACK within 0.2 s"):
            await connection.subscribe([("a", 1)])
        assert connection.failure is not None


async def test_an_answer_for_other_filters_than_were_asked_for_is_no_answer() -> None:
    async with fake_broker(subscribed=lambda body: suback(body, 1, 1)) as broker, connected(broker.url) as connection:
        with pytest.raises(Unavailable, match="a SUBACK for 2 of 1 topic filters"):
            await connection.subscribe([("a", 1)])


async def test_answers_that_nobody_asked_for_are_none() -> None:
    stray = PING + suback(b"\0\x09", 0) + b"\x40\x02\0\x09"
    async with fake_broker() as broker, connected(broker.url) as connection:
        broker.say(stray * 100)
        await connection.barrier()
        await connection.subscribe([("a", 1)])
        assert connection.failure is None


async def test_a_flood_of_messages_leaves_the_loop_to_others() -> None:
    heard = turns = 0

    def hear(topic: str, payload: bytes, retain: bool) -> None:
        nonlocal heard
        heard += 1
        end = time.monotonic() + 0.001
        while time.monotonic() < end:
            pass

    async with fake_broker() as broker, connected(broker.url) as connection:
        connection.on_message = hear
        broker.say(publish(b"a", b"") * 200)
        while heard < 200:
            await asyncio.sleep(0)
            turns += heard > 0
        assert turns > 20


async def test_a_flood_of_messages_leaves_nothing_behind() -> None:
    heard = 0

    def hear(topic: str, payload: bytes, retain: bool) -> None:
        nonlocal heard
        heard += 1

    async with fake_broker() as broker, connected(broker.url) as connection:
        connection.on_message = hear
        for _ in range(20):
            broker.say(publish(b"a/b/c", b"payload", first=0x32, mid=b"\0\7") * 2500)
            await connection.barrier()
        assert heard == 50_000
        await connection.barrier()
        assert len(broker.others) == 50_021
        assert connection._queue.qsize() == len(connection._pubacks) == len(connection._paho._out_packet) == 0
        assert len(connection._paho.reader._bytes) < 100


async def test_a_broker_that_sends_and_does_not_read_what_it_is_answered_is_left() -> None:
    """Its PUBACKs would pile up."""

    def full(data: bytes) -> int:
        raise BlockingIOError

    async with fake_broker() as broker, connected(broker.url) as connection:
        assert connection._paho.wire is not None
        connection._paho.wire.send = full
        broker.say(publish(b"a", b"", first=0x32, mid=b"\0\7") * 20_000)
        assert "messages without reading what they are answered" in await failure(connection)


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_a_reader_gives_every_packet_once_however_it_comes(bodies: list[bytes], piece: int) -> None:
    stream = b"".join(b"\x30" + packet.varint(len(body)) + body for body in bodies)
    reader, found = Reader(), []
    for at in range(0, len(stream), piece):
        reader.feed(stream[at : at + piece])
        while each := reader.next():
            found.append(each)
    assert found == [(0x30, body) for body in bodies]


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_do_more_than_fail_to_parse(data: bytes, v5: bool) -> None:
    reader = Reader()
    reader.feed(data)
    try:
        while found := reader.next():
            packet.heard(found[0], bytes(found[1]), properties=v5)
            packet.suback(bytes(found[1]), properties=v5)
            packet.puback(found[1])
    except ValueError:
        pass
