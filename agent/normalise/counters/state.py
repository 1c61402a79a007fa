"""What counters know, for the next run: by the names of their tags, in columns, so that ten thousand are read fast.

A tag may have been moved to another scan group, or may count something else than before (another unit or ratio): it
takes the newest that is known of it, if that is of the same numbers. One that is no counter now may be one again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from agent.model.quality import FIRST_BAD
from agent.normalise.counters import digits
from agent.normalise.counters.meter import Meter
from agent.normalise.counters.sliding import Sliding
from agent.normalise.counters.span import Closed
from agent.normalise.counters.uses import Demand, Peak, Peaks, Tariff

VERSION = 1
_FASTEST = 1e60  # units per ns: no rate, but damage
_WIDE = 2**63
_Number = int | str  # text beyond 64 bits
_Step = tuple[int, int, _Number, int]  # start, edge, grown, doubt
_LONGEST = 40  # digits of what was counted in a step
MOST = 1000  # counters that are remembered though nobody asks for them


class _Table(Protocol):
    """`of` are the places of the counters that the rows speak of."""

    of: list[int]

    @property
    def columns(self) -> Sequence[list[Any]]: ...


class _Spans(msgspec.Struct, array_like=True):
    """All spans of one name."""

    of: list[int] = []
    start: list[int] = []
    edge: list[int] = []
    first: list[int] = []
    base: list[_Number] = []
    doubt: list[int] = []
    past: dict[int, list[tuple[int, int]]] = {}

    @property
    def columns(self) -> Sequence[list[Any]]:
        return self.of, self.start, self.edge, self.first, self.base, self.doubt


class _Peaks(msgspec.Struct, array_like=True):
    """Of the day at 0, of the month at 1."""

    of: list[int] = []
    begin: list[int] = []
    value: list[float] = []
    at: list[int] = []

    @property
    def columns(self) -> Sequence[list[Any]]:
        return self.of, self.begin, self.value, self.at


class _Totals(msgspec.Struct, array_like=True):
    """Of one period of a tariff."""

    of: list[int] = []
    total: list[_Number] = []

    @property
    def columns(self) -> Sequence[list[Any]]:
        return self.of, self.total


class _Known(msgspec.Struct, array_like=True):
    version: int = VERSION
    names: list[str] = []
    digits: list[int] = []
    n: list[_Number] = []
    offset: list[_Number] = []
    ts: list[int] = []
    fast: list[float] = []
    was: dict[int, tuple[_Number, _Number, int]] = {}
    spans: dict[str, _Spans] = {}
    peaks: tuple[_Peaks, _Peaks] = (_Peaks(), _Peaks())
    tariffs: dict[str, _Totals] = {}
    basis: list[int] = []
    rest: bytes = b""  # the same of counters that nobody asks for now
    slid: tuple[_Peaks, _Peaks] = (_Peaks(), _Peaks())  # of the demands that slide
    steps: dict[int, list[_Step]] = {}  # of which these are made

    @property
    def columns(self) -> Sequence[list[Any]]:
        return self.names, self.digits, self.n, self.offset, self.ts, self.fast, self.basis

    @property
    def fits(self) -> bool:
        """Whether all columns that belong together are as long, and about counters that are there."""
        tables: list[_Table] = [*self.spans.values(), *self.peaks, *self.slid, *self.tariffs.values()]
        even = all(len({*map(len, columns)}) == 1 for columns in (self.columns, *(table.columns for table in tables)))
        places = range(len(self.names))
        return even and all(not table.of or (min(table.of) in places and max(table.of) in places) for table in tables)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Known).decode


def _empty(rest: bytes = b"") -> _Known:
    return _Known(peaks=(_Peaks(), _Peaks()), slid=(_Peaks(), _Peaks()), rest=rest)


def pack(meters: Iterable[Meter], rest: bytes = b"") -> bytes:
    """`rest` is what `unpack` has given."""
    known = _empty(rest)
    for place, meter in enumerate(meter for meter in meters if meter.register.begun):
        register = meter.register
        known.names.append(meter.name)
        known.digits.append(meter.digits)
        known.n.append(_kept(register.n))
        known.offset.append(_kept(register.offset))
        known.ts.append(register.ts)
        known.fast.append(register.fast)
        known.basis.append(meter.basis)
        if register.was is not None:
            known.was[place] = _kept(register.was[0]), _kept(register.was[1]), register.was[2]
        _pack_spans(known, place, meter)
    return _encode(known)


def _pack_spans(known: _Known, place: int, meter: Meter) -> None:
    for span, uses in meter.spans:
        table = known.spans.get(span.name)
        if table is None:
            table = known.spans[span.name] = _Spans()
        table.of.append(place)
        table.start.append(span.start)
        table.edge.append(span.edge)
        table.first.append(span.first)
        table.base.append(_kept(span.base))
        table.doubt.append(span.doubt)
        if span.past:
            table.past[place] = span.past
        for use in uses:
            if isinstance(use, Demand):
                _pack_peaks(known.peaks, place, use.peaks)
            elif isinstance(use, Sliding):
                _pack_peaks(known.slid, place, use.peaks)
                known.steps[place] = [(start, edge, _kept(grown), doubt) for start, edge, grown, doubt in use.steps]
            elif isinstance(use, Tariff):
                for name, total in use.totals.items():
                    totals = known.tariffs.setdefault(name, _Totals())
                    totals.of.append(place)
                    totals.total.append(_kept(total))


def _pack_peaks(tables: Sequence[_Peaks], place: int, found: Peaks) -> None:
    for peaks, peak in zip(tables, found.found, strict=True):
        peaks.of.append(place)
        peaks.begin.append(peak.begin)
        peaks.value.append(peak.value)
        peaks.at.append(peak.at)


def unpack(states: Iterable[bytes], meters: Mapping[str, Meter]) -> bytes:
    """Give each meter what is known of it, of several states the newest; what does not fit is left.

    What the first state knows of counters that are not there is given back, to be kept with the others.
    """
    first, *others = [list(_decoded(state)) for state in states] or [[]]
    knowns = [*first, *(known for other in others for known in other)]
    newest: dict[str, tuple[int, int]] = {}  # time, and which of them
    for number, known in enumerate(knowns):
        for name, ts in zip(known.names, known.ts, strict=True):
            if name not in newest or ts > newest[name][0]:
                newest[name] = ts, number
    for number, known in enumerate(knowns):
        found = [meters.get(name) if newest[name][1] == number else None for name in known.names]
        rows = zip(found, known.basis, strict=True)
        _load(known, [meter if meter is not None and basis in (meter.basis, 0) else None for meter, basis in rows])
    return _rest(first, meters)


def _decoded(state: bytes) -> Iterator[_Known]:
    """What it says, and the rest in it; nothing where it is damaged."""
    known = _Known(version=0)
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        known = _decode(state)
    known.basis = known.basis or [0] * len(known.names)
    if known.version == VERSION and known.fits:
        yield known
        if known.rest:
            yield from _decoded(known.rest)


def _rest(knowns: Iterable[_Known], meters: Mapping[str, Meter]) -> bytes:
    rest = _empty()
    for known in knowns:
        strange = [place for place, name in enumerate(known.names) if name not in meters]
        strange.sort(key=known.ts.__getitem__, reverse=True)
        _copy(rest, known, strange[: MOST - len(rest.names)])
    return _encode(rest) if rest.names else b""


def _copy(rest: _Known, known: _Known, places: Sequence[int]) -> None:
    """These counters, too."""
    to = {place: len(rest.names) + number for number, place in enumerate(places)}
    for mine, column in zip(rest.columns, known.columns, strict=True):
        mine.extend(column[place] for place in places)
    rest.was |= {to[place]: was for place, was in known.was.items() if place in to}
    for name, spans in known.spans.items():
        table = rest.spans.setdefault(name, _Spans())
        _copy_rows(table, spans, to)
        table.past |= {to[place]: past for place, past in spans.past.items() if place in to}
    for peaks, theirs in zip((*rest.peaks, *rest.slid), (*known.peaks, *known.slid), strict=True):
        _copy_rows(peaks, theirs, to)
    rest.steps |= {to[place]: steps for place, steps in known.steps.items() if place in to}
    for name, totals in known.tariffs.items():
        _copy_rows(rest.tariffs.setdefault(name, _Totals()), totals, to)


def _copy_rows(mine: _Table, theirs: _Table, to: Mapping[int, int]) -> None:
    rows = [row for row, of in enumerate(theirs.of) if of in to]
    for column, other in zip(mine.columns, theirs.columns, strict=True):
        column.extend([other[row] for row in rows] if other is not theirs.of else [to[theirs.of[row]] for row in rows])


def _load(known: _Known, found: list[Meter | None]) -> None:
    factors = [1] * len(found)  # of those that had decimals, and have none any more
    for place, (meter, had) in enumerate(zip(found, known.digits, strict=True)):
        if meter is None or not 0 <= had <= digits.MOST:
            found[place] = None
        elif meter.whole:
            factors[place] = 10**had
        elif had != meter.digits:
            meter.rescale(had)
    _load_registers(known, found, factors)
    for name, spans in known.spans.items():
        _load_spans(name, spans, found, factors)
    for place, peaks in enumerate(known.peaks):
        _load_peaks(place, peaks, Demand, found)
    _load_sliding(known, found, factors)
    for name, totals in known.tariffs.items():
        _load_totals(name, totals, found, factors)
    for meter in found:
        if meter is not None:
            meter.begin_rest()


def _load_registers(known: _Known, found: Sequence[Meter | None], factors: Sequence[int]) -> None:
    rows = zip(found, factors, known.n, known.offset, known.ts, known.fast, strict=True)
    for meter, factor, n, offset, ts, fast in rows:
        if meter is not None:
            register = meter.register
            register.begun, register.ts, register.mono = True, ts, 0
            register.n, register.offset = int(n) // factor, int(offset) // factor
            register.fast = fast / factor if 0 <= fast < _FASTEST else 0.0
    for place, (n, offset, ts) in known.was.items():
        meter = found[place] if 0 <= place < len(found) else None
        if meter is not None:
            meter.register.was = int(n) // factors[place], int(offset) // factors[place], ts


def _load_spans(name: str, spans: _Spans, found: Sequence[Meter | None], factors: Sequence[int]) -> None:
    rows = zip(spans.of, spans.start, spans.edge, spans.first, spans.base, spans.doubt, strict=True)
    for place, start, edge, first, base, doubt in rows:
        meter = found[place]
        span = None if meter is None else meter.span(name)
        if meter is not None and span is not None:
            span.start, span.edge, span.first, span.doubt = start, edge, first, doubt
            span.base = min(int(base) // factors[place], meter.register.n + meter.register.offset)
    for place, past in spans.past.items():
        meter = found[place] if 0 <= place < len(found) else None
        span = None if meter is None else meter.span(name)
        if span is not None:
            span.past = past


def _load_peaks(place: int, peaks: _Peaks, kind: type[Demand] | type[Sliding], found: Sequence[Meter | None]) -> None:
    for of, begin, value, at in zip(peaks.of, peaks.begin, peaks.value, peaks.at, strict=True):
        meter = found[of]
        for use in () if meter is None else meter.uses():
            if isinstance(use, kind):
                use.peaks.found[place] = Peak(begin, value, at)


def _load_sliding(known: _Known, found: Sequence[Meter | None], factors: Sequence[int]) -> None:
    for place, peaks in enumerate(known.slid):
        _load_peaks(place, peaks, Sliding, found)
    for of, steps in known.steps.items():
        meter = found[of] if 0 <= of < len(found) else None
        for use in () if meter is None else meter.uses():
            if isinstance(use, Sliding):
                with suppress(ValueError):
                    use.restore(_closed(step, factors[of]) for step in steps)


def _closed(step: _Step, factor: int) -> Closed:
    """Raises ValueError for what cannot be."""
    start, edge, grown, doubt = step
    if (isinstance(grown, str) and len(grown) > _LONGEST) or not 0 <= doubt < FIRST_BAD:
        raise ValueError("no step")
    return Closed(start, edge, int(grown) // factor, doubt)


def _load_totals(name: str, totals: _Totals, found: Sequence[Meter | None], factors: Sequence[int]) -> None:
    for of, total in zip(totals.of, totals.total, strict=True):
        meter = found[of]
        for use in () if meter is None else meter.uses():
            if isinstance(use, Tariff) and name in use.totals:
                use.totals[name] = int(total) // factors[of]


def _kept(number: int) -> _Number:
    return number if -_WIDE <= number < _WIDE else str(number)
