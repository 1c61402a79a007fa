"""What a server kept while nobody listened, page by page: the raw history of each tag for the time of a gap."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import Refused
from agent.model.tag import Schema
from drivers.opcua.columns import TICKS_1970
from drivers.opcua.group import Group
from drivers.opcua.notify import Batch, Past
from drivers.opcua.refusal import ServiceRefused, name
from drivers.opcua.session import Session
from drivers.opcua.status import is_bad

PAGE = 1000  # values of one tag in an answer
LIMIT = 1_000_000  # values of one gap
IDLE = 100  # answers in a row that bring nothing new and say that there is more
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
Times = dict[int, int]  # by column, in ticks
Left = tuple[int, ua.NodeId, bytes]  # column, node, where its history goes on


@dataclass(slots=True)
class Gap:
    """`since` is until when all is known of a group (ns UTC), `newest` are the times of the values that came last.

    For each tag it lasts from there to the first value of the new session, which `meet` notes: so none comes twice.
    `without` says why a tag has no history.
    """

    since: Mapping[Schema, int]
    newest: dict[Schema, Times] = field(default_factory=dict)
    values: int = 0
    cut: bool = False
    without: dict[str, str] = field(default_factory=dict)
    firsts: dict[Schema, Times] = field(default_factory=dict)

    def meet(self, schema: Schema, batch: Batch) -> None:
        """Values of the new session."""
        firsts = self.firsts.setdefault(schema, {})
        for column, ticks in zip(batch.handles, times(batch), strict=True):
            firsts.setdefault(column, ticks)

    async def pages(self, session: Session, group: Group, end: int) -> AsyncIterator[Batch]:
        """The values of a group until `end` (ns UTC), each tag's in order. A tag without history is noted and left
        out."""
        if group.plan.schema not in self.since:
            return
        start, last = self._start(group.plan.schema), _ticks(end)
        left: list[Left] = [(column, node, b"") for column, node in enumerate(group.nodes) if node is not None]
        idle = 0
        while left and start < last:
            chunk = left[: session.limits.of("history")]
            try:
                nodes = [(node, point or None) for _, node, point in chunk]
                pages = await session.history(nodes, _moment(start), _moment(last), PAGE)
            except Refused as error:
                code = error.code if isinstance(error, ServiceRefused) else 0
                if session.limits.learn("history", code, len(chunk)):
                    continue
                self._lack(group, [column for column, _, _ in chunk], str(error))
                del left[: len(chunk)]
                continue
            del left[: len(chunk)]
            batch, more = self._taken(group, chunk, pages, (start, last))
            later = _without_point(session, chunk, pages)
            yield batch
            if self.values >= LIMIT:
                self.cut = self.cut or bool(more or later or left)
                return
            idle = idle + 1 if more and not batch else 0
            if idle >= IDLE:
                self._lack(group, [column for column, _, _ in more], "the server says for ever that there is more")
                more, idle = [], 0
            left = [*more, *left, *later]

    def _start(self, schema: Schema) -> int:
        """The youngest value may be older than the last message; or younger, by a clock that is wrong."""
        heard = _ticks(self.since[schema])
        return max(0, min(heard, max(self.newest.get(schema, {}).values(), default=heard)))

    def _taken(
        self, group: Group, chunk: Sequence[Left], pages: Sequence[Past], span: tuple[int, int]
    ) -> tuple[Batch, list[Left]]:
        """The values of one answer by column, and where there is more."""
        batch, more = Batch(), []
        start, end = span
        newest = self.newest.setdefault(group.plan.schema, {})
        firsts = self.firsts.get(group.plan.schema, {})
        for (column, node, point), page in zip(chunk, pages, strict=True):
            if is_bad(page.code):
                if page.code != StatusCodes.BadNoContinuationPoints or len(chunk) == 1:
                    self._lack(group, [column], name(page.code))
                continue
            known = newest.get(column, 0)
            first, last = (known if start < known < end else start), min(end, firsts.get(column, 0) or end)
            kept = sorted((t, place) for place, t in enumerate(times(page.kept)) if first < t < last)
            if kept:
                newest[column] = kept[-1][0]
                _append(batch, page.kept, [place for _, place in kept], column)
            if page.point and page.point != point:
                more.append((column, node, page.point))
        self.values += len(batch)
        if not any(batch.codes):
            batch.codes.clear()
        return batch, more

    def _lack(self, group: Group, columns: Sequence[int], why: str) -> None:
        self.without.update((group.plan.schema.tags[column].name, why) for column in columns)


def times(batch: Batch) -> Sequence[int]:
    """When each value was, in ticks: at its source, or else at the server."""
    return (
        batch.ticks if all(batch.ticks) else [t or served for t, served in zip(batch.ticks, batch.served, strict=True)]
    )


def _without_point(session: Session, chunk: Sequence[Left], pages: Sequence[Past]) -> list[Left]:
    """Those for which the server has no continuation point left: they are asked for later, and fewer at once."""
    if len(chunk) == 1:
        return []
    later = [left for left, page in zip(chunk, pages, strict=True) if page.code == StatusCodes.BadNoContinuationPoints]
    if later:
        session.limits.sizes["history"] = max(1, len(chunk) // 2)
    return later


def _append(batch: Batch, page: Batch, places: Sequence[int], column: int) -> None:
    batch.handles.extend([column] * len(places))
    batch.values.extend(page.values[place] for place in places)
    batch.codes.extend(page.codes[place] if page.codes else 0 for place in places)
    batch.ticks.extend(page.ticks[place] for place in places)
    batch.served.extend(page.served[place] for place in places)
    batch.kinds |= page.kinds


def _ticks(ns: int) -> int:
    return ns // 100 + TICKS_1970


def _moment(ticks: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ticks // 10)
