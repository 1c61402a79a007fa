"""The shapes over a real broker: topics, retained values, batches, columns with their descriptions, compression."""

import gzip
import json
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.errors import Denied, Rejected
from agent.northbound.mqtt.config import Config
from agent.northbound.shapes.columnar_reader import Reader
from tests.sim.mosquitto import Mosquitto, wait_until
from tests.unit.northbound.making import entries, entry, mqtt, opened, schema

PRESS = schema("temp", "flow", device="press-3", group="100ms")
WIDE = schema(*(f"tag_{n}" for n in range(300)), device="wide")


def kept(broker: Mosquitto, pattern: str, login: tuple[str, str] | None = None) -> dict[str, str]:
    """What the broker has retained, by topic. Of its own topic it has something, too: with that it has told all."""
    command = ["stdbuf", "-oL", "mosquitto_sub", "-p", str(broker.port), "-t", pattern, "-t", "$SYS/broker/version"]
    command += ["-W", "5", "--retained-only", "-F", "%t %p", *(["-u", login[0], "-P", login[1]] if login else [])]
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        for line in listening.stdout:
            topic, _, text = line.rstrip("\n").partition(" ")
            if topic.startswith("$SYS"):
                break
            found[topic] = text
        else:
            raise AssertionError(f"the broker does not tell all that fits {pattern}")
        listening.kill()
    return found


async def test_one_tag_one_topic_and_the_last_live_value_is_retained(broker: Mosquitto) -> None:
    sink = mqtt(broker, per="tag", shape="values", topic="{site}/{device}/{tag}")
    async with opened(sink):
        await sink.send([entry([1.5, 2.5], of=PRESS, seq=1), entry([3.5, 4.5], of=PRESS, seq=2)])
        await sink.send([entry([0.5, 0.5], of=PRESS, seq=3, history=True)])
    found = {topic: json.loads(text) for topic, text in kept(broker, "acme/#").items()}
    assert found == {
        "acme/hangzhou/press-3/temp": {"t": 1_700_000_000_123, "v": 3.5, "q": "good"},
        "acme/hangzhou/press-3/flow": {"t": 1_700_000_000_123, "v": 4.5, "q": "good"},
    }


async def test_one_message_for_all_frames_of_a_topic(broker: Mosquitto) -> None:
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, per="batch", topic="plant/{device}")) as sink:
            await sink.send([*entries(3), entry([1.0, 2.0], of=PRESS, seq=4), *entries(2, first=5)])
        messages = heard.payloads("plant/#", 2)
    assert {topic: [frame["seq"] for frame in json.loads(payload)] for topic, payload in messages} == {
        "plant/main-meter": [1, 2, 3, 5, 6],
        "plant/press-3": [4],
    }


async def test_a_batch_too_large_for_the_broker_goes_in_smaller_ones(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, max_packet=2000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker, per="batch", topic="plant")) as sink:
            await sink.send(entries(40))
            await sink.send([entry([1.0] * 300, of=WIDE, seq=41)])
        wait_until(lambda: 41 in {frame["seq"] for frame in flat(heard.payloads("plant"))}, "the last one")
        frames = flat(heard.payloads("plant"))
    assert sorted({frame["seq"] for frame in frames}) == list(range(1, 42))
    parts = [frame for frame in frames if frame["seq"] == 41]
    assert len(parts) == parts[0]["part"][1] > 1
    assert {name for part in parts for name in part["values"]} == {tag.name for tag in WIDE.tags}


def flat(messages: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    return [frame for _, payload in messages for frame in json.loads(payload)]


@pytest.mark.parametrize("per", ["frame", "batch"])
async def test_columns_come_after_their_description_which_is_retained(broker: Mosquitto, per: str) -> None:
    reader, frames = Reader(), []
    topic = {"topic": "plant"} if per == "batch" else {}
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, shape="columnar", per=per, **topic)) as sink:
            await sink.send([*entries(2), entry([1.0, 2.0], of=PRESS, seq=3)])
            await sink.send(entries(2, first=4))
        wait_until(lambda: len(heard.payloads("#")) >= (2 + 2 + 2 if per == "batch" else 2 + 5 + 2), "all")
        for topic, payload in heard.payloads("#"):
            if "/$schema/" in topic:
                assert reader.learn(payload).hex() == topic.rpartition("/")[2]
            elif "$" not in topic:
                frames += list(reader.read(payload))
    assert sorted(frame["seq"] for frame in frames) == [1, 2, 3, 4, 5]
    described = kept(broker, "floorgate/gw-01/$schema/#")
    assert sorted(json.loads(text)["device"] for text in described.values()) == ["main-meter", "press-3"]


async def test_a_broker_that_has_forgotten_the_descriptions_is_told_again(broker: Mosquitto) -> None:
    sink = mqtt(broker, shape="columnar")
    async with opened(sink):
        await sink.send(entries(1))
    broker.restart()
    assert kept(broker, "floorgate/gw-01/$schema/#") == {}
    async with opened(sink):
        await sink.send(entries(1, first=2))
    assert len(kept(broker, "floorgate/gw-01/$schema/#")) == 1


async def test_columns_describe_themselves_where_nothing_is_retained(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, options=["retain_available false"]) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker, shape="columnar")) as sink:
            await sink.send(entries(1))
        ((_, payload),) = heard.payloads("floorgate/gw-01/main-meter/#", 1)
    assert [frame["values"] for frame in Reader().read(payload)] == [{"voltage": 1.0, "current": 1.0}]


async def test_a_wide_frame_of_columns_goes_in_parts(tmp_path: Path) -> None:
    numbers = [n + 0.1 for n in range(300)]
    with Mosquitto(tmp_path, max_packet=40_000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker, shape="columnar")) as sink:
            await sink.send([entry(numbers, of=WIDE, seq=1)])
        described = heard.payloads("floorgate/gw-01/$schema/#", 1)[0][1]
    with Mosquitto(tmp_path, max_packet=len(described) + 200) as broker, broker.subscriber() as heard:
        wider = schema(*(tag.name for tag in WIDE.tags), device="w", dtype="str")
        async with opened(mqtt(broker, shape="columnar")) as sink:
            await sink.send([entry(["x" * 99] * 300, of=wider, seq=2)])
        payloads = [payload for _, payload in heard.payloads("floorgate/gw-01/w/#", 2)]
        reader = Reader()
        reader.learn(heard.payloads("floorgate/gw-01/$schema/#", 1)[0][1])
    parts = [frame for payload in payloads for frame in reader.read(payload)]
    assert [part["part"][0] for part in parts] == list(range(1, len(parts) + 1))
    assert {name for part in parts for name in part["values"]} == {tag.name for tag in WIDE.tags}


async def test_a_description_that_the_broker_cannot_take_goes_as_several_and_frames_in_parts(tmp_path: Path) -> None:
    """A broker may take 128 KB, and ten thousand tags need more to be told than to be sent."""
    narrow = {"columns": (299, 298), "stamps": (5 * 10**15, 6 * 10**15)}
    reader, frames = Reader(), []
    with Mosquitto(tmp_path, max_packet=1000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker, shape="columnar", per="batch", topic="plant")) as sink:
            sent = [entry([n + 0.5 for n in range(300)], of=WIDE, seq=2), entry([1.5, 2.5], of=WIDE, seq=4, **narrow)]
            await sink.send([*entries(1), sent[0], *entries(1, first=3), sent[1]])
            await sink.send(entries(1, first=5))
        wait_until(lambda: heard.payloads("plant") and b"$" in heard.payloads("#")[-1][0].encode(), "all")
        for topic, payload in heard.payloads("#"):
            if "/$schema/" in topic:
                assert reader.learn(payload).hex() == topic.rpartition("/")[2]
            elif "$" not in topic:
                frames += list(reader.read(payload))
    assert {frame["seq"] for frame in frames} == {1, 2, 3, 4, 5}
    parts = [frame for frame in frames if frame["seq"] == 2]
    assert [part["part"] for part in parts] == [[n, len(parts)] for n in range(1, len(parts) + 1)]
    assert {name: value for part in parts for name, value in part["values"].items()} == {
        f"tag_{n}": n + 0.5 for n in range(300)
    }
    (alone,) = [frame for frame in frames if frame["seq"] == 4]
    assert (alone["values"], alone["stamps"]) == (
        {"tag_299": 1.5, "tag_298": 2.5},
        {"tag_299": 5 * 10**9, "tag_298": 6 * 10**9},
    )
    assert "part" not in alone


async def test_a_schema_of_which_not_one_tag_can_be_described_is_rejected_and_others_go(tmp_path: Path) -> None:
    long = schema("x" * 900, "short", device="long")
    with Mosquitto(tmp_path, max_packet=1000) as broker, broker.subscriber() as heard:
        async with opened(mqtt(broker, shape="columnar")) as sink:
            with pytest.raises(Rejected) as refused:
                await sink.send([*entries(1), entry([1.0, 2.0], of=long, seq=2), *entries(1, first=3)])
        assert refused.value.done == ((1, 1), (3, 3))
        assert len(heard.payloads("floorgate/gw-01/main-meter/#", 2)) == 2


async def test_a_description_that_is_denied_blocks_the_sink(tmp_path: Path) -> None:
    acl = "topic write floorgate/gw-01/+/+\ntopic write floorgate/gw-01/$status\n"
    with Mosquitto(tmp_path, acl=acl.replace("+/+", "main-meter/+")) as broker:
        sink = mqtt(broker, shape="columnar")
        async with opened(sink):
            with pytest.raises(Denied) as no:
                await sink.send(entries(2))
        assert no.value.done == ()


async def test_a_name_with_a_code_point_that_is_no_character_does_not_stop_the_sink(broker: Mosquitto) -> None:
    """mosquitto closes the connection over each of these (MQTT 5.0 §1.5.4 lets it)."""
    strange = schema("a\ufffeb", "a\ufdd0", "\U0010ffff", "\ufeff", "\U0001f600")
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, per="tag", shape="flat", topic="{device}/{tag}")) as sink:
            await sink.send([entry([1.0, 2.0, 3.0, 4.0, 5.0], of=strange)])
        found = [topic for topic, _ in heard.payloads("main-meter/+", 5)]
    assert found == [f"main-meter/{name}" for name in ("a_b", "a_", "_", "\ufeff", "\U0001f600")]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
async def test_payloads_are_made_smaller(broker: Mosquitto, kind: str) -> None:
    expand = {"gzip": gzip.decompress, "zstd": import_module("backports.zstd").decompress}[kind]
    one = entry([1.0] * 300, of=WIDE, seq=1)
    with broker.subscriber() as heard:
        async with opened(mqtt(broker, compress=kind)) as sink:
            await sink.send([one])
        ((_, payload),) = heard.payloads("floorgate/gw-01/wide/#", 1)
    assert len(payload) < 1500
    assert json.loads(expand(payload))["seq"] == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"per": "tag"}, "needs {tag}"),
        ({"topic": "a/{tag}"}, "needs {tag}"),
        ({"per": "tag", "topic": "a/{tag}", "shape": "columnar"}, "for whole frames"),
        ({"per": "tag", "topic": "a/{tag}", "shape": "tags"}, "for whole frames"),
        ({"per": "batch", "retain": True}, "would keep some frames"),
        ({"shape": "xml"}, "Input should be"),
    ],
)
def test_what_cannot_be_said_is_refused_when_the_file_is_read(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"name": "x", "type": "mqtt", "url": "mqtt://broker", **keys})
