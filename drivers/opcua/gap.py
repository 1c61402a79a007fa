"""What a server kept while nobody listened, page by page: the raw history of each tag for the time of a gap."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asyncua import ua

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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Gap:
    """From `start` to `end`, ns UTC on the source's clock, both outside. `without` says why a tag has no history.

    It ends earlier for a tag whose first value of the new session is older, which `meet` notes: so none comes twice.
    """

    start: int
    end: int
    values: int = 0
    cut: bool = False
    without: dict[str, str] = field(default_factory=dict)
    firsts: dict[Schema, dict[int, int]] = field(default_factory=dict)

    def meet(self, schema: Schema, batch: Batch) -> None:
        """Values of the new session."""
        firsts = self.firsts.setdefault(schema, {})
        for column, ticks in zip(batch.handles, batch.ticks, strict=True):
            firsts.setdefault(column, ticks)

    async def pages(self, session: Session, group: Group) -> AsyncIterator[Batch]:
        """The values of a group, each tag's in order. A tag without history is noted and left out."""
        left = [(column, node, b"") for column, node in enumerate(group.nodes) if node is not None]
        while left:
            chunk = left[: session.limits.of("history")]
            try:
                pages = await self._ask(session, chunk)
            except Refused as error:
                code = error.code if isinstance(error, ServiceRefused) else 0
                if session.limits.learn("history", code, len(chunk)):
                    continue
                self.without.update((group.plan.schema.tags[column].name, str(error)) for column, _, _ in chunk)
                del left[: len(chunk)]
                continue
            del left[: len(chunk)]
            batch, more = self._taken(group, chunk, pages)
            yield batch
            if self.values >= LIMIT:
                self.cut = self.cut or bool(more or left)
                return
            left = [*more, *left]

    async def _ask(self, session: Session, chunk: Sequence[tuple[int, ua.NodeId, bytes]]) -> list[Past]:
        nodes = [(node, point or None) for _, node, point in chunk]
        return await session.history(nodes, _moment(self.start), _moment(self.end), PAGE)

    def _taken(
        self, group: Group, chunk: Sequence[tuple[int, ua.NodeId, bytes]], pages: Sequence[Past]
    ) -> tuple[Batch, list[tuple[int, ua.NodeId, bytes]]]:
        """The values of one answer by column, and where there is more."""
        batch, more = Batch(), []
        first, last = (moment // 100 + TICKS_1970 for moment in (self.start, self.end))
        firsts = self.firsts.get(group.plan.schema, {})
        for (column, node, point), page in zip(chunk, pages, strict=True):
            if is_bad(page.code):
                self.without[group.plan.schema.tags[column].name] = name(page.code)
                continue
            until = min(last, firsts.get(column, 0) or last)
            kept = [place for place, ticks in enumerate(page.kept.ticks) if first < ticks < until]
            _append(batch, page.kept, kept, column)
            if page.point and page.point != point:
                more.append((column, node, page.point))
        self.values += len(batch)
        if not any(batch.codes):
            batch.codes.clear()
        return batch, more


def _append(batch: Batch, page: Batch, places: Sequence[int], column: int) -> None:
    batch.handles.extend([column] * len(places))
    batch.values.extend(page.values[place] for place in places)
    batch.codes.extend(page.codes[place] if page.codes else 0 for place in places)
    batch.ticks.extend(page.ticks[place] for place in places)
    batch.served.extend(page.served[place] for place in places)
    batch.kinds |= page.kinds


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
