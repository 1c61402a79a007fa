"""S19: random commands against a plain oracle. FLOORGATE_COMMANDS says how many; `make faults` asks 100,000."""

import os
from pathlib import Path

from tests.unit.runtime.command_oracle import compared

COUNT = int(os.environ.get("FLOORGATE_COMMANDS", "3000"))


async def test_random_commands_end_as_the_oracle_says_and_only_what_it_says_is_written(tmp_path: Path) -> None:
    found = await compared(tmp_path, COUNT)
    assert found.differ == []
    assert found.fault == ""
    assert found.outcomes == found.counted
    assert set(found.outcomes) == {"done", "differs", "refused", "forbidden", "stale", "repeated", "busy", "unknown"}
    assert found.entries >= found.writes == found.expected > 0
    assert found.refusals <= 10_000
