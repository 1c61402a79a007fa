"""Find out which registers a device refuses, from the requests that are made anyway, and plan around them.

A device that has none of the registers in a request refuses all of it. When a request was refused twice in a row, it is
cut in two, and the place of the cut moves until the shortest refused stretch from its start, or every second time from
its end, is known: then the last value in it is at fault, or the hole before that one, or the length. Meanwhile the
other part is read, so a search costs one or two requests more per scan, lasts a few scans, and ends in a terrain that
leaves out what is refused.

A value that is refused by itself is asked for again after a minute, and then less and less often up to an hour: perhaps
its device was updated. That a device refuses all of a table says nothing of its registers, so nothing is learnt of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from drivers.modbus.plan import Block, Span, spans, uncovered
from drivers.modbus.tag import Tag
from drivers.modbus.terrain import Known, Seam, Terrain, dump, load

BELIEVED = 2  # refusals in a row
REFUSALS = frozenset({2, 3})  # illegal data address, illegal data value
AGAIN = (60, 3600)  # seconds until a refused value is asked for again: at first, at most
REST = 3600  # seconds until a search that led nowhere may begin again
NEAR = 4  # registers between a length that is read and one that is not, for which no further search pays
_S = 1_000_000_000

Key = tuple[str, int, int]  # table, first, up to
Outcome = tuple[Block, int]  # exception code, 0 for an answer


@dataclass(frozen=True, slots=True)
class Search:
    """The shortest refused stretch of a request is between `low` values (read) and `high` (refused) long. It begins
    with the first of `values`: the request's first one or, where the search goes backwards, its last one.

    `test` is what is asked meanwhile: `prefix` the first values, `last` the value at fault alone, `pair` it and the one
    before it, `again` all of the refused stretch once more.
    """

    register: str
    values: tuple[Span, ...]
    low: int
    high: int
    test: str = "prefix"
    heard: bool = False  # the device answered something of this table since it began

    @property
    def watched(self) -> Key:
        """The request whose outcome decides."""
        first, last = self._asked()
        return self.register, *_ends(self.values[first:last])

    @property
    def whole(self) -> Key:
        """The request that it is about."""
        return self.register, *_ends(self.values)

    @property
    def breaks(self) -> frozenset[Seam]:
        """Where requests are cut while it lasts; its own ends included, so that neighbours stay apart."""
        inner = (at for at in self._asked() if 0 < at < len(self.values))
        cuts = (max(self.values[at - 1].start, self.values[at].start) for at in inner)
        return frozenset(Seam(self.register, place) for place in (*_ends(self.values), *cuts))

    def _asked(self) -> tuple[int, int]:
        if self.test == "prefix":
            return 0, (self.low + self.high) // 2
        if self.test == "again":
            return 0, self.high
        return self.high - (2 if self.test == "pair" else 1), self.high


@dataclass(slots=True)
class Learning:
    """What one device has taught, and what is in doubt. Times are ns of a monotonic clock."""

    terrain: Terrain = field(default_factory=Terrain)
    search: Search | None = None
    tags: Sequence[Tag] = ()  # all that are read of the device: what belongs to one of them is judged by reading that
    _doubts: dict[Key, int] = field(default_factory=dict)  # refusals in a row
    _resting: dict[Key, int] = field(default_factory=dict)  # when a search may begin again
    _asks: dict[Key, tuple[int, int]] = field(default_factory=dict)  # when a lost value is due, and the wait after that
    _kept: Terrain = field(default_factory=Terrain)
    _backwards: bool = (
        True  # the last search went from the end: in turn, so that both ends of a long hole are found soon
    )

    @property
    def known(self) -> Known:
        return Known(self.terrain, self.search.breaks if self.search else frozenset())

    def recall(self, kept: bytes) -> None:
        self.terrain = self._kept = load(kept)

    @property
    def kept(self) -> bytes:
        """All that is known, for `recall`."""
        return dump(self.terrain)

    def learnt(self) -> bytes | None:
        """The terrain, once after each change."""
        if self.terrain is self._kept:  # the usual case
            return None
        before, self._kept = self._kept, self.terrain
        return None if before == self.terrain else dump(self.terrain)

    def apart(self) -> Known | None:
        """For who looks only once: each value by itself in what was refused; None when there is nothing to divide."""
        breaks: set[Seam] = set()
        for register, start, stop in self._doubts:
            inner = {tag.address for tag in self.tags if tag.register == register and start < tag.address < stop}
            breaks.update(Seam(register, at) for at in (start, *inner, stop) if inner)
        return Known(self.terrain, frozenset(breaks)) if breaks else None

    def due(self, lost: Sequence[Block], now: int, *, early: bool = False) -> Block | None:
        """Of what is known to be refused that which has waited longest, when it is time to ask for it; `early`: now."""
        if not lost:
            return None
        first = min(lost, key=self._when)
        return first if early or now >= self._when(first) else None

    def _when(self, block: Block) -> int:
        return self._asks.get(_key(block), (0, 0))[0]

    def after(self, outcomes: Sequence[Outcome], now: int) -> bool:
        """Learn from one scan: whether the plan has to be made anew."""
        if not (self._doubts or self.search) and not _trouble(outcomes):
            return False
        before, free = self.known, self.search is None
        heard: set[str] = {block.tags[0].register for block, code in outcomes if not code}
        if self.search and not self.search.heard and self.search.register in heard:
            self.search = replace(self.search, heard=True)
        for block, code in outcomes:
            if block.lost:
                self._asked(block, code, now)
            elif code == 0:
                self._answered(block)
            elif code in REFUSALS:
                self._refused(block, now)
                if free and self.search is None and self._believed(block, now):
                    self.search = self._begun(block, heard, now)
                    free = False  # the next one begins with the next scan: by then the requests are others
        if any(block.lost and not code for block, code in outcomes):
            self.search = None  # it is about requests that will be others, where the value that is back is one of them
        if self.known == before:
            return False
        self._doubts.clear()  # the requests are others from now on
        return True

    def _asked(self, block: Block, code: int, now: int) -> None:
        key = _key(block)
        if code == 0:
            self.terrain = self.terrain.without(key[0], key[1], key[2] - 1)
            self._asks.clear()  # what was refused beside it may be back too
            return
        _, wait = self._asks.get(key, (0, AGAIN[0]))
        self._asks[key] = now + wait * _S, min(2 * wait, AGAIN[1])

    def _answered(self, block: Block) -> None:
        key = _key(block)
        self._doubts.pop(key, None)
        if self.search and key == self.search.watched:
            self.search = self._passed(self.search)

    def _refused(self, block: Block, now: int) -> None:
        key = _key(block)
        self._doubts[key] = self._doubts.get(key, 0) + 1
        if self.search and key == self.search.watched and self._believed(block, now):
            self.search = self._failed(self.search, now)

    def _believed(self, block: Block, now: int) -> bool:
        key = _key(block)
        return self._doubts[key] >= BELIEVED and now >= self._resting.get(key, 0)

    def _begun(self, block: Block, heard: set[str], now: int) -> Search | None:
        found, register = tuple(spans(block.tags)), block.tags[0].register
        self._backwards = not self._backwards
        search = Search(register, found[::-1] if self._backwards else found, 0, len(found), heard=register in heard)
        if len(found) > 1:
            return search
        self._condemn(search, now)
        return None

    def _passed(self, search: Search) -> Search | None:
        """What to ask after the device read the request in question."""
        if search.test == "prefix":
            search = replace(search, low=(search.low + search.high) // 2)
            return search if search.high - search.low > 1 else replace(search, test="last")
        if search.test == "last":
            return replace(search, test="pair" if search.high > 2 else "again")
        if search.test == "pair":
            return replace(search, test="again")
        return None  # it was refused before and is read now: that was no hole

    def _failed(self, search: Search, now: int) -> Search | None:
        """What to ask after the device refused the request in question, twice."""
        if search.test == "prefix":
            search = replace(search, high=(search.low + search.high) // 2)
            if search.high - search.low > 1:
                return search
            if search.low:
                return replace(search, test="last")
        if search.test in ("prefix", "last"):
            self._condemn(search, now)
        elif search.test == "pair" or search.high == 2:
            self._part(search)
        else:  # each part is read and the whole is not: it is too long
            read, refused = (_ends(search.values[:count]) for count in (search.high - 1, search.high))
            self.terrain = self.terrain.with_limit(
                search.register, _between(read[1] - read[0], refused[1] - refused[0])
            )
        return None

    def _condemn(self, search: Search, now: int) -> None:
        """A value is refused by itself, if the device answers anything of its table."""
        start, stop = search.values[search.high - 1]
        if search.heard:
            inner = [tag for tag in self._of(search) if start <= tag.address and tag.words < stop - start]
            self._hole(search, list(uncovered(inner, start, stop)) or [Span(start, stop)])
            return
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        for key in ((search.register, start, stop), search.whole):
            self._resting[key] = now + REST * _S

    def _part(self, search: Search) -> None:
        """Two values are read one by one and refused together: what nobody reads between them is a hole, or there is a
        seam."""
        before, after = sorted(search.values[search.high - 2 : search.high])
        stop, start = before.stop, after.start
        if between := list(uncovered(self._of(search), stop, start)):
            self._hole(search, between)
        else:
            self.terrain = self.terrain.with_seam(search.register, start)

    def _of(self, search: Search) -> Iterator[Tag]:
        return (tag for tag in self.tags if tag.register == search.register)

    def _hole(self, search: Search, parts: Sequence[Span]) -> None:
        for start, stop in parts:
            self.terrain = self.terrain.with_hole(search.register, start, stop - 1)


def _between(read: int, refused: int) -> int:
    """A length that the device probably takes; over a wide hole the middle, which another search may halve again."""
    return read if refused - read <= NEAR else (read + refused) // 2


def _ends(values: Sequence[Span]) -> tuple[int, int]:
    """Of neighbours in either order."""
    return min(values[0].start, values[-1].start), max(values[0].stop, values[-1].stop)


def _length(values: Sequence[Span]) -> int:
    start, stop = _ends(values)
    return stop - start


def _key(block: Block) -> Key:
    return block.tags[0].register, block.address, block.address + block.count


def _trouble(outcomes: Sequence[Outcome]) -> bool:
    """Whether there is anything to be learnt; a loop, because every scan asks."""
    for block, code in outcomes:  # noqa: SIM110
        if code or block.lost:
            return True
    return False
