"""How well a machine was used in each shift: overall equipment effectiveness by ISO 22400-2.

    availability = APT / PBT    effectiveness = PRI * PQ / APT    quality = GQ / PQ    OEE = the product of the three

PBT (planned busy time) is what the calendar plans of the shift, up to now. APT (actual production time) is how much of
it the machine is known to have run; time of which nothing is known is none. PQ and GQ are all pieces of the shift,
those made in a break, too. PRI (planned run time per item) is `cycle`. Nothing is clamped: more than 1 says that the
cycle is too long, or the calendar wrong. The product is PRI * GQ / PBT, which there is also when nothing ran.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema, Tag
from agent.normalise.api import Context, Tap
from agent.normalise.calendar import Calendar
from agent.normalise.counters.ask import HOUR, SECOND, Counter
from agent.normalise.counters.meter import Meter
from agent.normalise.counters.register import Reading
from agent.normalise.counters.state import pack, unpack
from agent.normalise.counters.uses import Outbox
from agent.normalise.rules import Rules
from agent.normalise.shift import Oee
from agent.normalise.state import States
from agent.normalise.states import patience
from agent.normalise.timeline import MINUTE, UNKNOWN, Stretch, Timeline

GROUP = "shift"
FASTER = 10  # times as fast as the cycle are still pieces; more at once is no counting
GRACE = 5 * SECOND  # ns after the end of a shift for what is late
LONGEST = 15 * MINUTE  # of the wait for a group that is scanned seldom
MOST = 4  # shifts that are open at a time
VERSION = 1
TAGS = (
    *(Tag(name, "float64", "1") for name in ("oee", "oee_availability", "oee_performance", "oee_quality")),
    *(Tag(name, "float64", "s") for name in ("oee_pbt_s", "oee_apt_s")),
    *(Tag(name, "float64") for name in ("oee_produced", "oee_good")),
    Tag("shift", "str", "", "state"),
)  # of the group
_DOUBTS = {Quality.GOOD, Quality.ESTIMATED, Quality.CLOCK_UNSYNCED}  # of a counter that counts all the same
_Shift = tuple[int, int, str, int, float, float]  # start, end, name, ns of APT, pieces, good or rejected ones
_Kept = tuple[int, list[_Shift], dict[str, bytes], dict[str, float], tuple[int, int]]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, _Kept]).decode


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> Tap | None:
    """What a scan group has of the states and counters of machines; None when that is nothing."""
    feeds = [_feed(device, schema, rules, context) for device in context.one("oee", _who_asks).get(schema.device, ())]
    found = [feed for feed in feeds if feed is not None]
    if not found:
        return None

    def feed_all(frame: Frame) -> Sequence[Frame]:
        for feed in found:
            feed(frame)
        return ()

    return feed_all if len(found) > 1 else found[0]


def _who_asks(context: Context) -> dict[str, list[str]]:
    """By the device whose tags they are: the devices whose shifts are judged by them."""
    found: dict[str, list[str]] = {}
    for device, asked in context.recipes.oee.items():
        for source in {asked.source(name, device)[0] for name in (asked.state, *asked.counters)}:
            found.setdefault(source, []).append(device)
    return found


def _feed(device: str, schema: Schema, rules: Sequence[Rules], context: Context) -> "Feed | None":
    asked = context.recipes.oee[device]
    calendar = context.recipes.calendars.get(asked.calendar)
    own = schema.device == device
    if calendar is None or (own and schema.made and schema.group != "derived"):
        return None
    columns = {(schema.device, tag.name): column for column, tag in enumerate(schema.tags)}
    at = columns.get(asked.source(asked.state, device), -1)
    states = rules[at].states if at >= 0 else None
    places = [(name, columns.get(asked.source(name, device), -1)) for name in asked.counters]
    counted = [(name, column) for name, column in places if column >= 0]
    if states is None and not counted:
        return None
    machine = context.one(f"oee/{device}", lambda made: Machine(device, asked, calendar, made))
    silent = schema.interval == 0
    meters = [
        (column, machine.meter(replace(schema.tags[column], name=name), rules[column].counter, silent=silent))
        for name, column in counted
    ]
    return Feed(machine, schema, at if states else -1, states, meters)


@dataclass(slots=True)
class Shift:
    """One shift so far; `other` are the good pieces, or the rejected ones."""

    start: int
    end: int
    name: str
    apt: int = 0
    produced: float = 0
    other: float = 0


class Machine:
    """One device over its shifts, whatever groups its tags are scanned in. Implements `Timed` and `Kept`."""

    def __init__(self, device: str, asked: Oee, calendar: Calendar, context: Context) -> None:
        self.asked, self._calendar = asked, calendar
        self.time = Timeline()
        self.run: frozenset[int] = frozenset()  # the places of the states that are running
        self.silent = False  # whether the state is told only when it changes
        self.most = 0
        self.wait = GRACE
        self._shifts: dict[int, Shift] = {}
        self._closed = 0  # ns; what ended before is told already
        self._meters: dict[str, Meter] = {}
        self._counted: dict[str, tuple[Tag, Counter, bool]] = {}  # what each was made of
        self._last: dict[str, float] = {}  # totals
        self._left: dict[str, bytes] = {}  # what an earlier run knew of meters that are not built yet
        self._minute = -1
        self._sheet = context.sheet(device, GROUP)
        add = self._sheet.add
        self._columns = tuple(map(add, TAGS))
        self.must = self.may = False

    def meter(self, tag: Tag, said: Counter | None, *, silent: bool) -> Meter:
        """That of a counter by the name that the device has for it, which goes on where it was.
        It counts ten times as fast as the cycle at most."""
        fastest = FASTER * 3600 * SECOND / self.asked.cycle
        counter = Counter(said.rollover, said.max_rate or fastest, said.confirm) if said else Counter(max_rate=fastest)
        known, asked = self._meters.get(tag.name), (tag, counter, silent)
        if known and self._counted.get(tag.name) == asked:
            return known
        self._counted[tag.name] = asked
        made = self._meters[tag.name] = Meter(tag, counter, -1, silent=silent)
        unpack([pack([known]) if known else self._left.pop(tag.name, b"")], {tag.name: made})
        return made

    def says(self, place: int, t: int, mono: int, *, stamped: bool) -> None:
        """The state that the machine has from now on."""
        self._ran(self.time.go(t, mono, most=self.most, stamped=stamped))
        self.time.place = place
        self.may = True

    def count(self, meter: Meter, value: Value, code: int, t: int, mono: int, *, stamped: bool) -> None:
        n = meter.units(value) if code in _DOUBTS else None
        if n is None:
            meter.broken = meter.broken or code >= FIRST_BAD
            return
        if not meter.register.easy(n, t, mono) and not meter.take(Reading(n, t, mono), code, Outbox(), stamped=stamped):
            return
        total, name = meter.value(), meter.name
        grown, self._last[name] = total - self._last.get(name, total), total
        if grown > 0:
            shift = self._shift(t)
            if name == self.asked.produced:
                shift.produced += grown
            if name in (self.asked.good, self.asked.rejects):
                shift.other += grown
            self.may = True

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        """With each minute how the shift stands, and how it ended."""
        if wall // MINUTE == self._minute:
            return self._ended(wall, mono)
        first, self._minute = self._minute < 0, wall // MINUTE
        if first:
            return self._ended(wall, mono)
        minute = self._minute * MINUTE
        self._set_back(wall)
        self._pass(mono - wall % MINUTE)
        made = list(self._ended(wall, mono))
        now = self._shift(minute)
        if now.start < minute < now.end:
            made += self._told(now, minute, max(0, mono - wall + minute))
        return made

    def dump(self) -> bytes:
        meters = self._left | {name: pack([meter]) for name, meter in self._meters.items()}
        shifts = [(s.start, s.end, s.name, s.apt, float(s.produced), float(s.other)) for s in self._shifts.values()]
        last = {name: float(total) for name, total in self._last.items()}
        time = self.time
        return _encode((VERSION, (self._closed, shifts, meters, last, (time.t, int(time.begun)))))

    def load(self, kept: bytes) -> None:
        try:
            version, (closed, shifts, meters, last, (t, begun)) = _decode(kept)
        except (msgspec.MsgspecError, ValueError):
            return
        if version != VERSION:
            return
        self._closed, self._last, self._left = closed, last, meters
        self._shifts = {each[0]: Shift(*each) for each in shifts[-MOST:]}
        self.time.t, self.time.begun, self.time.mono, self.time.place = t, bool(begun), 0, UNKNOWN
        for name in meters.keys() & self._meters.keys():
            unpack([self._left.pop(name)], {name: self._meters[name]})

    def _pass(self, mono: int) -> None:
        """What has passed without a reading: of a state that is told when it changes, or one that nobody knows."""
        time = self.time
        if self.most and time.mono and mono - time.mono > self.most:
            time.place = UNKNOWN
        if time.mono and mono > time.mono and (self.silent or time.place == UNKNOWN):
            self._ran(time.go(time.later(mono), mono))

    def _ran(self, stretches: Sequence[Stretch]) -> None:
        for start, end, place in stretches:
            if place in self.run:
                for span in self._calendar.spans(start, end):
                    if span.planned:
                        self._shift(span.start).apt += span.end - span.start

    def _shift(self, t: int) -> Shift:
        """The one in which `t` lies; of one that is told already, the one that came next."""
        whole = self._calendar.shift_at(max(t, self._closed))
        found = self._shifts.get(whole.start)
        if found is None:
            if len(self._shifts) >= MOST:
                del self._shifts[min(self._shifts)]
            found = self._shifts[whole.start] = Shift(whole.start, whole.end, whole.name)
        return found

    def _set_back(self, wall: int) -> None:
        """The wall clock was ahead, and is right now: what it has begun or ended in times to come never was."""
        if self._closed > wall + HOUR:
            self._closed = 0
        self._shifts = {start: each for start, each in self._shifts.items() if start <= wall + HOUR}

    def _ended(self, wall: int, mono: int) -> Sequence[Frame]:
        made: list[Frame] = []
        for shift in [each for each in self._shifts.values() if wall >= each.end + self.wait]:
            made += self._told(shift, shift.end, max(0, mono - wall + shift.end))
            del self._shifts[shift.start]
            self._closed = max(self._closed, shift.end)
            self.must = True
        return made

    def _told(self, shift: Shift, now: int, mono: int) -> Sequence[Frame]:
        """Nothing where nothing was planned and nothing made. A reading just after `now` has added to both times."""
        until = min(max(now, self.time.t), shift.end)
        planned = sum(span.end - span.start for span in self._calendar.spans(shift.start, until) if span.planned)
        if not planned and not shift.produced:
            return ()
        self.must = True
        good = shift.other if self.asked.good else shift.produced - shift.other
        found = figures(planned, shift.apt, shift.produced, good, self.asked.cycle)
        values: list[Value] = [*found, planned / SECOND, shift.apt / SECOND, shift.produced, good, shift.name]
        quality = bytes(Quality.BAD_DECODE if value is None else 0 for value in values)
        return (self._sheet.frame(now, mono, self._columns, tuple(values), quality),)


def figures(pbt: int, apt: int, produced: float, good: float, cycle: int) -> tuple[float | None, ...]:
    """OEE, availability, effectiveness, quality; times in ns. None for what would be a division by nothing."""
    return (
        cycle * good / pbt if pbt else None,
        apt / pbt if pbt else None,
        cycle * produced / apt if apt else None,
        good / produced if produced else None,
    )


class Feed:
    """Implements `Tap`: gives a machine what one scan group has of it."""

    def __init__(
        self, machine: Machine, schema: Schema, at: int, states: States | None, meters: Sequence[tuple[int, Meter]]
    ) -> None:
        self._machine, self._at, self._states, self._meters = machine, at, states, dict(meters)
        machine.wait = max(machine.wait, min(LONGEST, round(1.5 * schema.interval * SECOND) + GRACE))
        if states is not None:
            machine.run = frozenset(states.names.index(name) for name in machine.asked.run if name in states.names)
            machine.silent, machine.most = schema.interval == 0, patience(schema)

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        machine, stamps = self._machine, frame.stamps
        for place, column in enumerate(frame.columns) if frame.columns is not None else self._whole():
            t = frame.ts if stamps is None else min(stamps[place], frame.ts)
            value, code = frame.values[place], frame.quality[place]
            if column == self._at and self._states is not None:
                usable = code < FIRST_BAD and code != Quality.STALE
                machine.says(
                    self._states.place(value) if usable else UNKNOWN, t, frame.mono, stamped=stamps is not None
                )
            meter = self._meters.get(column)
            if meter is not None:
                machine.count(meter, value, code, t, frame.mono, stamped=stamps is not None)
        return ()

    def _whole(self) -> Sequence[tuple[int, int]]:
        columns = [*self._meters, *([self._at] if self._at >= 0 else [])]
        return [(column, column) for column in columns]
