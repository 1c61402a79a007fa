"""Each quality is the same everywhere: what the page says of it is what every platform is told."""

import json
import re
from typing import NamedTuple

import pytest

from agent.model.frame import Entry, Frame
from agent.model.quality import FIRST_BAD, Quality, opcua_status, quality_name, sparkplug_quality, usable
from agent.model.tag import Schema, Tag
from agent.northbound.encode import Encoder
from agent.northbound.shapes.columnar import Columnar
from agent.northbound.shapes.columnar_reader import Reader
from agent.northbound.shapes.pages import pages
from agent.northbound.shapes.single import singles
from agent.northbound.shapes.texts import Flat, Tags, Values
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.metrics import Plan, Told
from agent.northbound.thingsboard.telemetry import Records
from drivers.opcua.status import quality
from tests.house import ROOT

ROW = re.compile(r"^\| (\d+) \| [^|]+ \| `(\w+)` \| (\d+) \| (yes|no) \| (\d+) \| 0x([0-9A-F]{8}) \|$", re.MULTILINE)
SCHEMA = Schema("d", "1s", (Tag("t"),), 1.0)


class Row(NamedTuple):
    code: int
    word: str
    number: int
    value: bool
    sparkplug: int
    status: int


TABLE = [
    Row(int(code), word, int(number), value == "yes", int(sparkplug), int(status, 16))
    for code, word, number, value, sparkplug, status in ROW.findall((ROOT / "agent/normalise/README.md").read_text())
]
EACH = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.word)


def entry(row: Row, clock: str = "") -> Entry:
    value = 1.5 if row.value else None
    return Entry("00" * 8, 1, False, Frame(SCHEMA, 10**18, (value,), bytes((row.code,))), clock)


def test_the_page_has_every_quality() -> None:
    assert [(row.code, row.word) for row in TABLE] == [(int(each), each.name.lower()) for each in Quality]


@EACH
def test_json_says_it(row: Row) -> None:
    values, words = {"t": 1.5} if row.value else {}, {"t": row.word} if row.code else {}
    numbers = {"t": row.number} if row.code else {}
    envelope = json.loads(Encoder("gw").encode(entry(row)))
    assert (envelope["values"], envelope["quality"]) == (values, words)
    flat = json.loads(Flat("gw").encode(entry(row)))
    assert (flat.get("t"), flat.get("quality", {})) == (values.get("t"), words)
    neuron = json.loads(Values("gw").encode(entry(row)))
    assert (neuron["values"], neuron["errors"]) == (values, numbers)
    (tag,) = json.loads(Tags("gw").encode(entry(row)))["tags"]
    assert (tag.get("value"), tag.get("error")) == (values.get("t"), numbers.get("t"))
    ((_, single),) = singles("values", "gw")(entry(row))
    assert (json.loads(single).get("v"), json.loads(single)["q"]) == (values.get("t"), row.word)


@EACH
def test_tables_and_columns_say_it(row: Row) -> None:
    _, write = pages("csv", "envelope", "gw")
    line = b"".join(write([entry(row)], b"")).decode().splitlines()[1].split(",")
    assert line[4:6] == ["1.5" if row.value else "", row.word]
    (frame,) = Reader().read(Columnar("gw", inline=True).encode([entry(row)]))
    assert (frame["values"], frame["quality"]) == ({"t": 1.5} if row.value else {}, {"t": row.word} if row.code else {})


@EACH
def test_thingsboard_is_told(row: Row) -> None:
    records = Records(quality=True).write(entry(row), 1000, 1000)
    assert records is not None
    (record,) = map(json.loads, records)
    assert record["values"] == ({"t": 1.5} if row.value else {}) | {"t_quality": row.word}


@EACH
def test_sparkplug_is_told(row: Row) -> None:
    metrics = Plan([Told(SCHEMA.tags[0], "t", 1)]).metrics(entry(row).frame, historical=False)
    (metric,) = codec.decode(metrics if isinstance(metrics, bytes) else b"".join(metrics), most=9).metrics
    said = {"Quality": (codec.INT32, row.sparkplug), "Reason": (codec.STRING, row.word)} if row.code else {}
    assert (metric.null, metric.properties or {}) == (not row.value, said)


@EACH
def test_opc_ua_has_a_status_of_the_same_severity(row: Row) -> None:
    """And what a server says with that status is as good here, where OPC UA has a word of its own for it."""
    assert opcua_status(row.code) == row.status
    back = quality(row.status)
    assert usable(back) == row.value
    shared = {Quality.CLOCK_UNSYNCED: Quality.ESTIMATED, Quality.BAD_STUCK: Quality.BAD_DEVICE}
    assert back == {**shared, Quality.BAD_JUMP: Quality.BAD_DEVICE}.get(Quality(row.code), row.code)


@pytest.mark.parametrize("code", [6, 63, 71, 255])
def test_a_code_of_a_newer_version_keeps_its_severity(code: int) -> None:
    assert opcua_status(code) >> 30 == (1 if code < FIRST_BAD else 2)
    assert sparkplug_quality(code) == (192 if code < FIRST_BAD else 0)
    assert quality_name(code) not in [row.word for row in TABLE]


def test_a_clock_that_is_wrong_is_said_of_the_frame() -> None:
    good = TABLE[0]
    for shape in (Encoder("gw"), Flat("gw"), Values("gw"), Tags("gw")):
        assert json.loads(shape.encode(entry(good, "unsynced")))["clock"] == "unsynced"
    (frame,) = Reader().read(Columnar("gw", inline=True).encode([entry(good, "unsynced")]))
    assert frame["clock"] == "unsynced"
    metrics = Plan([Told(SCHEMA.tags[0], "t", 1)]).metrics(entry(good).frame, historical=False, unsynced=True)
    (metric,) = codec.decode(b"".join(metrics), most=9).metrics  # type: ignore[arg-type]
    assert metric.properties == {"Quality": (codec.INT32, 192), "Reason": (codec.STRING, "clock_unsynced")}
