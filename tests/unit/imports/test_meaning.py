"""What words of other products mean, in tables: orders, durations, node ids, scales, and what becomes of nonsense."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.config import load
from agent.imports import Options, convert
from agent.imports.checking import environment
from agent.imports.nodes import node_id
from agent.imports.notes import Notes
from agent.imports.numbers import seconds, timespan
from agent.imports.thingsboard_opcua import _names
from agent.imports.writing import flow, scalar
from drivers.modbus.config import Config, Tag
from drivers.modbus.plan import plan

WORDS = {16: [0x0102], 32: [0x0102, 0x0304], 64: [0x0102, 0x0304, 0x0506, 0x0708]}


def site(folder: Path, data: Any, name: str = "in.json", **said: Any) -> tuple[Config, str]:
    """The first device of what becomes of a file, and all that is told."""
    text = data if isinstance(data, str) else json.dumps(data)
    (folder / name).write_text(text, "utf-8")
    found = convert([folder / name], "auto", Options(**said), folder, maps=False)
    (folder / "site.yaml").write_text(found.texts["site.yaml"], "utf-8")
    devices = load(folder / "site.yaml", environment(found.texts["site.yaml"])).devices
    (device, *_) = devices
    assert isinstance(device, Config)
    return device, "\n".join(found.notes.text())


def shown(device: Config, tag: Tag, words: list[int]) -> Any:
    (block,) = plan([tag], order=device.order_of(tag), max_registers=125)
    payload = b"".join(word.to_bytes(2, "big") for word in words)
    return block.decode(bytes((block.table.function, len(payload))) + payload)[0]


def number(order: str) -> int:
    """The number that bytes 1, 2, 3 … are when the highest is where `order` has A."""
    lying = dict(zip(order, range(1, 9), strict=False))
    return int.from_bytes(bytes(lying[letter] for letter in sorted(order)), "big")


LONG = {"ABCD": "ABCDEFGH", "BADC": "BADCFEHG", "CDAB": "GHEFCDAB", "DCBA": "HGFEDCBA"}


def expected(order: str, bits: int) -> int:
    return number({16: "BA" if order in ("BADC", "DCBA") else "AB", 32: order, 64: LONG[order]}[bits])


def slave(**keys: Any) -> dict[str, Any]:
    items = [
        {"tag": f"u{bits}", "type": f"{bits}uint", "functionCode": 3, "address": bits, "objectsCount": bits // 16}
        for bits in WORDS
    ]
    base = {
        "host": "h",
        "port": 502,
        "type": "tcp",
        "method": "socket",
        "unitId": 1,
        "deviceName": "d",
        "timeseries": items,
    }
    return {"master": {"slaves": [{**base, **keys}]}}


@pytest.mark.parametrize(
    ("byte", "word", "order"),
    [
        ("BIG", "BIG", "ABCD"),
        ("BIG", "LITTLE", "CDAB"),
        ("LITTLE", "BIG", "BADC"),
        ("LITTLE", "LITTLE", "DCBA"),
        (None, None, "DCBA"),
        ("BIG", None, "CDAB"),
        (None, "BIG", "BADC"),
    ],
)
def test_thingsboard_s_two_orders_are_one_of_ours(tmp_path: Path, byte: str, word: str, order: str) -> None:
    given = {key: value for key, value in (("byteOrder", byte), ("wordOrder", word)) if value}
    device, told = site(tmp_path, slave(**given))
    for tag, bits in zip(device.tags, WORDS, strict=True):
        assert shown(device, tag, WORDS[bits]) == expected(order, bits)
    assert ("LITTLE, as ThingsBoard has it" in told) == (byte is None or word is None)


@pytest.mark.parametrize(
    ("end", "order", "bits"),
    [
        ("#LL", "ABCD", 32),
        ("#LB", "BADC", 32),
        ("#BL", "CDAB", 32),
        ("#BB", "DCBA", 32),
        ("", "BADC", 32),
        ("#L", "ABCD", 16),
        ("#B", "DCBA", 16),
        ("", "ABCD", 16),
        ("#L", "ABCD", 64),
        ("#B", "DCBA", 64),
        ("#LL", "ABCD", 64),
        ("#LB", "BADC", 64),
        ("#BL", "CDAB", 64),
        ("#BB", "DCBA", 64),
        ("", "CDAB", 64),
    ],
)
def test_neuron_s_orders_are_those_of_the_address_or_of_the_node(
    tmp_path: Path, end: str, order: str, bits: int
) -> None:
    kind = {16: 4, 32: 6, 64: 8}[bits]
    tag = {"name": "x", "address": f"1!400101{end}", "attribute": 1, "type": kind}
    params = {"host": "h", "endianess": 2, "endianess_64": 4}
    node = {
        "name": "n",
        "plugin": "Modbus TCP",
        "params": params,
        "groups": [{"name": "g", "interval": 1000, "tags": [tag]}],
    }
    device, told = site(tmp_path, {"nodes": [node]})
    assert device.tags[0].address == 100
    assert shown(device, device.tags[0], WORDS[bits]) == expected(order, bits)
    assert (f"{end} of 64 bits is {order}" in str(told)) == (bits == 64 and len(end) == 3)


@pytest.mark.parametrize("base", [0, 1])
def test_neuron_s_addresses_count_from_its_base(tmp_path: Path, base: int) -> None:
    tag = {"name": "x", "address": "1!400001", "attribute": 1, "type": 4}
    params = {"host": "h", "address_base": base}
    node = {
        "name": "n",
        "plugin": "Modbus TCP",
        "params": params,
        "groups": [{"name": "g", "interval": 1000, "tags": [tag]}],
    }
    device, _ = site(tmp_path, {"nodes": [node]})
    assert device.tags[0].address == 1 - base


@pytest.mark.parametrize("order", ["ABCD", "BADC", "CDAB", "DCBA"])
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_telegraf_s_orders_are_ours(tmp_path: Path, order: str, bits: int) -> None:
    text = f"""[[inputs.modbus]]
name = "m"
controller = "tcp://h:502"
configuration_type = "metric"
[[inputs.modbus.metric]]
slave_id = 1
byte_order = "{order}"
fields = [{{address = 5, name = "x", type = "UINT{bits}"}}]
"""
    device, _ = site(tmp_path, text, "telegraf.conf")
    assert shown(device, device.tags[0], WORDS[bits]) == expected(order, bits)


@pytest.mark.parametrize(
    ("low", "low64", "order", "order64"),
    [
        (True, True, "CDAB", "CDAB"),
        (False, False, "ABCD", "ABCD"),
        (True, False, "CDAB", ""),
        (False, True, "ABCD", ""),
    ],
)
def test_kepware_s_first_word_low_is_the_low_word_first(
    tmp_path: Path, low: bool, low64: bool, order: str, order64: str
) -> None:
    tags = [
        {"common.ALLTYPES_NAME": f"u{bits}", "servermain.TAG_ADDRESS": f"4{bits:05}", "servermain.TAG_DATA_TYPE": kind}
        for bits, kind in ((32, 7), (64, 14))
    ]
    device_ = {
        "common.ALLTYPES_NAME": "d",
        "servermain.DEVICE_ID_STRING": "<10.0.0.1>.1",
        "modbus_ethernet.DEVICE_FIRST_WORD_LOW": low,
        "modbus_ethernet.DEVICE_FIRST_DWORD_LOW": low64,
        "tags": tags,
    }
    channel = {
        "common.ALLTYPES_NAME": "c",
        "servermain.MULTIPLE_TYPES_DEVICE_DRIVER": "Modbus TCP/IP Ethernet",
        "devices": [device_],
    }
    device, told = site(tmp_path, {"project": {"channels": [channel]}})
    by_name = {tag.name: tag for tag in device.tags}
    assert shown(device, by_name["u32"], WORDS[32]) == expected(order, 32)
    if order64:
        assert shown(device, by_name["u64"], WORDS[64]) == expected(order64, 64)
    else:
        assert "u64" not in by_name and "eight bytes in an order" in told


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("500ms", 0.5),
        ("1m30s", 90.0),
        ("2h", 7200.0),
        ("10", 10.0),
        (".5s", 0.5),
        ("", None),
        ("5 parsecs", None),
        ("-1s", None),
    ],
)
def test_durations_of_go(text: str, found: float | None) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("00:00:02", 2.0), ("1.02:03:04.5", 93784.5), ("00:05", 300.0), ("5", None), ("00:00:61x", None)],
)
def test_time_spans(text: str, found: float | None) -> None:
    assert timespan(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ns=2;s=Temp", "ns=2;s=Temp"),
        ("ns=0;i=2258", "i=2258"),
        ("http://maker.example/press/#i=7", "nsu=http://maker.example/press/;i=7"),
        ("nsu=urn:x;s=a=b;c", "nsu=urn:x;s=a=b;c"),
        ("Temp", ""),
        ("ns=x;s=1", ""),
    ],
)
def test_node_ids(text: str, found: str) -> None:
    assert node_id(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"Root\.Objects\.My Press", ["Objects", "My Press"]),
        (r"Root\\.Objects\\.Press", ["Objects", "Press"]),
        ("Root.Objects.Press", ["Objects", "Press"]),
        (r"Objects\.2:Press\.2:Temp", ["Objects", "Press", "Temp"]),
        (r"Root\.Objects\.Press\d+", None),
        (r"Root\.Objects\..*", None),
        ("", None),
    ],
)
def test_thingsboard_s_patterns_that_are_only_names(text: str, found: list[str] | None) -> None:
    assert _names(text) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"divider": "ten"},
        {"multiplier": [1]},
        {"bit": 99},
        {"bit": True},
        {"functionCode": True},
        {"address": -1},
        {"type": "9int"},
    ],
)
def test_a_tag_with_nonsense_in_a_number_is_left_out_and_told(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Carried without its scale or its bit it would be another value under the same name."""
    data = slave(byteOrder="BIG", wordOrder="BIG")
    data["master"]["slaves"][0]["timeseries"].append(
        {"tag": "x", "type": "16int", "functionCode": 3, "address": 1, **wrong}
    )
    device, told = site(tmp_path, data)
    assert "x" not in {tag.name for tag in device.tags}
    assert "in.json:master.slaves[0].timeseries[3]" in told


def test_a_number_may_be_written_as_text(tmp_path: Path) -> None:
    data = slave(byteOrder="BIG", wordOrder="BIG", unitId="7", pollPeriod="2500")
    data["master"]["slaves"][0]["timeseries"] = [
        {"tag": "x", "type": "16int", "functionCode": "3", "address": "0x10", "divider": "10"}
    ]
    device, _ = site(tmp_path, data)
    assert (device.unit, device.interval, device.tags[0].address, device.tags[0].scale) == (7, 2.5, 16, 0.1)


@pytest.mark.parametrize(
    "text",
    [
        "file:/etc/passwd",
        "${HOME}",
        "a: b",
        "# x",
        "true",
        "1.5",
        "",
        "x\ny",
        "\x1b[2J",
        "a'b\"c",
        "电压",
        "\u202e",
        "- x",
    ],
)
def test_text_that_is_written_is_read_back_and_nothing_else(tmp_path: Path, text: str) -> None:
    data = {"nodes": [{"name": "n", "plugin": "Modbus TCP", "params": {"host": "h"}, "groups": []}]}
    tag = {"name": "x", "address": "1!400001", "attribute": 1, "type": 4, "description": text}
    data["nodes"][0]["groups"] = [{"name": "g", "interval": 1000, "tags": [tag]}]
    device, _ = site(tmp_path, data)
    read = device.tags[0].description.strip()
    assert read == text.replace("\n", " ").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").strip()


def test_scalars_are_plain_where_they_can_be() -> None:
    assert flow({"name": "a", "n": 1, "f": 0.1, "on": True, "t": "true", "u": "m3/h", "none": None}) == (
        '{name: a, "n": 1, f: 0.1, "on": true, t: "true", u: "m3/h"}'
    )
    assert scalar("${X}") == '"$${X}"'
    assert scalar("${X}", escape=False) == '"${X}"'


def test_what_is_said_alike_of_many_places_is_said_once() -> None:
    notes = Notes()
    for at in range(500):
        notes.add("assumed", f"f:{at}", "the same", "do that")
    (note,) = notes.of("assumed")
    assert (note.count, len(note.places)) == (500, 20)
    assert list(note.lines()) == ["the same (do that)", "  f:0, f:1, f:2 and 497 more"]


def test_notes_are_bounded() -> None:
    notes = Notes()
    for at in range(5000):
        notes.add("not carried", "f", f"key {at}")
    assert len(notes.of("not carried")) == 2000
    assert "and 3000 more" in list(notes.text())[-1]
