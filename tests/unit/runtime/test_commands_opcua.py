"""Commands through a running agent to an independent OPC UA server that counts what it is sent."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runtime.audit import resting
from tests.sim.commanded import agent, site
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer, machine_server
from tests.unit.runtime.test_commands_modbus import COUNT, volley

pytestmark = pytest.mark.xdist_group("opcua")
DEVICE = """\
  - name: machine
    driver: opcua
    endpoint: {endpoint}
    security: none
    mode: {mode}
    interval: 100ms
    tags:
      - {{name: speed, node: "nsu={uri};s=Speed", type: float32, write: {{min: 0, max: 20, rate: 0s}}}}
      - {{name: limit, node: "nsu={uri};s=Limit", type: int16, write: {{rate: 0s, change: 100}}}}
      - {{name: running, node: "nsu={uri};s=Running", type: bool, write: {{rate: 0s}}}}
      - {{name: fixed, node: "nsu={uri};s=Fixed", write: {{rate: 0s}}}}
      - {{name: total, node: "nsu={uri};s=Total", type: uint64}}
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[OpcuaServer]:
    with machine_server(children=1) as server:
        yield server


@pytest.mark.parametrize("mode", ["subscribe", "poll"])
async def test_values_reach_the_node_through_the_session_that_reads_it(
    mode: str, machine: OpcuaServer, tmp_path: Path
) -> None:
    device = DEVICE.format(endpoint=machine.endpoint, uri=MACHINE, mode=mode)
    async with agent(site(tmp_path, device, "up")) as meet:
        platform = await meet("up")
        await platform.done("machine", "limit", 7)
        before = machine.writes()
        for n in range(20):
            found = await platform.ask("machine", "limit", n)
            assert (found["outcome"], found["value"]) == ("done", n)
        assert abs((await platform.ask("machine", "speed", 1.1))["value"] - 1.1) < 1e-6
        assert (await platform.ask("machine", "running", True))["outcome"] == "done"
        assert machine.writes() - before == 22
        assert (await platform.ask("machine", "limit", 120))["outcome"] == "forbidden"
        refused = await platform.ask("machine", "fixed", 1.0)
        assert (refused["outcome"], "BadNotWritable" in refused["message"] or "Denied" in refused["message"]) == (
            "refused",
            True,
        )
        await platform.done("machine", "limit", 7)


async def test_what_is_forged_stale_replayed_or_out_of_range_writes_nothing(
    machine: OpcuaServer, tmp_path: Path
) -> None:
    device = DEVICE.format(endpoint=machine.endpoint, uri=MACHINE, mode="subscribe")
    path = site(tmp_path, device, "up", allow=["machine/speed", "machine/limit"])
    async with agent(path) as meet:
        platform = await meet("up")
        first, now = await platform.done("machine", "speed", 2), time.time_ns() // 10**6
        before = machine.writes()
        base = {"device": "machine", "tag": "speed", "value": 5, "issued_at": now}
        forged = [{"tag": "total"}, {"tag": "running", "value": True}, {"device": "machin"}, {"value": "5"}]
        wrong = [20.1, -1, 1e39, True]
        found = [
            await volley(platform, [{**base, "id": f"f{n}", **forged[n % 4]} for n in range(COUNT)]),
            await volley(platform, [{**base, "id": f"s{n}", "issued_at": now - 90_000} for n in range(COUNT)]),
            await volley(platform, [{**base, "id": first["id"]} for _ in range(COUNT)]),
            await volley(platform, [{**base, "id": f"r{n}", "value": wrong[n % 4]} for n in range(COUNT)]),
        ]
        assert found == [{"forbidden": COUNT}, {"stale": COUNT}, {"repeated": COUNT}, {"forbidden": COUNT}]
        assert machine.writes() == before
    with resting(tmp_path / "data") as book:
        assert (book.verify().fault, len(book.entries(100))) == ("", 1)


async def test_what_comes_while_the_server_is_away_is_refused_and_never_sent(
    machine: OpcuaServer, tmp_path: Path
) -> None:
    device = DEVICE.format(endpoint=machine.endpoint, uri=MACHINE, mode="subscribe")
    async with agent(site(tmp_path, device, "up")) as meet:
        platform = await meet("up")
        await platform.done("machine", "limit", 9)
        before = machine.writes()
        machine.freeze()
        try:
            while (found := await platform.ask("machine", "limit", 10))["message"] != "device machine is not up":
                assert found["outcome"] == "refused", found
                await asyncio.sleep(0.05)
            kept = platform.give("machine", "limit", 11)
            assert (await platform.answer())["outcome"] == "refused"
        finally:
            machine.thaw()
        await platform.done("machine", "running", True)
        assert (await platform.ask("machine", "limit", 11, id=kept))["outcome"] == "repeated"
        assert machine.writes() == before + 1
