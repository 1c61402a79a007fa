"""Random commands against a plain oracle. FLOORGATE_COMMANDS says how many; 100,000 take minutes."""

import asyncio
import os
import random
from pathlib import Path

from agent.model.errors import Unreachable
from agent.runtime.audit import resting
from tests.unit.runtime.command_oracle import PER_MINUTE, Oracle, fated, one, start
from tests.unit.runtime.commanding import Device, rig

COUNT = int(os.environ.get("FLOORGATE_COMMANDS", "3000"))
FATES = ("done",) * 12 + ("ignores", "no", "cut before", "cut after")


async def test_random_commands_end_as_the_oracle_says_and_only_what_it_says_is_written(tmp_path: Path) -> None:
    luck, time, device = random.Random(COUNT), start(), Device()
    ids: list[str] = []
    outcomes: dict[str, int] = {}
    async with rig(tmp_path, per_minute=PER_MINUTE, device=device, time=time) as run:
        oracle, part = Oracle(device, time), run.health.part("device", "press")
        for number in range(COUNT):
            time.pass_by(luck.choice([0.1, 1, 1, 2, 10]))
            if luck.random() < 0.02:
                oracle.up = not oracle.up
                part.up() if oracle.up else part.down(Unreachable("gone"))
            if luck.random() < 0.005:
                time.step(luck.choice([-5000, 5000, 40]))
                time.synced, oracle.stepped = luck.random() < 0.5, True
            if time.synced:
                oracle.stepped = False
            if luck.random() < 0.02:
                time.synced = True
                oracle.stepped = False
            command, fate = one(luck, time, number, ids), luck.choice(FATES)
            fated(device, fate)
            expected, before = oracle.outcome(command, fate), len(device.writes)
            answer = await run.clerk(command)
            assert answer.outcome == expected, (number, command, fate, answer)
            assert len(device.writes) == oracle.written, (number, command, fate, answer)
            assert len(device.writes) - before <= 1
            outcomes[answer.outcome] = outcomes.get(answer.outcome, 0) + 1
            if number % 100 == 0:
                await run.clerk.settle()
                await asyncio.sleep(0)
        assert outcomes == run.counts
    with resting(tmp_path) as book:
        assert book.verify().fault == ""
        assert len(book.entries(100_000)) >= oracle.written
        assert len(book.refusals(20_000)) <= 10_000
    assert set(outcomes) == {"done", "differs", "refused", "forbidden", "stale", "repeated", "busy", "unknown"}
