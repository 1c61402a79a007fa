"""A frame larger than the broker takes goes in parts, and only a single value that is too large is given up."""

from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Rejected, Unavailable
from agent.model.frame import Entry
from agent.northbound.broker import codes
from agent.northbound.encode import Encoder
from agent.northbound.mqtt.sink import MqttSink
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.fake_broker import FakeBroker, fake_broker, goodbye, puback
from tests.unit.northbound.making import entries, entry, mqtt, opened, schema

NAMES = [f"tag_{n}" for n in range(500)]
WIDE = schema(*NAMES, device="wide")  # a frame of it makes 7.4 KB


def wide(seq: int) -> Entry:
    return entry([float(n) for n in range(500)], of=WIDE, seq=seq)


def text(size: int, seq: int) -> Entry:
    return entry(["x" * size, "short"], of=schema("recipe", "order", device="press", dtype="str"), seq=seq)


def joined(frames: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The values of each seq, once all parts of a cut are there: what the README tells a consumer to do."""
    waiting: dict[tuple[int, int], dict[int, dict[str, Any]]] = {}
    whole = {}
    for frame in frames:
        number, count = frame.get("part", (1, 1))
        parts = waiting.setdefault((frame["seq"], count), {})
        parts[number] = frame["values"]
        if len(parts) == count:
            whole[frame["seq"]] = {tag: value for part in parts.values() for tag, value in part.items()}
    return whole


def dial(broker: FakeBroker, **options: Any) -> MqttSink:
    return mqtt(broker, **options)  # type: ignore[arg-type]  # both have a url


async def delivered(sink: MqttSink, batch: list[Entry], tries: int) -> int:
    """Send as the supervisor has it done, with a new connection after each failure; how many connections it took."""
    for count in range(1, tries + 1):
        async with opened(sink):
            try:
                await sink.send(batch)
            except Unavailable as error:
                batch = [each for each in batch if not any(a <= each.seq <= z for a, z in error.done)]
            else:
                return count
    raise AssertionError(f"not delivered within {tries} connections")


async def test_a_frame_that_is_too_large_goes_in_parts_between_its_neighbours(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, max_packet=2000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            await sink.send([*entries(2), wide(3), *entries(2, first=4)])
        wait_until(lambda: {4, 5} <= {frame["seq"] for frame in heard.frames()}, "the last of the batch")
        frames = heard.frames()
    parts = [frame["part"] for frame in frames if frame["seq"] == 3]
    assert parts == [[n, len(parts)] for n in range(1, len(parts) + 1)]
    assert {frame["epoch"] for frame in frames} == {wide(3).epoch}
    assert joined(frames)[3] == {name: float(n) for n, name in enumerate(NAMES)}
    assert set(joined(frames)) == {1, 2, 3, 4, 5}


async def test_a_packet_of_exactly_the_limit_is_sent_whole(tmp_path: Path) -> None:
    one = entry([1.0], of=schema("a"))
    size = len(Encoder("gw-01").encode(one)) + len("floorgate/gw-01/main-meter/1s") + 2 + 2 + 1 + 1 + 2
    with Mosquitto(tmp_path, max_packet=size) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            await sink.send([one])
        assert "part" not in heard.wait(1)[0]
    with Mosquitto(tmp_path, max_packet=size - 1) as broker:
        async with opened(mqtt(broker)) as sink:
            with pytest.raises(Rejected):
                await sink.send([one])


async def test_a_value_that_is_too_large_alone_is_rejected_and_its_neighbours_arrive(tmp_path: Path) -> None:
    batch = [*entries(2), text(3000, seq=3), *entries(2, first=4)]
    with Mosquitto(tmp_path, max_packet=2000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            with pytest.raises(Rejected, match=r"frame 3 of press holds a value that alone .* the 2,000 bytes") as no:
                await sink.send(batch)
            await sink.send(entries(1, first=6))
        assert [frame["seq"] for frame in heard.wait(5)] == [1, 2, 4, 5, 6]
    assert no.value.done == ((1, 2), (4, 5))


async def test_a_frame_is_confirmed_only_when_all_its_parts_are() -> None:
    def second_part_later(n: int, topic: bytes, mid: int) -> bytes:
        return puback(mid, 0x97 if n == 2 else 0)

    async with fake_broker(answer=second_part_later) as broker, opened(dial(broker)) as sink:
        sink._learnt.too_large(7000)
        with pytest.raises(Unavailable, match="quota exceeded") as error:
            await sink.send([*entries(1), wide(2), *entries(1, first=3)])
        assert error.value.done == ((1, 1), (3, 3))
        assert broker.topics.count(b"floorgate/gw-01/wide/1s") == 2


async def test_a_limit_that_mosquitto_does_not_announce_is_learnt_from_its_pubacks(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, options=["message_size_limit 2000"]) as broker, broker.subscriber() as heard:
        sink = mqtt(broker)
        assert await delivered(sink, [*entries(2), wide(3)], tries=5) > 1
        assert await delivered(sink, [wide(4)], tries=1) == 1
        wait_until(lambda: set(joined(heard.frames())) == {1, 2, 3, 4}, "all frames")
        frames = joined(heard.frames())
    assert frames[3] == frames[4] == {name: float(n) for n, name in enumerate(NAMES)}


async def test_what_pubacks_call_too_large_in_the_smallest_part_is_rejected_in_the_end(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, options=["message_size_limit 2000"]) as broker,
        pytest.raises(Rejected, match="frame 3 of press") as no,
    ):
        await delivered(mqtt(broker), [*entries(2), text(3000, seq=3)], tries=5)
    assert no.value.done == ()


async def test_a_limit_is_learnt_from_a_broker_that_closes_the_connection_over_a_packet() -> None:
    """The largest unconfirmed packet cannot be smaller than the culprit, so it is certainly too large."""
    async with fake_broker() as broker:
        broker.answer = lambda n, topic, mid: goodbye(codes.TOO_LARGE) if broker.sizes[-1] > 2000 else puback(mid)
        sink = dial(broker)
        async with opened(sink):
            with pytest.raises(Unavailable, match="packet too large") as cut:
                await sink.send([*entries(2), wide(3)])
            assert cut.value.done == ((1, 2),)
        assert await delivered(sink, [wide(3)], tries=3) > 1
        assert await delivered(sink, [wide(4)], tries=1) == 1
        assert max(broker.sizes[-4:]) <= 2000
