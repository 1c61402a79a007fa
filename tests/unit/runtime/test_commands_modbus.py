"""Commands through a running agent to a Modbus device that counts what reaches it."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from agent.runtime.audit import resting
from tests.lengths import often
from tests.sim.commanded import Platform, agent, process, site
from tests.sim.faulty_line import line_over_tcp
from tests.sim.faulty_modbus import faulty_device, silent
from tests.sim.holding import Holding

DEVICE = """\
  - name: press
    driver: modbus
    endpoint: {endpoint}
    interval: 50ms
    tags:
      - {{name: setpoint, address: 100, write: {{min: 0, max: 80, step: 2, rate: 0s}}}}
      - {{name: other, address: 101, write: {{rate: 0s}}}}
      - {{name: pump, register: coil, address: 7, write: {{rate: 0s}}}}
      - {{name: speed, address: 102}}
"""
COUNT = often(200, 1000)


def entries(folder: Path) -> list[dict[str, Any]]:
    with resting(folder / "data") as book:
        assert book.verify().fault == ""
        return book.entries(10_000)


async def test_a_command_goes_all_the_way_and_back(tmp_path: Path) -> None:
    plc = Holding()
    async with (
        faulty_device(plc.tcp) as server,
        agent(site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up")) as meet,
    ):
        platform = await meet("up")
        await platform.done("press", "setpoint", 10)
        found = await platform.ask("press", "setpoint", 42, id="7f3a", who="li")
        assert (found["id"], found["outcome"], found["value"], found["audit"]) == ("7f3a", "done", 42, 2)
        assert (plc.registers[100], len(plc.writes)) == (42, 2)
        assert (await platform.ask("press", "pump", True))["outcome"] == "done"
        assert plc.coils[7] is True
        assert (await platform.ask("press", "speed", 1))["outcome"] == "forbidden"
    row = entries(tmp_path)[1]
    assert (row["old"], row["new"], row["found"], row["via"]) == (10, 42, 42, "li, command 7f3a")


async def answers(platform: Platform, count: int) -> dict[str, int]:
    """How many of each outcome."""
    found: dict[str, int] = {}
    for _ in range(count):
        outcome = (await platform.answer())["outcome"]
        found[outcome] = found.get(outcome, 0) + 1
    return found


async def volley(platform: Platform, commands: list[dict[str, Any]]) -> dict[str, int]:
    """Ten at a time, so that none is turned away because of the others."""
    found: dict[str, int] = {}
    for at in range(0, len(commands), 10):
        for command in commands[at : at + 10]:
            platform.writer.write(json.dumps(command).encode() + b"\n")
        for outcome, n in (await answers(platform, len(commands[at : at + 10]))).items():
            found[outcome] = found.get(outcome, 0) + n
    return found


async def test_what_is_forged_stale_replayed_or_out_of_range_again_and_again_writes_nothing(
    tmp_path: Path,
) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up", allow=["press/setpoint", "press/pump"])
        async with agent(path) as meet:
            platform = await meet("up")
            first = await platform.done("press", "setpoint", 10)
            now = time.time_ns() // 10**6
            base = {"device": "press", "tag": "setpoint", "value": 20, "issued_at": now}
            forged = [{"tag": "other"}, {"tag": "speed"}, {"device": "pres"}, {"tag": "../setpoint"}, {"value": "20"}]
            wrong = [82, -2, 21, 1e300, 2**63, 20.5, True, None, [20]]
            volleys = {
                "forged": [{**base, "id": f"f{n}", **forged[n % len(forged)]} for n in range(COUNT)],
                "stale": [{**base, "id": f"s{n}", "issued_at": now + (n % 2 * 2 - 1) * 90_000} for n in range(COUNT)],
                "replayed": [{**base, "id": first["id"], "value": n % 40 * 2} for n in range(COUNT)],
                "out of range": [{**base, "id": f"r{n}", "value": wrong[n % len(wrong)]} for n in range(COUNT)],
            }
            found = {name: await volley(platform, commands) for name, commands in volleys.items()}
            assert found == {
                "forged": {"forbidden": COUNT},
                "stale": {"stale": COUNT},
                "replayed": {"repeated": COUNT},
                "out of range": {"forbidden": COUNT},
            }
            assert len(plc.writes) == 1
            assert (await platform.ask("press", "setpoint", 20))["outcome"] == "done"
    assert len(entries(tmp_path)) == 2
    with resting(tmp_path / "data") as book:
        rows = book.refusals(10_000)
    assert (
        len(rows) <= 40 and sum(row["count"] for row in rows) >= 4 * COUNT - COUNT * len([None, [20]]) // len(wrong) - 1
    )


async def test_what_comes_while_the_device_is_away_is_refused_at_once_and_never_sent(tmp_path: Path) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up")
        async with agent(path) as meet:
            platform = await meet("up")
            await platform.done("press", "setpoint", 10)
            server.behave = silent
            while (found := await platform.ask("press", "setpoint", 20))["message"] != "device press is not up":
                assert found["outcome"] in ("refused", "unknown"), found
            arrived = sum(adu[7] == 6 for adu in server.asked)
            kept = [platform.give("press", "setpoint", 30) for _ in range(5)]
            assert await answers(platform, 5) == {"refused": 5}
            server.behave = plc.tcp
            await platform.done("press", "other", 7)
            assert {adu[8:12] for adu in [adu for adu in server.asked if adu[7] == 6][arrived:]} == {b"\0\x65\0\x07"}
            for each in kept:
                assert (await platform.ask("press", "setpoint", 30, id=each))["outcome"] == "repeated"
            assert plc.registers[100] == 10


async def test_two_sinks_at_once_and_no_write_is_lost_or_made_twice(tmp_path: Path) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "one", "two")
        async with agent(path) as meet:
            platforms = [await meet(name) for name in ("one", "two")]
            await platforms[0].done("press", "setpoint", 0)
            before = len(plc.writes)
            for platform in platforms:
                for n in range(14):
                    platform.give("press", "setpoint", 2 * n, id=f"same{n}")
            found = [await answers(platform, 14) for platform in platforms]
            assert found == [{"done": 14}, {"done": 14}]
            assert len(plc.writes) - before == 28
    rows = entries(tmp_path)[1:]
    assert sorted({(row["user"], row["via"]) for row in rows}) == sorted(
        {(f"sink {name}", f"command same{n}") for name in ("one", "two") for n in range(14)}
    )
    assert [row["old"] for row in rows[1:]] == [row["found"] for row in rows[:-1]]  # one after the other


async def test_scans_and_commands_share_a_line_without_numbers_and_none_gets_the_other_s_answer(
    tmp_path: Path,
) -> None:
    """The line checks each request's checksum: two at once would not have one. Every scan has what it should have."""
    plc = Holding(registers={102: 555})
    async with line_over_tcp(lambda request: [0.002, *plc.rtu(request)]) as line:
        device = DEVICE.format(endpoint=line.endpoint).replace("50ms", "10ms") + "    unit: 1\n"
        path = site(tmp_path, device, "up")
        path.write_text(path.read_text() + f"  - {{name: out, type: file, path: '{tmp_path}/out.jsonl'}}\n")
        async with agent(path) as meet:
            platform = await meet("up")
            await platform.done("press", "setpoint", 0)
            reads, before = plc.reads, len(plc.writes)
            for n in range(40):
                found = await platform.ask("press", "setpoint", 2 * n)
                assert (found["outcome"], found["value"], plc.registers[100]) == ("done", 2 * n, 2 * n)
            assert (len(plc.writes) - before, line.connections) == (40, 1)
            assert plc.reads - reads >= 80
    rows = [json.loads(text) for text in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) > 10 and {json.dumps(row["quality"]) for row in rows} == {"{}"}
    assert {row["values"]["speed"] for row in rows} == {555}


async def again(platform: Platform, name: str) -> dict[str, int]:
    """What becomes of a command that is given three times more, once the agent takes any."""
    async with asyncio.timeout(20):
        while (await platform.ask("press", "speed", 1))["outcome"] == "busy":
            await asyncio.sleep(0.02)
    for _ in range(3):
        platform.give("press", "setpoint", 20, id=name)
    return await answers(platform, 3)


async def test_killed_between_the_audit_and_the_wire_nothing_was_sent_and_nothing_is_later(tmp_path: Path) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up")
        async with process(path, "--die") as (running, meet):
            platform = await meet("up")
            while running.returncode is None:  # until the device is up, and the first value was about to leave
                platform.give("press", "setpoint", 20)
                await asyncio.sleep(0.05)
        (row,) = entries(tmp_path)
        assert (running.returncode, plc.writes, row["outcome"]) == (-9, [], "unknown")
        async with agent(path) as meet:
            platform = await meet("up")
            assert await again(platform, row["via"].removeprefix("command ")) == {"repeated": 3}
            await platform.done("press", "other", 1)
            assert [write[1:3] for write in plc.writes] == [b"\0\x65"]
    assert [row["outcome"] for row in entries(tmp_path)] == ["unknown", "done"]


async def test_killed_after_the_value_left_it_is_unknown_and_never_sent_again(tmp_path: Path) -> None:
    plc = Holding()
    async with faulty_device(plc.tcp) as server:
        path = site(tmp_path, DEVICE.format(endpoint=server.endpoint), "up")
        async with process(path) as (running, meet):
            platform = await meet("up")
            await platform.done("press", "setpoint", 10)
            server.behave = lambda adu: [] if adu[7] == 6 else plc.tcp(adu)
            platform.give("press", "setpoint", 20, id="killed")
            async with asyncio.timeout(20):
                while not any(adu[7] == 6 and adu[10:12] == b"\0\x14" for adu in server.asked):
                    await asyncio.sleep(0.005)
            running.kill()
            await running.wait()
        server.behave = plc.tcp
        sent = sum(adu[7] == 6 for adu in server.asked)
        async with agent(path) as meet:
            platform = await meet("up")
            assert await again(platform, "killed") == {"repeated": 3}
            assert (await platform.done("press", "other", 1))["outcome"] == "done"
            assert [adu[8:12] for adu in server.asked if adu[7] == 6][sent:] == [b"\0\x65\0\x01"]
            assert plc.registers[100] == 10
    assert [row["outcome"] for row in entries(tmp_path)] == ["done", "unknown", "done"]
