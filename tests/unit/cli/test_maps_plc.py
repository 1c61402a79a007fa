"""`floorgate maps` of PLCs: their areas, where a word is, and how the PLC calls a place."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.shelf import modbus_maps


def maps(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["maps", *arguments])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inovance-h3u", "D100"], "register: holding, address: 100\n"),
        (["inovance-h3u", "C205", "--type", "bool"], "register: coil, address: 62669\n"),
        (["inovance-h3u", "C205", "--type", "int32"], "register: holding, address: 63242\n"),
        (["inovance-h3u", "D7.3"], "register: holding, address: 7, bit: 3\n"),
        (
            ["xinje-xc", "D7", "X17"],
            "D7: register: holding, address: 7\nX17: register: coil, address: 16399, type: bool\n",
        ),
        (
            ["inovance-h3u", "holding:0xF70B", "coil:62669"],
            "holding:0xF70B: address: C205\ncoil:62669: address: C205\n",
        ),
    ],
)
def test_where_a_word_is_and_how_a_place_is_called(words: list[str], says: str) -> None:
    done = maps("address", *words)
    assert (done.exit_code, done.stdout) == (0, says)


def test_the_same_as_json() -> None:
    assert json.loads(maps("address", "delta-dvp", "M1536", "--json").stdout) == [
        {"word": "M1536", "register": "coil", "address": 0xB000, "type": "bool"}
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inovance-h3u", "D9000"], "there is no D9000: the last one is D8511"),
        (["inovance-h3u", "M7700"], "there is no M7700: it would be between M7679 and M8000"),
        (["inovance-h3u", "T5"], "T5 is a coil and a holding register"),
        (["inovance-h3u", "X18"], "8 and 9 are no octal digits"),
        (["inovance-h3u", "100"], "'100' is no word of a PLC"),
        (["inovance-h3u", "holding:65535"], "the PLC has nothing there"),
        (["inovance-h3u", "holding:99999"], "the PLC has nothing there"),
        (["eastron-sdm630", "D1"], "this map knows no words of a PLC"),
        (["inovance-h33", "D1"], "did you mean 'inovance-h3u'?"),
    ],
)
def test_what_is_not_there_is_said(words: list[str], says: str) -> None:
    done = maps("address", *words)
    assert done.exit_code != 0
    assert says in done.stderr


def test_the_areas_are_shown() -> None:
    text = maps("show", "inovance-h3u").stdout
    assert "X0 to X377" in text
    assert "0xF800 to 0xF8FF" in text
    assert "octal, read only" in text
    assert "2 registers each" in text
    assert json.loads(maps("show", "inovance-h3u", "--json").stdout)["areas"]["D"]["last"] == "D8511"


def test_lists_and_tests_take_maps_without_tags() -> None:
    rows = {row["name"]: row for row in json.loads(maps("list", "--kind", "plc", "--json").stdout)}
    assert (rows["inovance-h3u"]["areas"], rows["inovance-h3u"]["tags"]) == (14, 0)
    assert "14 areas" in maps("list", "--kind", "plc").stdout
    assert [row["name"] for row in json.loads(maps("search", "信捷", "--json").stdout)] == sorted(
        name for name in rows if name.startswith("xinje")
    )
    done = maps("test", *rows)
    assert (done.exit_code, "inovance-h3u: fine: 14 areas, confirmed" in done.stdout) == (0, True)
    done = maps("test", "xinje-xc", "--endpoint", "tcp://127.0.0.1:1")
    assert (done.exit_code, "lists no tags" in done.stderr) == (1, True)


def test_a_scan_does_not_take_a_device_for_a_plc() -> None:
    found = modbus_maps()
    assert "eastron-sdm630" in found
    assert "inovance-h3u" not in found


def test_check_counts_the_areas_of_a_map(tmp_path: Path) -> None:
    path = tmp_path / "plc.yaml"
    path.write_text(
        "device: {vendor: Acme, model: P1, kind: plc}\ndriver: modbus\nsources: [manual]\nnotes: [a]\n"
        "areas: {D: {register: holding, base: 0, first: D0, last: D9}}\n",
        "utf-8",
    )
    done = CliRunner().invoke(main, ["check", str(path)])
    assert (done.exit_code, "Acme P1, 1 area for modbus" in done.stdout) == (0, True)
