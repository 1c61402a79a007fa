"""One subscription: which of its tags the server watches, and when those are tried again that it does not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asyncua.ua.status_codes import StatusCodes

from agent.model.tag import Schema
from drivers.opcua.group import Group
from drivers.opcua.notify import Batch
from drivers.opcua.pulse import KEEP_ALIVE, patience

FIRST, LONGEST = 10.0, 600.0  # seconds until a refused tag is tried again: ten, then twice as long each time
_GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid, StatusCodes.BadMonitoredItemIdInvalid})


@dataclass(slots=True)
class Refusal:
    """When a tag is tried again, and how long it was left alone before (seconds)."""

    due: float
    wait: float = FIRST


@dataclass(slots=True, eq=False)
class Stream:
    """`items` are the ids of the monitored items by column, `patience` is how long it may be silent (seconds)."""

    group: Group
    number: int = 0
    patience: float = 0.0
    heard: float = 0.0
    items: dict[int, int] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)

    async def open(self, now: float) -> dict[int, int]:
        """Make the subscription and its items; the qualities of the columns that the server does not take."""
        session = self.group.session
        interval = max(self.group.plan.interval, session.profile.least_publishing)
        made = await session.subscribe(interval, KEEP_ALIVE)
        self.number, self.patience = int(made.SubscriptionId), patience(made, interval, session.timeout)
        taken, bad = await self.group.monitor(self.number, range(len(self.group.nodes)))
        self.items = taken
        self.refused = {column: Refusal(now + FIRST) for column in bad}
        return bad

    async def retry(self, now: float) -> dict[int, int]:
        """Try those again whose time has come; the qualities of the columns that the server still does not take."""
        due = [column for column, refusal in self.refused.items() if now >= refusal.due]
        if not due:
            return {}
        session = self.group.session
        old = [item for column in due if (item := self.items.pop(column, None)) is not None]
        if old:
            await session.forget(self.number, old)
        if any(self.group.nodes[column] is None for column in due):
            await session.learn()
        await self.group.bind(due)
        taken, bad = await self.group.monitor(self.number, due)
        for column in taken:
            del self.refused[column]
            self.group.taken(column)
        for column in bad:
            refusal = self.refused[column]
            refusal.wait = min(2 * refusal.wait, LONGEST)
            refusal.due = now + refusal.wait
        self.items |= taken
        return bad

    def look(self, batch: Batch, now: float) -> None:
        """A node that is gone takes its item with it, for some servers even when it comes back: to be made anew."""
        for column, code in zip(batch.handles, batch.codes, strict=False):
            if code in _GONE and column not in self.refused:
                self.refused[column] = Refusal(now + FIRST)

    @property
    def schema(self) -> Schema:
        return self.group.plan.schema

    @property
    def missing(self) -> Sequence[int]:
        """The columns that are asked for and of which nothing can come."""
        return [column for column in range(len(self.group.nodes)) if column not in self.items]
