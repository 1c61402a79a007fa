"""The frames of a file page by page, as they lie there: nothing is taken away, counted or put right.

A page is what may be read without keeping the owner of the file from its commits. Rows travel as they are; whoever
asked for them checks and decodes them (`Opener`).
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from agent.model.errors import StoreError
from agent.model.frame import Entry
from agent.model.tag import Schema
from buffer import refusals, schemas
from buffer.database import mapped
from buffer.log import Log
from buffer.probe import Probe, probe
from buffer.ranges import Range, Ranges, runs
from buffer.reader import SELECT, revive
from buffer.schemas import Key
from buffer.state import Kept

SMALL = ("meta", "state", "epoch", "schema", "sink", "loss", "ledger", "refusal", "clock", "snapshot")  # tables
ENDLESS = 2**63 - 1
_MOST = 500  # frames of a page
_MOST_BYTES = 1 << 20  # of their bodies, and one body more
_LONGEST = 0.01  # seconds for a page
_UPWARDS = SELECT
_DOWNWARDS = f"{SELECT} DESC"


class Row(NamedTuple):
    """A frame in the file; in one that is damaged any column may hold anything.

    `eid` is None when the run is not known. `right` is the stamp as it should be, `clock` as in `Entry`.
    """

    seq: int
    eid: bytes | None
    schema: Any
    ts: Any
    mono: Any
    n: Any
    crc: Any
    body: Any
    right: Any
    clock: str


@dataclass(frozen=True, slots=True)
class Pick:
    """Which frames: all in the file up to seq `until`, or what `sink` is owed, or what is set `aside` for it.

    With a `device` only its own; those of others are passed over quickly.
    """

    sink: str = ""
    device: str = ""
    aside: bool = False
    until: int = ENDLESS


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order, and those that should be among them and are not.

    `cursor` is where the next page begins and `left` how many frames are still to come. `refused` says of frames that
    are set aside why.
    """

    rows: list[Row]
    missing: list[Range]
    cursor: int
    left: int
    refused: dict[int, str] = field(default_factory=dict)


class Shelf:
    """Reads one log, at work or at rest; every call raises StoreError."""

    def __init__(self, log: Log, path: Path) -> None:
        self._log, self._path = log, path

    def after(self, cursor: int, pick: Pick) -> Page:
        """The next frames above seq `cursor`."""
        return self._page(self._ranges(pick).within(cursor + 1, pick.until), pick, _UPWARDS)

    def before(self, cursor: int, pick: Pick) -> Page:
        """The frames right below seq `cursor`."""
        spans = self._ranges(pick).within(1, min(cursor - 1, pick.until))
        page = self._page(spans[::-1], pick, _DOWNWARDS)
        page.rows.reverse()
        return page

    def owed(self, sink: str, first: int, last: int) -> int:
        """How many of the frames first..last the sink is owed."""
        return _size(self._ranges(Pick(sink)).within(first, last))

    def since(self, ts: int) -> int:
        """The seq from which on frames have this time (ns UTC) or a later one, found by halving: frames that were
        stamped by a clock that nobody could put right may lie on the wrong side of it."""
        low, high = 1, self._log.next
        with mapped(self._path):
            while low < high:
                middle = (low + high) // 2
                row = self._log.connection.execute(f"{_UPWARDS} LIMIT 1", (middle, high - 1)).fetchone()
                right = self._row(row).right if row else None
                if isinstance(right, int) and right < ts:
                    low = row[0] + 1
                else:
                    high = middle
        return low

    def schemas(self, ids: Iterable[int]) -> dict[int, Key]:
        """Those of these that the file knows."""
        rows = self._log.schemas.rows
        return {id_: rows[id_] for id_ in ids if id_ in rows}

    def check(self, table: str) -> list[str]:
        """What SQLite finds wrong in one of the SMALL tables; the large one is checked by reading all of its frames."""
        assert table in SMALL
        with mapped(self._path):
            found = self._log.connection.execute(f"PRAGMA quick_check({table})").fetchall()
        return [f"table {table}: {text}" for (text,) in found if text != "ok"]

    def probe(self, written: Kept) -> Probe:
        """What the file says of a value that was just committed, of the newest frame, and of its settings."""
        with mapped(self._path):
            return probe(self._log, written)

    def _page(self, spans: Sequence[Range], pick: Pick, select: str) -> Page:
        left, cursor, budget = _size(spans), 0, _Budget()
        page = Page([], [], 0, 0, self._refused(pick))
        wanted = self._schemas_of(pick.device) if pick.device else None
        with mapped(self._path):
            for span in spans:
                seen, covered = self._read(span, select, page.rows, budget, wanted)
                page.missing.extend(Ranges([covered]).minus([Ranges(runs(sorted(seen)))]))
                left -= _size([covered])
                cursor = covered[0] if select == _DOWNWARDS else covered[1]
                if budget.spent:
                    break
        return replace(page, cursor=cursor, left=left)

    def _read(
        self, span: Range, select: str, rows: list[Row], budget: "_Budget", wanted: Collection[int] | None
    ) -> tuple[list[int], Range]:
        """The seqs in a range, and how much of it was looked at. No cursor stays open: it would hold the -wal file."""
        seen = []
        with closing(self._log.connection.execute(select, span)) as cursor:
            for row in cursor:
                seen.append(row[0])
                if wanted is None or row[2] in wanted:
                    rows.append(self._row(row))
                    budget.spend(row[-1])
                if budget.spent:
                    return seen, (row[0], span[1]) if select == _DOWNWARDS else (span[0], row[0])
        return seen, span

    def _schemas_of(self, device: str) -> set[int]:
        return {id_ for id_, key in self._log.schemas.rows.items() if key[0] == device}

    def _row(self, row: Sequence[Any]) -> Row:
        seq, epoch, schema, ts, mono, n, crc, body = row
        run, right, clock = self._log.epochs.get(epoch), ts, ""
        if run and isinstance(ts, int) and isinstance(mono, int):
            right, clock = self._log.clocks.right(run.eid.hex(), ts, mono)
        return Row(seq, run.eid if run else None, schema, ts, mono, n, crc, body, right, clock)

    def _ranges(self, pick: Pick) -> Ranges:
        if not pick.sink:
            return self._log.present
        sink = self._log.sinks.get(pick.sink)
        if sink is None:
            known = ", ".join(self._log.sinks) or "none"
            raise StoreError(f"store {self._path} knows no sink {pick.sink!r}", hint=f"it knows {known}")
        return sink.aside if pick.aside else sink.debt

    def _refused(self, pick: Pick) -> dict[int, str]:
        if not (pick.sink and pick.aside):
            return {}
        sink = self._log.sinks[pick.sink]
        written = refusals.load(self._log.connection, sink)
        new = {seq: refusal for (id_, seq), refusal in self._log.refusals.items() if id_ == sink.id}
        return {seq: refusal.error for seq, refusal in {**written, **new}.items()}


class _Budget:
    """What one page may cost; one frame is always allowed."""

    def __init__(self) -> None:
        self._frames, self._bytes, self._end = _MOST, _MOST_BYTES, time.monotonic() + _LONGEST

    def spend(self, body: object) -> None:
        self._frames -= 1
        self._bytes -= len(body) if isinstance(body, bytes) else 0

    @property
    def spent(self) -> bool:
        return self._frames <= 0 or self._bytes <= 0 or time.monotonic() >= self._end


class Opener:
    """Frames out of pages. `ask` gives the schemas that were not seen before."""

    def __init__(self, ask: Callable[[list[int]], dict[int, Key]]) -> None:
        self._ask = ask
        self._known: dict[Any, Schema | None] = {}

    def open(self, page: Page) -> list[Entry | None]:
        """One for each row; None where the checksum does not hold."""
        self._learn({row.schema for row in page.rows if isinstance(row.schema, int)} - self._known.keys())
        return [self._entry(row) for row in page.rows]

    def schema(self, row: Row) -> Schema | None:
        """What the row says that it is; it may be damaged."""
        return self._known.get(row.schema)

    def _learn(self, new: set[int]) -> None:
        if new:
            found = self._ask(sorted(new))
            self._known |= {id_: schemas.revive(found[id_]) if id_ in found else None for id_ in new}

    def _entry(self, row: Row) -> Entry | None:
        known = self._known.get(row.schema)
        frame = revive(row.eid, known, (row.seq, *row[2:8])) if row.eid and known else None
        if row.eid is None or frame is None:
            return None
        return Entry(row.eid.hex(), row.seq, False, replace(frame, ts=row.right), row.clock)  # no history


def _size(spans: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in spans)
