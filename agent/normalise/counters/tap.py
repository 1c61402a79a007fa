"""Counters of one scan group: what their readings say becomes totals, and what their intervals hold."""

from collections.abc import Callable, Iterable, Sequence

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import FLOATS, DType, Schema, Tag
from agent.model.text import duration_text
from agent.normalise.api import Context, Sheet
from agent.normalise.calendar import Calendar
from agent.normalise.counters.ask import SECOND, Counter
from agent.normalise.counters.meter import Meter
from agent.normalise.counters.names import demand_name, interval_name, peak_names, power_unit, tariff_name, total_name
from agent.normalise.counters.register import Reading
from agent.normalise.counters.sliding import Sliding
from agent.normalise.counters.span import Span, Window
from agent.normalise.counters.state import pack, unpack
from agent.normalise.counters.uses import Consumption, Demand, Outbox, Peaks, Tariff, Use
from agent.normalise.rules import Rules

GRACE = 10 * SECOND  # ns that a device which speaks only of changes may be late
QUARTER = 900 * SECOND  # ns between two totals by tariff, and one more whenever it changes
SCANS = 3  # that two readings may be apart, and an edge between them is not estimated
SHARE = 10  # or this part of the interval
DOUBTS = {Quality.ESTIMATED, Quality.CLOCK_UNSYNCED}  # of a reading that counts all the same
_LAST = 1 << 62  # ns; nothing is read after that, or before 1970


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> "Counters | None":
    """The counters of a group; None when no tag asks to be one."""
    meters = {
        column: _meter(schema, tag, asked, context)
        for column, (tag, asked) in enumerate(zip(schema.tags, (rule.counter for rule in rules), strict=True))
        if asked is not None and tag.dtype != "str"
    }
    return Counters(schema, meters, context) if meters else None


class Counters:
    """Implements `Tap`, `Timed` and `Kept`."""

    def __init__(self, schema: Schema, meters: dict[int, Meter], context: Context) -> None:
        self._meters, self._silent = meters, _speaks_up(schema)
        self._pairs = tuple(meters.items())
        self._totals = context.sheet(schema.device, "total")
        self._rest = b""  # what is known of tags that are no counters now
        self.must = self.may = False

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        values, quality, stamps, mono = frame.values, frame.quality, frame.stamps, frame.mono
        out, ts = Outbox(), frame.ts
        columns, totals, doubts, times = list[int](), list[Value](), bytearray(), list[int]()
        for place, meter in self._pairs if frame.columns is None else self._sparse(frame.columns):
            if stamps is not None:
                ts = stamps[place]
            code = quality[place]
            n = meter.units(values[place]) if code == 0 or code in DOUBTS else None
            if n is None:
                meter.broken = meter.broken or code >= FIRST_BAD
                continue
            if code or ts >= meter.next or meter.doubt or meter.broken or not meter.register.easy(n, ts, mono):
                if not 0 <= ts < _LAST or not meter.take(Reading(n, ts, mono), code, out, stamped=stamps is not None):
                    continue
                self.must = self.must or bool(meter.doubt) or out.full
                meter.behind = frame.ts - ts
            if meter.column >= 0:
                columns.append(meter.column)
                totals.append(meter.value())
                doubts.append(meter.doubt)
                if stamps is not None:
                    times.append(ts)
        self.may = True
        made = out.frames(frame.ts, mono) if out.full else []
        if columns:
            own = None if stamps is None else tuple(times)
            made.append(self._totals.frame(frame.ts, mono, tuple(columns), tuple(totals), bytes(doubts), own))
        return made

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        """Devices that speak only of changes: what has ended while nothing came."""
        if not self._silent:
            return ()
        out = Outbox()
        for _, meter in self._pairs:
            now = wall - meter.behind - GRACE
            if now >= meter.next and not meter.broken and not meter.register.holding and now < _LAST:
                meter.stand(now, out)
        self.must = self.must or out.full
        return out.frames(wall, mono) if out.full else ()

    def dump(self) -> bytes:
        return pack(self._meters.values(), self._rest)

    def load(self, kept: bytes) -> None:
        self.load_newest((kept,))

    def load_newest(self, states: Sequence[bytes]) -> None:
        """Also what an earlier schema of the group knew: so it is kept once more with what is made next."""
        self._rest = unpack(states, {meter.name: meter for meter in self._meters.values()})
        self.must = True

    def _sparse(self, columns: tuple[int, ...]) -> Iterable[tuple[int, Meter]]:
        meters = self._meters
        return [(place, meters[column]) for place, column in enumerate(columns) if column in meters]


def _speaks_up(schema: Schema) -> bool:
    """Whether its device tells only what has changed: then it stands still while it is silent."""
    return schema.interval == 0 and not schema.made


def _meter(schema: Schema, tag: Tag, asked: Counter, context: Context) -> Meter:
    dtype: DType = "float64" if tag.dtype in FLOATS else "uint64" if tag.dtype[0] == "u" else "int64"
    column = -1
    if asked.total:
        made = Tag(total_name(tag.name), dtype, tag.unit, "counter")
        column = context.sheet(schema.device, "total").add(made)
    meter = Meter(tag, asked, column, silent=_speaks_up(schema))

    def close(every: int) -> int:
        return max(round(SCANS * schema.interval * SECOND), every // SHARE)

    uses: dict[int, list[Use]] = {}
    for every in asked.intervals:
        length = duration_text(every / SECOND)
        sheet = context.sheet(schema.device, f"interval-{length}")
        uses[every] = [Consumption(sheet, sheet.add(Tag(interval_name(tag.name, length), dtype, tag.unit)))]
    if asked.demand:
        uses.setdefault(asked.demand, []).append(_demand(schema, tag, asked.demand, context))
    if asked.demand and asked.sliding:
        uses.setdefault(asked.sliding, []).append(_sliding(schema, tag, asked.demand, context))
    for every, some in uses.items():
        span = Span(duration_text(every / SECOND), every, close(every), _windows(context, every))
        meter.spans.append((span, some))
    calendar = context.recipes.calendars.get(asked.tariff)
    if calendar is not None:
        sheet = context.sheet(schema.device, "tariff")
        columns = {
            name: sheet.add(Tag(tariff_name(tag.name, name), dtype, tag.unit, "counter")) for name in calendar.names
        }
        span = Span("tariff", QUARTER, close(QUARTER), _tariff_windows(context, calendar))
        meter.spans.append((span, [Tariff(sheet, columns, calendar)]))
    meter.look()
    return meter


def _demand(schema: Schema, tag: Tag, every: int, context: Context) -> Demand:
    return Demand(*_power(schema, tag, every, context, sliding=False))


def _sliding(schema: Schema, tag: Tag, every: int, context: Context) -> Sliding:
    sheet, column, peaks = _power(schema, tag, every, context, sliding=True)
    return Sliding(sheet, column, every, peaks)


def _power(schema: Schema, tag: Tag, every: int, context: Context, *, sliding: bool) -> tuple[Sheet, int, Peaks]:
    """Where a mean power goes, and its peaks."""
    sheet, unit = context.sheet(schema.device, "demand"), power_unit(tag.unit)
    name = demand_name(tag.name, duration_text(every / SECOND), sliding=sliding)
    column, columns = sheet.add(Tag(name, "float64", unit)), list[int]()
    for peak, at in peak_names(tag.name, sliding=sliding):
        columns += [sheet.add(Tag(peak, "float64", unit)), sheet.add(Tag(at, "int64", "ms"))]
    return sheet, column, Peaks(sheet, columns, context.recipes.local)


def _windows(context: Context, every: int) -> Window:
    """All counters of a site have the same windows: each is looked up once."""
    return context.one(f"window/{every}", lambda _: _remembering(lambda ts: context.recipes.local.window(ts, every)))


def _tariff_windows(context: Context, calendar: Calendar) -> Window:
    def window(ts: int) -> tuple[int, int]:
        start, end = context.recipes.local.window(ts, QUARTER)
        stretch = calendar.span_at(ts)
        return max(start, stretch.start), min(end, stretch.end)

    return _remembering(window)


def _remembering(window: Callable[[int], tuple[int, int]]) -> Window:
    found = 0, 0

    def remembering(ts: int) -> tuple[int, int]:
        nonlocal found
        if not found[0] <= ts < found[1]:
            found = window(ts)
        return found

    return remembering
