"""What the metrics tell besides health, ledger and store; whoever runs the agent reads it off when it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent.health import Durations


@dataclass(frozen=True, slots=True)
class Reading:
    """At one moment. `tags` are (device, quality, how many), `inlet` is frames and bytes that wait, and how many bytes
    may; `wal` is None where there is no such file. `step` is by how many seconds the clock was set last."""

    gateway: str = ""
    epoch: str = ""
    tags: Sequence[tuple[str, str, int]] = ()
    inlet: tuple[int, int, int] = (0, 0, 0)
    commits: Durations = field(default_factory=Durations)
    wal: int | None = None
    synced: bool = True
    plausible: bool = True
    steps: int = 0
    step: float | None = None
    logged: Mapping[str, int] = field(default_factory=dict)
    suppressed: int = 0


class Meters(Protocol):
    """Who reads them off; gives others their turn meanwhile."""

    async def read(self) -> Reading: ...
