"""`floorgate watch`: what a terminal shows of a running agent, as wide and as high as it is."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.cli import main, watched
from agent.cli.watched import Changes, Screen
from agent.cli.watching import Asked, Running
from agent.model.errors import StoreError
from tests.sim.fixtures import libmodbus_server
from tests.unit.runtime.explaining import explained, running

SITE = """\
gateway: {{id: gw-weaving-01}}
devices:
  - name: meter-1
    driver: modbus
    endpoint: tcp://127.0.0.1:{port}
    interval: 100ms
    tags:
      - {{name: voltage_l1, address: 1100, type: float32, unit: V}}
      - {{name: voltage_l2, address: 1102, type: float32, unit: V, limits: {{max: 1}}}}
      - {{name: still, address: 1104, type: float32, report: on_change}}
  - {{name: gone, driver: modbus, endpoint: 'tcp://127.0.0.1:1', tags: [{{name: a, address: 0}}]}}
  - {{name: boiler, driver: sim, interval: 100ms, tags: [{{name: heat, wave: constant, low: 65.5}}]}}
sinks:
  - {{name: file, type: file, path: {folder}/out.jsonl}}
  - {{name: away, type: mqtt, url: 'mqtt://127.0.0.1:1'}}
buffer: {{commit: 50ms, max_size: 64MB, reserve: 64MB}}
"""
ALL = Asked((), False, 1)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["watch", *map(str, arguments)])


async def test_once_it_is_a_table_of_tags_lines_devices_and_sinks(tmp_path: Path) -> None:
    with libmodbus_server() as port:
        async with running(tmp_path, SITE.format(port=port, folder=tmp_path)) as ask:
            await explained(ask, "meter-1", "voltage_l2", "value", "failed")
            await explained(ask, "gone", "a", "line", "failed")
            await explained(ask, "meter-1", "voltage_l1", "sink away", "failed")
            data = ("--data", tmp_path / "data", "--once")
            table = await asyncio.to_thread(invoke, *data)
            bad = await asyncio.to_thread(invoke, *data, "--bad", "--json")
            some = await asyncio.to_thread(invoke, *data, "meter-*/volt*", "boil*", "--json")
            page = await asyncio.to_thread(invoke, *data, "--page", "2")
    lines = table.output.splitlines()
    assert table.exit_code == 0 and lines[0].startswith("gw-weaving-01  20") and lines[0].endswith("5 tags")
    (row,) = [line.split() for line in lines if line.startswith("meter-1/voltage_l1")]
    assert row[:3] + row[4:] == ["meter-1/voltage_l1", "0.5", "V", "s", "good", "3f00", "0000", "100ms"]
    for word in (f"tcp://127.0.0.1:{port}", "1 of 1", "open", "cannot connect", "file", "away", "never"):
        assert word in table.output
    found = json.loads(bad.output)
    assert sorted((tag["tag"], tag["quality"]) for tag in found["tags"]) == [
        ("a", "bad_comm"),
        ("voltage_l2", "bad_range"),
    ]
    assert [(sink["name"], sink["state"]) for sink in found["sinks"]] == [("file", "up"), ("away", "down")]
    assert {tag["tag"] for tag in json.loads(some.output)["tags"]} == {"voltage_l1", "voltage_l2", "heat"}
    assert "5 tags, page 2 of" in page.output


async def test_a_value_that_is_not_worth_a_message_is_shown_all_the_same_and_young(tmp_path: Path) -> None:
    with libmodbus_server() as port:
        async with running(tmp_path, SITE.format(port=port, folder=tmp_path)) as ask:
            await explained(ask, "meter-1", "still", "sink away", "failed")
            await asyncio.sleep(1.5)
            found = await ask("/api/v1/watch", match=["meter-1/still"])
    (row,) = found["tags"]
    assert (row["value"], row["raw"]) == (2.5, "4020 0000")
    assert row["age"] < 1.0


async def test_an_agent_that_ends_and_comes_back_is_asked_again(tmp_path: Path) -> None:
    text = SITE.format(port=1, folder=tmp_path)
    source = Running(tmp_path / "data")
    async with running(tmp_path, text):
        first = await asyncio.to_thread(source.ask, ALL, 10)
    with pytest.raises(StoreError, match="the agent does not answer"):
        await asyncio.to_thread(source.ask, ALL, 10)
    with pytest.raises(StoreError, match="no agent runs"):
        await asyncio.to_thread(source.ask, ALL, 10)
    async with running(tmp_path, text):
        again = await asyncio.to_thread(source.ask, ALL, 10)
    source.close()
    assert (first["total"], again["total"]) == (5, 5)


def test_without_an_agent_and_a_file_it_says_what_is_needed(tmp_path: Path) -> None:
    result = invoke("--data", tmp_path)
    assert result.exit_code == 1 and "no agent runs on" in result.output and "-c" in result.output


def test_without_an_agent_the_devices_of_the_file_are_read(tmp_path: Path) -> None:
    with libmodbus_server() as port:
        (tmp_path / "site.yaml").write_text(SITE.format(port=port, folder=tmp_path))
        common = ("-c", tmp_path / "site.yaml", "--data", tmp_path / "data", "--once")
        found = json.loads(invoke(*common, "--json").output)
        table = invoke(*common, "meter-1")
        nothing = invoke(*common, "meter1")
    values = {tag["tag"]: (tag["value"], tag["quality"], tag["raw"]) for tag in found["tags"]}
    assert values["voltage_l1"] == (0.5, "good", "3f00 0000")
    assert values["voltage_l2"] == (None, "bad_range", "3fc0 0000")
    assert values["a"] == (None, "bad_comm", "")
    assert [device["name"] for device in found["devices"]] == ["gone"]
    assert "meter-1/still" in table.output and "boiler" not in table.output
    assert nothing.exit_code == 1 and "no tag fits meter1" in nothing.output


def tag(name: str = "voltage_l1", value: Any = 229.7000045776367, **keys: Any) -> dict[str, Any]:
    row = {"device": "meter-1", "group": "1s", "tag": name, "value": value, "dtype": "float32", "unit": "V"}
    return {**row, "quality": "good", "age": 0.25, "raw": "4365 b333", **keys}


def answer(*tags: dict[str, Any], ts: int = 1_700_000_000_000, frames: int = 0, **keys: Any) -> dict[str, Any]:
    line = {"name": "tcp://10.0.0.1:502", "state": "up", "utilisation": 0.5, "late": 1234, "overloaded": False}
    sink = {"name": "platform", "state": "up", "owed": 12345, "confirmed": 0.5, "aside": 0, "error": ""}
    found = {"gateway": "gw", "ts": ts, "total": len(tags), "tags": list(tags), "devices": [], "ill": 0, "store": ""}
    parts = {"lines": [{**line, "devices": 3, "dead": ["a"]}], "sinks": [{**sink, "frames": frames}]}
    return {**found, **parts, **keys}


def drawn(screen: Screen, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(screen.picture(width, height))
    output: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is what was put there
    return output.splitlines()


@pytest.mark.parametrize(("width", "height"), [(120, 40), (80, 24), (40, 12), (20, 5)], ids=str)
def test_the_picture_fits_the_terminal(width: int, height: int) -> None:
    screen = Screen(ALL)
    screen.saw(answer(*(tag(f"voltage_of_phase_{n}") for n in range(200))), "")
    lines = drawn(screen, width, height)
    assert max(map(len, lines)) <= width
    assert height < 24 or len(lines) <= height
    assert screen.room(height) < 40
    if width >= 40:
        assert any("229.7" in line and "good" in line for line in lines)
    assert any("4365 b333" in line for line in lines) == (width >= 80)


def test_frames_per_second_are_those_between_two_answers() -> None:
    screen = Screen(ALL)
    screen.saw(answer(frames=100), "")
    screen.saw(answer(frames=125, ts=1_700_000_002_000), "")
    assert any("platform" in line and "12.5" in line for line in drawn(screen, 100, 30))


def test_while_nobody_answers_the_last_picture_stays_and_says_so() -> None:
    screen = Screen(ALL)
    screen.saw(None, "waiting until it is back")
    assert drawn(screen, 80, 24) == ["waiting until it is back"]
    screen.saw(answer(tag()), "")
    screen.saw(None, "waiting until it is back")
    lines = drawn(screen, 80, 24)
    assert lines[0] == "waiting until it is back" and any("229.7" in line for line in lines)
    screen.saw(answer(tag()), "")
    assert not any("waiting" in line for line in drawn(screen, 80, 24))


def test_elsewhere_each_change_is_a_line() -> None:
    changes = Changes()
    first = list(changes.lines(answer(tag(), tag("voltage_l2", None, quality="bad_comm", raw=""))))
    assert first == [
        "2023-11-14T22:13:20.000+00:00  meter-1/voltage_l1  229.7 V  good  4365 b333",
        "2023-11-14T22:13:20.000+00:00  meter-1/voltage_l2  V  bad_comm",
        "2023-11-14T22:13:20.000+00:00  line tcp://10.0.0.1:502  up",
        "2023-11-14T22:13:20.000+00:00  sink platform  up",
    ]
    assert list(changes.lines(answer(tag(age=1.25)))) == []
    assert [line.split("  ")[2] for line in changes.lines(answer(tag(value=230.0)))] == ["230 V"]
    assert len(list(changes.gone("waiting"))) == 1 and list(changes.gone("waiting")) == []


@given(st.text(), st.text(), st.one_of(st.text(), st.floats(), st.integers(), st.none()), st.integers(20, 200))
def test_no_name_and_no_value_steers_the_terminal(name: str, other: str, value: Any, width: int) -> None:
    odd = tag(name, value, unit=other, quality=name or "good", raw=other, dtype="str")
    found = answer(odd, devices=[{"name": name, "state": "down", "breaker": "open", "probe": 1.0, "error": other}])
    found["gateway"] = found["sinks"][0]["error"] = other
    screen = Screen(ALL)
    screen.saw(found, "")
    lines = [*drawn(screen, width, 30), *Changes().lines(found), watched.headline(found, ALL, 1)]
    assert all(line.isprintable() for line in lines[:-1])


async def test_a_question_is_bounded(tmp_path: Path) -> None:
    async with running(tmp_path, SITE.format(port=1, folder=tmp_path)) as ask:
        found = await ask("/api/v1/watch", limit="2", offset="1")
        assert (len(found["tags"]), found["total"]) == (2, 5)
        assert [tag["tag"] for tag in (await ask("/api/v1/watch", offset="99"))["tags"]] == []
        for query in ({"limit": "-1"}, {"limit": "x"}, {"match": ["x"] * 51}, {"match": ["*" * 301]}, {"more": "1"}):
            with pytest.raises(StoreError, match="400"):
                await ask("/api/v1/watch", **query)
