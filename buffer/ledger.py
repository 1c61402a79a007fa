"""Where each sample went, per sink and device: counted as it happens, written with the data it speaks of.

    read + made = delivered + buffered + set aside + suppressed + dropped

A sample is `made` when the schema of its frame is: it was not read, but worked out from what was.

`buffered` and `set_aside` are not written: they are counted from the frames in the file that a sink is still owed, or
has refused. That makes the equation a check and not a definition.
"""

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from buffer.ranges import Range, Ranges

What = Literal["read", "made", "delivered", "suppressed", "dropped"]
Origin = Literal["read", "made"]
CAME: tuple[Origin, Origin] = ("read", "made")
LeftOut = tuple[str, str, bool]  # device, reason, whether it was made
Unsettled = tuple[int, Counter[LeftOut]]  # samples suppressed up to then, and since then
Source = tuple[str, Origin]  # device, and where its samples come from
Cell = tuple[int, str, What, str]  # sink, device, what, reason
_BLOCK = 1024  # frames that are counted at a time
_STACK = 64 * _BLOCK  # frames whose count is kept as one
UNKNOWN = "$unknown"  # the device of samples that are gone with all that was known of them
_KINDS = (int, str, str, str, int)  # of the columns; a flipped bit may change even that
ADD = (
    "INSERT INTO ledger (sink, device, what, reason, samples) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET samples = samples + excluded.samples"
)
_EXTEND_LOSS = (
    "UPDATE loss SET to_seq = ?, frames = frames + ?, samples = samples + ?, t0 = min(t0, ?), t1 = max(t1, ?), at = ?"
    " WHERE id = (SELECT max(id) FROM loss WHERE sink = ? AND reason = ?) AND to_seq = ? AND reported IS NULL"
)
_NEW_LOSS = (
    "INSERT INTO loss (sink, from_seq, to_seq, frames, samples, t0, t1, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Account:
    """The samples of one device as one sink sees them; `suppressed` and `dropped` by reason."""

    sink: str
    device: str
    read: int = 0
    delivered: int = 0
    buffered: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    set_aside: int = 0
    made: int = 0

    @property
    def missing(self) -> int:
        """Samples that came and are nowhere; negative: more were accounted for than came."""
        came, kept = self.read + self.made, self.buffered + self.set_aside
        return came - self.delivered - kept - sum(self.suppressed.values()) - sum(self.dropped.values())

    @property
    def balanced(self) -> bool:
        return self.missing == 0


class Part(NamedTuple):
    """What the ledger needs to know of one frame; `ts` in ns UTC."""

    device: str
    samples: int
    ts: int


def origin(*, made: bool) -> Origin:
    return "made" if made else "read"


def part(device: str, samples: object, ts: object) -> Part:
    """Of a row that may be damaged: a figure that is no number counts as 0."""
    return Part(device, samples if isinstance(samples, int) else 0, ts if isinstance(ts, int) else 0)


@dataclass(frozen=True, slots=True)
class Loss:
    """A range of frames that one sink will never get; times in ns UTC."""

    sink: int
    first: int
    last: int
    samples: int
    t0: int
    t1: int
    reason: str
    at: int

    def write(self, connection: sqlite3.Connection) -> None:
        frames = self.last - self.first + 1
        grown = (self.last, frames, self.samples, self.t0, self.t1, self.at, self.sink, self.reason, self.first - 1)
        if connection.execute(_EXTEND_LOSS, grown).rowcount == 0:
            row = (self.sink, self.first, self.last, frames, self.samples, self.t0, self.t1, self.reason, self.at)
            connection.execute(_NEW_LOSS, row)


class Books:
    """Counts and losses that wait for the next transaction."""

    def __init__(self) -> None:
        self.counts: defaultdict[Cell, int] = defaultdict(int)
        self.losses: list[Loss] = []
        self.lost: Counter[str] = Counter()  # frames by reason, since somebody asked
        self.left_out: Counter[LeftOut] = Counter()  # of the counts, what was suppressed

    def __bool__(self) -> bool:
        return bool(self.counts or self.losses)

    def count(self, sink: int, device: str, what: What, samples: int, reason: str = "") -> None:
        self.counts[sink, device, what, reason] += samples

    def leave_out(self, sinks: Iterable[int], samples: Mapping[LeftOut, int]) -> None:
        """Samples that came and were not worth a frame."""
        self.left_out.update(samples)
        for sink in sinks:
            for (device, reason, made), count in samples.items():
                self.count(sink, device, origin(made=made), count)
                self.count(sink, device, "suppressed", count, reason)

    def lose(self, sink: int, run: Range, parts: Sequence[Part], reason: str, at: int) -> None:
        """Frames first..last are dropped; `parts` holds those of them of which anything is known."""
        for part in parts:
            self.count(sink, part.device, "dropped", part.samples, reason)
        times = [part.ts for part in parts] or [0]
        samples = sum(part.samples for part in parts)
        self.losses.append(Loss(sink, *run, samples, min(times), max(times), reason, at))

    def write(self, connection: sqlite3.Connection) -> None:
        connection.executemany(ADD, [(*cell, samples) for cell, samples in self.counts.items() if samples])
        for loss in self.losses:
            loss.write(connection)

    def lose_unseen(self, sink: int, ranges: Sequence[Range], samples: int, reason: str, at: int) -> None:
        """Frames of which nothing is left, with about so many samples in all: read once, as far as anybody knows."""
        self.count(sink, UNKNOWN, "read", samples)
        self.count(sink, UNKNOWN, "dropped", samples, reason)
        self.list_losses(sink, ranges, samples, reason, at)

    def list_losses(self, sink: int, ranges: Sequence[Range], samples: int, reason: str, at: int) -> None:
        """Frames that are lost, with so many samples in all, which are counted already."""
        frames = sum(last - first + 1 for first, last in ranges)
        for first, last in ranges:
            share = samples * (last - first + 1) // frames
            samples, frames = samples - share, frames - (last - first + 1)
            self.losses.append(Loss(sink, first, last, share, 0, 0, reason, at))

    def written(self) -> None:
        for loss in self.losses:
            self.lost[loss.reason] += loss.last - loss.first + 1
        self.counts.clear()
        self.losses.clear()
        self.left_out.clear()


class Tally:
    """Samples per schema over ranges of frames, counted in the file; a piece of a range is counted only once.

    A backlog of a gigabyte takes seconds to count, which a disk has not to spare: `warm` does it bit by bit. Pieces
    that two rounds have not asked for are forgotten, for the ends of ranges move.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pieces: dict[Range, dict[int, int]] = {}
        self._before: dict[Range, dict[int, int]] = {}

    def count(self, ranges: Iterable[Range]) -> dict[int, int]:
        return _sum(map(self._piece, pieces(ranges, _STACK)))

    def warm(self, ranges: Iterable[Range], until: float) -> bool:
        """Count until that moment (monotonic, s), one piece at least; True when nothing of the ranges is left."""
        for stack in pieces(ranges, _STACK):
            for piece in () if self._known(stack) else pieces([stack], _BLOCK):
                if not self._known(piece):
                    self._piece(piece)
                    if time.monotonic() >= until:
                        return False
            self._piece(stack)
        return True

    def tidy(self) -> None:
        """A round is over."""
        self._before, self._pieces = self._pieces, {}

    def _known(self, piece: Range) -> bool:
        return piece in self._pieces or piece in self._before

    def _piece(self, piece: Range) -> dict[int, int]:
        found = self._pieces.get(piece)
        if found is None:
            found = self._pieces[piece] = self._before.get(piece) or self._count(piece)
        return found

    def _count(self, piece: Range) -> dict[int, int]:
        """A stack out of its blocks, a block out of the file."""
        blocks = list(pieces([piece], _BLOCK))
        if len(blocks) > 1:
            return _sum(map(self._piece, blocks))
        query = "SELECT schema, CAST(total(n) AS INTEGER) FROM frame WHERE seq BETWEEN ? AND ? GROUP BY schema"
        return dict(self._connection.execute(query, piece).fetchall())


def pieces(ranges: Iterable[Range], size: int) -> Iterator[Range]:
    """The ranges, cut at multiples of `size`, so that most pieces stay the same while a range grows and shrinks."""
    for first, last in ranges:
        for low in range(first - first % size, last + 1, size):
            yield max(first, low), min(last, low + size - 1)


def _sum(counts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    total: defaultdict[int, int] = defaultdict(int)
    for count in counts:
        for schema, samples in count.items():
            total[schema] += samples
    return dict(total)


def written_counts(connection: sqlite3.Connection) -> dict[Cell, int]:
    """What the table says; a row that makes no sense shows as an account that does not add up."""
    rows = connection.execute("SELECT sink, device, what, reason, samples FROM ledger").fetchall()
    return {row[:4]: row[4] for row in rows if all(map(isinstance, row, _KINDS))}


def accounts(
    names: Mapping[int, str],
    counts: Iterable[tuple[Cell, int]],
    buffered: Mapping[tuple[int, str], int],
    aside: Mapping[tuple[int, str], int],
) -> list[Account]:
    """One account per sink and device, sorted by their names; `counts` may name a cell more than once."""
    pages: defaultdict[tuple[int, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for (sink, device, what, reason), samples in counts:
        if samples:
            line = pages[sink, device][what]
            line[reason] = line.get(reason, 0) + samples
    found = [
        Account(
            names.get(sink, f"sink {sink}"),
            device,
            read=sum(page["read"].values()),
            made=sum(page["made"].values()),
            delivered=sum(page["delivered"].values()),
            buffered=buffered.get((sink, device), 0),
            set_aside=aside.get((sink, device), 0),
            suppressed=dict(page["suppressed"]),
            dropped=dict(page["dropped"]),
        )
        for sink, device in pages.keys() | buffered.keys() | aside.keys()
        for page in [pages[sink, device]]
    ]
    return sorted(found, key=lambda account: (account.sink, account.device))


def owed_samples(
    debts: Iterable[tuple[int, Ranges]], tally: Tally, device: Callable[[int], str]
) -> dict[tuple[int, str], int]:
    """Samples in the file by (sink, device), over what each sink is owed; `device` names the device of a schema."""
    total: defaultdict[tuple[int, str], int] = defaultdict(int)
    for sink, debt in debts:
        for schema, samples in tally.count(debt).items():
            total[sink, device(schema)] += samples
    return total
