"""`floorgate explain`: the way of a tag as a person reads it, from the running agent or by reading once."""

import asyncio
import json
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.cli.explained import hexed, lines
from tests.house import ROOT
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import faulty_device
from tests.sim.fixtures import libmodbus_server
from tests.sim.opcua_fixtures import OpcuaServer
from tests.unit.runtime.explaining import running

PAGE = ROOT / "agent/runtime/why/README.md"
SITE = """\
gateway: {{id: gw-weaving-01}}
devices:
  - name: main-meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    tags:
      - {{name: voltage_l1, address: 1100, type: float32, unit: V}}
      - {{name: voltage_l2, address: 1102, type: float32, unit: V}}
      - {{name: frequency, address: 3500, type: float32, unit: Hz, group: slow}}
      - {{name: spare, address: 1104, enabled: false}}
      - {{name: state, address: 1106, bits: {{0: run, 3: fault}}}}
    groups: {{slow: {{interval: 500ms}}}}
    derived: {{twice: 2 * voltage_l1, worse: 2 * frequency}}
  - {{name: gone, driver: modbus, endpoint: 'tcp://127.0.0.1:1', tags: [{{name: a, address: 0}}]}}
  - {{name: boiler, driver: sim, tags: [{{name: heat, wave: constant, low: 65.5}}]}}
sinks: [{{name: platform, type: file, path: {folder}/out.jsonl}}]
buffer: {{commit: 100ms, max_size: 64MB, reserve: 64MB}}
"""
SAME = [  # what is another each time
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", "TIME"),
    (r"\b\d+(\.\d)? (s|min|h|d)( ago)?\b", "SPAN"),
    (r"(\d+ ms|less than 1 ms)", "TOOK"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"[0-9a-f]{16}/\d+", "ROW"),
    (r"\d+\.\d%", "SHARE"),
    (r"(sent|received) {6,}[0-9a-f]{2} [0-9a-f]{2}", r"\1 NUMBER"),
    (r"\S*site\.yaml", "site.yaml"),
    (r"kept  .*", "kept KEPT"),
    (r"(asked again in SPAN|it is asked again now)", "ASKED"),
]


def same(text: str) -> str:
    for pattern, word in SAME:
        text = re.sub(pattern, word, text)
    return text


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["explain", *map(str, arguments)])


def written(title: str) -> str:
    """The block of the page that begins with this command."""
    block = PAGE.read_text("utf-8").partition(f"    $ {title}\n")[2].partition("\n\n    $ ")[0]
    kept = takewhile(lambda line: line.startswith("    ") or not line, block.splitlines())
    return "\n".join(line.removeprefix("    ") for line in kept).strip()


async def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    """At one moment or another: a value may just be on its way to the disk, or to the sink."""
    wanted = {tag: bare(written(f"floorgate explain main-meter {tag}")) for tag in ("voltage_l1", "frequency")}
    with libmodbus_server() as port:
        async with running(tmp_path, SITE.format(port=port, folder=tmp_path)):
            config = ("-c", tmp_path / "site.yaml", "--data", tmp_path / "data")
            for tag, shown in wanted.items():
                printed = ""
                for _ in range(60):
                    result = await asyncio.to_thread(invoke, "main-meter", tag, *config)
                    printed = bare(result.output)
                    if result.exit_code == 0 and printed == shown:
                        break
                    await asyncio.sleep(0.1)
                assert printed == shown


def bare(text: str) -> str:
    """Without what is another each time, and lines that are not always there."""
    lines = same(text).strip().splitlines()
    return "\n".join(line for line in lines if not re.match(r"    (of|waits) ", line))


def site(folder: Path, port: int = 1) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.format(port=port, folder=folder))
    return path


def test_without_an_agent_and_a_file_it_says_what_is_needed(tmp_path: Path) -> None:
    result = invoke("main-meter", "voltage_l1", "--data", tmp_path)
    assert result.exit_code == 1
    assert f"no agent runs on {tmp_path}" in result.output and "-c" in result.output


def lone(folder: Path, device: str, tag: str, port: int = 1) -> dict[str, Any]:
    result = invoke(device, tag, "-c", site(folder, port), "--data", folder / "data", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


@pytest.mark.parametrize(
    ("device", "tag", "stage", "wrong", "hint"),
    [
        ("main-metre", "x", "configured", "has no device 'main-metre'", "did you mean 'main-meter'?"),
        ("main-meter", "voltage_11", "configured", "has no tag 'voltage_11'", "did you mean 'voltage_l1'?"),
        ("main-meter", "spare", "configured", "the tag is not enabled: it says `enabled: false`", "take that out"),
        ("gone", "a", "line", "tcp://127.0.0.1:1: cannot connect: connection refused", "is the device on"),
        ("main-meter", "frequency", "exchange", "illegal data address", "does the device have all of these"),
        ("main-meter", "worse", "source", "main-meter/frequency is not well", "does the device have all of these"),
    ],
)
def test_without_an_agent_it_goes_as_far_as_the_tag_gets(
    tmp_path: Path, device: str, tag: str, stage: str, wrong: str, hint: str
) -> None:
    with libmodbus_server() as port:
        row = lone(tmp_path, device, tag, port)
    assert (row["by"], row["verdict"]["stage"], row["verdict"]["state"]) == ("read", stage, "failed")
    assert wrong in row["verdict"]["wrong"] and hint in row["verdict"]["hint"]


def test_a_healthy_tag_is_read_once_and_nothing_is_stored(tmp_path: Path) -> None:
    with libmodbus_server() as port:
        row = lone(tmp_path, "main-meter", "voltage_l2", port)
        bit = lone(tmp_path, "main-meter", "state_fault", port)
        twice = lone(tmp_path, "main-meter", "twice", port)
    assert (row["verdict"], row["value"]["value"], row["value"]["unit"]) == (None, 1.5, "V")
    ways = {stage["stage"]: stage["state"] for stage in row["stages"]}
    assert list(ways.values()) == ["ok"] * 5 + ["unreached"] * 3
    assert row["stages"][0]["seen"][0] == ["file", f"{tmp_path}/site.yaml:8:16"]
    assert (bit["verdict"], bit["value"]["value"]) == (None, False)
    assert (twice["verdict"], twice["origin"]["of"]) == (None, ["main-meter/voltage_l1"])
    assert not (tmp_path / "out.jsonl").exists() and not (tmp_path / "data" / "store.db").exists()


def test_a_device_without_a_wire_has_none_to_show(tmp_path: Path) -> None:
    row = lone(tmp_path, "boiler", "heat")
    assert (row["verdict"], row["value"]["value"]) == (None, 65.5)


@pytest.mark.xdist_group("opcua")
def test_an_opc_ua_tag_has_its_node_and_its_status_in_words(tmp_path: Path, machine: OpcuaServer) -> None:
    (tmp_path / "site.yaml").write_text(
        f"gateway: {{id: gw}}\ndevices: [{{name: press, driver: opcua, endpoint: '{machine.endpoint}', security: none, "
        f"tags: [{{name: gone, node: 'i=999999'}}, {{name: state, node: 'i=2259', type: int32}}]}}]\n"
    )
    found = []
    for tag in ("gone", "state"):
        result = invoke("press", tag, "-c", tmp_path / "site.yaml", "--data", tmp_path / "data", "--json")
        found.append(json.loads(result.output))
    gone, state = found
    assert (gone["verdict"]["stage"], "BadNodeIdUnknown" in gone["verdict"]["wrong"]) == ("exchange", True)
    seen = dict(next(stage["seen"] for stage in state["stages"] if stage["stage"] == "exchange"))
    assert (seen["node id"], seen["status"], state["verdict"]) == ("i=2259", "Good (0x00000000)", None)


async def test_names_and_texts_of_a_device_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """The device's text is a sequence that would clear the screen; the tag's name turns the line around."""
    text = b"\x1b[2J\xc2\x9b3"

    def behave(adu: bytes) -> list[fault.Act]:
        return [fault.answer(adu, bytes((3, 8)) + text.ljust(8, b"\0"))]

    name = "plate\u202ed"
    async with faulty_device(behave) as found:
        (tmp_path / "site.yaml").write_text(
            f"gateway: {{id: gw}}\ndevices: [{{name: m, driver: modbus, endpoint: '{found.endpoint}', "
            f'tags: [{{name: "{name}", address: 0, type: string, length: 4}}]}}]\n',
            "utf-8",
        )
        arguments = ("m", name, "-c", tmp_path / "site.yaml", "--data", tmp_path / "data")
        result = await asyncio.to_thread(invoke, *arguments)
    assert result.exit_code == 0
    assert all(line.isprintable() for line in result.output.splitlines())
    assert "plate\\u202ed" in result.output and "\\x1b[2J" in result.output


@given(st.binary(max_size=260), st.integers(0, 260), st.integers(0, 260))
def test_of_a_frame_the_bytes_of_the_tag_are_always_shown(data: bytes, first: int, size: int) -> None:
    first, after = min(first, len(data)), min(first + size, len(data))
    shown = hexed(data, first, after)
    assert len(shown) < 3 * 60 + 20
    if after > first:
        inner = shown.partition("[")[2].partition("]")[0]
        assert bytes.fromhex(inner.partition(" …")[0])[:16] == data[first:after][:16]
        assert inner.endswith(f"{data[after - 1]:02x}")
    elif len(data) <= 14:
        assert shown == (data.hex(" ") or "nothing")


@given(
    st.recursive(st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=3), st.text(), st.text()
)
def test_whatever_stands_in_an_explanation_stays_within_its_lines(odd: Any, name: str, wrong: str) -> None:
    stage = {"stage": name, "state": "failed", "seen": [[name, str(odd)]], "wrong": wrong, "hint": name}
    stage |= {"hex": {"sent": "00", "received": "", "mine": [0, 0]}}
    value = {"value": wrong, "unit": name, "dtype": "str", "quality": name, "ts": 0}
    row = {"device": name, "tag": wrong, "by": "agent", "value": value, "stages": [stage], "verdict": stage}
    inner = {**row, "origin": None, "source": None}
    for line in lines({**row, "origin": {"how": name, "of": [wrong]}, "source": inner}, 0.0):
        assert click.unstyle(line).isprintable()
