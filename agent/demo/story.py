"""What happens when: each act has its share of the demo's time."""

from dataclasses import dataclass, field
from typing import Literal

Key = Literal["kill", "revive", "cut", "restore", "end"]


@dataclass(frozen=True, slots=True)
class Act:
    """`at` is a share of the whole time, 0 to 1."""

    at: float
    key: Key
    text: str


ACTS = (
    Act(0.25, "kill", "the compressor has lost power: its tags turn bad, its neighbours go on"),
    Act(0.42, "revive", "the compressor has power again"),
    Act(0.54, "cut", "the uplink is cut: values wait on disk"),
    Act(0.72, "restore", "the uplink is back: history follows"),
    Act(1.00, "end", "the agent is told to stop: it sends what it still has"),
)


@dataclass(slots=True)
class Scene:
    """What the demo does to the plant at this moment, for the picture; `done` is the share of time that has passed."""

    done: float = 0.0
    dead: set[str] = field(default_factory=set)
    cut: bool = False
