"""Six meters on one serial line, through the whole house: two die, one of them comes back, and the others go on."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.e2e.site import Agent, until
from tests.sim import faulty_line as fault
from tests.sim.faulty_line import line_on_pty, value

UNITS = range(1, 7)
DEAD = (3, 5)
INTERVAL = 0.25
SITE = """\
gateway: {{id: gw-bus}}
devices:
{devices}
lines:
  - {{endpoint: "rtu://{port}?baud=19200", timeout: 200ms}}
sinks:
  - {{name: archive, type: file, path: {archive}}}
buffer: {{keep: 1d, reserve: 1MB, commit: 50ms}}
log: {{format: json}}
"""
DEVICE = """\
  - {{name: meter-{unit}, driver: modbus, endpoint: "rtu://{port}?baud=19200", unit: {unit}, interval: 250ms, tags: [
      {{name: a, address: 10}}, {{name: b, address: 12}}, {{name: c, address: 300}}]}}"""


def frames(archive: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in archive.read_text("utf-8").splitlines() if archive.exists() else ():
        frame = json.loads(line)
        found[frame["device"]].append(frame)
    return found


async def test_dead_meters_do_not_stall_their_neighbours_and_every_sample_is_accounted_for(tmp_path: Path) -> None:
    archive, dead = tmp_path / "archive.jsonl", set[int]()

    def behave(request: bytes) -> list[fault.Act]:
        return [] if request[0] in dead else fault.good(request)

    async with line_on_pty(behave) as (line, port):
        devices = "\n".join(DEVICE.format(unit=unit, port=port) for unit in UNITS)
        agent = Agent(tmp_path, SITE.format(devices=devices, port=port, archive=archive))
        agent.start()
        try:
            await until(lambda: len(frames(archive)) == len(UNITS), "values of all meters")
            await asyncio.to_thread(agent.ready)
            dead.update(DEAD)
            await asyncio.sleep(3)
            before, asked = {name: len(of) for name, of in frames(archive).items()}, len(line.asked)
            await asyncio.sleep(2)
            after = frames(archive)
            living = [f"meter-{unit}" for unit in UNITS if unit not in dead]
            assert all(len(after[name]) - before[name] > 0.6 * 2 / INTERVAL for name in living)
            probes = sum(request[0] in dead for request in line.asked[asked:])
            assert probes <= 4, "the dead are asked now and then"
            ready = await asyncio.to_thread(agent.ask, "/readyz")
            dead.clear()
            came = {name: len(of) for name, of in frames(archive).items()}
            await until(lambda: all(len(of) > came[name] + 3 for name, of in frames(archive).items()), "the dead")
            assert await asyncio.to_thread(agent.stop) == 0
            for account in await asyncio.to_thread(agent.ledger):
                assert account["balanced"]
                assert account["read"] == account["delivered"] == 3 * len(frames(archive)[account["device"]])
        finally:
            if agent.alive():
                agent.kill()
    for unit in UNITS:
        for frame in frames(archive)[f"meter-{unit}"]:
            right = {"a": value(unit, 10), "b": value(unit, 12), "c": value(unit, 300)}
            assert frame["values"] == {tag: right[tag] for tag in frame["values"]}
    said = [json.loads(text) for text in agent.log.read_text("utf-8").splitlines()]
    for unit in DEAD:
        edges = [each["message"] for each in said if f"meter-{unit}" in each["message"]]
        assert len(edges) == 2, edges
        assert "no answer in 0.2 s" in edges[0]
        assert "is back" in edges[1]
    (shown,) = ready["lines"]
    assert shown["dead"] == ["meter-3", "meter-5"]
    assert 0 < shown["utilisation"] < 1
