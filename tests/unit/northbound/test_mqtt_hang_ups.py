"""A broker that hangs up instead of answering: over what, and what is done about it."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agent.model.errors import Denied, Rejected, Unavailable
from agent.model.frame import Entry
from agent.northbound.broker import packet
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.packet import Message
from agent.northbound.mqtt.sink import MqttSink
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.fake_broker import HANG_UP, FakeBroker, fake_broker, puback
from tests.unit.northbound.making import entries, entry, mqtt, opened, schema
from tests.unit.northbound.test_mqtt_large import NAMES, delivered, dial, joined, text, wide

OLD = b"\x20\x02\x00\x00"  # the CONNACK of MQTT 3.1.1
SHUT = schema("a", "b", device="shut")


def over(broker: FakeBroker, limit: int) -> None:
    """It takes packets of that many bytes, and hangs up over larger ones."""
    broker.answer = lambda n, topic, mid: HANG_UP if broker.sizes[-1] > limit else puback(mid)


def at(broker: FakeBroker, topic: bytes) -> None:
    broker.answer = lambda n, where, mid: HANG_UP if topic in where else puback(mid)


async def failures(sink: MqttSink, batches: Iterator[Sequence[Entry]], most: int = 60) -> list[Exception]:
    """What is raised until something else than Unavailable is."""
    raised: list[Exception] = []
    while len(raised) < most:
        try:
            async with opened(sink):
                await sink.send(next(batches))
        except Unavailable as error:
            raised.append(error)
        except (Denied, Rejected) as error:
            return [*raised, error]
    raise AssertionError(f"nothing but Unavailable: {raised[-1]}")


async def test_mosquitto_that_hangs_up_over_a_large_packet_gets_it_in_parts(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, max_packet=4200) as broker, broker.subscriber() as heard:
        sink = mqtt(broker, protocol="3.1.1")
        await delivered(sink, [*entries(2), wide(3), *entries(2, first=4)], tries=12)
        assert await delivered(sink, [wide(6), *entries(1, first=7)], tries=1) == 1
        wait_until(lambda: set(joined(heard.frames())) == {1, 2, 3, 4, 5, 6, 7}, "all frames")
        frames = joined(heard.frames())
    assert frames[3] == frames[6] == {name: float(n) for n, name in enumerate(NAMES)}


async def test_three_hang_ups_over_a_single_message_suffice() -> None:
    async with fake_broker(connack=OLD) as broker:
        over(broker, 5000)
        assert await delivered(dial(broker, protocol="3.1.1"), [wide(1)], tries=4) == 4
        assert len(set(broker.sizes[:3])) == 1
        assert len(broker.sizes[3:]) > 1


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_the_culprit_is_found_among_others_and_the_others_arrive_once(protocol: str) -> None:
    async with fake_broker(connack=OLD if protocol == "3.1.1" else b"\x20\x03\x00\x00\x00") as broker:
        over(broker, 2000)
        sink = dial(broker, protocol=protocol)
        assert await delivered(sink, [*entries(60), wide(61), *entries(60, first=62)], tries=25)
        small = len(broker.topics) - broker.topics.count(b"floorgate/gw-01/wide/1s")
        assert small < 2 * 120


async def test_a_culprit_that_comes_as_a_newer_frame_each_time_is_found_too() -> None:
    """Live data goes first: what hung the connection up is not what is sent first on the next one."""
    async with fake_broker(connack=OLD) as broker:
        over(broker, 5000)
        sink = dial(broker, protocol="3.1.1")
        for seq in itertools.count(1, 10):
            try:
                async with opened(sink):
                    await sink.send(entries(5, first=seq))
                    await sink.send([*entries(2, first=seq + 5), wide(seq + 7), *entries(2, first=seq + 8)])
                break
            except Unavailable:
                assert seq < 120


async def test_what_was_taken_before_is_not_cut_because_others_are_hung_up_over() -> None:
    async with fake_broker(connack=OLD) as broker:
        over(broker, 5000)
        sink = dial(broker, protocol="3.1.1")
        medium = text(4500, seq=1)
        async with opened(sink):
            await sink.send([medium])
        await delivered(sink, [wide(2)], tries=4)
        sent = len(broker.sizes)
        assert await delivered(sink, [medium], tries=1) == 1
        assert len(broker.sizes) == sent + 1


async def test_a_broker_that_hangs_up_over_everything_is_denied_and_nothing_counts_as_delivered() -> None:
    async with fake_broker(connack=OLD) as broker:
        over(broker, 0)
        sink = dial(broker, protocol="3.1.1")
        *before, last = await failures(sink, itertools.repeat([wide(1)]))
        assert isinstance(last, Denied)
        assert "let this user write to floorgate/gw-01/wide/1s" in str(last)
        assert min(broker.sizes) < 200, "not even a single small tag"
        assert all(error.done == () for error in [*before, last])  # type: ignore[attr-defined]  # SinkErrors
        over(broker, 10_000)
        assert await delivered(sink, [wide(1)], tries=1) == 1
        assert broker.sizes[-1] > 7000, "tried anew, as a whole"


async def test_a_topic_over_which_the_broker_hangs_up_although_it_takes_larger_messages_is_denied() -> None:
    """A broker of 3.1.1 may deny a publish that way; the frames are not cut for that."""
    async with fake_broker(connack=OLD) as broker:
        at(broker, b"/shut/")
        sink = dial(broker, protocol="3.1.1")
        shut = [entry([1.0, 2.0], of=SHUT, seq=seq) for seq in range(200, 260)]
        raised = await failures(sink, itertools.repeat([wide(1), *shut[:30], *entries(20, first=2), *shut[30:]]))
        assert isinstance(raised[-1], Denied)
        assert "floorgate/gw-01/shut/1s" in str(raised[-1])
        assert len(raised) < 10
        assert max(broker.sizes[-len(raised) :]) > 7000, "the wide frame went as a whole to the end"


async def test_a_large_value_that_the_broker_hangs_up_over_is_rejected_and_the_rest_arrives() -> None:
    async with fake_broker(connack=OLD) as broker:
        over(broker, 5000)
        sink = dial(broker, protocol="3.1.1")
        raised = await failures(sink, itertools.repeat([*entries(3), text(9000, seq=4), wide(5)]))
        assert isinstance(raised[-1], Rejected)
        assert "frame 4 of press" in str(raised[-1])
        assert raised[-1].done == ((1, 3), (5, 5))


async def test_losses_with_an_answer_in_between_prove_nothing() -> None:
    """A link that breaks again and again is not a broker that hangs up over a message."""
    async with fake_broker(connack=OLD) as broker:
        broker.answer = lambda n, topic, mid: puback(mid) if n % 3 == 2 else HANG_UP
        sink = dial(broker, protocol="3.1.1")
        for seq in range(1, 11):
            assert await delivered(sink, [wide(seq)], tries=3) == 3
        assert len(set(broker.sizes)) <= 2, "never cut"


async def test_a_silent_broker_does_not_count_as_one_that_hangs_up() -> None:
    async with fake_broker(connack=OLD, answer=lambda n, topic, mid: None) as broker:
        sink = dial(broker, protocol="3.1.1", timeout="100ms")
        for _ in range(5):
            async with opened(sink):
                with pytest.raises(Unavailable, match="no PUBACK"):
                    await sink.send([wide(1)])
        assert len(set(broker.sizes)) == 1


def message(topic: str, size: int = 10) -> Message:
    return packet.topic_head(topic.encode()), bytes(size), False


def lose(learnt: Learnt, *sizes: int, topic: str = "t", hung_up: bool = True) -> None:
    learnt.lost([(message(topic), size) for size in sizes], hung_up=hung_up)


def test_what_is_in_doubt_bears_less_company_with_each_loss_until_it_is_answered() -> None:
    learnt = Learnt()
    allowed = []
    for _ in range(5):
        allowed.append(learnt.company(message("t"), 20, 200))
        lose(learnt, *([20] * allowed[-1]))
    assert allowed == [200, 25, 3, 1, 1]
    assert learnt.company(message("other"), 20, 200) == 200
    learnt.answered(message("t"), 20, 0)
    assert learnt.company(message("t"), 20, 200) == 200


def test_a_smaller_message_that_is_answered_clears_only_what_is_not_larger() -> None:
    """A topic whose messages vary in size around what the broker takes."""
    learnt = Learnt()
    for _ in range(3):
        learnt.answered(message("t"), 2900, 0)
        assert learnt.limits(None)[1] == packet.LARGEST
        lose(learnt, 3100)
        assert learnt.company(message("t"), 3000, 200) == 1
    assert learnt.limits(None) == (2900, 3099)


def test_a_doubt_that_is_never_cleared_holds_nothing_up() -> None:
    learnt = Learnt()
    lose(learnt, 3300, hung_up=False)
    assert learnt.company(message("t"), 3200, 200) == 1
    learnt.answered(message("t"), 3200, 0)
    assert learnt.company(message("t"), 3200, 200) == 200


def test_hang_ups_that_go_on_after_the_proof_halve_at_once() -> None:
    learnt = Learnt()
    for size in (8000, 8000, 8000, 4300, 2300):
        lose(learnt, size)
        assert learnt.company(message("t"), size // 2, 200) == 1
    assert learnt.limits(None) == (2300 * 2 // 3, 2299)
    learnt.answered(message("t"), 1300, 0)
    assert learnt.company(message("t"), 2000, 200) == 200
    lose(learnt, 1300)
    assert learnt.limits(None) == (2300 * 2 // 3, 2299)


def test_doubts_do_not_pile_up() -> None:
    learnt = Learnt()
    for n in range(5000):
        lose(learnt, 20, topic=f"t{n}", hung_up=False)
    assert len(learnt.doubts) <= 1024
    assert learnt.company(message("t4999"), 20, 200) == 1


def test_the_largest_that_was_taken_is_aimed_at_once_something_was_too_large() -> None:
    learnt = Learnt()
    assert learnt.limits(None) == (packet.LARGEST, packet.LARGEST)
    assert learnt.limits(5000) == (5000, 5000)
    learnt.too_large(10_001)
    assert learnt.limits(None) == (6667, 10_000)
    learnt.answered(message("t"), 7000, 0)
    assert learnt.limits(None) == (7000, 10_000)
    assert learnt.limits(6000) == (6000, 6000)
    learnt.answered(message("t"), 6500, 0x95)
    assert learnt.limits(None) == (4333, 6499)
