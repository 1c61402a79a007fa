"""The pure parts of the MQTT sink: packets, topics, the outbox, ranges."""

import itertools
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.northbound.broker import codes, packet
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.outbox import Outbox, Sending, ranges
from agent.northbound.broker.packet import Message
from agent.northbound.mqtt.topic import check, level, namer
from tests.unit.northbound.making import schema


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_lengths_are_written_as_the_standard_s_table_has_them(number: int, text: str) -> None:
    """MQTT 5.0 §1.5.5, table 1-1."""
    assert packet.varint(number).hex() == text


def test_a_length_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        packet.varint(268_435_456)


def test_a_publish_is_built_byte_for_byte() -> None:
    head = packet.topic_head(b"a/b")
    assert packet.publish(head, 10, b"hi", b"\0", retain=False).hex(" ") == "32 0a 00 03 61 2f 62 00 0a 00 68 69"
    assert packet.publish(head, 10, b"hi", b"", retain=True).hex(" ") == "33 09 00 03 61 2f 62 00 0a 68 69"


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=20_000), st.sampled_from([b"", b"\0"]))
def test_the_size_of_a_packet_is_known_beforehand(topic: bytes, payload: bytes, properties: bytes) -> None:
    head = packet.topic_head(topic)
    built = packet.publish(head, 1, payload, properties, retain=False)
    assert packet.publish_size(head, payload, properties) == len(built)


@pytest.mark.parametrize(
    ("body", "said"),
    [("0102", (258, 0)), ("000110", (1, 16)), ("ffff8700", (65535, 135)), ("00018703210000", (1, 135))],
)
def test_a_puback_is_read_with_and_without_a_reason(body: str, said: tuple[int, int]) -> None:
    assert packet.puback(bytes.fromhex(body)) == said


@given(st.binary(max_size=8))
def test_any_puback_is_either_read_or_refused(body: bytes) -> None:
    if len(body) < 2:
        with pytest.raises(ValueError, match="without a packet id"):
            packet.puback(body)
    else:
        assert pack(">H", packet.puback(body)[0]) == body[:2]


def test_a_reason_code_that_nobody_knows_keeps_its_number() -> None:
    assert codes.name(0xEE) == "unknown reason (238)"


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_exactly_the_numbers(numbers: set[int]) -> None:
    runs = ranges(list(numbers))
    assert [n for first, last in runs for n in range(first, last + 1)] == sorted(numbers)
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(runs))


def outbox(window: int, mids: list[int] | None = None) -> Outbox:
    ids = iter(mids) if mids else itertools.cycle(range(1, 65536))
    return Outbox(window, b"\0", lambda: next(ids), Learnt())


def messages(count: int) -> list[Message]:
    return [(packet.topic_head(b"t"), b"#%d" % n, False) for n in range(count)]


def add(box: Outbox, count: int) -> tuple[Sending, list[bool]]:
    finished: list[bool] = []
    sending = Sending(count, lambda: finished.append(True))
    box.add(sending, messages(count))
    return sending, finished


def test_the_outbox_gives_no_more_than_the_window() -> None:
    box = outbox(3)
    sending, finished = add(box, 5)
    assert box.take().count(b"#") == 3
    assert box.take() == b""
    assert box.confirm(2, 0)
    assert box.take().count(b"#") == 1
    for mid in (1, 3, 4):
        box.confirm(mid, 0)
    box.take()
    assert not finished
    box.confirm(5, 16)
    assert (finished, sending.codes, len(box)) == ([True], [0, 0, 0, 0, 16], 0)


def test_a_puback_twice_or_for_a_stranger_counts_once() -> None:
    box = outbox(3)
    sending, _ = add(box, 2)
    box.take()
    assert [box.confirm(1, 0), box.confirm(1, 0), box.confirm(9, 0)] == [True, False, False]
    assert sending.left == 1


def test_a_packet_id_under_way_is_not_given_again() -> None:
    box = outbox(5, mids=[7, 8, 7, 8, 9])
    sending, _ = add(box, 3)
    box.take()
    box.confirm(9, 0)
    assert sending.codes == [codes.UNCONFIRMED, codes.UNCONFIRMED, 0]


def test_a_forgotten_send_waits_no_more_but_keeps_its_place() -> None:
    box = outbox(1)
    first, _ = add(box, 3)
    box.take()
    second, finished = add(box, 1)
    box.forget(first)
    assert box.take() == b"", "one is still under way"
    box.confirm(1, 0)
    assert b"#0" in box.take()
    box.confirm(2, 0)
    assert (finished, second.codes) == ([True], [0])


def test_what_is_added_first_goes_first() -> None:
    box = outbox(1)
    add(box, 3)
    box.add_first(Sending(1, lambda: None), (packet.topic_head(b"t"), b"bye", False))
    assert box.take().endswith(b"bye")


def test_the_outbox_knows_its_oldest_and_what_is_under_way() -> None:
    box = outbox(2)
    assert (box.oldest(), box.under_way()) == (None, [])
    add(box, 3)
    box.take()
    oldest = box.oldest()
    assert box.under_way() == [(message, 10) for message in messages(2)]
    box.confirm(1, 0)
    assert box.oldest() is not oldest


def test_large_bursts_are_handed_over_in_pieces() -> None:
    box = outbox(100)
    box.add(Sending(50, lambda: None), [(packet.topic_head(b"t"), bytes(20_000), False)] * 50)
    pieces = list(iter(box.take, b""))
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 300_000


@pytest.mark.parametrize(
    ("template", "topic"),
    [
        ("floorgate/{gateway}/{device}/{group}", "floorgate/gw-01/press 3/1s"),
        ("{site}/{gateway}/{device}", "acme/weaving_1/gw-01/press 3"),
        ("$oc/devices/{gateway}/up", "$oc/devices/gw-01/up"),
        ("/sys/{device}", "/sys/press 3"),
        ("fixed", "fixed"),
    ],
)
def test_templates_are_filled_in(template: str, topic: str) -> None:
    name = namer(check(template), "gw-01", ("acme", "weaving/1"))
    assert name(schema("a", device="press 3")) == topic.encode()


@pytest.mark.parametrize(
    ("template", "topic"), [("{site}/{device}", "main"), ("a/{site}", "a"), ("a/{site}/b/{device}", "a/b/main")]
)
def test_a_gateway_without_a_site_leaves_no_empty_level(template: str, topic: str) -> None:
    assert namer(template, "gw", ())(schema("a", device="main")) == topic.encode()


@pytest.mark.parametrize(
    ("template", "device", "topic"),
    [
        ("{site}/{place}/{device}", "press", "acme/line 3/cell_2/press"),
        ("{site}/{place}/{device}", "meter", "acme/meter"),
        ("a/{place}", "meter", "a"),
        ("a-{place}/b", "meter", "a-b"),
        ("{place}/{place}/x", "press", "line 3/cell_2/line 3/cell_2/x"),
    ],
)
def test_a_device_is_where_it_is_within_the_site(template: str, device: str, topic: str) -> None:
    name = namer(check(template), "gw", ("acme",), {"press": ("line 3", "cell/2")})
    assert name(schema("a", device=device)) == topic.encode()


def test_a_name_cannot_reach_the_broker_s_own_topics() -> None:
    assert namer("{device}/x", "gw", ())(schema("a", device="$SYS")) == b"_SYS/x"


@given(st.text())
def test_any_name_becomes_one_level_of_a_valid_topic(name: str) -> None:
    assert not set(level(name)) & set("/+#\0\n")
    level(name).encode()
    assert len(level(name)) == len(name)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "needs more"),
        ("{site}", "needs more"),
        ("{site}/{place}", "needs more"),
        ("a/+/b", "wildcard"),
        ("a/#", "wildcard"),
        ("a/{unit}", "not a placeholder of a topic: there are {gateway}, {site}"),
        ("a/{device", "open brace"),
        ("a/device}", "closing brace"),
        ("a/{}", "not a placeholder"),
        ("a\0b", "control character"),
        ("a" * 300, "at most 256 bytes"),
    ],
)
def test_a_wrong_template_is_named(template: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(template)
