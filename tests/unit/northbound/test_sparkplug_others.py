"""Others read what we write, and we what they write: the JavaScript library of Eclipse Tahu, and tshark."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.model.frame import Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.codec import Metric
from agent.northbound.sparkplug.metrics import TYPES
from tests.house import ROOT
from tests.sim.capture import judged
from tests.sim.mqtt_tap import PUBLISH
from tests.unit.northbound.sparkplug_devices import World
from tests.unit.northbound.sparkplug_world import day

ROWS: dict[str, tuple[Value, Value, Value]] = {
    "int8": (-128, 127, 0),
    "int16": (-(2**15), 2**15 - 1, -1),
    "int32": (-(2**31), 2**31 - 1, -1),
    "int64": (-(2**63), 2**63 - 1, -1),
    "uint8": (0, 255, 1),
    "uint16": (0, 2**16 - 1, 1),
    "uint32": (0, 2**32 - 1, 1),
    "uint64": (0, 2**64 - 1, 1),
    "float32": (-1.5, 2.0**127, 0.25),
    "float64": (-1e300, 5e-324, 0.1),
    "bool": (False, True, False),
    "str": ("", "Größe 温度 \N{SNOWMAN}", "x" * 1000),
}
ALL = Schema("press", "1s", tuple(Tag(dtype, dtype, "%") for dtype in TYPES))


def node(*lines: dict[str, Any]) -> list[Any]:
    command = ["node", str(ROOT / "tests/sim/node/sparkplug.js")]
    said = "\n".join(map(json.dumps, lines))
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=True, timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines()]


def number(text: Any) -> Any:
    """Longs come as texts."""
    return int(text) if isinstance(text, str) and text.lstrip("-").isdigit() else text


@pytest.mark.parametrize("old", [True, False])
def test_the_library_of_tahu_reads_all_types_in_births_and_where_it_is_told_in_data(old: bool) -> None:
    """It is of Sparkplug 2.2: a UInt32 it looks for elsewhere, and in data it wants the types again (`compat`)."""
    world = World(ALL, old=old)
    payloads = []
    for row in range(3):
        entry = world.read(ALL, *(values[row] for values in ROWS.values()))
        payloads += [*world.birth(), *world.send(entry)]
    assert world.host.faults == []
    said = node(*({"read": payload.hex()} for _, payload, _ in payloads))
    for row in range(3):
        _, birth, data = said[3 * row : 3 * row + 3]
        expected = {dtype: values[row] for dtype, values in ROWS.items() if old or dtype != "uint32"}
        for told in (birth, data):
            metrics = {number(metric["alias"]): metric for metric in told["metrics"]}
            found = {dtype: number(metrics[n]["value"]) for n, dtype in enumerate(ROWS, 1) if dtype in expected}
            if told is birth or old:
                assert found == expected
        assert [metric["name"] for metric in birth["metrics"]] == list(ROWS)
        assert {json.dumps(metric["properties"]) for metric in birth["metrics"]} == {
            '{"engUnit": {"value": "%", "type": "String"}}'
        }


def test_the_library_of_tahu_reads_what_is_special() -> None:
    world = World(ALL, old=True)
    world.birth()
    doubt = bytes((Quality.STALE, *[Quality.BAD_COMM] * 11))
    (_, data) = world.send(world.read(ALL, -1, *[None] * 11, quality=doubt))
    (history,) = world.send(world.read(ALL, *(values[0] for values in ROWS.values()), history=True))
    told, past = node({"read": data[1].hex()}, {"read": history[1].hex()})
    assert [metric["value"] for metric in told["metrics"]] == [-1, *[None] * 11]
    assert [metric["properties"]["Quality"] for metric in told["metrics"]] == [
        {"value": value, "type": "Int32"} for value in (500, *[0] * 11)
    ]
    assert {metric["isHistorical"] for metric in past["metrics"]} == {True}
    assert {number(metric["timestamp"]) for metric in past["metrics"]} == {world.now // 10**6}


def test_we_read_what_the_library_of_tahu_writes() -> None:
    names = {dtype: dtype.replace("uint", "UInt").replace("int", "Int") for dtype in ROWS}
    names |= {"float32": "Float", "float64": "Double", "bool": "Boolean", "str": "String"}
    rows = {dtype: values for dtype, values in ROWS.items() if dtype not in {"int64", "uint64"}}
    for row in range(3):
        metrics = [
            {"name": dtype, "type": names[dtype], "value": values[row], "timestamp": 5, "alias": 7}
            for dtype, values in rows.items()
        ]
        (said,) = node({"write": {"timestamp": 1, "metrics": metrics, "seq": 3}})
        payload = codec.decode(bytes.fromhex(said["hex"]))
        assert (payload.timestamp, payload.seq) == (1, 3)
        assert {metric.name: metric.value for metric in payload.metrics} == {
            dtype: values[row] for dtype, values in rows.items()
        }
        assert {(metric.timestamp, metric.alias) for metric in payload.metrics} == {(5, 7)}


def fields(message: dict[str, Any]) -> dict[str, list[Any]]:
    """The fields of a protobuf message as tshark shows them."""
    found: dict[str, list[Any]] = {}
    (body,) = [value for key, value in message.items() if key.startswith("Message")]
    for key, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            if key.startswith("Field"):
                inner = fields(one) if one["protobuf.field.type"] == "11" else None
                told = one.get("protobuf.field.value_tree", {})
                name = one["protobuf.field.name"]
                found.setdefault(name, []).append(inner or next(iter(told.values()), None))
    return found


def shown(metric: Metric) -> dict[str, list[Any]]:
    """A metric as tshark shows it, but for its properties and its value."""
    told = {"name": metric.name, "alias": metric.alias, "timestamp": metric.timestamp, "datatype": metric.datatype}
    flags = {"is_historical": metric.historical, "is_null": metric.null}
    return {key: [str(value)] for key, value in told.items() if value is not None} | {
        key: ["1"] for key, value in flags.items() if value
    }


def same_value(found: dict[str, list[Any]], value: Value) -> bool:
    """Of a metric or a property, and of no other kind; tshark cuts floats after a few digits."""
    told = [each for key in found if key.endswith("_value") for each in found[key]]
    if isinstance(value, float):
        return len(told) == 1 and float(told[0]) == pytest.approx(value)
    return told == ([] if value is None else [str(int(value)) if isinstance(value, int) else value])


def same(found: dict[str, list[Any]], metric: Metric) -> bool:
    """What tshark shows of a metric, and what our own reader does."""
    (properties,) = found.get("properties", [{}])
    values = list(zip(properties.get("values", []), metric.properties.values(), strict=True))
    rest = {key: value for key, value in found.items() if key != "properties" and not key.endswith("_value")}
    return (
        rest == shown(metric)
        and same_value(found, None if metric.raw is None else metric.raw.value)
        and properties.get("keys", []) == list(metric.properties)
        and all(one["type"] == [str(datatype)] and same_value(one, value) for one, (datatype, value) in values)
    )


@pytest.mark.xdist_group("sparkplug-day")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_tshark_reads_a_whole_day(version: str, tmp_path: Path) -> None:
    """Topics, times, numbers, values: as our own reader has them, and nothing that it calls malformed."""
    search = f'uat:protobuf_search_paths:"{ROOT / "tests/sim"}","TRUE"'
    packets = [packet for packet in day(version).wire.packets if packet.connection == 1]
    layers = judged(tmp_path / "day.pcap", [packet.data for packet in packets], "-o", search, port=1883)
    assert len(layers) == len(packets)
    checked = 0
    for packet, layer in zip(packets, layers, strict=True):
        assert "_ws.malformed" not in json.dumps(layer)
        if packet.kind != PUBLISH:
            continue
        topic, payload = layer["sparkplugb"]["Topic Namespace"], codec.decode(packet.payload)
        assert "/".join(topic.values()) == packet.topic
        told = fields(layer["sparkplugb"]["protobuf"])
        assert told["timestamp"] == [str(payload.timestamp)]
        assert told.get("seq") == (None if payload.seq is None else [str(payload.seq)])
        for found, metric in zip(told.get("metrics", []), payload.metrics, strict=True):
            assert same(found, metric), metric
            checked += 1
    assert checked > 60
