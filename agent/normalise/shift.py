"""What a device asks of its shifts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Oee:
    """Names of tags of the device, one of `good` and `rejects`; `run` are the states in which it works, `cycle` is how
    long a piece is to take (ns)."""

    state: str
    run: tuple[str, ...]
    produced: str
    cycle: int
    calendar: str
    good: str = ""
    rejects: str = ""

    @property
    def counters(self) -> tuple[str, ...]:
        return self.produced, self.good or self.rejects
