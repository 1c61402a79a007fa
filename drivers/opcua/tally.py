"""Whether a server watches what it has taken: its own list of a subscription's monitored items against ours.

A server may answer each request well and drop items later, when a program is loaded into a PLC: the subscription lives
on, and of some tags nothing comes any more. GetMonitoredItems of the Server object (part 5, 9.1) lists the ids and the
client handles of all items; a server that does not have it is not asked again in the same session.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from agent.model.errors import Refused
from agent.model.quality import Quality
from drivers.opcua import services
from drivers.opcua.events import Events
from drivers.opcua.plan import chunks
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad
from drivers.opcua.stream import FIRST, Refusal, Stream

EVERY = 60.0  # seconds between two comparisons; the first is made when the items are
TRIES = 2  # sessions that were lost while the list was asked for, after which it is left alone
_SERVER, _LIST = (ua.NodeId(ua.Int32(number)) for number in (ObjectIds.Server, ObjectIds.Server_GetMonitoredItems))

Listed = Sequence[tuple[int, int]]  # item, client handle


@dataclass(slots=True)
class Tally:
    """Of one device, over all its sessions.

    `lost` counts items that a server had taken and no longer had, of which `tags` are the last; `strays` those that
    nobody had asked for. `doubtful`: what was mended is listed wrongly all the same, so the list is not believed.
    """

    lost: int = 0
    strays: int = 0
    tags: list[str] = field(default_factory=list)
    doubtful: bool = False
    _unanswered: int = 0

    async def compare(self, stream: Stream, now: float, tell: Callable[[dict[int, int]], None]) -> None:
        """Make what is missing again, and delete what is too many. Of each column of which something may be lost the
        quality is told before: bad_comm; and afterwards why the server does not take it any more. Raises what a
        session raises."""
        if now < stream.compare_at or self.doubtful or self._unanswered >= TRIES:
            return
        stream.compare_at = now + EVERY
        missing, strays = await self._differences(stream)
        if not missing and not strays:
            return
        tell(dict.fromkeys(missing, int(Quality.BAD_COMM)))
        tell(await _mend(stream, missing, strays, now))
        self.lost, self.strays = self.lost + len(missing), self.strays + len(strays)
        self.tags = [stream.group.plan.schema.tags[column].name for column in missing] or self.tags
        still, more = await self._differences(stream)
        self.doubtful = not {*missing}.isdisjoint(still) or not {*strays}.isdisjoint(more)

    async def revive(self, events: Events, now: float, tell: Callable[[], None]) -> None:
        """The same for the one item of a group of events."""
        if now < events.compare_at or self.doubtful or self._unanswered >= TRIES:
            return
        events.compare_at = now + EVERY
        if await self._list(events) != []:
            return
        tell()
        self.lost, self.tags = self.lost + 1, [events.schema.group]
        try:
            await events.open()
            self.doubtful = await self._list(events) == []
        except Refused as error:
            events.refuse(str(error), now)

    async def _differences(self, stream: Stream) -> tuple[list[int], list[int]]:
        found = await self._list(stream)
        return ([], []) if found is None else differences(stream.items, stream.refused, found)

    async def _list(self, source: Stream | Events) -> Listed | None:
        self._unanswered += 1
        session = source.group.session if isinstance(source, Stream) else source.session
        found = await listed(session, source.number)
        self._unanswered = 0
        if found is None:
            source.compare_at = float("inf")
        return found


async def listed(session: Session, subscription: int) -> Listed | None:
    """All items of a subscription; None when the server does not tell."""
    argument = ua.Variant(subscription, ua.VariantType.UInt32)
    try:
        called = await services.call(session, _SERVER, _LIST, [argument])
    except Refused:
        return None
    told = [[] if each.Value is None else each.Value for each in called.OutputArguments or ()]
    if is_bad(called.StatusCode.value) or [type(each) for each in told] != [list, list] or len(told[0]) != len(told[1]):
        return None
    if not all(type(number) is int for each in told for number in each):
        return None
    return list(zip(*told, strict=True))


def differences(ours: Mapping[int, int], left: Collection[int], found: Listed) -> tuple[list[int], list[int]]:
    """Columns without an item, and items without a column. `ours` are items by column, which is their client handle;
    the columns that are `left` are tried again anyway.

    A server that lists other ids than it gave out lists each handle once: then nothing of it is deleted.
    """
    ids, handles, known = {item for item, _ in found}, {handle for _, handle in found}, {*ours.values()}
    missing = [column for column in ours if column not in handles and column not in left]
    strays = [item for item, handle in found if item not in known and (handle not in ours or ours[handle] in ids)]
    return missing, strays


async def _mend(stream: Stream, missing: Sequence[int], strays: Iterable[int], now: float) -> dict[int, int]:
    """The qualities of the columns that the server does not take this time. What is missing is deleted first: so a list
    that is wrong leaves no item twice."""
    session = stream.group.session
    for chunk in chunks([*strays, *(stream.items.pop(column) for column in missing)], session.limits.of("monitor")):
        with suppress(Refused):
            await session.forget(stream.number, chunk)
    taken, bad = await stream.group.monitor(stream.number, missing)
    stream.items |= taken
    stream.refused |= {column: Refusal(now + FIRST) for column in bad}
    return bad
