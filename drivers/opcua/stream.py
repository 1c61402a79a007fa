"""One subscription: which of its tags the server watches, and when those are tried again that it does not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Refused
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.opcua.encodings import Dictionaries
from drivers.opcua.group import Group
from drivers.opcua.notify import Batch
from drivers.opcua.pulse import KEEP_ALIVE, patience
from drivers.opcua.recent import Recent
from drivers.opcua.status import CHANGED, PLAIN

VALUES, ARRAYS = 5000, 50  # in one message: of single values, and where some are arrays or structures of up to 80 KB
FIRST, LONGEST = 10.0, 600.0  # seconds until a refused tag is tried again: ten, then twice as long each time
_GONE = frozenset({StatusCodes.BadNodeIdUnknown, StatusCodes.BadNodeIdInvalid, StatusCodes.BadMonitoredItemIdInvalid})


@dataclass(slots=True)
class Refusal:
    """When a tag is tried again, and how long it was left alone before (seconds)."""

    due: float
    wait: float = FIRST


def postponed(refusal: Refusal | None, now: float) -> Refusal:
    """The next one, after which something was refused again, or for the first time."""
    wait = FIRST if refusal is None else min(2 * refusal.wait, LONGEST)
    return Refusal(now + wait, wait)


@dataclass(slots=True, eq=False)
class Stream:
    """`items` are the ids of the monitored items by column, `patience` is how long it may be silent (seconds)."""

    group: Group
    number: int = 0
    patience: float = 0.0
    heard: float = 0.0
    items: dict[int, int] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)
    compare_at: float = 0.0  # when the server's own list of items is looked at again
    changed: dict[int, float] = field(default_factory=dict)  # when to ask anew what the values of a column mean
    full: bool = False  # all items are made: from now on a message tells until when all is known
    later: Refusal | None = None  # when to ask anew for the subscription itself
    recent: Recent = field(default_factory=Recent)  # what it said last
    _known: set[int] = field(default_factory=set)  # those whose meaning has changed before

    async def open(self, now: float) -> dict[int, int]:
        """Make the subscription; or else the qualities of all columns, and `later` says when it is worth another try.

        Its items are to be made by `fill`, once somebody asks for its messages.
        """
        session = self.group.session
        interval = max(self.group.plan.interval, session.profile.least_publishing)
        try:
            made = await session.subscribe(interval, KEEP_ALIVE, ARRAYS if self.group.deep else VALUES)
        except Refused as error:  # many servers have room for a few subscriptions
            self.later = postponed(self.later, now)
            columns = range(len(self.group.nodes))
            for column in columns:
                self.group.note(column, str(error))
            return dict.fromkeys(columns, Quality.BAD_DEVICE)
        self.later = None
        self.number, self.patience = int(made.SubscriptionId), patience(made, interval, session.timeout)
        self.heard = now
        return {}

    async def fill(self, now: float, first: int = 0) -> dict[int, int]:
        """Make the items from this column on; the qualities of the columns that the server does not take."""
        taken, bad = await self.group.monitor(self.number, range(first, len(self.group.nodes)))
        self.items |= taken
        self.full = True
        for column in taken:
            self.group.taken(column)
        self.refused |= {column: Refusal(now + FIRST) for column in bad}
        return bad

    async def grow(self, group: Group, now: float) -> dict[int, int]:
        """Go on with a group that has more columns at its end; the qualities of those that the server does not take."""
        before, self.group, self.full = len(self.group.nodes), group, False
        return await self.fill(now, before) if self.later is None else {}

    async def retry(self, now: float) -> dict[int, int]:
        """Try those again whose time has come, as many as the server takes at once: the others have to wait a second,
        and what came meanwhile does not. The qualities of the columns that the server still does not take."""
        due = [column for column, refusal in self.refused.items() if now >= refusal.due]
        due += [column for column, moment in self.changed.items() if now >= moment and column not in self.refused]
        due = due[: self.group.session.limits.of("monitor")]
        if not due:
            return {}
        bad: dict[int, int] = {}
        try:
            taken, bad = await self._again(due)
        except Refused:  # of something on the way: it is no better next second, and no reason to give up the others
            taken = {}
        for column in due:
            self.changed.pop(column, None)
            if column in taken:
                self.refused.pop(column, None)
                self.group.taken(column)
            else:
                refusal = self.refused.setdefault(column, Refusal(now))
                refusal.wait = min(2 * refusal.wait, LONGEST)
                refusal.due = now + refusal.wait
        self.items |= taken
        return bad

    async def _again(self, due: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
        session = self.group.session
        old = [column for column in due if column in self.items]
        if old:
            await session.forget(self.number, [self.items[column] for column in old])
        for column in old:
            del self.items[column]
        if any(self.group.nodes[column] is None for column in due):
            await session.learn()
        if not self.changed.keys().isdisjoint(due):
            self.group.known = Dictionaries()
        await self.group.bind(due)
        return await self.group.monitor(self.number, due)

    def look(self, batch: Batch, now: float) -> None:
        """A node that is gone takes its item with it, for some servers even when it comes back: to be made anew,
        unless it speaks before that. One whose meaning is another is made anew, too, so that it tells its value again:
        at once, and then every ten seconds at most."""
        for column, code in zip(batch.handles, batch.codes or bytes(len(batch)), strict=True):
            if code & PLAIN not in _GONE:
                self.refused.pop(column, None)
                if code & CHANGED and column in self.group.special:
                    self.changed.setdefault(column, now + FIRST * (column in self._known))
                    self._known.add(column)
            elif column not in self.refused:
                self.refused[column] = Refusal(now + FIRST)

    @property
    def schema(self) -> Schema:
        return self.group.plan.schema

    @property
    def missing(self) -> Sequence[int]:
        """The columns that are asked for and of which nothing can come."""
        return [column for column in range(len(self.group.nodes)) if column not in self.items]
