"""MQTT 5 where it is spoken, 3.1.1 where it is not, and never 3.1.1 by accident."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.errors import Unavailable
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.sim.ports import free_port
from tests.unit.northbound.fake_broker import FakeBroker, connack, fake_broker
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened

AMQTT = """
import asyncio, sys
from amqtt.broker import Broker
config = {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}},
          "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}}
async def main():
    await Broker(config).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Amqtt:
    """A broker that speaks nothing but 3.1.1."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        command = [sys.executable, "-W", "ignore", "-c", AMQTT, str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"


@pytest.fixture
def amqtt() -> Iterator[Amqtt]:
    broker = Amqtt()
    with broker.process:
        yield broker
        broker.process.kill()


async def connected(sink: object, tries: int = 3) -> None:
    """As the supervisor does it: again after Unavailable."""
    for _ in range(tries):
        try:
            await sink.open()  # type: ignore[attr-defined]  # a sink
        except Unavailable:
            continue
        return
    raise AssertionError("no connection")


async def test_a_broker_that_only_speaks_3_1_1_is_found_out(amqtt: Amqtt) -> None:
    sink = mqtt(amqtt)  # type: ignore[arg-type]  # it has a url
    await connected(sink)
    assert sink._connection is not None
    assert sink._connection.properties == b""
    await sink.send(entries(50))
    await sink.close()
    await no_tasks_left()


async def test_mqtt_5_is_preferred(broker: Mosquitto) -> None:
    async with opened(mqtt(broker)) as sink:
        assert sink._connection is not None
        assert sink._connection.properties == b"\0"


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", connack(0x84)])
async def test_an_explicit_refusal_of_mqtt_5_leads_to_3_1_1_at_once(answer: bytes) -> None:
    async with fake_broker(connack=answer) as broker:
        with pytest.raises(Unavailable):
            await dial(broker).open()
        assert broker.versions == [5, 4]


@pytest.mark.parametrize(("answer", "why"), [(None, "closed the connection instead of answering"), (b"", "no answer")])
async def test_a_broker_that_hangs_up_once_is_not_taken_for_an_old_one(answer: bytes | None, why: str) -> None:
    """It may just be starting; under 3.1.1 a denied publish would go unseen from then on."""
    async with fake_broker(connack=answer) as broker:
        sink = dial(broker, timeout="200ms")
        with pytest.raises(Unavailable, match=why):
            await sink.open()
        assert broker.versions == [5]
        with pytest.raises(Unavailable):
            await sink.open()
        assert broker.versions == [5, 5, 4]


async def test_a_broker_that_was_seen_to_speak_5_is_never_taken_for_an_old_one() -> None:
    async with fake_broker() as broker:
        sink = dial(broker)
        await sink.open()
        await sink.close()
        broker.connack = None
        for _ in range(4):
            with pytest.raises(Unavailable):
                await sink.open()
        assert set(broker.versions) == {5}


async def test_a_fixed_version_is_not_changed() -> None:
    async with fake_broker(connack=b"\x20\x02\x00\x01") as broker:
        with pytest.raises(Unavailable, match="set `protocol: auto`"):
            await dial(broker, protocol="5").open()
        with pytest.raises(Unavailable):
            await dial(broker, protocol="3.1.1").open()
        assert broker.versions == [5, 4]


async def test_a_broker_that_says_nothing_is_given_up_in_time() -> None:
    async with fake_broker(connack=b"") as broker:
        async with asyncio.timeout(2.0):
            with pytest.raises(Unavailable, match=r"no answer within 0\.3 s"):
                await dial(broker, timeout="300ms").open()


async def test_under_3_1_1_a_denied_publish_looks_delivered(tmp_path: Path) -> None:
    """The README warns of it: this is how the protocol is."""
    with Mosquitto(tmp_path, acl="topic read #\ntopic write floorgate/gw-01/$status\n") as broker:
        async with opened(mqtt(broker, protocol="3.1.1")) as sink:
            await sink.send(entries(1))
        wait_until(lambda: "Denied PUBLISH" in broker.log, "mosquitto denies")


def dial(broker: FakeBroker, **options: object):  # noqa: ANN201  # a sink, as in `making`
    return mqtt(broker, **options)  # type: ignore[arg-type]  # both have a url
