"""Commands over topics: read strictly, answered each, never from a retained message, given up with the connection."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.northbound.api import Gateway
from agent.northbound.house import Alone, Answer, Answered, Command
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.sink import MqttSink, build
from tests.sim.mosquitto import Mosquitto, Subscriber
from tests.unit.northbound.making import entries, opened

TOPIC = "floorgate/gw-01/$command"


class Guard(Alone):
    """Notes what it is asked, and answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Command] = []
        self.dropped = 0
        self.turned: list[tuple[str, str]] = []

    def submit(self, command: Command, answered: Answered) -> None:
        self.asked.append(command)
        answered(Answer("done", value=command.value, audit=7))

    def turned_away(self, command: Command, answer: Answer) -> None:
        self.turned.append((command.id, answer.outcome))

    def drop(self) -> None:
        self.dropped += 1


def sink_of(broker: Mosquitto, guard: Guard, **keys: Any) -> MqttSink:
    options = {"name": "platform", "type": "mqtt", "url": broker.url, "timeout": "2s"}
    options |= {"commands": {"allow": ["press-3/setpoint"]}, **keys}
    return build(Config.model_validate(options), Gateway("gw-01", house=guard))


def publish(broker: Mosquitto, payload: str | bytes, *more: str) -> None:
    data = payload.encode() if isinstance(payload, str) else payload
    command = ["mosquitto_pub", "-p", str(broker.port), "-t", TOPIC, "-q", "1", "-s", *more]
    subprocess.run(command, input=data, check=True, timeout=10)


def command(**keys: Any) -> str:
    now = time.time_ns() // 1_000_000
    return json.dumps({"id": "a1", "device": "press-3", "tag": "setpoint", "value": 22.5, "issued_at": now, **keys})


@pytest.fixture
def heard(broker: Mosquitto) -> Iterator[Subscriber]:
    with broker.subscriber("floorgate/+/$answer") as heard:
        yield heard


async def test_a_command_is_passed_on_and_answered(broker: Mosquitto, heard: Subscriber) -> None:
    guard = Guard()
    async with opened(sink_of(broker, guard)):
        publish(broker, command())
        await answers(heard, 1)
    assert [(each.device, each.tag, each.value, each.id) for each in guard.asked] == [
        ("press-3", "setpoint", 22.5, "a1")
    ]
    ((_, payload),) = heard.payloads()
    assert {"id": "a1", "outcome": "done", "value": 22.5, "audit": 7}.items() <= json.loads(payload).items()
    assert guard.dropped == 1


async def test_what_is_no_command_is_answered_and_not_passed_on(broker: Mosquitto, heard: Subscriber) -> None:
    guard = Guard()
    async with opened(sink_of(broker, guard)):
        publish(broker, "{")
        publish(broker, command(more=1))
        publish(broker, b"\xff" * 1000)
        publish(broker, "x" * 100_000)
        await answers(heard, 4)
    assert guard.asked == []
    outcomes = [json.loads(payload) for _, payload in heard.payloads()]
    assert [each["outcome"] for each in outcomes] == ["forbidden"] * 4
    assert [each["id"] for each in outcomes] == ["", "a1", "", ""]
    assert guard.turned == [("", "forbidden"), ("a1", "forbidden"), ("", "forbidden"), ("", "forbidden")]


async def test_a_retained_message_is_no_command(broker: Mosquitto, heard: Subscriber) -> None:
    guard = Guard()
    publish(broker, command(), "-r")
    async with opened(sink_of(broker, guard)):
        await answers(heard, 1)
    assert guard.asked == []
    assert json.loads(heard.payloads()[0][1])["outcome"] == "stale"
    assert guard.turned == [("a1", "stale")]


async def test_without_the_section_nobody_listens(broker: Mosquitto) -> None:
    guard = Guard()
    async with opened(sink_of(broker, guard, commands=None)):
        publish(broker, command())
    assert guard.asked == []
    assert "SUBSCRIBE" not in broker.log


async def test_an_answer_that_the_broker_does_not_take_for_its_size_does_not_cost_the_connection(
    tmp_path: Path,
) -> None:
    class Wordy(Guard):
        def submit(self, command: Command, answered: Answered) -> None:
            answered(Answer("differs", "x" * len(command.id) * 100, "m" * 900, "h" * 900, 7))

    with Mosquitto(tmp_path, max_packet=450) as broker, broker.subscriber("floorgate/+/$answer") as heard:
        async with opened(sink_of(broker, Wordy())) as sink:
            publish(broker, command())
            publish(broker, command(id="abcdefg"))
            await answers(heard, 2)
            await sink.send(entries(1))
        found = [json.loads(payload) for _, payload in heard.payloads()]
    assert [(each["id"], each["outcome"], each["value"], each["message"]) for each in found] == [
        ("a1", "differs", "x" * 200, ""),
        ("abcdefg", "differs", None, ""),
    ]


async def answers(heard: Subscriber, count: int) -> None:
    async with asyncio.timeout(10):
        while len(heard.payloads()) < count:
            await asyncio.sleep(0.02)
