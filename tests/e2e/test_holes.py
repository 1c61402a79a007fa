"""What an agent has found out of a device with holes outlives a kill, and what is refused is not asked for again."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.e2e.site import Agent, until
from tests.sim import faulty_modbus as fault
from tests.sim.faulty_modbus import FaultyDevice, faulty_device

MISSING, MOST = {11, 25}, 20  # register 11 lies between tags, 25 is one
ADDRESSES = [*range(10), *range(14, 60)]
SITE = """\
gateway: {{id: gw-holes}}
devices:
  - {{name: plc, driver: modbus, endpoint: "{endpoint}", interval: 50ms, tags: [{tags}]}}
sinks:
  - {{name: archive, type: file, path: {archive}}}
buffer: {{keep: 1d, reserve: 1MB, commit: 50ms}}
"""


def asked(adu: bytes) -> tuple[int, int]:
    """First register and count of a request."""
    return int.from_bytes(adu[8:10], "big"), int.from_bytes(adu[10:12], "big")


def code(adu: bytes) -> int:
    """The exception with which the device refuses, or 0."""
    first, count = asked(adu)
    return 2 if MISSING & set(range(first, first + count)) else 3 if count > MOST else 0


def behave(adu: bytes) -> list[fault.Act]:
    return fault.exception(code(adu))(adu) if code(adu) else fault.good(adu)


def refused(plc: FaultyDevice) -> list[tuple[int, int]]:
    return [asked(adu) for adu in plc.asked if code(adu)]


def last(archive: Path) -> dict[str, Any]:
    lines = archive.read_text("utf-8").splitlines() if archive.exists() else []
    return json.loads(lines[-1])["values"] if lines else {}


async def test_what_a_device_refuses_is_not_asked_again_after_a_kill(tmp_path: Path) -> None:
    archive, good = tmp_path / "archive.jsonl", {f"t{at}": at for at in ADDRESSES if at not in MISSING}

    async def settled(plc: FaultyDevice) -> None:
        """All that there is is read, and nothing was refused for a while."""
        await until(lambda: {name: last(archive).get(name) for name in good} == good, "all that can be read")
        while refused(plc):
            plc.asked.clear()
            await asyncio.sleep(1)

    async with faulty_device(behave) as plc:
        tags = ", ".join(f"{{name: t{at}, address: {at}}}" for at in ADDRESSES)
        agent = Agent(tmp_path, SITE.format(endpoint=plc.endpoint, tags=tags, archive=archive))
        agent.start()
        try:
            await settled(plc)
            await asyncio.to_thread(agent.kill)
            archive.unlink()
            plc.asked.clear()
            agent.start()
            await until(lambda: len(plc.asked) > 50, "requests of the second run")
            assert refused(plc) == [(25, 1)], "the tag that is not there is tried once"
            await until(lambda: last(archive) != {}, "the first frame of the second run")
            assert last(archive) == good
        finally:
            if agent.alive():
                await asyncio.to_thread(agent.kill)
