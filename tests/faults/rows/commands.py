"""Commands from north: any of them, and a process that is killed while they come."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from agent.runtime.audit import resting
from tests.faults.table import Seen, row
from tests.sim.commanded import Platform, process, site
from tests.sim.faulty_modbus import faulty_device
from tests.sim.holding import Holding
from tests.unit.runtime.command_oracle import compared

COMMANDS = 100_000
DEVICE = """\
  - name: press
    driver: modbus
    endpoint: {endpoint}
    interval: 50ms
    tags: [{{name: value, address: 1, write: {{rate: 0s}}}}]
"""
AT_ONCE = 4
NEVER = ("refused", "forbidden", "stale")  # what is busy may be given again, repeated tells nothing of the first time


@row(
    "S19",
    f"{COMMANDS:,} random commands, half of them wrong in something, compared with a plain oracle",
    runs=1,
    short=0,
)
def random_commands(seen: Seen) -> None:
    found = asyncio.run(compared(seen.folder, COMMANDS))
    seen.none("that end otherwise than the oracle says", len(found.differ))
    seen.none("writes on the device more or fewer than it says", abs(found.writes - found.expected))
    seen.none("faults in the chain of the audit", int(bool(found.fault)))
    seen.least("writes", found.writes, COMMANDS / 100)


@dataclass
class Given:
    """Commands by id, each with a value of its own, and what was answered."""

    values: dict[str, int] = field(default_factory=dict)
    answers: dict[str, list[str]] = field(default_factory=dict)
    issued: dict[str, int] = field(default_factory=dict)


@row(
    "S21",
    "SIGKILL at any moment while a platform gives commands, each of which it gives again after the start",
    runs=50,
    short=3,
)
def killed_with_commands(seen: Seen) -> None:
    plc, given = Holding(), Given()
    asyncio.run(_kills(seen, plc, given))
    arrived = Counter(int.from_bytes(write[3:5], "big") for write in plc.writes)
    with resting(seen.folder / "data") as book:
        fault, entries = book.verify().fault, {row["new"]: row["outcome"] for row in book.entries(100_000)}
    answers = [(given.values[name], answer) for name, found in given.answers.items() for answer in found]
    done = {value for value, answer in answers if answer == "done"}
    first = {given.values[name]: found[0] for name, found in given.answers.items()}
    seen.none("values that reached the device twice", sum(count > 1 for count in arrived.values()))
    seen.none("values that reached it without an entry in the audit", len(arrived.keys() - entries.keys()))
    seen.none("done, and not there", len(done - arrived.keys()))
    seen.none("turned away, and there all the same", sum(first.get(v) in NEVER and v not in done for v in arrived))
    seen.none("faults in the chain of the audit", int(bool(fault)))
    seen.least("commands done", len(done), 2 * seen.runs)
    seen.least(
        "entries whose outcome nobody knows", sum(o == "unknown" for o in entries.values()), 1 if seen.runs > 9 else 0
    )


async def _kills(seen: Seen, plc: Holding, given: Given) -> None:
    dice = random.Random()
    async with faulty_device(plc.tcp) as server:
        path = site(seen.folder, DEVICE.format(endpoint=server.endpoint), "up")
        for run in range(seen.runs):
            old = list(given.values)[-20:]
            async with process(path) as (running, meet):
                platform = await meet("up")
                while (await platform.ask("press", "value", 0, id=f"up{run}-{dice.random()}"))["outcome"] != "done":
                    await asyncio.sleep(0.05)
                plc.writes.pop()
                for name in old:
                    _give(platform, given, name)
                with suppress(TimeoutError, ValueError):  # the connection ends in the middle of a line
                    async with asyncio.timeout(dice.uniform(0, 0.4)):
                        await _converse(platform, given, run)
                running.kill()
                await running.wait()


def _give(platform: Platform, given: Given, name: str) -> None:
    given.values.setdefault(name, len(given.values) + 1)
    found = platform.give(
        "press", "value", given.values[name], id=name, issued_at=given.issued.get(name) or platform.now()
    )
    given.issued.setdefault(found, platform.now())


async def _converse(platform: Platform, given: Given, run: int) -> None:
    """Always a few under way, for ever."""
    for number in range(AT_ONCE):
        _give(platform, given, f"{run}/{number}")
    while True:
        answer = await platform.answer()
        given.answers.setdefault(answer["id"], []).append(answer["outcome"])
        number += 1
        _give(platform, given, f"{run}/{number}")
