"""What an alarm of a tag is, and what leaves the gateway of it."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from agent.model.frame import Value

Kind = Literal["hh", "h", "l", "ll", "deviation", "rate", "state", "bad"]
GROUP = "alarm"  # of the frames that are made: they go first
SECOND = 10**9  # ns
MINUTE = 60 * SECOND
CHATTER = 10  # changes in a minute that an alarm may make


@dataclass(frozen=True, slots=True)
class Alarm:
    """One condition of one tag. Times are ns.

    What is measured is the value; of a `deviation` with `other`, how far it is from that tag; of a `rate`, its change
    per second over the time `over`. The alarm comes when that is below `low` or above `high` (of a `state`: when it is
    one of `states`), and goes when it is back by `hysteresis`: each when it has been so for its delay. One that changes
    more often than `chatter` times in a minute is held. Without a `name` it is `<tag>_<kind>`.
    """

    kind: Kind
    name: str = ""
    severity: int = 500
    text: str = ""
    low: float = -inf
    high: float = inf
    hysteresis: float = 0.0
    on_delay: int = 0
    off_delay: int = 0
    other: str = ""
    states: frozenset[Value] = frozenset()
    over: int = 0
    chatter: int = CHATTER

    def called(self, tag: str) -> str:
        return self.name or f"{tag}_{self.kind}"


def columns_of(name: str, kind: Kind, text: str) -> tuple[str, ...]:
    """The names of what is told of an alarm: whether it is on, its state, its severity, and where there are such its
    text and the value that did it."""
    more = (*((f"{name}_text",) if text else ()), *((f"{name}_value",) if kind != "bad" else ()))
    return name, f"{name}_state", f"{name}_severity", *more
