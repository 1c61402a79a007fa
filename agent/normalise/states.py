"""For how long a machine ran, stood, or had a fault, and how often: totals that only grow, of a tag that says so.

What is told (group `state`): `<tag>_<state>_s`, seconds in each state with three decimals, and `<tag>_unknown_s`;
`<tag>_<state>_count`, how often it was entered; `<tag>_state`, its name now. It is told when the state changes, once a
second at most, and with each minute.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema, Tag
from agent.normalise.api import Context, Sheet
from agent.normalise.columns import Columns
from agent.normalise.rules import Rules
from agent.normalise.state import States
from agent.normalise.timeline import MINUTE, SECOND, UNKNOWN, Stretch, Timeline

GROUP = "state"
SCANS, GRACE = 3, 5 * SECOND  # a group that is scanned and says nothing for so many intervals, and this, is unknown
VERSION = 1
_MS = 10**6
_LONGEST = (1 << 63) - 1  # ns that are kept of a state: a clock that jumps by years adds them to what is unknown
_Kept = dict[str, tuple[int, str, dict[str, tuple[int, int]]]]  # by tag: until when, last state, ns and entries of each
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, _Kept]).decode


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> "Clock | None":
    asked = {column: rule.states for column, rule in enumerate(rules) if rule.states is not None}
    if not asked or (schema.made and schema.group == GROUP):
        return None
    sheet = context.sheet(schema.device, GROUP)
    lines = [Line(schema.tags[column], states, sheet) for column, states in asked.items()]
    return Clock(schema, Columns(tuple(asked), len(schema.tags)), lines, sheet)


def columns_of(tag: str, states: Sequence[str]) -> tuple[str, ...]:
    """The names of what is told of a tag: seconds, entries, the state."""
    times = [f"{tag}_{name}_s" for name in (*states, "unknown")]
    return *times, *(f"{tag}_{name}_count" for name in states), f"{tag}_state"


def patience(schema: Schema) -> int:
    """After how many ns without a frame nothing is known of the tags of a group; 0: it speaks only of changes."""
    return round(SCANS * schema.interval * SECOND) + GRACE if schema.interval else 0


class Line:
    """One tag; the last of `spent` is what is unknown."""

    def __init__(self, tag: Tag, states: States, sheet: Sheet) -> None:
        self.tag, self.states = tag.name, states
        self.time = Timeline()
        self.spent, self.entered = [0] * (len(states.names) + 1), [0] * len(states.names)
        self.known = UNKNOWN  # the last state that was known
        *names, state = columns_of(tag.name, states.names)
        times, counts = names[: len(self.spent)], names[len(self.spent) :]
        tags = [Tag(name, "float64", "s", "counter") for name in times]
        tags += [Tag(name, "int64", "", "counter") for name in counts]
        self.columns = tuple(map(sheet.add, [*tags, Tag(state, "str", "", "state")]))

    def take(self, place: int, t: int, mono: int, most: int, *, stamped: bool) -> bool:
        """The state that it has from now on; whether that is another one."""
        begun, before = self.time.begun, self.time.place
        self.add(self.time.go(t, mono, most=most, stamped=stamped))
        self.time.place = place
        if place not in (UNKNOWN, self.known):
            self.entered[place] += begun and self.known != UNKNOWN
            self.known = place
        return not begun or place != before

    def settle(self, t: int, mono: int) -> None:
        """It has lasted so far, if that is later than what is known."""
        if mono > 0 and mono > self.time.mono:
            self.add(self.time.go(t, mono))

    def add(self, stretches: Iterable[Stretch]) -> None:
        for start, end, place in stretches:
            self.spent[place] += end - start

    def told(self) -> list[Value]:
        place, names = self.time.place, self.states.names
        seconds = [round(ns / _MS) / 1000 for ns in self.spent]
        return [*seconds, *self.entered, "unknown" if place == UNKNOWN else names[place]]

    def kept(self) -> tuple[int, str, dict[str, tuple[int, int]]]:
        names = *self.states.names, "unknown"
        each = zip(names, [min(spent, _LONGEST) for spent in self.spent], [*self.entered, 0], strict=True)
        known = "" if self.known == UNKNOWN else self.states.names[self.known]
        return self.time.t, known, {name: (spent, entered) for name, spent, entered in each}

    def load(self, t: int, known: str, each: Mapping[str, tuple[int, int]]) -> None:
        names = self.states.names
        both = [each.get(name, (0, 0)) for name in (*names, "unknown")]
        self.spent = [max(0, spent) for spent, _ in both]
        self.entered = [max(0, entered) for _, entered in both[:-1]]
        self.known = names.index(known) if known in names else UNKNOWN
        self.time.begun, self.time.t, self.time.mono, self.time.place = True, t, 0, UNKNOWN


class Clock:
    """Implements `Tap`, `Timed` and `Kept` for the tags of one scan group that say a state.

    Whole frames that say what the last one said are only remembered (`_seen`): time is counted when that matters.
    """

    def __init__(self, schema: Schema, columns: Columns, lines: Sequence[Line], sheet: Sheet) -> None:
        self._columns, self._lines, self._sheet = columns, lines, sheet
        self._most = patience(schema)
        self._values: Sequence[Value] = ()
        self._seen = 0, 0  # ts and mono of the last frame that was whole, good, and without times of its own
        self._told = 0  # mono of the last change that was told
        self._minute = -1
        self._untold: dict[int, None] = {}  # numbers of lines that have changed since
        self.must = self.may = False

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        self.may = True
        seen, before = self._seen, self._values
        if frame.columns is None and frame.stamps is None:
            self._seen = frame.ts, frame.mono
            self._values = () if any(frame.quality) else self._columns.pick(frame.values)
            near = not self._most or frame.mono - seen[1] <= self._most
            if near and before and self._values:
                return () if self._values == before else self._changed(frame, seen, before)
        else:
            self._seen, self._values = (0, 0), ()
        self._settle(seen)
        for place, number in self._columns.places(frame):
            self._take(number, frame, place)
        return self._changes(frame.ts, frame.mono)

    def _changed(self, frame: Frame, seen: tuple[int, int], before: Sequence[Value]) -> Sequence[Frame]:
        """Of a frame that is whole and good, after one that was: the others are as they were."""
        columns = self._columns.columns
        for number, (value, other) in enumerate(zip(self._values, before, strict=True)):
            if value != other:
                self._lines[number].settle(*seen)
                self._take(number, frame, columns[number])
        return self._changes(frame.ts, frame.mono)

    def _take(self, number: int, frame: Frame, place: int) -> None:
        line, code = self._lines[number], frame.quality[place]
        usable = code < FIRST_BAD and code != Quality.STALE
        state = line.states.place(frame.values[place]) if usable else UNKNOWN
        stamped = frame.stamps is not None
        t = frame.stamps[place] if frame.stamps else frame.ts
        if line.take(state, t, frame.mono, self._most, stamped=stamped):
            self._untold[number] = None

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        if wall // MINUTE != self._minute:
            first, self._minute = self._minute < 0, wall // MINUTE
            if not first:
                return self._each_minute(self._minute * MINUTE, mono - wall % MINUTE)
        return self._changes(wall, mono)

    def _each_minute(self, wall: int, mono: int) -> Sequence[Frame]:
        ahead = max(0, self._seen[1] - mono)
        self._settle((self._seen[0] - ahead, self._seen[1] - ahead))
        for line in self._lines:
            time = line.time
            if self._most and time.mono and mono - time.mono > self._most:
                time.place = UNKNOWN  # it was scanned, and did not answer
            if time.mono and mono > time.mono and (not self._most or time.place == UNKNOWN):
                line.add(time.go(time.later(mono), mono))
        known = [number for number, line in enumerate(self._lines) if line.time.begun]
        return self._frame(known, wall, mono) if known else ()

    def _settle(self, seen: tuple[int, int]) -> None:
        """Each state has lasted to the last frame that said so."""
        for line in self._lines:
            line.settle(*seen)

    def _changes(self, ts: int, mono: int) -> Sequence[Frame]:
        if not self._untold or mono - self._told < SECOND:
            return ()
        self._told = mono
        return self._frame(list(self._untold), ts, mono)

    def _frame(self, numbers: Sequence[int], ts: int, mono: int) -> Sequence[Frame]:
        self._untold.clear()
        self.must = True
        cells: dict[int, Value] = {}
        for number in sorted(numbers):
            line = self._lines[number]
            cells.update(zip(line.columns, line.told(), strict=True))
        columns = tuple(sorted(cells))
        return (self._sheet.frame(ts, mono, columns, tuple(map(cells.get, columns)), bytes(len(columns))),)

    def dump(self) -> bytes:
        self._settle(self._seen)
        return _encode((VERSION, {line.tag: line.kept() for line in self._lines if line.time.begun}))

    def load(self, kept: bytes) -> None:
        self.load_newest((kept,))

    def load_newest(self, states: Sequence[bytes]) -> None:
        newest: _Kept = {}
        for kept in states:
            for tag, known in _decoded(kept).items():
                if tag not in newest or known[0] > newest[tag][0]:
                    newest[tag] = known
        for line in self._lines:
            if line.tag in newest:
                line.load(*newest[line.tag])


def _decoded(kept: bytes) -> _Kept:
    try:
        version, found = _decode(kept)
    except (msgspec.MsgspecError, ValueError):
        return {}
    return found if version == VERSION else {}
