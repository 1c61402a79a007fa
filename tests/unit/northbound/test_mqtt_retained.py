"""What a broker keeps of a topic is its newest value, whatever comes in which order."""

import json
from collections.abc import Sequence
from typing import Any

from agent.model.frame import Entry, Frame
from agent.model.tag import Schema
from agent.northbound.api import Gateway
from agent.northbound.house import Alone
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.sink import MqttSink, build
from agent.runtime.latest import Latest
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.making import EPOCH, TS, opened, schema
from tests.unit.northbound.test_mqtt_shapes import kept

PRESS = schema("temp", "flow", device="press-3", group="changes")


class House(Alone):
    """Knows what was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = Latest()

    def latest(self, schema: Schema) -> Frame | None:
        return self.read.get(schema)


def sink_of(broker: Mosquitto, house: House, **keys: Any) -> MqttSink:
    options = {"name": "uns", "type": "mqtt", "url": broker.url, "timeout": "2s", "retain": True, **keys}
    return build(Config.model_validate(options), Gateway("gw-01", house=house))


def by_tag(broker: Mosquitto, house: House) -> MqttSink:
    return sink_of(broker, house, per="tag", shape="flat", topic="{device}/{tag}")


def entry(seq: int, *values: float, columns: Sequence[int] | None = None, history: bool = False) -> Entry:
    columns = None if columns is None else tuple(columns)
    return Entry(EPOCH, seq, history, Frame(PRESS, TS + seq * 10**9, values, bytes(len(values)), columns=columns))


def values(broker: Mosquitto) -> dict[str, float]:
    return {topic.rpartition("/")[2]: json.loads(text) for topic, text in kept(broker, "press-3/#").items()}


async def test_a_frame_that_is_tried_again_does_not_take_the_place_of_a_newer_one(broker: Mosquitto) -> None:
    """Of its hundred tags the broker did not take one, so all go again, while others have gone since."""
    async with opened(by_tag(broker, House())) as sink:
        await sink.send([entry(1, 1.0, 1.5)])
        await sink.send([entry(2, 2.0, 2.5)])
        await sink.send([entry(1, 1.0, 1.5)])
    assert values(broker) == {"temp": 2.0, "flow": 2.5}


async def test_the_same_holds_for_whole_frames(broker: Mosquitto) -> None:
    async with opened(sink_of(broker, House(), topic="{device}")) as sink:
        for seq in (1, 2, 1):
            await sink.send([entry(seq, 1.0, 2.0)])
    assert json.loads(kept(broker, "press-3")["press-3"])["seq"] == 2


async def test_the_last_value_is_kept_although_it_comes_as_history(broker: Mosquitto) -> None:
    """The tag changed while the broker was away, and not since: without this its old value stood there for ever."""
    house = House()
    async with opened(by_tag(broker, house)) as sink:
        first = entry(1, 1.0, 1.5)
        house.read.add([first.frame])
        await sink.send([first])
    missed = [entry(2, 2.0, columns=[0], history=True), entry(3, 3.0, columns=[0], history=True)]
    house.read.add([each.frame for each in missed])
    async with opened(by_tag(broker, house)) as sink:
        await sink.send(missed)
    assert values(broker) == {"temp": 3.0, "flow": 1.5}


async def test_history_beside_newer_values_is_not_kept(broker: Mosquitto) -> None:
    house = House()
    old, new = entry(2, 2.0, 2.5, history=True), entry(9, 9.0, columns=[0])
    house.read.add([old.frame, new.frame])
    async with opened(by_tag(broker, house)) as sink:
        await sink.send([new])
        await sink.send([old])
    assert values(broker) == {"temp": 9.0, "flow": 2.5}
