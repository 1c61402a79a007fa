"""What counters know, for the next run: one row for each, by the name of its tag."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from agent.normalise.counters import digits
from agent.normalise.counters.meter import Meter
from agent.normalise.counters.uses import Demand, Peak, Tariff

VERSION = 1
_LARGEST = 1e60  # units per ns: no rate, but damage
_WIDE = 2**63
_Number = int | str  # text beyond 64 bits


class _Row(msgspec.Struct, array_like=True):
    name: str
    digits: int
    n: _Number
    offset: _Number
    ts: int
    fast: float
    was: tuple[_Number, _Number, int] | None
    spans: dict[str, tuple[int, int, int, _Number, int, list[tuple[int, int]]]] = {}  # as `Span` has them
    peaks: list[Peak] = []
    tariffs: dict[str, _Number] = {}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[_Row]]).decode


def pack(meters: Iterable[Meter]) -> bytes:
    return _encode((VERSION, [_row(meter) for meter in meters if meter.register.begun]))


def unpack(kept: bytes, meters: Mapping[str, Meter]) -> None:
    """Give each meter what is known of it; what does not fit is left."""
    with suppress(msgspec.MsgspecError, ValueError, OverflowError):
        version, rows = _decode(kept)
        for row in rows if version == VERSION else ():
            meter = meters.get(row.name)
            if meter is not None and 0 <= row.digits <= digits.MOST:
                _load(meter, row)


def _row(meter: Meter) -> _Row:
    register, was = meter.register, meter.register.was
    kept = None if was is None else (_kept(was[0]), _kept(was[1]), was[2])
    spans = {
        span.name: (span.start, span.edge, span.first, _kept(span.base), span.doubt, span.past)
        for span, _ in meter.spans
    }
    row = _Row(meter.name, meter.digits, _kept(register.n), _kept(register.offset), register.ts, register.fast, kept)
    row.spans = spans
    for use in (use for _, uses in meter.spans for use in uses):
        if isinstance(use, Demand):
            row.peaks = use.peaks
        elif isinstance(use, Tariff):
            row.tariffs = {name: _kept(total) for name, total in use.totals.items()}
    return row


def _load(meter: Meter, row: _Row) -> None:
    register, factor = meter.register, 1
    if meter.whole:
        factor = 10**row.digits  # it had decimals, and has none any more
    else:
        meter.rescale(row.digits)
    register.begun, register.ts, register.mono = True, row.ts, 0
    register.n, register.offset = int(row.n) // factor, int(row.offset) // factor
    register.fast = row.fast / factor if 0 <= row.fast < _LARGEST else 0.0
    if row.was is not None:
        register.was = int(row.was[0]) // factor, int(row.was[1]) // factor, row.was[2]
    total = register.n + register.offset
    for span, uses in meter.spans:
        known = row.spans.get(span.name)
        if known is None:
            span.begin(row.ts, total)
        else:
            span.start, span.edge, span.first, base, span.doubt, span.past = known
            span.base = min(int(base) // factor, total)
        for use in uses:
            if isinstance(use, Demand) and len(row.peaks) == len(use.peaks):
                use.peaks = row.peaks
            elif isinstance(use, Tariff):
                use.totals |= {n: int(row.tariffs[n]) // factor for n in use.totals if n in row.tariffs}
    meter.look()


def _kept(number: int) -> _Number:
    return number if -_WIDE <= number < _WIDE else str(number)
