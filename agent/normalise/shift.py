"""What a device asks of its shifts."""

from dataclasses import dataclass

from agent.normalise.calculated import Source


@dataclass(frozen=True, slots=True)
class Oee:
    """Names of tags, one of `good` and `rejects`; `run` are the states in which it works, `cycle` is how long a piece
    is to take (ns). Those in `inputs` are tags of other devices, the others of its own."""

    state: str
    run: tuple[str, ...]
    produced: str
    cycle: int
    calendar: str
    good: str = ""
    rejects: str = ""
    inputs: tuple[tuple[str, Source], ...] = ()

    @property
    def counters(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.produced, self.good or self.rejects)))

    def source(self, name: str, device: str) -> Source:
        """The tag of this name, when it is that device which asks."""
        return dict(self.inputs).get(name, (device, name))
