"""The ways through a debt: live frames as they are committed, history beside them at its own pace."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.model.frame import Entry


@dataclass(slots=True)
class Stretch:
    """Frames above `after` and up to `until` that were not read yet."""

    after: int
    until: int


@dataclass(slots=True)
class History:
    """What waited: up to `boundary` it is history. Stretches are worked off oldest first."""

    boundary: int
    stretches: list[Stretch] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def demote(self, after: int, until: int) -> None:
        """The live lane lags: what it had still to send is history from now on."""
        self.boundary = until
        self.stretches.append(Stretch(after, until))
        self.more.set()

    @property
    def next(self) -> Stretch | None:
        return self.stretches[0] if self.stretches else None

    def advance(self, entries: Sequence[Entry]) -> None:
        """These were read from the first stretch; none: it is worked off."""
        if entries:
            self.stretches[0].after = entries[-1].seq
        else:
            del self.stretches[0]
