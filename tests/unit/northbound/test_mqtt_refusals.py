"""When the broker says no: who is to blame, what is confirmed all the same, and what happens to the rest."""

import asyncio
from pathlib import Path

import pytest

from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.text import Referenced
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.fake_broker import FakeBroker, coded, connack, fake_broker, goodbye, puback
from tests.unit.northbound.making import entries, entry, mqtt, opened, schema

OPEN_TOPIC, SHUT_TOPIC = schema("a", device="open"), schema("a", device="shut")
ACL = "user gw\ntopic readwrite floorgate/gw-01/open/#\ntopic readwrite floorgate/gw-01/$status\n"


@pytest.fixture
def secret() -> str:
    """A password as the configuration hands it over: taken from elsewhere."""
    return Referenced("s3cret")


def dial(broker: FakeBroker, **options: object):  # noqa: ANN201  # a sink, as in `making`
    return mqtt(broker, **options)  # type: ignore[arg-type]  # both have a url


async def test_the_right_password_lets_us_in(tmp_path: Path, secret: str) -> None:
    with Mosquitto(tmp_path, users={"gw": "s3cret"}) as broker:
        async with opened(mqtt(broker, username="gw", password=secret)) as sink:
            await sink.send(entries(3))


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
async def test_a_wrong_password_is_denied(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path, users={"gw": "another"}) as broker:
        sink = mqtt(broker, username="gw", protocol=protocol)
        with pytest.raises(Denied, match=r"not authorised \(135\).*check `username` and `password`"):
            await sink.open()
    assert broker.log.count("disconnected, not authorised") == 1  # asked once: the broker has ended, its log is whole


async def test_a_denied_publish_is_denied_and_not_counted_as_delivered(tmp_path: Path, secret: str) -> None:
    with Mosquitto(tmp_path, users={"gw": "s3cret"}, acl=ACL) as broker:
        async with opened(mqtt(broker, username="gw", password=secret)) as sink:
            await sink.send([entry([1.0], of=OPEN_TOPIC, seq=1)])
            with pytest.raises(Denied, match=r"let this user write to floorgate/gw-01/shut/1s") as denied:
                await sink.send([entry([1.0], of=SHUT_TOPIC, seq=2)])
    assert denied.value.done == ()


async def test_a_denied_publish_in_a_burst_is_found_within_few_connections(tmp_path: Path, secret: str) -> None:
    """mosquitto closes the connection after refusing a publish, and the PUBACK gets lost in a burst."""
    owed = [entry([1.0], of=SHUT_TOPIC if seq == 30 else OPEN_TOPIC, seq=seq) for seq in range(1, 101)]
    refusals: list[SinkError] = []
    with Mosquitto(tmp_path, users={"gw": "s3cret"}, acl=ACL) as broker, broker.subscriber() as heard:
        sink = mqtt(broker, username="gw", password=secret)
        while not refusals or not isinstance(refusals[-1], Denied):
            async with opened(sink):
                with pytest.raises(SinkError) as refused:
                    await sink.send(owed)
            refusals.append(refused.value)
            owed = [one for one in owed if not any(a <= one.seq <= z for a, z in refused.value.done)]
            assert len(refusals) <= 6
        assert owed[0].seq == 30
        assert {frame["seq"] for frame in heard.wait(29)} == set(range(1, 30))


async def test_a_denied_status_topic_is_denied(tmp_path: Path, secret: str) -> None:
    acl = "user gw\ntopic readwrite other/#\n"
    with Mosquitto(tmp_path, users={"gw": "s3cret"}, acl=acl) as broker, pytest.raises(Denied, match=r"status"):
        await mqtt(broker, username="gw", password=secret).open()


@pytest.mark.parametrize("most", [1, 2, 20])
async def test_the_window_of_the_broker_is_respected(most: int) -> None:
    properties = b"\x21" + most.to_bytes(2, "big")  # Receive Maximum
    async with fake_broker(connack=connack(0, properties), delay=0.001) as broker, opened(dial(broker)) as sink:
        await asyncio.gather(sink.send(entries(60)), sink.send(entries(60, first=100)))
        assert (broker.most, len(broker.topics)) == (most, 120)


@pytest.mark.parametrize("window", [1, 7, 50])
async def test_our_own_window_is_respected_over_all_sends(window: int) -> None:
    async with fake_broker(delay=0.002) as broker, opened(dial(broker, window=window)) as sink:
        await asyncio.gather(sink.send(entries(100)), sink.send(entries(100, first=200)))
        assert broker.most == window


@pytest.mark.parametrize("most", [1, 20])
async def test_mosquitto_s_receive_maximum_is_kept(tmp_path: Path, most: int) -> None:
    with Mosquitto(tmp_path, receive_maximum=most) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            assert sink._connection is not None
            assert sink._connection.limits.unconfirmed == most
            await sink.send(entries(200))
        assert len(heard.wait(200)) == 200


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x10, None),
        (0x80, Unavailable),
        (0x83, Unavailable),
        (0x87, Denied),
        (0x90, Rejected),
        (0x91, Unavailable),
        (0x95, Unavailable),
        (0x97, Unavailable),
        (0x99, Rejected),
        (0xEE, Unavailable),
    ],
)
async def test_what_a_puback_s_reason_code_means(code: int, kind: type[SinkError] | None) -> None:
    async with fake_broker(answer=coded([0, code])) as broker, opened(dial(broker)) as sink:
        if kind is None:
            await sink.send(entries(3))
            return
        with pytest.raises(kind, match=rf"frame 2 to floorgate/gw-01/main-meter/1s.*\({code}\)") as error:
            await sink.send(entries(3))
        assert type(error.value) is kind
        assert error.value.done == ((1, 1), (3, 3))


@pytest.mark.parametrize(
    ("given", "kind"),
    [([0x99, 0x97], Unavailable), ([0x99, 0x97, 0x87], Denied), ([0x90, 0x99], Rejected)],
)
async def test_of_several_refusals_the_one_that_loses_nothing_is_raised(
    given: list[int], kind: type[SinkError]
) -> None:
    """Rejected gives messages up: it is raised only when nothing else stands in the way."""
    async with fake_broker(answer=coded(given)) as broker, opened(dial(broker)) as sink:
        with pytest.raises(kind):
            await sink.send(entries(5))


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (0x80, Unavailable, "unspecified error"),
        (0x85, Denied, "choose another `client_id`"),
        (0x86, Denied, "bad user name or password"),
        (0x87, Denied, "not authorised"),
        (0x88, Unavailable, "server unavailable"),
        (0x89, Unavailable, "server busy"),
        (0x8A, Denied, "banned"),
        (0x97, Unavailable, "quota exceeded"),
        (0x9B, Denied, "QoS 0 only"),
        (0x9F, Unavailable, "connection rate exceeded"),
    ],
)
async def test_what_a_refused_connection_means(code: int, kind: type[SinkError], text: str) -> None:
    async with fake_broker(connack=connack(code)) as broker:
        with pytest.raises(kind, match=text) as error:
            await dial(broker).open()
        assert type(error.value) is kind


async def test_a_broker_that_takes_qos_0_only_is_denied() -> None:
    async with fake_broker(connack=connack(0, b"\x24\x00")) as broker:
        with pytest.raises(Denied, match="QoS 0 only, which confirms nothing"):
            await dial(broker).open()


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (0x87, Denied, "not authorised"),
        (0x8B, Unavailable, "server shutting down"),
        (0x8E, Unavailable, "using the same `client_id`"),
        (0x93, Unavailable, "lower `window`"),
    ],
)
async def test_what_a_disconnect_from_the_broker_means(code: int, kind: type[SinkError], text: str) -> None:
    def third_time(n: int, topic: bytes, mid: int) -> bytes:
        return goodbye(code) if n == 2 else puback(mid)

    async with fake_broker(answer=third_time) as broker, opened(dial(broker, window=2)) as sink:
        with pytest.raises(kind, match=text) as error:
            await sink.send(entries(9))
        assert error.value.done == ((1, 2),)
        with pytest.raises(kind):
            await sink.send(entries(1))


async def test_a_gateway_whose_client_id_is_used_elsewhere_notices(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with opened(mqtt(broker)) as first, opened(mqtt(broker)):
            await asyncio.sleep(0.1)
            with pytest.raises(Unavailable, match="the connection was lost"):
                await first.send(entries(1))


async def test_one_message_that_is_never_confirmed_does_not_hang_the_send() -> None:
    """Other PUBACKs keep coming, and still somebody notices."""

    def all_but_one(n: int, topic: bytes, mid: int) -> bytes | None:
        return None if n == 1 else puback(mid)

    options = {"timeout": "200ms", "window": 3}
    async with fake_broker(answer=all_but_one, delay=0.005) as broker, opened(dial(broker, **options)) as sink:
        async with asyncio.timeout(3.0):
            with pytest.raises(Unavailable, match=r"no PUBACK within 0\.2 s") as error:
                await sink.send(entries(500))
        assert error.value.done[0] == (1, 1)
        assert error.value.done[1][0] == 3


async def test_a_puback_for_nothing_we_sent_is_ignored() -> None:
    def too_many(n: int, topic: bytes, mid: int) -> bytes:
        return puback(60_000) + puback(mid)

    async with fake_broker(answer=too_many) as broker, opened(dial(broker)) as sink:
        await sink.send(entries(5))


async def test_a_broken_puback_ends_the_connection() -> None:
    async with fake_broker(answer=lambda n, topic, mid: b"\x40\x01\x00") as broker, opened(dial(broker)) as sink:
        with pytest.raises(Unavailable, match="a PUBACK without a packet id"):
            await sink.send(entries(5))


async def test_garbage_instead_of_mqtt_is_unavailable() -> None:
    async with fake_broker(connack=b"HTTP/1.1 400 Bad Request\r\n\r\n") as broker:
        with pytest.raises(Unavailable):
            await dial(broker, timeout="300ms").open()


async def test_a_broker_that_keeps_no_retained_messages_is_good_enough(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, options=["retain_available false"]) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker)) as sink:
            await sink.send(entries(2))
        heard.wait(2)
        assert heard.states()[0] == "online"
